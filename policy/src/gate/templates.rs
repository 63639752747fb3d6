//! What stands between the braces of `$"…{x}…"`: to OPA one expression, whose names are those of the body around it. To
//! the engine it is a comprehension of its own, which would go through what it finds no other name for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleBody, RuleHead, Span};

use super::names::{self, Names};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Checks every rule of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let names = Names::of(modules);
    let mut sure = None;
    for module in modules {
        for rule in &module.policy {
            let parts = parts(rule);
            if !parts.is_empty() {
                problems.extend(undeclared(module, &names, rule, &parts));
                let sure = sure.get_or_insert_with(|| taken_for_sure(modules));
                problems.extend(parts.iter().filter_map(|stmts| never_undefined(module, sure, stmts)));
            }
        }
    }
}

/// The rules that OPA takes to have a value always, and that may have none: of one definition, without a condition, and a
/// list, set or object that is written out.
fn taken_for_sure(modules: &[Ref<Module>]) -> BTreeSet<names::Path> {
    let mut all: BTreeMap<names::Path, bool> = BTreeMap::new();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let misses = match rule.as_ref() {
                Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, bodies, .. } => {
                    bodies.iter().all(always)
                        && bodies.len() < 2
                        && written_out(&assign.value)
                        && misses(&assign.value)
                }
                Rule::Spec { .. } | Rule::Default { .. } => false,
            };
            all.entry(names::rule_path(&package, rule)).and_modify(|sure| *sure = false).or_insert(misses);
        }
    }
    all.into_iter().filter_map(|(path, sure)| sure.then_some(path)).collect()
}

/// Whether a body says `true` and no more.
fn always(body: &RuleBody) -> bool {
    let [stmt] = body.query.stmts.as_slice() else { return body.query.stmts.is_empty() };
    let Literal::Expr { expr, .. } = &stmt.literal else { return false };
    body.assign.is_none() && stmt.with_mods.is_empty() && expr.span().text() == "true"
}

const fn written_out(value: &Expr) -> bool {
    matches!(value, Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. })
}

/// Whether something in a value may be missing.
fn misses(value: &Expr) -> bool {
    match value {
        Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => false,
        Expr::Call { fcn, .. } if names::constant(fcn) == ["internal", "template_string"] => false,
        value if written_out(value) => {
            let mut found = false;
            walk::parts(value, &mut |part| found = found || misses(part));
            found
        }
        value => !walk::is_scalar(value),
    }
}

/// What is wrong where one of [`taken_for_sure`] stands between the braces.
fn never_undefined(module: &Module, sure: &BTreeSet<names::Path>, stmts: &[LiteralStmt]) -> Option<Problem> {
    let Literal::Expr { expr, .. } = &stmts.first()?.literal else { return None };
    let Expr::AssignExpr { op: AssignOp::ColEq, rhs, .. } = expr.as_ref() else { return None };
    let path = names::resolve(module, &names::path(rhs)?);
    let full = names::through_imports(module, &names::path(rhs)?).unwrap_or(path);
    if !sure.contains(&full) {
        return None;
    }
    let span = rhs.span();
    let why =
        "may have no value, and OPA writes no `<undefined>` for a list, set or object that a rule writes out";
    let instead = format!("the value from the body of `{0}`: `{0} := x if x := …`", full.last()?);
    Some(Problem::of(span.source.get_path(), span.text(), why, instead).at_span(span))
}

/// The statements between the braces of each template.
fn parts(rule: &Rule) -> Vec<&[LiteralStmt]> {
    let mut parts = Vec::new();
    walk::rule(rule, &mut |seen| {
        let Seen::Call { fcn, params, .. } = seen else { return };
        if names::constant(fcn) != ["internal", "template_string"] {
            return;
        }
        let Some(Expr::Array { items, .. }) = params.first().map(AsRef::as_ref) else { return };
        parts.extend(items.iter().filter_map(|item| match item.as_ref() {
            Expr::SetCompr { query, .. } => Some(query.stmts.as_slice()),
            _ => None,
        }));
    });
    parts
}

fn undeclared(module: &Module, names: &Names, rule: &Rule, parts: &[&[LiteralStmt]]) -> Vec<Problem> {
    let reach = |stmts: &[LiteralStmt]| -> Option<Range<u32>> {
        Some(stmts.first()?.span.start..stmts.last()?.span.end)
    };
    let ranges: Vec<Range<u32>> = parts.iter().filter_map(|stmts| reach(stmts)).collect();
    let mut around = BTreeSet::new();
    let mut note = |name: &Span| {
        if name.text() != "_" && !ranges.iter().any(|range| range.contains(&name.start)) {
            around.insert(name.text().to_owned());
        }
    };
    walk::rule(rule, &mut |seen| match seen {
        Seen::Ref(refr) => note(names::begin(refr)),
        Seen::Binds(name, _) => note(name),
        _ => {}
    });
    let known = |name: &str| {
        matches!(name, "input" | "data") || around.contains(name) || names.is_global(module, name)
    };
    parts.iter().filter_map(|stmts| of_one(stmts, &known)).collect()
}

/// What is wrong with one of them.
fn of_one(stmts: &[LiteralStmt], known: &dyn Fn(&str) -> bool) -> Option<Problem> {
    let problem = |at: &Span, construct: &str, why: &str, instead: &str| {
        Problem::of(at.source.get_path(), construct, why, instead).at_span(at)
    };
    let [stmt, rest @ ..] = stmts else { return None };
    if let Some(second) = rest.first() {
        let why = "has more than one expression between its braces, which OPA refuses";
        return Some(problem(&second.span, "$\"…\"", why, "one expression, or a name given to it before"));
    }
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::AssignExpr { op: AssignOp::ColEq, rhs, .. } = expr.as_ref() else { return None };
    let mut read = Vec::new();
    variables(rhs, &mut read);
    // What the expression begins with is looked at with all that is unsafe.
    read.retain(|name| name.start != names::begin(rhs).start);
    let name = read.into_iter().find(|name| !known(name.text()))?;
    let why = "is bound by nothing around the template, which OPA calls undeclared";
    Some(problem(name, name.text(), why, "a statement that binds it before, `some x in xs`"))
}

/// The variables of an expression, without those of comprehensions in it.
fn variables<'a>(expr: &'a Expr, read: &mut Vec<&'a Span>) {
    if let Expr::Var { span, .. } = expr {
        read.push(span);
    }
    walk::parts(expr, &mut |part| variables(part, read));
}
