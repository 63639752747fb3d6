//! What a head gives may be missing: `f(x) := input.a`, `names contains input.t[v]`. To OPA the body does not hold then,
//! and it goes on: to the `else`, to the next value of a loop. The engine has no value from there on. As the body's last
//! statement the value is part of what must hold.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleBody, RuleHead};

use super::negation::Scan;
use super::{Edit, Translated, begin, behind_parentheses, end, reach};
use crate::gate::loops;
use crate::gate::names::Names;
use crate::gate::walk::{self, Seen};

/// Writes `f(x) := input.a if { b } else := 1` as `f(x) := v if { b; v := input.a } else := 1`, and so with what stands
/// behind loops; none where there is nothing to write.
pub(crate) fn values(module: &Module, names: &Names, translated: &Translated) -> Option<Translated> {
    let scan = Scan::of(module, names, translated);
    let mut edits = Vec::new();
    for rule in &module.policy {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let goes_on = |index: usize, body: &RuleBody| {
            let function = matches!(head, RuleHead::Func { .. });
            let before_else = function && index + 1 < bodies.len();
            before_else
                || body.query.stmts.iter().any(|stmt| loops::iterates(stmt, &BTreeSet::new()))
                || value(head, index, body).is_some_and(many)
                || common(head).into_iter().any(|given| many(given))
        };
        if bodies.iter().all(|body| body.query.stmts.is_empty()) {
            edits.extend(alone(head, &scan, translated));
            continue;
        }
        let any = bodies.iter().enumerate().any(|(index, body)| goes_on(index, body));
        // What all bodies have in common is a statement of each.
        let common = common(head).into_iter().filter(|given| any && scan.may_miss(given));
        let common: Vec<_> = common.map(|given| Given::of(translated, given)).collect();
        for (index, body) in bodies.iter().enumerate() {
            let wanted = |value: &&Expr| {
                (goes_on(index, body) && scan.may_miss(value))
                    || (index + 1 < bodies.len() && !body.query.stmts.is_empty() && comprehends(value))
            };
            let value = value(head, index, body).filter(wanted);
            let value = value.map(|value| Given::of(translated, value));
            edits.extend(behind_body(translated, body, common.iter().chain(&value)));
            edits.extend(value.map(Given::named));
        }
        edits.extend(common.into_iter().map(Given::named));
    }
    translated.edited(edits)
}

/// A part of a head, and the name that it gets.
struct Given {
    from: u32,
    to: u32,
    name: String,
}

impl Given {
    fn of(translated: &Translated, expr: &Expr) -> Self {
        let (from, to) = reach(&translated.text, expr);
        Self { from, to, name: format!("given{from}__") }
    }

    fn named(self) -> Edit {
        Edit::new(self.from, self.to, self.name)
    }
}

/// The statements that give these their values, the first behind `before`.
fn statements<'a>(given: impl IntoIterator<Item = &'a Given>, at: u32, before: &str) -> Vec<Edit> {
    let mut before = before;
    let mut edits = Vec::new();
    for one in given {
        edits.push(Edit::new(at, at, format!("{before}{} := ", one.name)));
        edits.push(Edit::copy(at, one.from, one.to));
        before = "; ";
    }
    edits
}

/// `s contains xs[_]`, without a body: it gets one.
fn alone(head: &RuleHead, scan: &Scan, translated: &Translated) -> Vec<Edit> {
    let assign = match head {
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => assign.as_ref(),
        RuleHead::Set { .. } => None,
    };
    let assign = assign.map(|assign| &assign.value);
    let parts: Vec<_> = common(head).into_iter().chain(assign).collect();
    let any = parts.iter().any(|part| many(part));
    let given = parts.iter().filter(|part| any && scan.may_miss(part));
    let given: Vec<_> = given.map(|part| Given::of(translated, part)).collect();
    let Some(last) = parts.last().filter(|_| !given.is_empty()) else { return Vec::new() };
    let (_, to) = reach(&translated.text, last);
    let body = with_body(&given, behind_parentheses(&translated.text, to));
    given.into_iter().map(Given::named).chain(body).collect()
}

/// A body of these alone.
fn with_body<'a>(given: impl IntoIterator<Item = &'a Given>, at: u32) -> Vec<Edit> {
    let mut edits = statements(given, at, " if { ");
    edits.push(Edit::new(at, at, " }"));
    edits
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

/// Whether there is a comprehension in this: before an `else`, the engine does not know the names of the body in it.
fn comprehends(expr: &Expr) -> bool {
    let mut any = matches!(expr, Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. });
    walk::parts(expr, &mut |part| any |= comprehends(part));
    any
}

/// Whether this has many values.
fn many(expr: &Expr) -> bool {
    loops::loops(expr, &BTreeSet::new())
}

