//! A decision that has only its default beside a rule whose name is nearly its own: a slip, by which every request is refused.

use regorus::unstable::{Module, Ref, Rule, RuleHead};

use super::names;
use crate::nearest::nearest;
use crate::problem::{Problem, Problems};

pub(super) fn check(modules: &[Ref<Module>], entrypoint: &str, doubts: &mut Problems) {
    let Some((package, wanted)) = entrypoint.rsplit_once('.') else { return };
    let mut others = Vec::new();
    for module in modules {
        let here = names::package(module);
        for rule in &module.policy {
            let Rule::Spec { head, .. } = rule.as_ref() else { continue };
            if names::rule_path(&here, rule).join(".") == entrypoint {
                return;
            }
            if here.join(".") != package {
                continue;
            }
            let (RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }) = head else { continue };
            if let Some([name]) = names::path(refr).as_deref() {
                others.push((name.clone(), names::begin(refr)));
            }
        }
    }
    let lower: Vec<String> = others.iter().map(|(name, _)| name.to_lowercase()).collect();
    let Some(near) = nearest(&wanted.to_lowercase(), &lower) else { return };
    let found = lower.iter().zip(&others).find(|(lower, _)| *lower == near);
    if let Some((_, (name, at))) = found {
        let why = format!("is not `{wanted}`, which has only its default and refuses every request");
        doubts.push(Problem::of(at.source.get_path(), name, why, format!("`{wanted}`")).at_span(at));
    }
}
