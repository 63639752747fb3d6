//! OPA's own cases, through the gate and the fence that every policy goes through.
//!
//! A case passes when it gives what OPA gives. It may be refused at load, since that is said before any request; it
//! may end in an error that denies where OPA would go on. What it may not do is answer differently in silence.

use std::time::Duration;

use serde_json::Value;

use crate::ask::{AskError, Question, Row, ask};
use crate::document::Document;
use crate::sources::Sources;
use crate::verdict::Cause;

/// How one case went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conformity {
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

/// One case, and how it went.
#[derive(Clone, Debug)]
pub struct CaseRun {
    /// Its name.
    pub note: String,
    /// How it went.
    pub conformity: Conformity,
    /// The first problem, the error, or what was answered.
    pub detail: String,
    /// What the first problem names, where it was refused.
    pub construct: Option<String>,
}

/// A file of cases that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("not a file of cases: {0}")]
pub struct NotCases(String);

/// Runs the cases of one file, JSON with a list `cases`; `fuse` is the longest time of each.
pub fn run_cases(file: &str, fuse: Duration) -> Result<Vec<CaseRun>, NotCases> {
    let file: Value = serde_json::from_str(file).map_err(|error| NotCases(error.to_string()))?;
    let cases = file.get("cases").and_then(Value::as_array);
    let cases = cases.ok_or_else(|| NotCases("no list `cases`".to_owned()))?;
    cases.iter().map(|case| run(case, fuse)).collect()
}

fn run(case: &Value, fuse: Duration) -> Result<CaseRun, NotCases> {
    let text = |name: &str| case.get(name).and_then(Value::as_str);
    let note = text("note").ok_or_else(|| NotCases("a case without `note`".to_owned()))?;
    let wrong = |what: &str| NotCases(format!("{note}: {what}"));
    let modules = case.get("modules").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    // Only tests may replace functions and builtins; these cases are such tests.
    let ending = if note.starts_with("withkeyword/") { "_test" } else { "" };
    let names: Vec<String> = (0..modules.len()).map(|number| format!("{number}{ending}.rego")).collect();
    let modules = modules.iter().map(|module| module.as_str().unwrap_or_default());
    let data = case.get("data").filter(|data| !data.is_null()).map(ToString::to_string);
    let data = data.iter().map(|data| ("", data.as_str()));
    let sources = Sources::from_modules(names.iter().map(String::as_str).zip(modules), data);
    let mut query = text("query").ok_or_else(|| wrong("no `query`"))?.to_owned();
    if let Some(term) = text("input_term") {
        query = format!("{query} with input as {term}");
    }
    let input = case.get("input").map(Document::from_json).transpose();
    let input = input.map_err(|error| wrong(&error.to_string()))?;
    let question = Question { query: &query, input, now: Some(NOW), fuse, lines: false };
    let error = case.get("want_error").or_else(|| case.get("want_error_code"));
    let sorted = case.get("sort_bindings").and_then(Value::as_bool).unwrap_or(false);
    let wanted = if error.is_some_and(|error| !error.is_null()) {
        Wanted::Error
    } else {
        let rows = case.get("want_result").and_then(Value::as_array).cloned().unwrap_or_default();
        Wanted::Rows { rows, sorted }
    };
    Ok(judge(note, ask(&sources, question).map(|answer| answer.rows), &wanted))
}

/// The time of every case, in Unix seconds.
const NOW: u64 = 1_795_300_123;

enum Wanted {
    Error,
    /// The bindings of each answer; `sorted` where what is bound is put in order before it is compared.
    Rows {
        rows: Vec<Value>,
        sorted: bool,
    },
}

