use serde_json::{Value, json};

use super::*;

const MAIN: &str = "package postern

default decision := false

decision := {\"allow\": true} if {
	input.caller.id == \"clerk\"
	input.context.peer.ip == \"10.0.0.1\"
}
";

const TESTS: &str = "package postern_test

import data.postern

test_ok if postern.decision == false with input as {}

test_bad if {
	print(\"looking <closely>\")
	postern.decision.allow with input as {\"caller\": {\"id\": \"clerk\"}}
}

todo_test_later if false

test_err if to_number(\"zz\") == 1

test_cases[note] if {
	some note, tc in {\"one\": 1, \"two\": 2}
	tc == 1
}
";

fn ran(files: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let words = ["postern", "policy", "test", path].into_iter().chain(arguments.iter().copied());
    let mut outcome = crate::command::main(words.map(std::ffi::OsString::from));
    for text in [&mut outcome.out, &mut outcome.err] {
        *text = text.replace(&format!("{path}/"), "");
    }
    outcome
}

fn all(arguments: &[&str]) -> Outcome {
    ran(&[("main.rego", MAIN), ("main_test.rego", TESTS)], arguments)
}

/// Times are what they are.
fn timeless(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let line =
            line.rsplit_once(" (").filter(|(_, time)| time.ends_with("s)")).map_or(line, |(line, _)| line);
        out.push(line);
    }
    out.join("\n") + "\n"
}

#[test]
fn the_report_is_opas_with_the_statement_that_did_not_hold_and_its_values() {
    let outcome = all(&[]);
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::TEST_FAILED, ""));
    let expected = "main_test.rego:
data.postern_test.test_bad: FAIL

  main_test.rego:9:2: did not hold
    9 | postern.decision.allow with input as {\"caller\": {\"id\": \"clerk\"}}
      | data.postern.decision.allow is undefined


  looking <closely>

data.postern_test.todo_test_later: SKIPPED
data.postern_test.test_err: ERROR
  evaluation failed: 
";
    let given = timeless(&outcome.out);
    assert!(given.starts_with(expected.trim_end()), "{given}");
    let cases = "\ndata.postern_test.test_cases: FAIL\n  one: PASS\n  two: FAIL\n\n    main_test.rego:18:2: did not hold\n      \
                 18 | tc == 1\n         | tc is 2\n";
    assert!(given.contains(cases), "{given}");
    assert_eq!(timeless(&all(&["--var-values"]).out), given);
    assert!(given.ends_with("---\nPASS: 2/6\nFAIL: 2/6\nERROR: 1/6\nSKIPPED: 1/6\n"), "{given}");
    assert!(!given.contains("test_ok"), "{given}");
    assert!(all(&["-v"]).out.contains("data.postern_test.test_ok: PASS ("));
}

#[test]
fn what_passed_is_said_in_one_line() {
    let outcome = all(&["--run", "test_ok$"]);
    assert_eq!(outcome, Outcome::said("PASS: 1/1\n".to_owned()));
}

#[test]
fn what_is_put_where_nothing_reads_it_is_warned_of_beside_the_report() {
    let tests = "package postern_test\ntest_ok if data.postern.decision == false with data.frozn as true with input as {}\n";
    let files = [("main.rego", MAIN), ("main_test.rego", tests)];
    let outcome = ran(&files, &[]);
    assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
    assert!(outcome.err.starts_with("warning: ") && outcome.err.ends_with("1 warning\n"), "{}", outcome.err);
    assert!(outcome.err.contains("`data.frozn` is read by no rule"), "{}", outcome.err);
    assert_eq!(ran(&files, &["--format", "json"]).err, "");
}

#[test]
fn no_test_at_all_is_a_failure() {
    for (outcome, which) in
        [(all(&["--run", "nothing"]), "matches --run"), (ran(&[("main.rego", MAIN)], &[]), "called `test_…`")]
    {
        assert_eq!(outcome.exit, Exit::TEST_FAILED);
        assert!(
            outcome.err.starts_with("no test was found ") && outcome.err.contains(which),
            "{}",
            outcome.err
        );
    }
    assert_eq!(all(&["--run", "("]).exit, Exit::Usage);
}

#[test]
fn the_json_has_opas_members() {
    let outcome = all(&["--format", "json"]);
    assert_eq!(outcome.exit, Exit::TEST_FAILED);
    let said: Value = serde_json::from_str(&outcome.out).unwrap();
    let mut bad = said[1].clone();
    assert!(bad["duration"].as_u64().is_some_and(|nanos| nanos > 0));
    bad["duration"] = 0.into();
    let expected = json!({
        "location": {"file": "main_test.rego", "row": 7, "col": 1},
        "package": "data.postern_test", "name": "test_bad", "fail": true, "duration": 0,
        "output": "bG9va2luZyA8Y2xvc2VseT4K",
        "statement": {
            "line": 9, "column": 2, "text": "postern.decision.allow with input as {\"caller\": {\"id\": \"clerk\"}}",
            "error": null,
            "values": [{"name": "data.postern.decision.allow", "defined": false, "value": null}],
        },
    });
    assert_eq!(bad, expected);
    assert_eq!(said[2]["skip"], true);
    assert_eq!(said[3]["error"]["code"], "eval_builtin_error");
    let statement = json!({
        "line": 18, "column": 2, "text": "tc == 1", "error": null,
        "values": [{"name": "tc", "defined": true, "value": 2}],
    });
    let cases = json!({"one": {"name": "one"}, "two": {"name": "two", "fail": true, "statement": statement}});
    assert_eq!(said[4]["sub_results"], cases);
}

/// What each stops at: twice the same name, an `else`, a loop, one case of two notes, a value that is false.
#[test]
fn each_failed_test_says_its_own_statement_and_values() {
    let tests = "package postern_test\n\nimport data.postern\n\n\
        test_twice if {\n\tx := 1\n\tx > 2\n}\n\n\
        test_twice if {\n\txs := [1, 2]\n\tevery x in xs { x < 2 }\n}\n\n\
        test_else if {\n\ty := \"a\"\n\ty == \"b\"\n} else if false\n\n\
        test_deep[a][b] if {\n\tsome a in [\"x\", \"z\"]\n\tsome b in [1, 2]\n\tv := concat(\"\", [a, format_int(b, 10)])\n\tv != \"z2\"\n}\n\n\
        test_false := false\n\n\
        test_not if not postern.decision == false with input as {}\n";
    let outcome = ran(&[("main.rego", MAIN), ("main_test.rego", tests)], &[]);
    for said in [
        "test_twice: FAIL\n\n  main_test.rego:7:2: did not hold\n    7 | x > 2\n      | x is 1\n",
        "test_twice#01: FAIL\n\n  main_test.rego:12:2: did not hold\n    12 | every x in xs { x < 2 }\n       | xs is [1,2]\n       | x is 2\n",
        "17 | y == \"b\"\n       | y is \"a\"\n",
        "    2: FAIL\n\n      main_test.rego:24:2: did not hold\n        24 | v != \"z2\"\n           | v is \"z2\"\n",
        "27 | test_false := false\n",
        ":13: did not hold\n    29 | not postern.decision == false with input as {}\n       | data.postern.decision is false\n",
    ] {
        let out = timeless(&outcome.out);
        assert!(out.contains(said), "`{said}` is not in:\n{out}");
    }
}

#[test]
fn junit_tells_every_case_and_escapes_what_it_tells() {
    let outcome = all(&["--format", "junit"]);
    for line in [
        "<testsuite name=\"data.postern_test\" tests=\"6\" failures=\"2\" errors=\"1\" skipped=\"1\">",
        "name=\"test_cases[one]\"",
        "name=\"test_cases[two]\"",
        "main_test.rego:9: postern.decision.allow with input as {&quot;caller&quot;",
        "<skipped/>",
        "<error type=\"eval_builtin_error\"",
    ] {
        assert!(outcome.out.contains(line), "`{line}` is not in:\n{}", outcome.out);
    }
}

#[test]
fn a_threshold_is_a_percentage() {
    assert_eq!((percent("0"), percent("99.5"), percent("100")), (Ok(0.0), Ok(99.5), Ok(100.0)));
    for text in ["101", "-1", "NaN", "inf", "many"] {
        assert!(percent(text).is_err(), "{text}");
    }
}

#[test]
fn coverage_below_the_threshold_fails() {
    let half = all(&["--run", "test_ok", "--coverage", "--threshold", "100"]);
    assert_eq!(half.exit, Exit::TEST_FAILED);
    assert_eq!(half.err, "Code coverage threshold not met: got 50.00 instead of 100.00\n");
    assert!(
        half.out.contains("COVERAGE: 50.0% (2/4 lines)\nmain.rego: 50.0%, not covered: 5, 7\n"),
        "{}",
        half.out
    );
    assert_eq!(all(&["--run", "test_ok", "--threshold", "50"]).exit, Exit::Done);

    let json = all(&["--run", "test_ok", "--coverage", "--format", "json"]);
    let said: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(said["coverage"], 50.0);
    let missed = json!([{"start": {"row": 5}, "end": {"row": 5}}, {"start": {"row": 7}, "end": {"row": 7}}]);
    assert_eq!(said["files"]["main.rego"]["not_covered"], missed);
    assert_eq!((json.exit, json.err.as_str()), (Exit::Done, ""));

    // Which tests failed, the report of lines does not say.
    let failed = all(&["--coverage", "--format", "json"]);
    assert_eq!(failed.exit, Exit::TEST_FAILED);
    assert!(serde_json::from_str::<Value>(&failed.out).unwrap()["coverage"].is_number());
    assert!(
        failed.err.contains("data.postern_test.test_bad: FAIL") && failed.err.contains("FAIL: 2/6"),
        "{}",
        failed.err
    );
}

#[test]
fn what_would_not_be_loaded_is_not_tested() {
    let unknown = ran(&[("main.rego", MAIN), ("a_test.rego", "package a\ntest_a if http.send({})\n")], &[]);
    assert_eq!(unknown.exit, Exit::Policy);
    assert!(unknown.err.contains("a_test.rego:2:11: `http.send`"), "{}", unknown.err);
    let words = ["postern", "policy", "test", "/nonexistent"];
    let nowhere = crate::command::main(words.map(std::ffi::OsString::from));
    assert_eq!(nowhere.exit, Exit::Configuration);
}

#[test]
fn skipped_tests_and_none_end_as_opa_ends_them_when_it_is_told_to_be_strict() {
    let skipped =
        [("main.rego", MAIN), ("main_test.rego", "package postern_test\n\ntodo_test_later if false\n")];
    assert_eq!(ran(&skipped, &[]).exit, Exit::TEST_FAILED);
    assert_eq!(ran(&skipped, &["-z", "-b"]).exit, Exit::Done);
    let failing = [("main.rego", MAIN), ("main_test.rego", TESTS)];
    assert_eq!(ran(&failing, &["-z"]).exit, Exit::TEST_FAILED);
    for words in [&[][..], &["--fail-on-empty"]] {
        assert_eq!(ran(&[("main.rego", MAIN)], words).exit, Exit::TEST_FAILED);
    }
}

#[test]
fn files_that_are_ignored_are_neither_run_nor_counted() {
    let files = [
        ("main.rego", MAIN),
        ("main_test.rego", TESTS),
        ("old_test.rego", "package old_test\n\ntest_old if true\n"),
    ];
    let only = ran(&files, &["--ignore", "main_test.rego", "--coverage"]);
    assert_eq!(only.exit, Exit::Done, "{}", only.err);
    assert!(only.out.starts_with("PASS: 1/1"), "{}", only.out);
    assert_eq!(ran(&files, &["--ignore", "*_test.rego,x"]).exit, Exit::TEST_FAILED);
    assert_eq!(ran(&files, &["--ignore", "[a]"]).exit, Exit::Usage);
}
