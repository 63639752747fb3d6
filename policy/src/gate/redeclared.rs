//! `f(x) if { x := 1 }`: OPA refuses a body that declares what an argument is called by. The names are told apart before
//! the rest of the gate looks at them, so that this is looked at before.

use std::collections::BTreeSet;

use regorus::unstable::{Module, Ref, Rule, RuleHead};

use super::binds;
use crate::problem::{Problem, Problems};

/// Checks every function of all modules.
pub(super) fn check(modules: &[Ref<Module>], problems: &mut Problems) {
    for rule in modules.iter().flat_map(|module| &module.policy) {
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
