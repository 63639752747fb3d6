//! What begins with a keyword means what OPA takes it for, under the names that its author wrote.

#![expect(clippy::panic, reason = "a test fails by panicking, its helpers too")]

use std::time::Duration;

use postern_policy::{AskError, Problem, Question, Sources, TestOutcome, TestRun, ask, run_tests};
use serde_json::{Value, json};

const MAIN: &str = "package a[\"b-c\"]
import data.lib.net as n
import data.k.if.x as y

base := 2
f(v) := v + base

if.one := base if { not.one(1) == 1; n.yes }
if.set contains f(v) if some v in [1, 2]
if.else.deep := 5 if y == 5

default not.one(_) := 7

not.one(v) := v if {
	v < 10
	input.if.in == null
} else := 8

all := 1 if {
	if.one == 2
	input.if.in == null
}
";

const OTHERS: [(&str, &str); 2] =
    [("lib.rego", "package lib.net\nyes := true"), ("kw.rego", "package k.if\nx := 5")];

/// Asked as a module would ask, and the module itself behind the gate.
fn asked(main: &str, query: &str) -> Result<Value, AskError> {
    let sources = Sources::from_modules([("main.rego", main)].into_iter().chain(OTHERS), []);
    let input = postern_policy::Document::from_json(&json!({"if": {"in": null}})).ok();
    let question = Question { query, input, now: None, fuse: Duration::from_secs(5), lines: false };
    let rows = ask(&sources, question)?.rows;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|row| row.expressions.into_iter().next())
        .map_or(Value::Null, |e| e.value))
}

#[track_caller]
fn refused(main: &str) -> Problem {
    match asked(main, "data.a") {
        Err(AskError::Refused(error)) => {
            error.problems.into_iter().next().unwrap_or_else(|| panic!("no problem"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn documents_keep_the_names_that_were_written() {
    for (query, value) in [
        ("data.a[\"b-c\"].not.one(3)", json!(3)),
        ("data.a[\"b-c\"].not.one(30)", json!(8)),
        ("data.a[\"b-c\"].if.one", json!(2)),
        ("data.a[\"b-c\"][\"if\"].set", json!([3, 4])),
        ("data.a[\"b-c\"].if.else.deep", json!(5)),
        ("data.a[\"b-c\"].all", json!(1)),
    ] {
        assert_eq!(asked(MAIN, query).unwrap_or_else(|error| panic!("{error}")), value, "{query}");
    }
}

#[test]
fn a_problem_in_what_was_moved_has_the_authors_place() {
    let text = "package a\nx := 1\nif.b := [x, http.send({})] if {\n  if.c == 1\n  http.send(x)\n}\n";
    let problem = refused(text);
    assert_eq!((problem.file.as_str(), problem.line, problem.column), ("main.rego", 3, 13), "{problem}");
    assert_eq!(problem.excerpt, "if.b := [x, http.send({})] if {");
    let problem = refused("package a\nx := 1 if {\n  if.c == http.send({})\n}\nif.c := 1");
    assert_eq!((problem.line, problem.column), (3, 11), "{problem}");
    let problem = refused("package a\nif.b := 1 if {\n  nothing.at.all(1)\n}");
    assert_eq!(
        (problem.line, problem.column, problem.construct.as_str()),
        (3, 3, "nothing.at.all"),
        "{problem}"
    );
    let problem = refused("package a\nx := if.c\nif.c := 1");
    assert_eq!((problem.line, problem.column), (2, 6), "{problem}");
}

#[test]
fn what_would_mean_something_else_where_it_goes_is_refused() {
    for (body, construct) in [
        ("if.b := 1\nif.c := b", "b"),
        ("v := 1\nif.b(v) := v", "v"),
        ("if[\"b\"] := 1", "if"),
        ("if.in := 1", "if.in"),
    ] {
        let problem = refused(&format!("package a\n{body}"));
        assert_eq!(problem.construct, construct, "{problem}");
    }
    let given = asked("package a\nv := 1\nif.b := x if { some v in [2]; x := v }", "data.a");
    assert_eq!(given.unwrap_or_else(|error| panic!("{error}")), json!({"if": {"b": 2}, "v": 1}));
}

#[test]
fn tests_and_coverage_speak_of_the_authors_lines() {
    let main = "package a\nif.b := x if {\n  x := input.now\n}\nc := 1 if if.b == 1\nd := 2\n";
    let tests = "package a\ntest_it if { if.b == 1 with input.now as 1 }\ntest_it if { c == 1 with input.now as 1 }\n";
    let sources = Sources::from_modules([("main.rego", main), ("main_test.rego", tests)], []);
    let run = TestRun { only: None, fuse: Duration::from_secs(5), coverage: true };
    let report = run_tests(&sources, run).unwrap_or_else(|error| panic!("{error}"));
    let shown: Vec<_> =
        report.tests.iter().map(|test| (test.full_name(), test.line, test.outcome.clone())).collect();
    let passed = |name: &str, line| (name.to_owned(), line, TestOutcome::Passed);
    assert_eq!(shown, [passed("data.a.test_it", 2), passed("data.a.test_it#01", 3)]);
    let files = report.coverage.map(|coverage| coverage.files).unwrap_or_default();
    let lines: Vec<_> =
        files.iter().map(|file| (file.name.as_str(), &file.covered[..], &file.missed[..])).collect();
    assert_eq!(lines, [("main.rego", &[2, 3, 5][..], &[6][..])]);
}
