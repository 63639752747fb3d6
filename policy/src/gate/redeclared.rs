//! `f(x) if { x := 1 }` and `{ some x; x := 1 }`: OPA refuses a body that declares a name again, of an argument too. Names
//! are told apart before the rest of the gate looks at them, so that this is looked at before.

use std::collections::BTreeSet;

use regorus::unstable::{LiteralStmt, Module, Ref, Rule, RuleHead, Span};

use super::binds;
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// The first name that a statement declares and another before it did.
fn again(stmts: &[LiteralStmt]) -> Option<Problem> {
    let mut before = BTreeSet::new();
    for stmt in stmts {
        let mut here = Vec::new();
        binds::of(stmt, &mut |binds| binds.names(&mut |name| here.push(name)));
        if let Some(name) = here.iter().find(|name| before.contains(name.text())) {
            let why = "is declared before in this body, which OPA refuses";
            let path = name.source.get_path();
            return Some(Problem::of(path, name.text(), why, "another name, or `=` or `==`").at_span(name));
        }
        before.extend(here.into_iter().map(Span::text).filter(|name| *name != "_"));
    }
    None
}

/// Checks every rule of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
        walk::rule(rule, &mut |seen| {
            if let Seen::Opens(stmts) = seen {
                problems.extend(again(stmts));
            }
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
                        let path = name.source.get_path();
                        problems.push(Problem::of(path, name.text(), why, "another name").at_span(name));
                    }
                });
            });
        }
    }
}
