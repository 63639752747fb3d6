//! What stands between the braces of `$"…{x}…"`: to OPA one expression, whose names are those of the body around it. To
//! the engine it is a comprehension of its own, which would go through what it finds no other name for.

use std::collections::BTreeSet;
use std::ops::Range;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, Span};

use super::names::{self, Names};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Checks every rule of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let names = Names::of(modules);
    for module in modules {
        for rule in &module.policy {
            let parts = parts(rule);
            if !parts.is_empty() {
                problems.extend(undeclared(module, &names, rule, &parts));
            }
        }
    }
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
        let path = names::resolve(module, &[name.to_owned()]);
        matches!(name, "input" | "data")
            || around.contains(name)
            || names.defines_below(&path)
            || names::through_imports(module, &[name.to_owned()]).is_some()
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
