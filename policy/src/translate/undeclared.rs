//! `some x` without `in`, taken out once each name means one thing alone: of a name that is declared and has no value yet, the
//! engine finds nothing, without a word; of one that is not declared it says that it has none.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Ref, Rule, RuleHead};

use super::{Edit, Translated, begin, each};
use crate::gate::binds;
use crate::gate::walk::{self, Seen};

/// The texts of all modules without such statements; none where there is none.
pub(crate) fn names(modules: &[Ref<Module>], texts: &[Translated]) -> Option<Vec<Translated>> {
    each(modules, texts, |module, text| {
        let mut edits = Vec::new();
        for rule in &module.policy {
            // The names of each query around, those of the function first.
            let mut around = vec![arguments(rule)];
            walk::rule(rule, &mut |seen| match seen {
                Seen::Opens(stmts) => {
                    for (stmt, next) in stmts.iter().zip(stmts.iter().skip(1)) {
                        if let Literal::SomeVars { vars, .. } = &stmt.literal
                            && !vars.iter().any(|name| around.iter().any(|known| known.contains(name.text())))
                        {
                            let (from, to) = (stmt.span.start, begin(&text.text, next));
                            let between = text.text.get(from as usize..to as usize).unwrap_or_default();
                            edits.push(Edit::new(from, to, "\n".repeat(between.matches('\n').count())));
                        }
                    }
                    around.push(named(stmts));
                }
                Seen::Closes => drop(around.pop()),
                _ => {}
            });
        }
        edits
    })
}

fn arguments(rule: &Rule) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = rule {
        for arg in args {
            binds::variables(arg, &mut |name| names.extend([name.text()]));
        }
    }
    names
}

/// The names that stand in the statements of a query, but for those in queries within.
fn named(stmts: &[LiteralStmt]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for stmt in stmts {
        match &stmt.literal {
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => all(expr, &mut names),
            Literal::SomeVars { vars, .. } => names.extend(vars.iter().map(regorus::unstable::Span::text)),
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| all(part, &mut names));
            }
            Literal::Every { key, value, domain, .. } => {
                names.extend(key.iter().chain([value]).map(regorus::unstable::Span::text));
                all(domain, &mut names);
            }
        }
    }
    names
}

fn all<'a>(expr: &'a Expr, names: &mut BTreeSet<&'a str>) {
    if let Expr::Var { span, .. } = expr {
        names.insert(span.text());
    }
    walk::parts(expr, &mut |part| all(part, names));
}
