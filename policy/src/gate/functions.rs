//! A function that is named and not called, `allow if not blocked` where `blocked(x)` is defined: the engine finds
//! nothing there, so that its negation holds. OPA refuses it.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module};

use super::names::{self, Names};
use super::walk::{self, Seen};
use crate::problem::{Problem, Problems};

/// Checks the references of one module.
pub(super) fn check(module: &Module, names: &Names, problems: &mut Problems) {
    for rule in &module.policy {
        let mut scopes: Vec<BTreeSet<&str>> = Vec::new();
        let mut replacements: Vec<*const Expr> = Vec::new();
        let mut read: Vec<&Expr> = Vec::new();
        walk::rule(rule, &mut |seen| match seen {
            Seen::Opens(_) => scopes.push(BTreeSet::new()),
            Seen::Closes => drop(scopes.pop()),
            Seen::Binds(name, _) => {
                scopes.last_mut().map(|scope| scope.insert(name.text()));
            }
            Seen::With(with) => replacements.push(std::ptr::from_ref(with.r#as.as_ref())),
            Seen::Ref(refr) => {
                let bound = scopes.iter().any(|scope| scope.contains(names::begin(refr).text()));
                if !bound && !replacements.contains(&std::ptr::from_ref(refr)) {
                    read.push(refr);
                }
            }
            _ => {}
        });
        problems.extend(read.into_iter().filter_map(|refr| uncalled(module, names, refr)));
    }
}

/// One without arguments is refused where it is defined.
fn takes(names: &Names, path: &[String]) -> bool {
    names.arities(path).is_some_and(|arities| arities.iter().any(|arity| *arity > 0))
}

fn uncalled(module: &Module, names: &Names, refr: &Expr) -> Option<Problem> {
    let written = names::constant(refr);
    let full = names::resolve(module, &written);
    let function = (1..=full.len()).filter_map(|end| full.get(..end)).find(|path| takes(names, path))?;
    let span = names::begin(refr);
    let why = format!("names the function {} and does not call it", function.join("."));
    let instead = format!("`{}(…)`", written.join("."));
    Some(Problem::of(span.source.get_path(), &written.join("."), why, instead).at_span(span))
}
