//! What a head gives may be missing: `f(x) := input.a`, `names contains input.t[v]`. To OPA the body does not hold then,
//! and it goes on: to the `else`, to the next value of a loop. The engine has no value from there on. As the body's last
//! statement the value is part of what must hold.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Query, Ref, Rule, RuleBody, RuleHead};

use super::negation::Scan;
use super::{Edit, Translated, end, reach};
use crate::gate::loops;
use crate::gate::names::Names;

/// Writes `f(x) := input.a if { b } else := 1` as `f(x) := v if { b; v := input.a } else := 1`, and so with what stands
/// behind loops; none where there is nothing to write.
pub(crate) fn values(module: &Module, names: &Names, translated: &Translated) -> Option<Translated> {
    let scan = Scan::of(module, names, translated);
    let mut edits = Vec::new();
    for rule in &module.policy {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let goes_on = |index: usize, query: &Query| {
            let function = matches!(head, RuleHead::Func { .. });
            let before_else = function && index + 1 < bodies.len();
            before_else || query.stmts.iter().any(|stmt| loops::iterates(stmt, &BTreeSet::new()))
        };
        if bodies.iter().all(|body| body.query.stmts.is_empty()) {
            edits.extend(alone(head, &scan, translated));
            continue;
        }
        let any = bodies.iter().enumerate().any(|(index, body)| goes_on(index, &body.query));
        // What all bodies have in common is a statement of each.
        let common = common(head).into_iter().filter(|given| any && scan.may_miss(given));
        let common: Vec<_> = common.map(|given| Given::of(translated, given)).collect::<Option<_>>()?;
        for (index, body) in bodies.iter().enumerate() {
            let value =
                value(head, index, body).filter(|value| goes_on(index, &body.query) && scan.may_miss(value));
            let value = match value {
                Some(value) => Some(Given::of(translated, value)?),
                None => None,
            };
            let behind: String = common.iter().chain(&value).map(|given| given.statement.as_str()).collect();
            if !behind.is_empty() {
                edits.extend(statements(translated, &body.query, &behind));
            }
            edits.extend(value.map(|value| value.name));
        }
        edits.extend(common.into_iter().map(|given| given.name));
    }
    translated.edited(edits)
}

/// A part of a head under a name, and the statement that gives the name its value.
struct Given {
    name: Edit,
    statement: String,
}

impl Given {
    fn of(translated: &Translated, expr: &Expr) -> Option<Self> {
        let (from, to) = reach(&translated.text, expr);
        let name = format!("given{from}__");
        let statement = format!("; {name} := {}", translated.text.get(from as usize..to as usize)?);
        Some(Self { name: Edit { from, to, text: name }, statement })
    }
}

/// `s contains xs[_]`, without a body: it gets one.
fn alone(head: &RuleHead, scan: &Scan, translated: &Translated) -> Vec<Edit> {
    let assign = match head {
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => assign.as_ref(),
        RuleHead::Set { .. } => None,
    };
    let assign = assign.map(|assign| &assign.value);
    let parts: Vec<_> = common(head).into_iter().chain(assign).collect();
    let many = parts.iter().any(|part| loops::loops(part, &BTreeSet::new()));
    let given = parts.iter().filter(|part| many && scan.may_miss(part));
    let given: Vec<_> = given.filter_map(|part| Given::of(translated, part)).collect();
    let Some(last) = parts.last().filter(|_| !given.is_empty()) else { return Vec::new() };
    let all: String = given.iter().map(|given| given.statement.as_str()).collect();
    let (_, to) = reach(&translated.text, last);
    let body = format!(" if {{ {} }}", all.trim_start_matches("; "));
    given.into_iter().map(|given| given.name).chain([Edit { from: to, to, text: body }]).collect()
}

/// The members that a head names, and what a set contains.
fn common(head: &RuleHead) -> Vec<&Ref<Expr>> {
    match head {
        RuleHead::Compr { refr, .. } => members(refr),
        RuleHead::Set { refr, key, .. } => members(refr).into_iter().chain(key).collect(),
        RuleHead::Func { .. } => Vec::new(),
    }
}

fn members(refr: &Expr) -> Vec<&Ref<Expr>> {
    match refr {
        Expr::RefBrack { refr, index, .. } => members(refr).into_iter().chain([index]).collect(),
        Expr::RefDot { refr, .. } => members(refr),
        _ => Vec::new(),
    }
}

/// What this body gives: behind the head or, with an `else`, behind that.
fn value<'a>(head: &'a RuleHead, index: usize, body: &'a RuleBody) -> Option<&'a Expr> {
    let of_head = match head {
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => assign.as_ref(),
        RuleHead::Set { .. } => None,
    };
    let assign = if index == 0 { of_head } else { body.assign.as_ref() };
    assign.map(|assign| assign.value.as_ref())
}

/// Puts statements behind the last one.
fn statements(translated: &Translated, query: &Query, behind: &str) -> Vec<Edit> {
    let Some((first, last)) = query.stmts.first().zip(query.stmts.last()) else { return Vec::new() };
    let (from, to) = (query.span.start, end(&translated.text, last.span.end));
    // One statement alone may stand without braces.
    let (open, close) = if first.span.start == from { ("{ ", " }") } else { ("", "") };
    let edit = |at, text| Edit { from: at, to: at, text };
    vec![edit(from, open.to_owned()), edit(to, format!("{behind}{close}"))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use regorus::Engine;

    #[test]
    fn what_may_be_missing_becomes_the_last_statement() {
        for (author, wanted) in [
            (
                "f(x) := input.a if { x == 1; x } else := data.b if x == 2 else := input.c",
                "f(x) := given18__ if { x == 1; x; given18__ := input.a } else := given51__ if { x == 2; given51__ := data.b } else := input.c",
            ),
            (
                "f(x) := input.a if x == \"b\" else := 2",
                "f(x) := given18__ if { x == \"b\"; given18__ := input.a } else := 2",
            ),
            (
                "s contains input.t[v] if some v in [1]",
                "s contains given21__ if { some v in [1]; given21__ := input.t[v] }",
            ),
            (
                "o[input.t[v]] := f(v) if { v := xs[_] }",
                "o[given12__] := given27__ if { v := xs[_]; given12__ := input.t[v]; given27__ := f(v) }",
            ),
            ("s contains input.t[xs[_]]", "s contains given21__ if { given21__ := input.t[xs[_]] }"),
            (
                "o[input.t[xs[_]]] := input.a",
                "o[given12__] := given31__ if { given12__ := input.t[xs[_]]; given31__ := input.a }",
            ),
            ("o.b := input.a", "o.b := input.a"),
            ("s contains input.t if input.a", "s contains input.t if input.a"),
            ("s contains v if some v in [1]", "s contains v if some v in [1]"),
            ("f(x) := x if { x == 1 } else := 2", "f(x) := x if { x == 1 } else := 2"),
            ("f(x) := input.a if x == 1", "f(x) := input.a if x == 1"),
        ] {
            let author = format!("package a\n{author}\n");
            let mut engine = Engine::new();
            engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
            let modules = engine.get_modules();
            let translated = Translated { text: author.clone(), ..Translated::default() };
            let written = values(&modules[0], &Names::of(modules), &translated);
            assert_eq!(written.map_or(author, |written| written.text), format!("package a\n{wanted}\n"));
        }
    }
}
