//! How problems of a policy are printed, for every verb alike.

use postern_policy::{LoadError, Problem, SourceError};
use serde_json::{Value, json};

use super::Format;
use crate::command::{Exit, Outcome};

/// A policy that cannot be read.
pub(super) fn unreadable(error: &SourceError, format: Format) -> Outcome {
    let text = error.to_string();
    refused(&text, &json!([{"message": text, "code": "read_error"}]), format)
}

/// A policy that does not pass the gate.
pub(super) fn problems(error: &LoadError, format: Format) -> Outcome {
    let count = error.problems.len();
    let said = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
    let text = format!("{error}\n{said}: the policy would not be loaded");
    refused(&text, &error.problems.iter().map(problem).collect(), format)
}

fn refused(text: &str, errors: &Value, format: Format) -> Outcome {
    match format {
        Format::Pretty => Outcome::failed(Exit::Policy, format!("{text}\n")),
        Format::Json => Outcome { exit: Exit::Policy, ..Outcome::said(lines(&json!({"errors": errors}))) },
    }
}

/// OPA's members, and ours beside them.
fn problem(problem: &Problem) -> Value {
    json!({
        "message": format!("{} {}", problem.construct, problem.why),
        "code": if problem.construct == "rego" { "rego_parse_error" } else { "rego_compile_error" },
        "location": {"file": problem.file, "row": problem.line, "col": problem.column},
        "construct": problem.construct,
        "instead": problem.instead,
    })
}

/// JSON, as all these verbs print it.
pub(super) fn lines(value: &Value) -> String {
    // A value made of JSON has no keys that could fail.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
