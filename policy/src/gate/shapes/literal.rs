//! What a `with` puts in the place of the input or of a part of it, as far as it is written out.

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::super::names::{self, Path};
use super::{Place, Scopes};
use crate::problem::Problem;

/// A member that no request has: the test would say nothing about any.
pub(super) fn check(
    modules: &[Ref<Module>],
    scopes: &Scopes<'_>,
    place: &Place,
    value: &Expr,
) -> Option<Problem> {
    match value {
        Expr::Object { fields, .. } => fields.iter().find_map(|(_, name, value)| {
            let (Expr::String { span, value: text, .. } | Expr::RawString { span, value: text, .. }) =
                name.as_ref()
            else {
                return None;
            };
            match place.member(text.as_string().ok()?, span) {
                Ok(member) => check(modules, scopes, &member, value),
                Err(problem) => Some(*problem),
            }
        }),
        Expr::Array { items, .. } => {
            let element = place.any()?;
            items.iter().find_map(|item| check(modules, scopes, &element, item))
        }
        Expr::Call { fcn, params, .. }
            if names::path(fcn).is_some_and(|name| name == ["object", "union"]) =>
        {
            params.iter().find_map(|part| check(modules, scopes, place, part))
        }
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
            let name = names::path(value).filter(|_| !scopes.binds(value))?;
            let written = constant(modules, &names::resolve(scopes.module(), &name))?;
            // A constant that names another is followed no further.
            matches!(written, Expr::Object { .. }).then(|| check(modules, scopes, place, written)).flatten()
        }
        _ => None,
    }
}

/// The value of a rule that is defined once and without conditions.
fn constant<'a>(modules: &'a [Ref<Module>], path: &Path) -> Option<&'a Expr> {
    let mut found = None;
    for module in modules {
        let package = names::package(module);
        if !path.starts_with(&package) {
            continue;
        }
        for rule in module.policy.iter().filter(|rule| names::rule_path(&package, rule) == *path) {
            let Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, bodies, .. } = rule.as_ref()
            else {
                return None;
            };
            if found.is_some() || !bodies.iter().all(|body| body.query.stmts.is_empty()) {
                return None;
            }
            found = Some(assign.value.as_ref());
        }
    }
    found
}
