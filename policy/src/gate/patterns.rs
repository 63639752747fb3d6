//! What OPA takes for no pattern: constants and references where `:=` gives names to parts, what is computed in the
//! arguments of a function, and names that a comprehension's members would get.

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead};

use super::binds;
use super::names;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Checks the patterns of one module.
pub(super) fn check(module: &Module, problems: &mut Problems) {
    for rule in &module.policy {
        let arguments = match rule.as_ref() {
            Rule::Spec { head: RuleHead::Func { args, .. }, .. } | Rule::Default { args, .. } => {
                args.as_slice()
            }
            Rule::Spec { .. } => &[],
        };
        problems.extend(arguments.iter().filter_map(argued));
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                problems.extend(stmts.iter().filter_map(stated));
            }
        });
    }
}

fn stated(stmt: &LiteralStmt) -> Option<Problem> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::AssignExpr { op, lhs, rhs, .. } = expr.as_ref() else { return None };
    let assigned = if *op == AssignOp::ColEq { assigned(lhs) } else { None };
    assigned.or_else(|| unsafe_names(lhs, rhs)).or_else(|| unsafe_names(rhs, lhs))
}

/// A part of the pattern before `:=` that is no name.
fn assigned(pattern: &Ref<Expr>) -> Option<Problem> {
    match pattern.as_ref() {
        Expr::Var { .. } => None,
        Expr::Array { items, .. } => items.iter().find_map(assigned),
        Expr::Object { fields, .. } => fields.iter().find_map(|(_, _, value)| assigned(value)),
        other => {
            let why = "stands before `:=`, where OPA takes names alone";
            Some(problem(other, why, "`=`, which compares, in the place of `:=`"))
        }
    }
}

/// A part of an argument that is no pattern.
fn argued(pattern: &Ref<Expr>) -> Option<Problem> {
    let (mut found, why) = (None, "stands in an argument of a function, where OPA computes nothing");
    walk::expression(pattern, &mut |seen| {
        let computed = match seen {
            Seen::Ref(refr) => {
                let document = matches!(names::begin(refr).text(), "input" | "data");
                document.then_some(refr)
            }
            Seen::Call { fcn, .. } => Some(fcn),
            _ => None,
        };
        found =
            found.take().or(computed.map(|expr| problem(expr, why, "a name, and a comparison in the body")));
    });
    found
}

/// `{"a": x} = {k: v | …}`: what the comprehension gives is not known when the names are asked for.
fn unsafe_names(pattern: &Expr, value: &Expr) -> Option<Problem> {
    if !matches!((pattern, value), (Expr::Object { .. }, Expr::ObjectCompr { .. })) {
        return None;
    }
    let mut first = None;
    binds::variables(pattern, &mut |name| first = first.or(Some(name)));
    first.map(|name| {
        let why = "would be a member of a comprehension, which OPA calls unsafe";
        let instead = "a name for the comprehension, and its member: `all := {…}`, `x := all.a`";
        Problem::of(name.source.get_path(), name.text(), why, instead).at_span(name)
    })
}

fn problem(expr: &Expr, why: &str, instead: &str) -> Problem {
    let span = names::begin(expr);
    Problem::of(span.source.get_path(), span.text(), why, instead).at_span(span)
}
