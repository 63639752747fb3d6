//! How the reasons of a decision are printed: for people, and for machines.

use std::fmt::Write as _;

use postern_policy::{Clause, Explanation, How, Known, Rule, Stopped, Verdict, moves_the_cursor};
use serde_json::{Value, json};

/// What a line begins with, padded; nothing that could move the reader's cursor goes through.
pub(super) fn line(text: &mut String, name: &str, said: &str) {
    // Writing to a `String` cannot fail.
    let _written = writeln!(text, "{name:<11} {}", printable(said));
}

/// The same of a text of several lines, as a refused policy has, whose tabs are kept.
pub(super) fn lines(text: &mut String, name: &str, said: &str) {
    for (at, said) in said.lines().enumerate() {
        let name = if at == 0 { name } else { "" };
        let _written = writeln!(text, "{name:<11} {}", with_tabs(said));
    }
}

/// A line of a text that its author may have written with tabs.
pub(super) fn with_tabs(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

/// A text without control characters, nor those that turn the direction of writing: it may come from callers.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if moves_the_cursor(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A decision in a few words: `denied  after_hours  closed until six`.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let (word, rule, reason) = match verdict {
        Verdict::Allow(yes) => ("allowed", &yes.rule, yes.reason.clone()),
        Verdict::Deny(no) => {
            let cause = || (no.cause != postern_policy::Cause::Policy).then(|| no.cause.to_string());
            ("denied", &no.rule, no.reason.clone().or_else(cause))
        }
    };
    [Some(word), rule.as_deref(), reason.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("  ")
}

/// The rules with their clauses, a line or more each.
pub(super) fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    for rule in &explanation.rules {
        line(&mut text, "rule", &title(rule));
        for clause in &rule.clauses {
            clause_text(&mut text, clause);
        }
    }
    if let Some(contact) = &explanation.contact {
        line(&mut text, "contact", contact);
    }
    if !explanation.whole {
        line(&mut text, "", "more rules were reached than are told here");
    }
    text
}

fn title(rule: &Rule) -> String {
    if let Some(arguments) = &rule.arguments {
        let arguments: Vec<&str> = arguments.iter().map(shown).collect();
        return format!("{}({})", rule.name, arguments.join(", "));
    }
    match &rule.value {
        Some(value) => format!("{} is {}", rule.name, shown(value)),
        None => rule.name.clone(),
    }
}

fn shown(known: &Known) -> &str {
    known.value.as_deref().unwrap_or("undefined")
}

fn clause_text(text: &mut String, clause: &Clause) {
    let place = format!("{}:{}", clause.file, clause.line);
    match &clause.how {
        How::Held => line(text, "  held", &place),
        How::Default { counts: true } => {
            line(text, "  default", &format!("{place}  counts: nothing else held"));
        }
        How::Default { counts: false } => {}
        How::Passed => line(text, "  passed", &format!("{place}  an else before it held")),
        How::Untold => line(text, "  unknown", &place),
        How::Stopped(at) => stopped_text(text, clause, at),
    }
}

fn stopped_text(text: &mut String, clause: &Clause, at: &Stopped) {
    let said = format!("{}:{}:{}  {}", clause.file, at.line, at.column, at.text);
    line(text, "  failed", &said);
    for said in read(at) {
        line(text, "", &format!("  {said}"));
    }
}

/// Why a statement has no value, and what it read; a line for each.
pub(super) fn read(at: &Stopped) -> Vec<String> {
    let value = |known: &Known| {
        let others = match known.others {
            0 => String::new(),
            1 => "  (and one other value)".to_owned(),
            many => format!("  (and {many} other values)"),
        };
        format!("{} is {}{others}", known.name, shown(known))
    };
    at.error.iter().map(ToString::to_string).chain(at.values.iter().map(value)).collect()
}

/// The same for machines.
pub(super) fn json(explanation: &Explanation) -> Value {
    let (allow, rule, reason) = match &explanation.verdict {
        Verdict::Allow(yes) => (true, &yes.rule, &yes.reason),
        Verdict::Deny(no) => (false, &no.rule, &no.reason),
    };
    let cause = match &explanation.verdict {
        Verdict::Deny(no) if no.cause != postern_policy::Cause::Policy => Some(no.cause.to_string()),
        _ => None,
    };
    json!({
        "decision": {"allow": allow, "rule": rule, "reason": reason, "cause": cause},
        "rules": explanation.rules.iter().map(rule_json).collect::<Vec<_>>(),
        "contact": explanation.contact,
        "complete": explanation.whole,
    })
}

fn rule_json(rule: &Rule) -> Value {
    json!({
        "rule": rule.name,
        "arguments": rule.arguments.as_ref().map(|values| values.iter().map(known_json).collect::<Vec<_>>()),
        "value": rule.value.as_ref().map(known_json),
        "clauses": rule.clauses.iter().map(clause_json).collect::<Vec<_>>(),
    })
}

fn clause_json(clause: &Clause) -> Value {
    let (outcome, at) = match &clause.how {
        How::Held => ("held", None),
        How::Default { counts: true } => ("default", None),
        How::Default { counts: false } => ("default_unused", None),
        How::Passed => ("passed", None),
        How::Untold => ("unknown", None),
        How::Stopped(at) => ("failed", Some(at)),
    };
    let statement = at.map(stopped_json);
    json!({"file": clause.file, "line": clause.line, "outcome": outcome, "statement": statement})
}

/// The statement at which a clause stopped, for machines.
pub(super) fn stopped_json(at: &Stopped) -> Value {
    json!({
        "line": at.line,
        "column": at.column,
        "text": at.text,
        "error": at.error.as_ref().map(ToString::to_string),
        "values": at.values.iter().map(known_json).collect::<Vec<_>>(),
    })
}

/// A value that was shortened is text, and says so.
fn known_json(known: &Known) -> Value {
    let parsed = known.value.as_deref().map(|text| {
        let whole = known.whole.then(|| serde_json::from_str(text).ok()).flatten();
        whole.unwrap_or_else(|| Value::from(text))
    });
    let mut object = json!({"defined": known.value.is_some(), "value": parsed});
    if let Some(members) = object.as_object_mut() {
        if !known.name.is_empty() {
            members.insert("name".to_owned(), known.name.as_str().into());
        }
        if !known.whole {
            members.insert("shortened".to_owned(), true.into());
        }
        if known.others > 0 {
            members.insert("others".to_owned(), known.others.into());
        }
    }
    object
}
