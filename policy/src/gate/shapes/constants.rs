//! Rules that are constants: defined once, whole and without conditions.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::super::names::{self, Path};

/// What is defined, and the value of what is a constant.
pub(in crate::gate) struct Constants<'a>(BTreeMap<Path, Option<&'a Expr>>);

impl<'a> Constants<'a> {
    pub(super) fn of(modules: &'a [Ref<Module>]) -> Self {
        let mut found: BTreeMap<Path, Option<&'a Expr>> = BTreeMap::new();
        for module in modules {
            let package = names::package(module);
            for rule in &module.policy {
                let value = value(rule);
                // What is defined twice is no constant.
                found
                    .entry(names::rule_path(&package, rule))
                    .and_modify(|known| *known = None)
                    .or_insert(value);
            }
        }
        Self(found)
    }

    /// The value of the constant of this full name.
    pub(super) fn get(&self, path: &[String]) -> Option<&'a Expr> {
        self.0.get(path).copied().flatten()
    }
}

fn value(rule: &Rule) -> Option<&Expr> {
    let Rule::Spec { head: RuleHead::Compr { refr, assign: Some(assign), .. }, bodies, .. } = rule else {
        return None;
    };
    let whole = names::path(refr).is_some() && bodies.iter().all(|body| body.query.stmts.is_empty());
    whole.then_some(assign.value.as_ref())
}
