//! `with` on a statement that goes through many values, and objects that name a member twice.
//!
//! The engine evaluates what comes after a loop inside of it, and there the `with` would still hold. Of a member that
//! stands twice, OPA takes the last without looking at the others; the engine evaluates them all.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::binds::{self, Binds};
use super::names::{self, Names};
use super::text;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

const COLLECT: &str = "the values first: `all := [x | some x in …] with …`";

/// Checks the statements of one module.
pub(super) fn check(module: &Module, names: &Names, problems: &mut Problems) {
    for rule in &module.policy {
        if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule.as_ref() {
            problems.extend(bound_twice(args));
        }
        let (mut bound, mut asked) = (BTreeSet::new(), Vec::new());
        walk::rule(rule, &mut |seen| match seen {
            Seen::Binds(name, _) => {
                bound.insert(name.text().to_owned());
            }
            Seen::Opens(stmts) => {
                declared(stmts, &mut asked);
                problems.extend(stmts.iter().flat_map(|stmt| redeclared(module, names, stmt)));
                for stmt in stmts {
                    if let Literal::SomeIn { key, value, collection, .. } = &stmt.literal {
                        problems.extend(bound_twice(key.iter().chain([value])));
                        problems.extend(empty(collection));
                    }
                }
                problems.extend(hidden(module, names, stmts));
            }
            Seen::Object(object) => problems.extend(twice(object)),
            Seen::Minus(expr) => problems.extend(negative(expr)),
            Seen::Ref(_)
            | Seen::Call { .. }
            | Seen::With(_)
            | Seen::Replaces(_)
            | Seen::Number(_)
            | Seen::Restores
            | Seen::Compares(_)
            | Seen::Member(_)
            | Seen::Comprehension(_)
            | Seen::Closes => {}
        });
        let last = last(module, names, rule);
        let after = |stmt: &&LiteralStmt| !last.contains(&stmt.span.start);
        problems.extend(asked.into_iter().filter(after).filter(|stmt| iterates(stmt, &bound)).map(|stmt| {
            let why = "goes through many values, and what comes after would see the `with` too";
            problem(&stmt.span, "with", why, COLLECT)
        }));
    }
}

/// `some x in 1`, where nothing is.
fn empty(collection: &Ref<Expr>) -> Option<Problem> {
    let (span, why) = (collection.span(), "has no members to go through");
    walk::is_scalar(collection).then(|| problem(span, span.text(), why, "a list, a set or an object"))
}

/// A minus before anything but a number, which the engine takes for an error when it comes to it.
fn negative(minus: &Expr) -> Option<Problem> {
    let Expr::UnaryExpr { span, expr, .. } = minus else { return None };
    let why = "stands before what OPA takes no minus of: it is a number, a name, a reference or a call";
    let instead = "`0 - x` for `-x`, in parentheses inside another expression";
    if !matches!(expr.as_ref(), Expr::Number { .. }) {
        return Some(problem(span, "-", why, instead));
    }
    let behind = span.source.get_contents().get(span.start as usize + 1..).unwrap_or_default();
    let why = "stands before a parenthesis, where OPA takes a number alone";
    text::said(behind).starts_with('(').then(|| problem(span, "-", why, "`-3` for `-(3)`"))
}

/// Where the last statements of a rule's bodies begin, when nothing that a `with` could change is read after them. The
/// engine walks after it has gone through all else.
fn last(module: &Module, names: &Names, rule: &Rule) -> BTreeSet<u32> {
    let Rule::Spec { head, bodies, .. } = rule else { return BTreeSet::new() };
    let constant = |expr: &Ref<Expr>| plain(module, names, expr);
    let key = |refr: &Ref<Expr>| match refr.as_ref() {
        Expr::RefBrack { index, .. } => constant(index),
        _ => true,
    };
    let plain = match head {
        RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => {
            key(refr) && assign.iter().all(|assign| constant(&assign.value))
        }
        RuleHead::Set { refr, key: of, .. } => key(refr) && of.iter().all(constant),
    };
    let ends = bodies.iter().filter_map(|body| body.query.stmts.last());
    let walks = bodies.iter().flat_map(|body| &body.query.stmts).any(walks);
    if plain && !walks && bodies.len() == 1 {
        ends.map(|stmt| stmt.span.start).collect()
    } else {
        BTreeSet::new()
    }
}

/// Whether a statement walks through a document.
fn walks(stmt: &LiteralStmt) -> bool {
    let mut found = false;
    walk::statement(stmt, &mut |seen| {
        found |= matches!(seen, Seen::Call { fcn, .. } if names::constant(fcn) == ["walk"]);
    });
    found
}

