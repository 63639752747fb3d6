//! A recorded decision is judged again by the policy at hand, and whatever may make it another one is said.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Exit, Outcome};

const POLICY: &str = r#"package postern

default decision := {"allow": false, "reason": "no rule allows this"}

decision := {"allow": true, "rule": "clerks"} if {
	input.request.method == "GET"
	input.request.headers["x-tenant"][0] == "blue"
}
"#;

const CONFIG: &str = "version: 1
state: state
identity: { workload_api: 'unix:///run/a.sock', trust: [td] }
upstreams: { app: { address: 'app:80' } }
policy: { bundles: { main: { path: policy } } }
listeners: { front: { bind: '127.0.0.1:1', protocol: http, routes: { all: { upstream: app } } } }
";

/// A folder with that policy, a configuration, and a file of one record.
fn folder(policy: &str, record: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policy")).unwrap();
    std::fs::write(folder.path().join("policy/main.rego"), policy).unwrap();
    std::fs::write(folder.path().join("records.jsonl"), format!("{record}\n")).unwrap();
    std::fs::write(folder.path().join("postern.yaml"), CONFIG).unwrap();
    folder
}

fn record(revision: &str, tenant: &str, masked: &[&str]) -> Value {
    json!({
        "kind": "request", "id": "r-1", "outcome": "refused", "code": "PST-AZ-010",
        "decision": {
            "id": "d-1", "allow": false, "reason": "no rule allows this", "policy": {"main": revision},
            "input": {
                "document": {"now": 7, "request": {"method": "GET", "headers": {"x-tenant": [tenant]}}},
                "masked": masked,
            },
        },
    })
}

fn revision(folder: &Path) -> String {
    postern_policy::Sources::read_folder(&folder.join("policy")).unwrap().revision().to_owned()
}

fn explained(folder: &Path, more: &[&str]) -> Outcome {
    let file = |name: &str| folder.join(name).display().to_string();
    let (records, policy) = (file("records.jsonl"), file("policy"));
    let arguments = ["postern", "explain", "r-1", "--records", &records, "--policy", &policy];
    let config = ["--config", &file("postern.yaml")];
    let all = arguments.iter().chain(&config).chain(more).map(std::ffi::OsString::from);
    crate::command::main(all)
}

#[test]
fn the_failing_line_and_what_it_read_are_shown() {
    let folder = folder(POLICY, &record("r0", "red", &[]));
    let this = record(&revision(folder.path()), "red", &[]);
    std::fs::write(folder.path().join("records.jsonl"), format!("{this}\n")).unwrap();

    let outcome = explained(folder.path(), &[]);

    assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
    for said in [
        "judged anew as recorded: denied  no rule allows this",
        "main.rego:7:2  input.request.headers[\"x-tenant\"][0] == \"blue\"",
        "input.request.headers[\"x-tenant\"][0] is \"red\"",
    ] {
        assert!(outcome.out.contains(said), "`{said}` is not in:\n{}", outcome.out);
    }
    assert!(!outcome.out.contains("note "), "{}", outcome.out);
}

#[test]
fn another_revision_and_masked_values_are_said() {
    let folder = folder(POLICY, &record("r42", "(masked)", &["request.headers.x-tenant"]));

    let outcome = explained(folder.path(), &[]);

    assert!(outcome.out.contains("the policy is another: revision"), "{}", outcome.out);
    assert!(outcome.out.contains("r42 in the record"), "{}", outcome.out);
    assert!(outcome.out.contains("masked in the record"), "{}", outcome.out);
}

#[test]
fn a_decision_that_comes_out_otherwise_is_said_to() {
    let folder = folder(POLICY, &record("r42", "blue", &[]));

    let outcome = explained(folder.path(), &["--format", "json"]);

    let said: Value = serde_json::from_str(&outcome.out).unwrap();
    for name in ["as_recorded", "verdict_as_recorded", "rule_and_reason_as_recorded"] {
        assert_eq!(said["explanation"][name], false, "{name}");
    }
    assert_eq!(said["explanation"]["decision"]["allow"], true);
    assert_eq!(said["explanation"]["rules"][0]["clauses"][1]["outcome"], "held");
    assert_eq!(said["code"]["code"], "PST-AZ-010");
}

