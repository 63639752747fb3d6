//! Rules of very many clauses: each is tried in every decision.

use std::collections::BTreeMap;

use regorus::unstable::{BoolOp, Expr, Literal, Module, Ref, Rule, Span};

use super::{CLAUSES, rewrite};
use crate::gate::names;
use crate::problem::Problem;

pub(super) fn check(modules: &[Ref<Module>], found: &mut Vec<Problem>) {
    let mut rules: BTreeMap<Vec<String>, (usize, &Span, Option<String>)> = BTreeMap::new();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let Rule::Spec { span, bodies, .. } = rule.as_ref() else { continue };
            let entry = rules.entry(names::rule_path(&package, rule));
            let (count, _, compared) = entry.or_insert((0, span, None));
            *count += bodies.len().max(1);
            if compared.is_none() {
                *compared = self::compared(rule);
            }
        }
    }
    for (path, (count, span, compared)) in rules.into_iter().filter(|(_, (count, ..))| *count > CLAUSES) {
        let name = path.last().cloned().unwrap_or_default();
        let key = compared.unwrap_or_else(|| "KEY".to_owned());
        let why = format!(
            "has {count} clauses, above the {CLAUSES} of the budget: each that could hold is tried in every decision"
        );
        let instead = format!(
            "one clause that looks it up, `data.{name}[{key}]`, over data with a member for each clause: \
             {{\"{name}\": {{\"…\": …}}}}"
        );
        let problem = Problem::of(span.source.get_path(), &name, why, instead);
        found.push(problem.at_span(span));
    }
}

/// What the first statement of a clause compares with a constant.
fn compared(rule: &Rule) -> Option<String> {
    let Rule::Spec { bodies, .. } = rule else { return None };
    let mut stmts = bodies.first()?.query.stmts.iter();
    stmts.find_map(|stmt| match &stmt.literal {
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. } => match (lhs.as_ref(), rhs.as_ref()) {
                (side, Expr::String { .. }) | (Expr::String { .. }, side) => Some(rewrite::text(side)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