fn judge(note: &str, given: Result<Vec<Row>, AskError>, wanted: &Wanted) -> CaseRun {
    let mut construct = None;
    let (conformity, detail) = match (given, wanted) {
        (Err(AskError::Refused(error)), wanted) => {
            construct = error.problems.first().map(|problem| problem.construct.clone());
            let error_wanted = matches!(wanted, Wanted::Error);
            let conformity = if error_wanted { Conformity::Failed } else { Conformity::Refused };
            (conformity, some_lines(&error.to_string()))
        }
        (Err(AskError::Failed(cause)), wanted) => (failed(&cause, wanted), some_lines(&cause.to_string())),
        (Ok(given), Wanted::Rows { rows, sorted })
            if same(&ordered(bindings(&given), *sorted), &ordered(rows.clone(), *sorted)) =>
        {
            (Conformity::Passed, String::new())
        }
        (Ok(given), _) => (Conformity::Wrong, format!("given {}", ordered(bindings(&given), false))),
    };
    CaseRun { note: note.to_owned(), conformity, detail, construct }
}

const fn failed(cause: &Cause, wanted: &Wanted) -> Conformity {
    match (cause, wanted) {
        (Cause::Late { .. }, _) => Conformity::Late,
        (Cause::Panic, _) => Conformity::Panicked,
        (_, Wanted::Error) => Conformity::Failed,
        (Cause::Oversize { .. }, _) => Conformity::Capped,
        _ => Conformity::Stricter,
    }
}

fn bindings(rows: &[Row]) -> Vec<Value> {
    rows.iter().map(|row| Value::Object(row.bindings.clone())).collect()
}

/// Answers in any order; the rest as it stands. A set is written as a list in its own order by both. Where a case
/// says so, OPA's own test puts what is bound in order before it compares, and so do we.
fn ordered(mut answers: Vec<Value>, sorted: bool) -> Value {
    let bound =
        answers.iter_mut().filter_map(Value::as_object_mut).flat_map(|bindings| bindings.values_mut());
    for list in bound.filter(|_| sorted).filter_map(Value::as_array_mut) {
        list.sort_by_key(ToString::to_string);
    }
    answers.sort_by_key(ToString::to_string);
    Value::from(answers)
}

/// Equal, numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let near = |one: f64, other: f64| (one - other).abs() <= f64::EPSILON * one.abs();
            one == other || one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| near(one, other))
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

fn some_lines(text: &str) -> String {
    text.lines().filter(|line| !line.trim().is_empty()).take(6).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn went(case: &str) -> Conformity {
        let file = format!("{{\"cases\": [{case}]}}");
        run_cases(&file, Duration::from_secs(1)).unwrap().remove(0).conformity
    }

    #[test]
    fn a_case_passes_only_when_it_gives_what_is_wanted() {
        let case = |body: &str, wanted: &str| {
            let query = "\"query\": \"data.a.x = x\", \"note\": \"n\"";
            went(&format!("{{{query}, \"modules\": [\"package a\\n{body}\"], {wanted}}}"))
        };
        assert_eq!(case("x := {2, 1}", r#""want_result": [{"x": [1, 2.0]}]"#), Conformity::Passed);
        assert_eq!(case("x := 1", r#""want_result": [{"x": 2}]"#), Conformity::Wrong);
        assert_eq!(case("x := 1", r#""want_result": []"#), Conformity::Wrong);
        assert_eq!(case("x := 1", r#""want_error": "any""#), Conformity::Wrong);
        assert_eq!(case("x := 1 if false", r#""want_result": []"#), Conformity::Passed);
        assert_eq!(case("x := http.send({})", r#""want_result": []"#), Conformity::Refused);
        assert_eq!(case("x := http.send({})", r#""want_error": "any""#), Conformity::Failed);
        assert_eq!(case("x := to_number(\\\"z\\\")", r#""want_result": []"#), Conformity::Stricter);
        assert_eq!(
            case("x := sprintf(\\\"%999999999d\\\", [1])", r#""want_result": []"#),
            Conformity::Capped
        );
    }

    #[test]
    fn what_is_no_file_of_cases_is_said_to_be_none() {
        for file in ["", "[]", "{\"cases\": [{}]}", "{\"cases\": [{\"note\": \"n\"}]}"] {
            assert!(run_cases(file, Duration::from_secs(1)).is_err(), "{file}");
        }
    }
}