#[test]
fn the_same_verdict_for_another_reason_is_told_from_another_verdict() {
    let policy = POLICY.replace("no rule allows this", "ask the desk");
    let folder = folder(&policy, &record("r42", "red", &[]));

    let text = explained(folder.path(), &[]).out;
    let said: Value = serde_json::from_str(&explained(folder.path(), &["--format", "json"]).out).unwrap();

    let line = "judged anew as recorded, by ANOTHER rule or reason: denied  ask the desk\n";
    assert!(text.contains(line), "{text}");
    assert_eq!(said["explanation"]["as_recorded"], false);
    assert_eq!(said["explanation"]["verdict_as_recorded"], true);
    assert_eq!(said["explanation"]["rule_and_reason_as_recorded"], false);
}

#[test]
fn an_error_is_as_recorded_where_the_record_has_that_error() {
    let policy = POLICY.replace("[0] == \"blue\"", "[0] == json.unmarshal(\"{\")");
    for (code, said, same) in [
        ("PST-AZ-010", "denied as recorded, but by an ERROR that the record does not have: denied", false),
        ("PST-AZ-012", "as recorded: denied", true),
    ] {
        let mut recorded = record("r42", "red", &[]);
        recorded["code"] = code.into();
        let folder = folder(&policy, &recorded);
        let text = explained(folder.path(), &[]).out;
        let json: Value = serde_json::from_str(&explained(folder.path(), &["--format", "json"]).out).unwrap();
        let file = folder.path().join("policy/main.rego");
        let said = format!("judged anew {said}  evaluation failed: {}:7: json.unmarshal: ", file.display());
        assert!(text.contains(&said), "{said} is not in\n{text}");
        assert_eq!(json["explanation"]["rule_and_reason_as_recorded"], same);
    }
}

#[test]
fn a_configuration_that_is_named_and_cannot_be_understood_is_told() {
    let folder = folder(POLICY, &record("r42", "red", &[]));
    let file = folder.path().join("postern.yaml");
    let broken = CONFIG.replace("bundles:", "bundle:");
    for broken in [Some(broken), None] {
        match broken {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let outcome = explained(folder.path(), &[]);
        let named = outcome.err.contains("postern.yaml");
        assert!(outcome.exit == Exit::Configuration && named, "{outcome:?}");
    }
}

#[test]
fn a_policy_that_would_not_be_loaded_is_told_line_by_line() {
    let folder = folder(&POLICY.replace("method", "metod"), &record("r42", "red", &[]));
    let text = explained(folder.path(), &[]).out;
    let said = "6 | \tinput.request.metod == \"GET\"\n";
    assert!(text.contains(said) && !text.contains('\u{fffd}'), "{text}");
}

#[test]
fn a_record_without_input_or_from_another_version_is_still_explained() {
    let mut old = record("r42", "blue", &[]);
    old["decision"]["input"] = Value::Null;
    for (input, said) in [(Value::Null, "holds no input"), (json!({"v2": true}), "holds no input")] {
        old["decision"]["input"] = input;
        let folder = folder(POLICY, &old);
        let outcome = explained(folder.path(), &[]);
        assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
        assert!(outcome.out.contains(said), "{}", outcome.out);
    }
}

#[test]
fn what_a_caller_wrote_cannot_move_the_cursor() {
    let folder = folder(POLICY, &record("r42", "a\nrule  b\u{1b}[2J\u{202e}\u{9b}2J", &[]));

    let outcome = explained(folder.path(), &[]);

    for hostile in ["\u{1b}", "\u{202e}", "\u{9b}", "\nrule  b"] {
        let told = outcome.out.split("\n{").next().unwrap();
        assert!(!told.contains(hostile), "{hostile:?} in:\n{}", outcome.out);
    }
}

#[test]
fn a_policy_that_is_named_and_cannot_be_read_is_an_error() {
    let folder = folder(POLICY, &record("r42", "blue", &[]));
    std::fs::remove_dir_all(folder.path().join("policy")).unwrap();

    assert_eq!(explained(folder.path(), &[]).exit, Exit::Configuration);
}
