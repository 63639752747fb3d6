use serde_json::{Value, json};

use crate::command::{Exit, Outcome};

const MAIN: &str = "package postern

default decision := false

decision := {\"allow\": true, \"at\": time.now_ns()} if input.caller.id == \"clerk\"
";

/// Evaluates with the policy above, and this input if any.
fn evaluated(query: &str, input: Option<&str>, arguments: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(here("main.rego"), MAIN).unwrap();
    let mut words: Vec<String> =
        ["postern", "policy", "eval", query, "-d", &here("main.rego")].map(str::to_owned).into();
    if let Some(input) = input {
        std::fs::write(here("input.json"), input).unwrap();
        words.extend(["-i".to_owned(), here("input.json")]);
    }
    words.extend(arguments.iter().map(|word| (*word).to_owned()));
    crate::command::main(words.into_iter().map(Into::into))
}

fn said(query: &str, format: &str) -> String {
    let outcome = evaluated(query, None, &["--format", format]);
    assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Done, ""), "{query}");
    outcome.out
}

#[test]
fn the_answer_has_opas_members() {
    let input = r#"{"caller": {"id": "clerk"}, "now": 5}"#;
    let outcome = evaluated("data.postern.decision", Some(input), &[]);
    let given: Value = serde_json::from_str(&outcome.out).unwrap();
    let expected = json!({"result": [{"expressions": [{
        "value": {"allow": true, "at": 5_000_000_000_u64},
        "text": "data.postern.decision",
        "location": {"row": 1, "col": 1},
    }]}]});
    assert_eq!((outcome.exit, given), (Exit::Done, expected));

    let given: Value = serde_json::from_str(&said("x := 1; [2, 3][_] = y", "json")).unwrap();
    assert_eq!(given["result"][1]["bindings"], json!({"x": 1, "y": 3}));
    assert_eq!(given["result"][1]["expressions"][1]["location"], json!({"row": 1, "col": 9}));
}

#[test]
fn every_shape_is_opas() {
    assert_eq!(said("data.none", "json"), "{}\n");
    assert_eq!(said("data.none", "pretty"), "undefined\n");
    assert_eq!(said("data.none", "raw"), "");
    assert_eq!(said("data.none", "bindings"), "");
    assert_eq!(said("x := [1, 2][_]", "bindings"), "{\n  \"x\": 1\n}\n{\n  \"x\": 2\n}\n");
    assert_eq!(said("1", "bindings"), "{}\n");
    assert_eq!(said("data.none", "discard"), "{}\n");
    assert_eq!(said("1", "discard"), "{\n  \"result\": \"discarded\"\n}\n");
    assert_eq!(said("false", "pretty"), "false\n");
    for undefined in ["not true", "false; true", "true; false", "data.postern.decision; true"] {
        assert_eq!(said(undefined, "json"), "{}\n", "{undefined}");
    }
    assert_eq!(said("not false", "raw"), "true\n");
    assert_eq!(said("\"a\"", "raw"), "a\n");
    assert_eq!(said("1; \"b\"", "raw"), "1 b\n");
    assert_eq!(said("[1, 2][_]", "values"), "[\n  1\n]\n[\n  2\n]\n");
    let table = "┌───────┬───┐\n│   x   │ y │\n├───────┼───┤\n│ false │ 1 │\n│ false │ 2 │\n└───────┴───┘\n";
    assert_eq!(said("x := data.postern.decision; y = [1, 2][_]", "pretty"), table);
    // As `opa eval` has it: the value, and what was gone through.
    let table = "┌───────────┬───┐\n│ [3, 4][i] │ i │\n├───────────┼───┤\n│ 3         │ 0 │\n│ 4         │ 1 │\n└───────────┴───┘\n";
    assert_eq!(said("[3, 4][i]", "pretty"), table);
    assert_eq!(said("[3, 4][i] > 3", "pretty"), "┌───┐\n│ i │\n├───┤\n│ 1 │\n└───┘\n");
}

#[test]
fn what_is_missing_is_told_at_the_end_of_the_query() {
    for (query, place) in [("x +", "query:1:4: "), ("x := 1\ny := f(", "query:2:8: "), ("'x'", "query:1:1: ")]
    {
        let outcome = evaluated(query, None, &["--format", "pretty"]);
        assert!(outcome.err.starts_with(place) && outcome.exit == Exit::TEST_FAILED, "{}", outcome.err);
    }
}

#[test]
fn being_undefined_or_defined_may_be_a_failure() {
    let exit = |query: &str, flag: &str| evaluated(query, None, &[flag]).exit;
    assert_eq!(exit("data.none", "--fail"), Exit::UNDEFINED);
    assert_eq!(exit("data.postern.decision", "--fail"), Exit::Done);
    assert_eq!(exit("data.postern.decision", "--fail-defined"), Exit::UNDEFINED);
    assert_eq!(exit("data.none", "--fail-defined"), Exit::Done);
}

