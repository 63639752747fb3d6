//! How problems of a policy are printed, for every verb alike.

use std::io::IsTerminal as _;
use std::time::Duration;

use postern_policy::{Cause, LoadError, Problem, SourceError};
use serde_json::{Value, json};

use super::Format;
pub(super) use crate::command::pretty_json as lines;
use crate::command::{Exit, Outcome};

/// Colours, when standard output is a terminal and nobody asked for none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    pub(super) fn of_terminal() -> Self {
        let set =
            |name, is: fn(&std::ffi::OsStr) -> bool| std::env::var_os(name).is_some_and(|value| is(&value));
        let plain = set("NO_COLOR", |value| !value.is_empty()) || set("TERM", |value| value == "dumb");
        Self(!plain && std::io::stdout().is_terminal())
    }

    /// No colours, for what goes elsewhere.
    pub(super) const fn none() -> Self {
        Self(false)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, colour: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A policy that cannot be read.
pub(super) fn unreadable(error: &SourceError, format: Format) -> Outcome {
    // No policy was there to refuse.
    let no_file =
        matches!(error, SourceError::Io { .. } | SourceError::NotAFile { .. } | SourceError::Unread { .. });
    let exit = if no_file { Exit::Configuration } else { Exit::Policy };
    failed(exit, "read_error", &error.to_string(), format)
}

/// A file that an argument names, or that configuration, cannot be used.
pub(super) fn unusable(why: &str, format: Format) -> Outcome {
    failed(Exit::Configuration, "read_error", why, format)
}

/// What went wrong, with OPA's code for it.
pub(in crate::command) fn failed(exit: Exit, code: &str, why: &str, format: Format) -> Outcome {
    printed(exit, why, &json!([{"message": why, "code": code}]), format)
}

/// A policy that does not pass the gate.
pub(in crate::command) fn problems(error: &LoadError, format: Format) -> Outcome {
    first_problems(error, format, 0)
}

/// The same, of which no more than so many are told; 0 for all.
pub(super) fn first_problems(error: &LoadError, format: Format, most: usize) -> Outcome {
    told(Exit::Policy, error, format, most, "the policy would not be loaded")
}

/// A query that would be refused is a query that cannot be answered; the policy's own problems are the policy's.
pub(super) fn refused(error: &LoadError, format: Format) -> Outcome {
    if error.problems.iter().any(|problem| problem.file != "query") {
        return problems(error, format);
    }
    told(Exit::TEST_FAILED, error, format, 0, "the query is not asked")
}

fn told(exit: Exit, error: &LoadError, format: Format, most: usize, so: &str) -> Outcome {
    let count = counted(found(&error.problems), "problem");
    if most > 0 && error.problems.len() > most {
        let first = LoadError { problems: error.problems.iter().take(most).cloned().collect() };
        let text = format!("{first}\n{count}, of which the first {most} are told: {so}");
        return printed(exit, &text, &first.problems.iter().map(problem).collect(), format);
    }
    printed(exit, &format!("{error}\n{count}: {so}"), &error.problems.iter().map(problem).collect(), format)
}

/// How many there are, also those that are not told.
pub(super) fn found(problems: &[Problem]) -> usize {
    problems.iter().map(|problem| problem.stands_for).sum()
}

fn printed(exit: Exit, text: &str, errors: &Value, format: Format) -> Outcome {
    match format {
        Format::Pretty => Outcome::failed(exit, format!("{text}\n")),
        Format::Json => Outcome { exit, ..Outcome::said(lines(&json!({"errors": errors}))) },
    }
}

/// OPA's members, and ours beside them.
pub(super) fn problem(problem: &Problem) -> Value {
    let mut said = json!({
        "message": format!("{} {}", problem.construct, problem.why),
        "code": if problem.construct == "rego" { "rego_parse_error" } else { "rego_compile_error" },
        "construct": problem.construct,
        "instead": problem.instead,
    });
    // What is about the policy as a whole stands nowhere.
    if let Some(members) = said.as_object_mut().filter(|_| !problem.file.is_empty()) {
        let location = json!({"file": problem.file, "row": problem.line, "col": problem.column});
        members.insert("location".to_owned(), location);
    }
    said
}

/// The code that OPA has for it.
pub(in crate::command) const fn code(cause: &Cause) -> &'static str {
    match cause {
        Cause::Late { .. } => "eval_cancel_error",
        Cause::Conflict { .. } => "eval_conflict_error",
        Cause::Error { .. } | Cause::Oversize { .. } => "eval_builtin_error",
        _ => "eval_internal_error",
    }
}

/// How many of something there are.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How many tests there are, and how many cases they have where that is another number.
pub(super) fn tests(tests: usize, cases: usize) -> String {
    let of = counted(tests, "test");
    if cases == tests { of } else { format!("{of}, {}", counted(cases, "case")) }
}

/// A stretch of time as Go prints it, since OPA does: `417.4µs`, `1.25ms`, `2s`.
pub(super) fn duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    let (unit, name) = match nanos {
        0..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let (whole, part) = (nanos / unit, nanos % unit);
    let digits = unit.ilog10() as usize;
    let part = format!("{part:0digits$}");
    match part.trim_end_matches('0') {
        "" => format!("{whole}{name}"),
        part => format!("{whole}.{part}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_go_does() {
        for (nanos, shown) in [
            (0, "0ns"),
            (999, "999ns"),
            (417_400, "417.4µs"),
            (1_249_049, "1.249049ms"),
            (2_000_000_000, "2s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), shown);
        }
    }
}
