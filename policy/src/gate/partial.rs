//! A rule of many members that is compared as a whole with what is no such thing, `not deny == true` where
//! `deny contains …`: never the same, so that its negation always holds. OPA refuses it.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, BoolOp, Expr, Module, Ref, Rule, RuleHead};

use super::binds;
use super::kinds;
use super::names::{self, Names, Path};
use super::walk::{self, Seen};
use crate::builtins::signatures::{Kinds, OBJECT, SET};
use crate::problem::{Problem, Problems};

/// Checks all modules as their authors wrote them: what is negated is written anew behind this.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    let whole = whole(modules);
    if whole.is_empty() {
        return;
    }
    let names = Names::of(modules);
    for module in modules {
        for rule in &module.policy {
            let mut replaced = false;
            let (mut scopes, mut compared) = (Vec::<BTreeSet<&str>>::new(), Vec::new());
            walk::rule(rule, &mut |seen| match seen {
                Seen::Opens(stmts) => {
                    let mut scope = BTreeSet::new();
                    for stmt in stmts {
                        binds::of(stmt, &mut |binds| {
                            binds.names(&mut |name| {
                                scope.insert(name.text());
                            });
                        });
                    }
                    scopes.push(scope);
                }
                Seen::Closes => drop(scopes.pop()),
                Seen::With(with) => replaced |= names::begin(&with.refr).text() != "input",
                Seen::Binds(name, _) => {
                    scopes.last_mut().map(|scope| scope.insert(name.text()));
                }
                Seen::Compares(
                    Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }
                    | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. },
                ) => {
                    let bound =
                        |expr: &Expr| scopes.iter().any(|scope| scope.contains(names::begin(expr).text()));
                    let sides = [(lhs, rhs), (rhs, lhs)].into_iter();
                    compared.extend(sides.filter(|(of, _)| !bound(of)));
                }
                _ => {}
            });
            // What stands in its place may be anything.
            if replaced {
                continue;
            }
            problems.extend(compared.into_iter().filter_map(|(of, with)| {
                let written = names::path(of)?;
                let is = *whole.get(&names::resolve(module, &written))?;
                let other = kinds::said(module, &names, with);
                let why = || format!("is never the same: it is {is}, and {other} in the other place");
                let instead = "what its members are asked for: `x in p`, `p[x]`, `count(p) == 0`";
                let name = written.join(".");
                let span = names::begin(of);
                let problem = || Problem::of(span.source.get_path(), &name, why(), instead).at_span(span);
                (!is.meets(other)).then(problem)
            }));
        }
    }
}

/// Rules that are sets or objects as a whole.
fn whole(modules: &[Ref<Module>]) -> BTreeMap<Path, Kinds> {
    let mut whole = BTreeMap::new();
    for module in modules {
        let package = names::package(module);
        for rule in &module.policy {
            let kind =
                match rule.as_ref() {
                    Rule::Spec { head: RuleHead::Set { refr, .. }, .. } if names::path(refr).is_some() => SET,
                    Rule::Spec {
                        head: RuleHead::Set { refr, .. } | RuleHead::Compr { refr, .. }, ..
                    } if names::path(refr).is_none() => OBJECT,
                    _ => continue,
                };
            whole.insert(names::rule_path(&package, rule), kind);
        }
    }
    whole
}