/// Puts their statements behind the last one of a body.
fn behind_body<'a>(
    translated: &Translated,
    body: &RuleBody,
    given: impl Iterator<Item = &'a Given>,
) -> Vec<Edit> {
    let mut given = given.peekable();
    if given.peek().is_none() {
        return Vec::new();
    }
    let query = &body.query;
    let Some((first, last)) = query.stmts.first().zip(query.stmts.last()) else {
        // `else := xs[_]` has no body: it gets one.
        let value = body.assign.as_ref().map(|assign| reach(&translated.text, &assign.value));
        let to = value.map(|(_, to)| behind_parentheses(&translated.text, to));
        return to.map_or_else(Vec::new, |to| with_body(given, to));
    };
    let to = end(&translated.text, last.span.end);
    // One statement alone may stand without braces.
    let bare = first.span.start == query.span.start;
    let (open, close) = if bare { ("{ ", " }") } else { ("", "") };
    let from = begin(&translated.text, first);
    let mut edits = vec![Edit::new(from, from, open)];
    edits.extend(statements(given, to, "; "));
    edits.push(Edit::new(to, to, close));
    edits
}

/// Writes `[input.a[_] | b]` as `[v | b; v := input.a[_]]`, the inner ones in a later pass; none where there is none.
pub(crate) fn comprehensions(module: &Module, names: &Names, translated: &Translated) -> Option<Translated> {
    let scan = Scan::of(module, names, translated);
    let mut found = Vec::new();
    for rule in &module.policy {
        walk::rule(rule, &mut |seen| {
            if let Seen::Comprehension(of) = seen {
                found.push(of);
            }
        });
    }
    found.sort_by_key(|of| (of.span().start, std::cmp::Reverse(of.span().end)));
    let mut reached = 0;
    let mut edits = Vec::new();
    for of in found {
        let (terms, query) = match of {
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => (vec![term], query),
            Expr::ObjectCompr { key, value, query, .. } => (vec![key, value], query),
            _ => continue,
        };
        let Some(last) = query.stmts.last().filter(|_| of.span().start >= reached) else { continue };
        if !terms.iter().any(|term| many(term)) {
            continue;
        }
        reached = of.span().end;
        let terms = terms.into_iter().filter(|term| scan.may_miss(term));
        let given: Vec<_> = terms.map(|term| Given::of(translated, term)).collect();
        edits.extend(statements(&given, end(&translated.text, last.span.end), "; "));
        edits.extend(given.into_iter().map(Given::named));
    }
    translated.edited(edits)
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
                "x := input.a[_] if input.b else := input.c[_]",
                "x := given15__ if { input.b; given15__ := input.a[_] } else := given45__ if { given45__ := input.c[_] }",
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
            (
                "x := {\"a\": 1, \"b\": input.b} if some v in [1]",
                "x := given15__ if { some v in [1]; given15__ := {\"a\": 1, \"b\": input.b} }",
            ),
            (
                "x := { # the {\"first\"} of two\n\t# {\n\tinput.a: \"#\", input.b: {\"c\": 1, \"d\": 2}} if some v in [1]",
                "x := given15__ if { some v in [1]; given15__ := { # the {\"first\"} of two\n\t# {\n\tinput.a: \"#\", \
                 input.b: {\"c\": 1, \"d\": 2}} }",
            ),
            ("o.b := input.a", "o.b := input.a"),
            ("s contains input.t if input.a", "s contains input.t if input.a"),
            ("x := (input.a[_] + 1)", "x := (given16__) if { given16__ := input.a[_] + 1 }"),
            (
                "x := input.a[_] if \"b\" == input.b",
                "x := given15__ if { \"b\" == input.b; given15__ := input.a[_] }",
            ),
            ("s contains v if some v in [1]", "s contains v if some v in [1]"),
            ("f(x) := x if { x == 1 } else := 2", "f(x) := x if { x == 1 } else := 2"),
            ("f(x) := input.a if x == 1", "f(x) := input.a if x == 1"),
        ] {
            assert_eq!(written(author, values), wanted);
        }
    }

    #[test]
    fn a_member_that_may_be_missing_becomes_the_last_statement_of_its_comprehension() {
        for (author, wanted) in [
            ("x := [input.a[_] | true]", "x := [given16__ | true; given16__ := input.a[_]]"),
            (
                "x := {input.a[_]: input.b | some y in [1]; y}",
                "x := {given16__: given28__ | some y in [1]; y; given16__ := input.a[_]; given28__ := input.b}",
            ),
            (
                "x := [[input.a[_] | true][_] | true]",
                "x := [given16__ | true; given16__ := [input.a[_] | true][_]]",
            ),
            ("x := [input.a | some y in [1]]", "x := [input.a | some y in [1]]"),
        ] {
            assert_eq!(written(author, comprehensions), wanted);
        }
    }

    fn written(author: &str, step: fn(&Module, &Names, &Translated) -> Option<Translated>) -> String {
        let author = format!("package a\n{author}\n");
        let mut engine = Engine::new();
        engine.add_policy("a.rego".to_owned(), author.clone()).unwrap();
        let modules = engine.get_modules();
        let translated = Translated { text: author.clone(), ..Translated::default() };
        let written = step(&modules[0], &Names::of(modules), &translated).map_or(author, |new| new.text);
        written.strip_prefix("package a\n").unwrap().trim_end().to_owned()
    }
}