#[test]
fn a_query_goes_through_the_gate_like_a_policy() {
    let outcome = evaluated("x := http.send({})", None, &["--format", "pretty"]);
    assert_eq!(outcome.exit, Exit::TEST_FAILED);
    assert!(outcome.err.starts_with("query:1:6: `http.send`"), "{}", outcome.err);
    assert!(outcome.err.ends_with("1 problem: the query is not asked\n"), "{}", outcome.err);
    assert_eq!(evaluated("[p, v] := walk(1)", None, &[]).exit, Exit::Done);
    assert_eq!(evaluated("x :=", None, &[]).exit, Exit::TEST_FAILED);
}

#[test]
fn what_denies_a_live_request_is_an_error_here() {
    let outcome = evaluated("to_number(\"z\")", None, &[]);
    let given: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(
        (outcome.exit, &given["errors"][0]["code"]),
        (Exit::TEST_FAILED, &json!("eval_builtin_error"))
    );
}

#[test]
fn a_profile_tells_how_often_and_how_long_as_opa_does() {
    let input = Some(r#"{"caller": {"id": "clerk"}, "now": 5}"#);
    let asked = |more: &[&str]| evaluated("data.postern.decision", input, more);
    let given: Value = serde_json::from_str(&asked(&["--profile"]).out).unwrap();
    assert!(given["metrics"]["timer_rego_query_eval_ns"].as_u64().is_some_and(|nanos| nanos > 0));
    let lines = given["profile"].as_array().unwrap();
    let by_time: Vec<u64> = lines.iter().map(|line| line["total_time_ns"].as_u64().unwrap()).collect();
    assert!(by_time.is_sorted_by(|one, next| one >= next) && by_time.iter().all(|time| *time > 0), "{given}");
    let mut places: Vec<(&str, u64, u64)> = lines
        .iter()
        .map(|line| {
            let place = &line["location"];
            let name = place["file"].as_str().unwrap().rsplit('/').next().unwrap();
            (name, place["row"].as_u64().unwrap(), line["num_eval"].as_u64().unwrap())
        })
        .collect();
    places.sort_unstable();
    // The query; the value of the rule and its one statement, which stand on one line.
    assert_eq!(places, [("", 1, 1), ("main.rego", 5, 2)]);

    let first = asked(&["--profile-limit", "1", "--profile-sort", "num_eval", "--format", "pretty"]).out;
    let rows: Vec<&str> =
        first.lines().filter(|line| line.contains("main.rego") || line.contains("data.")).collect();
    assert!(matches!(rows.as_slice(), [row] if row.contains("main.rego:5")), "{first}");
    assert!(first.contains("│ Num Eval │") && first.contains("│ timer_rego_query_eval_ns"), "{first}");
    assert_eq!(asked(&["--profile-sort", "num_redo"]).exit, Exit::Usage);
}

#[test]
fn the_lines_that_were_gone_through_are_told_as_opa_does() {
    let outcome = evaluated("data.postern.decision", Some("{}"), &["--coverage", "--metrics"]);
    let given: Value = serde_json::from_str(&outcome.out).unwrap();
    assert!(given["metrics"].is_object(), "{given}");
    assert_eq!(given["coverage"]["covered_lines"], 2, "{given}");
    assert!(given.get("profile").is_none());
}

#[test]
fn what_is_ignored_is_not_asked_and_errors_of_builtins_are_errors_whether_it_is_said_or_not() {
    let ignored = evaluated("data.postern", None, &["--ignore", "main.rego"]);
    assert!(ignored.out.contains("decision"), "a file that is named itself is read: {}", ignored.out);
    for words in [&[][..], &["--strict-builtin-errors"]] {
        assert_eq!(evaluated("to_number(\"z\")", None, words).exit, Exit::TEST_FAILED);
    }
}

#[test]
fn tests_beside_the_policy_are_read_as_opa_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("main_test.rego", "package main_test\n\ntest_it if true\n");
    let here = folder.path().display().to_string();
    let asked = |more: &[&str]| {
        let words = ["postern", "policy", "eval", "data.main_test", "-d", &here, "--format", "raw"];
        crate::command::main(words.iter().chain(more).map(std::ffi::OsString::from))
    };
    assert_eq!(asked(&[]).out, "{\"test_it\":true}\n");
    write("main.rego", MAIN);
    assert_eq!(asked(&[]).out, "{\"test_it\":true}\n");
    assert_eq!(asked(&["--ignore", "*_test.rego"]).out, "");
}
