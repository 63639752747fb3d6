//! The order of a list that is made beside `walk`: what is gone through after `walk`, and reads nothing of it, the
//! engine goes through first. OPA keeps the order of the statements.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead};

use super::loops::iterates;
use super::names;
use super::walk::{self, Seen, parts};
use crate::problem::{Problem, Problems};

const INSTEAD: &str = "the other statement before `walk`, or a set, `{… | …}`";

/// Checks every list comprehension of one module.
pub(super) fn check(module: &Module, problems: &mut Problems) {
    for rule in &module.policy {
        let Rule::Spec { head, bodies, .. } = rule.as_ref() else { continue };
        let mut found = Vec::new();
        let value = match head {
            RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => {
                assign.as_ref().map(|assign| &assign.value)
            }
            RuleHead::Set { key, .. } => key.as_ref(),
        };
        let others = bodies.iter().filter_map(|body| body.assign.as_ref()).map(|assign| &assign.value);
        value.into_iter().chain(others).for_each(|value| lists(value, &mut found));
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                for stmt in stmts {
                    in_statement(stmt, &mut found);
                }
            }
        });
        problems.extend(found.into_iter().filter_map(other_order));
    }
}

fn in_statement<'a>(stmt: &'a LiteralStmt, found: &mut Vec<&'a [LiteralStmt]>) {
    match &stmt.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { collection: expr, .. }
        | Literal::Expr { expr, .. }
        | Literal::NotExpr { expr, .. }
        | Literal::Every { domain: expr, .. } => lists(expr, found),
    }
    stmt.with_mods.iter().for_each(|with| lists(&with.r#as, found));
}

/// The bodies of the list comprehensions in an expression, and in what comprehensions say.
fn lists<'a>(expr: &'a Expr, found: &mut Vec<&'a [LiteralStmt]>) {
    match expr {
        Expr::ArrayCompr { term, query, .. } => {
            found.push(&query.stmts);
            lists(term, found);
        }
        Expr::SetCompr { term, .. } => lists(term, found),
        Expr::ObjectCompr { key, value, .. } => {
            lists(key, found);
            lists(value, found);
        }
        expr => parts(expr, &mut |part| lists(part, found)),
    }
}

/// What goes through values after a `walk` and reads nothing that the `walk` gives.
fn other_order(stmts: &[LiteralStmt]) -> Option<Problem> {
    let at = stmts.iter().position(|stmt| walked(stmt).is_some())?;
    let (before, after) = stmts.split_at_checked(at)?;
    let (walk, after) = after.split_first()?;
    let mut bound: BTreeSet<String> = before.iter().flat_map(words).collect();
    let mut given: BTreeSet<String> = words(walk).difference(&bound).cloned().collect();
    for stmt in after {
        let said = words(stmt);
        if !said.is_disjoint(&given) {
            given.extend(said.difference(&bound).cloned());
        } else if walked(stmt).is_none() && iterates(stmt, &bound) {
            let span = &stmt.span;
            let why = "goes through values after `walk`: the engine would go through them before it";
            let construct = span.text().lines().next().unwrap_or_default();
            return Some(Problem::of(span.source.get_path(), construct, why, INSTEAD).at_span(span));
        } else {
            bound.extend(said);
        }
    }
    None
}

fn walked(stmt: &LiteralStmt) -> Option<&Ref<Expr>> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::Call { fcn, .. } = expr.as_ref() else { return None };
    (names::constant(fcn) == ["walk"]).then_some(expr)
}

/// The names that a statement begins references with, or binds. `some x` gives none a value.
fn words(stmt: &LiteralStmt) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    if let Literal::SomeVars { .. } = stmt.literal {
        return words;
    }
    walk::statement(stmt, &mut |seen| match seen {
        Seen::Ref(refr) => words.extend(names::constant(refr).into_iter().next()),
        Seen::Binds(name, _) => drop(words.insert(name.text().to_owned())),
        _ => {}
    });
    words.retain(|word| !matches!(word.as_str(), "input" | "data" | "_"));
    words
}
