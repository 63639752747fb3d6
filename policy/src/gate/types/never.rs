//! Comparisons that OPA takes and that are never true: of what `lower` gives with upper case, of an address with a range, of a
//! member of a text.

use regorus::unstable::{AssignOp, BoolOp, Expr};

use super::super::names;
use super::super::walk::constant;
use super::Type;
use super::scope::Scope;
use crate::problem::Problem;

pub(super) fn check<'a>(scope: &mut Scope<'a, '_>, expr: &'a Expr) -> Option<Problem> {
    match expr {
        Expr::BoolExpr { op: BoolOp::Eq | BoolOp::Ne, lhs, rhs, .. }
        | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            [(lhs, rhs), (rhs, lhs)].into_iter().find_map(|(one, other)| equal(scope, one, other))
        }
        Expr::Membership { value, collection, .. } => {
            let items = match collection.as_ref() {
                Expr::Array { items, .. } | Expr::Set { items, .. } => items.as_slice(),
                _ if matches!(scope.of(collection), Type::Text) => {
                    let at = names::begin(value);
                    let why = "is never true: what stands behind it is text, which has no members";
                    let instead = "`==` for the whole text, `contains(text, part)` for a part of it";
                    return Some(Problem::of(at.source.get_path(), "in", why, instead).at_span(at));
                }
                _ => return None,
            };
            items.iter().find_map(|item| equal(scope, value, item))
        }
        _ => None,
    }
}

/// A text that is written out and never equal to what stands on the other side.
fn equal<'a>(scope: &Scope<'a, '_>, one: &'a Expr, text: &'a Expr) -> Option<Problem> {
    let written = constant(text)?.as_string().ok()?.to_string();
    let problem = |construct: &str, why: &str, instead: &str| {
        let at = text.span();
        Some(Problem::of(at.source.get_path(), construct, why, instead).at_span(at))
    };
    if let Expr::Call { fcn, params, .. } = one {
        let called = names::path(fcn)?;
        let [name] = called.as_slice() else { return None };
        if params.len() != 1 || scope.rules.names.function(scope.module, &called).is_some() {
            return None;
        }
        let given = match name.as_str() {
            "lower" => written.to_lowercase(),
            "upper" => written.to_uppercase(),
            _ => return None,
        };
        let instead = format!("`{}`", regorus::Value::from(given.as_str()));
        return if given == written {
            None
        } else {
            problem(name, "never gives this text: it changes its case", &instead)
        };
    }
    if !written.contains('/') {
        return None;
    }
    let (path, _) = scope.input(one)?;
    if path == "input.context.peer.ip" {
        let instead = format!("`net.cidr_contains({}, {path})`", regorus::Value::from(written.as_str()));
        return problem(&path, "is an address, and never equal to a range", &instead);
    }
    None
}
