//! `f(x) if { x := 1 }` and `{ some x; x := 1 }`: OPA refuses a body that declares a name again, of an argument too. Names
//! are told apart before the rest of the gate looks at them, so that this is looked at before.

use std::collections::BTreeSet;

use regorus::unstable::{Literal, LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::binds;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// The first name that a statement declares and another before it did, or what these stand in.
fn again<'a>(stmts: &'a [LiteralStmt], mut before: BTreeSet<&'a str>) -> Option<Problem> {
    for stmt in stmts {
        let mut here = Vec::new();
        binds::of(stmt, &mut |binds| binds.names(&mut |name| here.push(name)));
        if let Some(name) = here.iter().find(|name| before.contains(name.text())) {
            return Some(problem(name, "is declared before in this body, which OPA refuses"));
        }
        before.extend(here.into_iter().map(Span::text).filter(|name| *name != "_"));
        if let Literal::Every { key, value, query, .. } = &stmt.literal {
            let names = key.iter().chain([value]).map(Span::text).filter(|name| *name != "_").collect();
            if let Some(problem) = again(&query.stmts, names) {
                return Some(problem);
            }
        }
    }
    None
}

fn problem(name: &Span, why: &str) -> Problem {
    let instead = "another name, or `=` or `==`";
    Problem::of(name.source.get_path(), name.text(), why, instead).at_span(name)
}

/// Checks every rule of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(stmts) => problems.extend(again(stmts, BTreeSet::new())),
            Seen::Binds(name, _) if matches!(name.text(), "input" | "data") => {
                problems.push(problem(name, "is a document"));
            }
            _ => {}
        });
        let Rule::Spec { head: RuleHead::Func { args, .. }, bodies, .. } = rule.as_ref() else { continue };
        let mut arguments = BTreeSet::new();
        for arg in args {
            binds::variables(arg, &mut |name| {
                arguments.insert(name.text());
            });
        }
        for stmt in bodies.iter().flat_map(|body| &body.query.stmts) {
            binds::of(stmt, &mut |binds| {
                binds.names(&mut |name| {
                    if name.text() != "_" && arguments.contains(name.text()) {
                        let why = "is an argument of the function, which OPA lets no body declare again";
                        problems.push(problem(name, why));
                    }
                });
            });
        }
    }
}
