//! The Open Policy Agent's own cases, through the gate and the fence that every policy goes through.
//!
//! A case passes when it gives what OPA gives. It may be refused at load, since that is said before any request;
//! it may end in an error that denies where OPA would go on. What it may not do is answer differently in silence.
//! The cases are found through `POSTERN_SUITES`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
#![expect(clippy::print_stderr, reason = "the figures, and what was not run, are for the reader")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use postern_policy::{AskError, Cause, Document, Question, Sources, ask};
use serde_json::Value;

/// Far beyond the usual fuse, since other tests run beside this one; the cases themselves take microseconds.
const FUSE: Duration = Duration::from_millis(500);
/// Cases that end as OPA's do, with the same answer or with an error; more is better, fewer is a loss.
const AS_OPA: usize = 1_253;

/// How one case went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// As OPA.
    Passed,
    /// OPA wants an error, and there is one or the policy is not loaded, whatever the words.
    Failed,
    /// Not loaded, with file, line and name.
    Refused,
    /// An error, which denies, where OPA gives an answer or goes on.
    Stricter,
    /// A cap was hit where OPA has none.
    Capped,
    /// Another answer than OPA's, in silence.
    Wrong,
    /// No answer in time.
    Late,
    /// A panic inside the engine.
    Panicked,
}

#[test]
fn no_case_of_opa_is_answered_wrongly_in_silence() {
    let Some(folder) =
        std::env::var_os("POSTERN_SUITES").map(|suites| Path::new(&suites).join("opa-rego-v1"))
    else {
        return not_run("opa-rego-v1: 1441 cases of the Open Policy Agent (POSTERN_SUITES is not set)");
    };
    let mut outcomes: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let (outcome, detail) = run(case);
            outcomes
                .entry(outcome)
                .or_default()
                .push(format!("{}\t{detail}", case["note"].as_str().unwrap()));
        }
    }
    let total: usize = outcomes.values().map(Vec::len).sum();
    for (outcome, notes) in &outcomes {
        println!("{outcome:?}: {} of {total}", notes.len());
    }
    if std::env::var_os("POSTERN_SUITE_DETAILS").is_some() {
        for (outcome, notes) in &outcomes {
            println!("{outcome:?}\n  {}", notes.join("\n  "));
        }
    }
    assert_eq!(total, 1_441);
    assert_eq!(outcomes.get(&Outcome::Panicked), None);
    assert_eq!(outcomes.get(&Outcome::Late), None);
    assert_eq!(outcomes.get(&Outcome::Wrong), None);
    let count = |outcome| outcomes.get(&outcome).map_or(0, Vec::len);
    let as_opa = count(Outcome::Passed) + count(Outcome::Failed);
    assert!(as_opa >= AS_OPA, "{as_opa} end as OPA's do, fewer than {AS_OPA}");
}

fn not_run(what: &str) {
    eprintln!("NOT RUN: {what}");
    if let Some(list) = std::env::var_os("POSTERN_NOT_RUN") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{what}").unwrap();
    }
}

fn run(case: &Value) -> (Outcome, String) {
    // Only tests may replace functions and builtins; these cases are such tests.
    let test = if case["note"].as_str().unwrap().starts_with("withkeyword/") { "_test" } else { "" };
    let names: Vec<String> = (0..)
        .map(|n| format!("{n}{test}.rego"))
        .take(case["modules"].as_array().map_or(0, Vec::len))
        .collect();
    let modules = case["modules"].as_array().into_iter().flatten().map(|module| module.as_str().unwrap());
    let data = case.get("data").map(ToString::to_string);
    let data = data.iter().filter(|data| *data != "null").map(|data| ("", data.as_str()));
    let sources = Sources::from_modules(names.iter().map(String::as_str).zip(modules), data);
    let mut query = case["query"].as_str().unwrap().to_owned();
    if let Some(term) = case["input_term"].as_str() {
        query = format!("{query} with input as {term}");
    }
    let input = case.get("input").map(|input| Document::from_json(input).unwrap());
    let question = Question { query: &query, input, now: Some(1_795_300_123), fuse: FUSE };
    let wants_error =
        case.get("want_error").or(case.get("want_error_code")).is_some_and(|error| !error.is_null());
    match ask(&sources, question) {
        Err(AskError::Refused(error)) if wants_error => (Outcome::Failed, first_line(&error.to_string())),
        Err(AskError::Refused(error)) => (Outcome::Refused, first_line(&error.to_string())),
        Err(AskError::Failed(Cause::Late { .. })) => (Outcome::Late, String::new()),
        Err(AskError::Failed(Cause::Panic)) => (Outcome::Panicked, String::new()),
        Err(AskError::Failed(why)) if wants_error => (Outcome::Failed, first_line(&why.to_string())),
        Err(AskError::Failed(why @ Cause::Oversize { .. })) => (Outcome::Capped, why.to_string()),
        Err(AskError::Failed(why)) => (Outcome::Stricter, first_line(&why.to_string())),
        Ok(answers) => compare(case, &answers, wants_error),
    }
}

fn compare(case: &Value, answers: &[Value], wants_error: bool) -> (Outcome, String) {
    let sorted = case["sort_bindings"].as_bool().unwrap_or(false);
    let given = canonical(answers, sorted);
    let empty = Vec::new();
    let wanted = canonical(case["want_result"].as_array().unwrap_or(&empty), sorted);
    let same = if wants_error { false } else { same(&given, &wanted) };
    if same { (Outcome::Passed, String::new()) } else { (Outcome::Wrong, format!("given {given}")) }
}

/// Bindings in any order; the rest as it stands. A set is written as a list in its own order by both. Where a case
/// says so, OPA's own test puts what is bound in order before it compares, and so do we.
fn canonical(answers: &[Value], sorted: bool) -> Value {
    let mut answers = answers.to_vec();
    for bound in
        answers.iter_mut().filter_map(Value::as_object_mut).flat_map(|bindings| bindings.values_mut())
    {
        if let (true, Some(list)) = (sorted, bound.as_array_mut()) {
            list.sort_by_key(ToString::to_string);
        }
    }
    answers.sort_by_key(ToString::to_string);
    Value::from(answers)
}

/// Equal, numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other
                || one
                    .as_f64()
                    .zip(other.as_f64())
                    .is_some_and(|(one, other)| (one - other).abs() <= f64::EPSILON * one.abs())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

fn first_line(text: &str) -> String {
    text.lines().filter(|line| !line.trim().is_empty()).take(6).collect::<Vec<_>>().join(" ")
}
