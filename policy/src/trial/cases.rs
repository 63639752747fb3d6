//! Tests with a variable in their head, `test_x[note] if { some note, case in cases; … }`: every case that is tried
//! must be in the rule's value.
//!
//! A case that fails leaves nothing in the value. So each is noted as soon as its keys are bound.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Rule};

use super::Case;
use crate::explain::text;
use crate::gate::walk;
use crate::translate::Edit;

/// The keys in a rule's head behind its name, as they are written: of one that the translation has given a name at the
/// end of the body, what it stands for.
pub(super) fn keys(rule: &Rule, refr: &Expr) -> Vec<String> {
    let mut keys = written(refr);
    let Rule::Spec { bodies, .. } = rule else { return keys };
    for key in keys.iter_mut().filter(|key| key.ends_with("__")) {
        let stmt =
            bodies.iter().flat_map(|body| &body.query.stmts).find(|stmt| given(stmt) == Some(key.as_str()));
        let whole = stmt.map(|stmt| text::of(&stmt.span, text::statement(&stmt.span)));
        if let Some((_, value)) = whole.and_then(|whole| whole.split_once(":=")) {
            *key = value.trim().to_owned();
        }
    }
    keys
}

fn written(refr: &Expr) -> Vec<String> {
    match refr {
        Expr::RefBrack { refr, index, .. } => {
            let mut keys = written(refr);
            let span = index.span();
            keys.push(text::of(span, text::statement(span)).to_owned());
            keys
        }
        Expr::RefDot { refr, field, .. } => {
            let mut keys = written(refr);
            keys.push(format!("\"{}\"", field.0.text()));
            keys
        }
        _ => Vec::new(),
    }
}

/// Whether no key of a head is computed.
pub(super) fn constant(refr: &Expr) -> bool {
    match refr {
        Expr::RefBrack { refr, index, .. } => walk::is_scalar(index) && constant(refr),
        Expr::RefDot { refr, .. } => constant(refr),
        _ => true,
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

/// What a statement `key12__ := …` gives, as the translation writes them at the end of a body.
fn given(stmt: &LiteralStmt) -> Option<&str> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() else { return None };
    let name = lhs.span().text();
    name.ends_with("__").then_some(name)
}

/// The first statement by whose end every name in the keys has been met that stands in the body at all; declaring a
/// name binds nothing.
fn binding<'a>(stmts: &'a [LiteralStmt], keys: &[String]) -> Option<&'a LiteralStmt> {
    let asks =
        |stmt: &&LiteralStmt| !matches!(stmt.literal, Literal::SomeVars { .. }) && given(stmt).is_none();
    let met = |stmt: &'a LiteralStmt| text::words(text::of(&stmt.span, text::statement(&stmt.span)));
    let all: BTreeSet<&str> = stmts.iter().filter(asks).flat_map(met).collect();
    let mut open: Vec<&str> = keys.iter().flat_map(|key| text::words(key)).collect();
    open.retain(|name| all.contains(name));
    stmts.iter().filter(asks).find(|stmt| {
        let met = met(stmt);
        open.retain(|name| !met.contains(name));
        open.is_empty()
    })
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
