//! Where below `data` or `input` something stands, and how many members it has there.

use std::collections::BTreeMap;

use regorus::Value;
use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use crate::gate::names;

/// Members from `data` or `input` on; none for one that is computed, which may be any.
pub(super) type Place = Vec<Option<String>>;

/// Members of a place that a name stands for: no document is deeper.
pub(super) const DEEPEST: usize = crate::document::MAX_DEPTH as usize;
/// Members that are looked at for the largest among them.
const LOOK: usize = 10_000;

pub(super) fn member(mut place: Place, name: Option<String>) -> Place {
    place.push(name);
    place
}

/// What stands in the documents.
#[derive(Clone, Copy)]
pub(super) struct Sizes<'a> {
    pub(super) data: &'a Value,
    pub(super) input: &'a Value,
}

impl Sizes<'_> {
    /// How many members a collection has; where several may be meant, the largest.
    pub(super) fn most(&self, place: &[Option<String>]) -> Option<u64> {
        let (root, rest) = place.split_first()?;
        match root.as_deref() {
            Some("data") => most(self.data, rest),
            Some("input") => most(self.input, rest),
            _ => None,
        }
    }
}

fn most(value: &Value, place: &[Option<String>]) -> Option<u64> {
    let Some((member, rest)) = place.split_first() else {
        let count = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            Value::Set(items) => items.len(),
            _ => return None,
        };
        return u64::try_from(count).ok();
    };
    match (value, member) {
        (Value::Object(members), Some(name)) => most(members.get(&Value::from(name.as_str()))?, rest),
        (Value::Object(members), None) => {
            members.iter().take(LOOK).filter_map(|(_, value)| most(value, rest)).max()
        }
        (Value::Array(items), None) => items.iter().take(LOOK).filter_map(|item| most(item, rest)).max(),
        _ => None,
    }
}

/// Rules that are nothing but another name of something: `bindings := data.estate.bindings`.
#[derive(Default)]
pub(super) struct Aliases(BTreeMap<Vec<String>, Place>);

impl Aliases {
    pub(super) fn of(modules: &[Ref<Module>]) -> Self {
        let mut aliases = BTreeMap::new();
        for module in modules {
            let package = names::package(module);
            for rule in &module.policy {
                let Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, bodies, .. } =
                    rule.as_ref()
                else {
                    continue;
                };
                let stands = names::path(&assign.value)
                    .filter(|_| bodies.iter().all(|body| body.query.stmts.is_empty()));
                if let (Some(path), Expr::RefDot { .. } | Expr::RefBrack { .. } | Expr::Var { .. }) =
                    (stands, assign.value.as_ref())
                {
                    let place = names::resolve(module, &path).into_iter().map(Some).collect();
                    aliases.insert(names::rule_path(&package, rule), place);
                }
            }
        }
        Self(aliases)
    }

    /// Where a name of a module stands.
    pub(super) fn resolve(&self, module: &Module, name: &str) -> Place {
        self.follow(names::resolve(module, &[name.to_owned()]).into_iter().map(Some).collect())
    }

    /// What an alias stands for, one step.
    pub(super) fn follow(&self, place: Place) -> Place {
        let constant: Option<Vec<String>> = place.iter().cloned().collect();
        constant.and_then(|path| self.0.get(&path)).cloned().unwrap_or(place)
    }
}