/// Whether this reads neither documents nor rules.
fn plain(module: &Module, names: &Names, expr: &Expr) -> bool {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. } => true,
        Expr::Var { span, .. } => {
            !matches!(span.text(), "input" | "data") && !names.is_global(module, span.text())
        }
        Expr::Array { items, .. } => items.iter().all(|item| plain(module, names, item)),
        _ => false,
    }
}

fn problem(span: &Span, construct: &str, why: &str, instead: &str) -> Problem {
    let text = span.source.get_contents();
    Problem::of(span.source.get_path(), construct, why, instead).at(span.line, span.col, text)
}

/// `every x in xs { y := x }` where a rule is called `y`: outside of the braces too OPA no longer knows the rule.
fn redeclared(module: &Module, names: &Names, stmt: &LiteralStmt) -> Vec<Problem> {
    let Literal::Every { query, .. } = &stmt.literal else { return Vec::new() };
    let mut declared = Vec::new();
    for stmt in &query.stmts {
        binds::of(stmt, &mut |binds| match binds {
            Binds::Declared(_) => {}
            binds => binds.names(&mut |name| declared.push(name)),
        });
    }
    let why = "is a rule or an import too, which OPA does not find again behind `every`";
    declared.retain(|name| names.is_global(module, name.text()));
    declared.into_iter().map(|name| problem(name, name.text(), why, "another name")).collect()
}

/// `some x` where a rule of the package is called `x`, and in `every` an import: the engine goes on reading that.
fn hidden(module: &Module, names: &Names, stmts: &[LiteralStmt]) -> Vec<Problem> {
    let vars = stmts.iter().flat_map(|stmt| match &stmt.literal {
        Literal::SomeVars { vars, .. } => vars.as_slice(),
        _ => &[],
    });
    vars.filter(|var| names.is_global(module, var.text()))
        .map(|var| {
            let why = "is a rule or an import too, which the engine would read in its place";
            problem(var, var.text(), why, "another name")
        })
        .collect()
}

/// `f(x, x)` and `some x, x in xs`: both have to be the same to OPA, the engine takes the last.
fn bound_twice<'a>(patterns: impl IntoIterator<Item = &'a Ref<Expr>>) -> Option<Problem> {
    let mut before = BTreeSet::new();
    patterns.into_iter().find_map(|pattern| {
        let mut here = Vec::new();
        binds::variables(pattern, &mut |name| here.push(name));
        let twice = here.iter().find(|span| before.contains(span.text())).map(|span| {
            let why = "stands for two values, which the engine would not compare";
            problem(span, span.text(), why, "two names, and `==` between them in the body")
        });
        before.extend(here.into_iter().map(Span::text).filter(|name| *name != "_"));
        twice
    })
}

fn declared<'a>(stmts: &'a [LiteralStmt], asked: &mut Vec<&'a LiteralStmt>) {
    asked.extend(stmts.iter().filter(|stmt| !stmt.with_mods.is_empty()));
}

/// Whether a statement goes through many values.
pub(crate) fn iterates(stmt: &LiteralStmt, bound: &BTreeSet<String>) -> bool {
    match &stmt.literal {
        Literal::SomeIn { .. } => true,
        Literal::Expr { expr, .. } => loops(expr, bound),
        Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => false,
    }
}

/// Whether an expression has many values: by a member that is not bound, or by `walk`.
pub(crate) fn loops(expr: &Expr, bound: &BTreeSet<String>) -> bool {
    let mut found = match expr {
        Expr::RefBrack { index, .. } => free(index, bound),
        Expr::Call { fcn, .. } => names::constant(fcn) == ["walk"],
        _ => false,
    };
    walk::parts(expr, &mut |part| found = found || loops(part, bound));
    found
}

/// Whether this member may be given by a name in it.
fn free(index: &Expr, bound: &BTreeSet<String>) -> bool {
    let mut found = false;
    binds::variables(index, &mut |name| found |= !bound.contains(name.text()));
    found
}

/// A constant name that stands twice in an object.
fn twice(object: &Expr) -> Option<Problem> {
    let Expr::Object { fields, .. } = object else { return None };
    let mut known = BTreeSet::new();
    fields.iter().find_map(|(_, key, _)| {
        let (Expr::String { span, value, .. }
        | Expr::RawString { span, value, .. }
        | Expr::Number { span, value, .. }) = key.as_ref()
        else {
            return None;
        };
        let why = "stands twice in one object, of which OPA takes the last";
        (!known.insert(value)).then(|| problem(span, span.text(), why, "one of them"))
    })
}
