//! `with` on a statement that goes through many values, `some msg in deny with input as x`: the engine evaluates what
//! comes after inside of the loop, where the `with` would still hold. What is gone through is asked for first, as
//! `all9__ := deny with input as x; some msg in all9__`, and so `deny[msg] with …`. A last statement stays as it is.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule};

use super::{Edit, Translated, each, end, reach, sign, uncalled};
use crate::gate::loops::iterates;
use crate::gate::names::{self, Names};
use crate::gate::walk::{self, Seen};

/// The texts of all modules with such statements apart; none where there is nothing to write.
pub(super) fn first(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    let names = Names::of(modules);
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            for stmt in through_many(rule) {
                let apart = through(&text.text, stmt).or_else(|| member(module, &names, &text.text, stmt));
                edits.extend(apart.into_iter().flatten());
            }
        }
        edits
    })
}

/// The statements of a rule with a `with` that go through many values, but the last ones.
fn through_many(rule: &Rule) -> Vec<&LiteralStmt> {
    let (mut bound, mut asked) = (BTreeSet::new(), Vec::new());
    walk::rule(rule, &mut |seen| match seen {
        Seen::Binds(name, _) => {
            bound.insert(name.text().to_owned());
        }
        Seen::Opens(stmts) => {
            let others = stmts.split_last().map_or(&[][..], |(_, others)| others);
            asked.extend(others.iter().filter(|stmt| !stmt.with_mods.is_empty()));
        }
        _ => {}
    });
    asked.retain(|stmt| iterates(stmt, &bound));
    asked
}

/// `some k, v in xs with …`.
fn through(text: &str, stmt: &LiteralStmt) -> Option<Vec<Edit>> {
    let Literal::SomeIn { key, value, .. } = &stmt.literal else { return None };
    let given: Option<Vec<_>> = key.iter().chain([value]).map(variable).collect();
    let given = given?;
    let (from, to) = (stmt.span.start, end(text, stmt.span.end));
    let behind_in = sign(text, value.span().end, "in")? + 2;
    let all = format!("all{from}__");
    let rest = format!("; some {} in {all}{}", given.join(", "), uncalled(text, to));
    let edits = vec![Edit::new(from, behind_in, format!("{all} :=")), Edit::new(to, to, rest)];
    (!names_any(text, (behind_in, to), &given)).then_some(edits)
}

/// `deny[msg] with …`, of a rule by its name.
fn member(module: &Module, names: &Names, text: &str, stmt: &LiteralStmt) -> Option<Vec<Edit>> {
    let Literal::Expr { expr, .. } = &stmt.literal else { return None };
    let Expr::RefBrack { refr, index, .. } = expr.as_ref() else { return None };
    let given = variable(index)?;
    let is_rule = names.is_rule(&names::resolve(module, &names::path(refr)?));
    let (from, to) = (stmt.span.start, end(text, stmt.span.end));
    let (behind_rule, behind_member) = (reach(text, refr).1, reach(text, expr).1);
    let all = format!("all{from}__");
    let edits = vec![
        Edit::new(from, from, format!("{all} := ")),
        Edit::new(behind_rule, behind_member, " "),
        Edit::new(to, to, format!("; {all}[{given}]")),
    ];
    let apart = is_rule && !names.is_global(module, given) && !names_any(text, (behind_member, to), &[given]);
    apart.then_some(edits)
}

/// Whether any of these names stands there: what is gone through, or put in, would read what the statement gives.
fn names_any(text: &str, (from, to): (u32, u32), names: &[&str]) -> bool {
    let there = text.get(from as usize..to as usize).unwrap_or_default();
    there.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| names.contains(&word))
}

fn variable(expr: &Ref<Expr>) -> Option<&str> {
    match expr.as_ref() {
        Expr::Var { span, .. } => Some(span.text()),
        _ => None,
    }
}
