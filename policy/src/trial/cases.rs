//! Tests with a variable in their head, `test_x[note] if { some note, case in cases; … }`: every case that is tried
//! must be in the rule's value.
//!
//! A case that fails leaves nothing in the value. So each is noted as soon as its keys are bound.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{Expr, Literal, LiteralStmt, Rule};

use super::Case;
use crate::explain::text;
use crate::translate::Edit;

/// The keys in a rule's head behind its name, as they are written.
pub(super) fn keys(refr: &Expr) -> Vec<String> {
    match refr {
        Expr::RefBrack { refr, index, .. } => {
            let mut keys = keys(refr);
            let span = index.span();
            keys.push(text::of(span, text::statement(span)).to_owned());
            keys
        }
        Expr::RefDot { refr, field, .. } => {
            let mut keys = keys(refr);
            keys.push(format!("\"{}\"", field.0.text()));
            keys
        }
        _ => Vec::new(),
    }
}

/// Puts the note behind the statement that binds the last of the keys.
pub(super) fn edits(rule: &Rule, keys: &[String]) -> Vec<Edit> {
    let Rule::Spec { bodies, .. } = rule else { return Vec::new() };
    if keys.is_empty() {
        return Vec::new();
    }
    let says = format!("internal.test_case([{}])", keys.join(", "));
    let mut edits = Vec::new();
    for body in bodies {
        let stmts = &body.query.stmts;
        let Some(stmt) = binding(stmts, keys) else { continue };
        let (from, to) = text::statement(&stmt.span);
        let after = stmt.span.source.get_contents().get(to as usize..).unwrap_or_default();
        if stmts.len() == 1 && !after.trim_start().starts_with('}') {
            // A body of one statement needs no braces, one of two does.
            edits.push(Edit::new(from, from, "{ "));
            edits.push(Edit::new(to, to, format!("; {says} }}")));
        } else {
            edits.push(Edit::new(to, to, format!("; {says}")));
        }
    }
    edits
}

/// The first statement by whose end every name in the keys has been met; declaring a name binds nothing.
fn binding<'a>(stmts: &'a [LiteralStmt], keys: &[String]) -> Option<&'a LiteralStmt> {
    let mut open: Vec<&str> = keys.iter().flat_map(|key| words(key)).collect();
    stmts.iter().find(|stmt| {
        if matches!(stmt.literal, Literal::SomeVars { .. }) {
            return false;
        }
        let met: Vec<&str> = words(stmt.span.text()).collect();
        open.retain(|name| !met.contains(name));
        open.is_empty()
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.starts_with('"');
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(move |word| !quoted && !word.is_empty())
}

/// Every case that was tried, and whether it passed; and the keys of each, in the same order.
pub(super) fn judged(value: &Value, tried: BTreeSet<Vec<Value>>) -> (Vec<Case>, Vec<Vec<Value>>) {
    let mut cases = Vec::new();
    for keys in tried {
        let found = keys.iter().try_fold(value, |value, key| value.as_object().ok()?.get(key));
        let passed = found == Some(&Value::Bool(true));
        cases.push((Case { notes: keys.iter().map(shown).collect(), passed, stopped: None }, keys));
    }
    let told = |case: &Case| (case.notes.clone(), case.passed);
    cases.sort_by_key(|(case, _)| told(case));
    cases.dedup_by_key(|(case, _)| told(case));
    cases.into_iter().unzip()
}

fn shown(key: &Value) -> String {
    match key.as_string() {
        Ok(text) => text.to_string(),
        Err(_) => key.to_string(),
    }
}
