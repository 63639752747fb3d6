//! What is written runs as a test, fails on the policy that was wrong, and passes on the one that is mended.

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const WRONG: &str = "package postern\n\ndefault decision := {\"allow\": false}\n\ndecision := {\"allow\": true} if {\n\t\
    input.request.method == \"GET\"\n\tinput.now > 9000000000\n}\n";

fn record() -> Value {
    json!({
        "kind": "request", "id": "r-1a", "at": "2026-11-21T18:02:03.412Z", "code": "PST-AZ-010",
        "decision": {
            "allow": false, "reason": "closed\npackage evil", "policy": {"main": "r1"},
            "input": {
                "document": {
                    "now": 1_795_300_123,
                    "request": {"method": "GET", "headers": {"x-key": [MASKED]}, "path": "/a\n}\u{2028}\"{x}\\"},
                },
                "masked": ["request.headers.x-key"],
            },
        },
    })
}

fn folder(policy: &str, record: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policy")).unwrap();
    std::fs::write(folder.path().join("policy/main.rego"), policy).unwrap();
    std::fs::write(folder.path().join("records.jsonl"), format!("{record}\n")).unwrap();
    folder
}

/// Words that begin with `@` are files of the folder.
fn postern(folder: &Path, words: &str) -> Outcome {
    let word = |word: &str| match word.strip_prefix('@') {
        Some(file) => OsString::from(folder.join(file)),
        None => OsString::from(word),
    };
    crate::command::main(words.split(' ').map(word))
}

const WRITE: &str = "postern policy test --from-record r-1a --records @records.jsonl -e postern/decision";

#[test]
fn the_test_fails_until_the_policy_is_mended() {
    let folder = folder(WRONG, &record());
    let written = postern(folder.path(), &format!("{WRITE} -o @policy/incident_test.rego"));
    assert_eq!(written.exit, Exit::Done, "{}", written.err);

    let before = postern(folder.path(), "postern policy test @policy");
    std::fs::write(folder.path().join("policy/main.rego"), WRONG.replace("9000000000", "1577836800"))
        .unwrap();
    let after = postern(folder.path(), "postern policy test @policy");

    assert_eq!(before.exit, Exit::TEST_FAILED, "{}{}", before.out, before.err);
    assert!(before.out.contains("test_incident_r_1a"), "{}", before.out);
    assert_eq!((after.exit, after.out.as_str()), (Exit::Done, "PASS: 1/1\n"), "{}", after.err);
}

#[test]
fn it_says_what_was_recorded_what_is_wanted_and_what_was_masked() {
    let folder = folder(WRONG, &record());

    let said = postern(folder.path(), &format!("{WRITE} --expect deny --name closed_at_night")).out;

    for line in [
        "# Record r-1a of 2026-11-21T18:02:03.412Z: denied. It should be denied.",
        "# Its reason: closed\u{fffd}package evil",
        "# (masked) in the record; write what matters: request.headers.x-key",
        "test_closed_at_night if {",
        "\tnot closed_at_night_allows(answer)",
        "with time.now_ns as 1795300123000000000",
    ] {
        assert!(said.contains(line), "`{line}` is not in:\n{said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("package")).count(), 1, "{said}");
}

#[test]
fn what_is_there_is_not_written_over_and_a_policy_file_is_not_made() {
    let folder = folder(WRONG, &record());
    std::fs::write(folder.path().join("mine_test.rego"), "mine").unwrap();
    for file in ["@mine_test.rego", "@policy/new.rego"] {
        let outcome = postern(folder.path(), &format!("{WRITE} -o {file}"));
        assert_eq!(outcome.exit, Exit::Configuration, "{file}");
        let there = outcome.err.contains("is there already and is not written over");
        assert_eq!(there, file.contains("mine"), "{}", outcome.err);
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("mine_test.rego")).unwrap(), "mine");
    assert!(!folder.path().join("policy/new.rego").exists());
}

#[test]
fn what_becomes_of_the_test_is_told_as_far_as_the_record_tells() {
    let mut plain = record();
    plain["decision"]["input"]["masked"] = json!([]);
    for (record, more, says) in [
        (record(), "", "or the test may fail whatever the policy says"),
        (plain.clone(), "", "it fails until the policy is mended"),
        (plain.clone(), " --expect allow", "it fails until the policy is mended"),
        (plain, " --expect deny", "it expects what was recorded"),
    ] {
        let folder = folder(WRONG, &record);
        let said = postern(folder.path(), &format!("{WRITE}{more} -o @policy/one_test.rego"));
        assert!(said.out.contains(says), "{more}: {}{}", said.out, said.err);
    }
}

#[test]
fn without_a_configuration_the_file_of_records_is_asked_for() {
    for words in ["postern policy test --from-record r-1", "postern explain r-1"] {
        let words = words.split(' ').chain(["--config", "/nonexistent.yaml"]).map(OsString::from);
        let outcome = crate::command::main(words);
        assert_eq!(outcome.exit, Exit::Configuration);
        assert!(outcome.err.ends_with("--records FILE names the records\n"), "{}", outcome.err);
    }
}

#[test]
fn a_configuration_that_is_named_and_cannot_be_understood_is_told() {
    let folder = folder(WRONG, &record());
    for words in ["--config @none", "--config @records.jsonl"] {
        let outcome = postern(folder.path(), &WRITE.replace("-e postern/decision", words));
        assert_eq!((outcome.exit, outcome.out.as_str()), (Exit::Configuration, ""), "{words}");
        assert!(outcome.err.contains(words.split('@').nth(1).unwrap()), "{}", outcome.err);
    }
}

#[test]
fn a_record_that_cannot_be_a_test_says_why() {
    let mut deep = json!(1);
    for _ in 0..12 {
        deep = json!([deep]);
    }
    for (pointer, value, why) in [
        ("/decision", Value::Null, "did not judge"),
        ("/decision/input", Value::Null, "no input"),
        ("/decision/input/document/request", deep, "nested"),
    ] {
        let mut record = record();
        *record.pointer_mut(pointer).unwrap() = value;
        let folder = folder(WRONG, &record);
        let outcome = postern(folder.path(), WRITE);
        assert_eq!(outcome.exit, Exit::NotFound, "{pointer}");
        assert!(outcome.err.contains(why), "{}", outcome.err);
    }
    let folder = folder(WRONG, &record());
    assert_eq!(postern(folder.path(), &WRITE.replace("r-1a", "r-2")).exit, Exit::NotFound);
    std::fs::write(folder.path().join("records.jsonl"), "{\"id\": \"r-1a\"".repeat(200_000)).unwrap();
    assert_eq!(postern(folder.path(), WRITE).exit, Exit::NotFound);
}
