//! Comparisons of a part of the input with what it never is: they hold in no request, or in every one.

use regorus::unstable::{AssignOp, BoolOp, Expr};

use super::super::names::Names;
use super::literal::can_be;
use super::{Place, Scopes, arguments};
use crate::kind::Kind;
use crate::problem::Problem;

/// The first operand that decides the comparison whatever the request is.
pub(super) fn check(scopes: &Scopes<'_>, names: &Names, expr: &Expr) -> Option<Problem> {
    let place = |expr: &Expr| scopes.place(expr).ok().flatten();
    match expr {
        Expr::BoolExpr { op: BoolOp::Eq | BoolOp::Ne, lhs, rhs, .. }
        | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            let sides = [(lhs, rhs), (rhs, lhs)];
            sides.into_iter().find_map(|(input, value)| equal(&place(input)?, value))
        }
        Expr::BoolExpr { op: BoolOp::Lt | BoolOp::Le | BoolOp::Gt | BoolOp::Ge, lhs, rhs, .. } => {
            let sides = [(lhs, rhs), (rhs, lhs)];
            let (place, value) = sides.into_iter().find_map(|(input, value)| Some((place(input)?, value)))?;
            let of = |side: &Expr| arguments::given(scopes, names, side);
            (!of(lhs).meets(of(rhs))).then(|| place.other_kind(&of(value).to_string(), value))
        }
        Expr::Membership { key: None, value, collection, .. } => {
            if let Some(place) = place(collection) {
                return member(&place, value);
            }
            let (Expr::Array { items, .. } | Expr::Set { items, .. }) = collection.as_ref() else {
                return None;
            };
            let place = place(value)?;
            items.iter().find_map(|item| equal(&place, item))
        }
        _ => None,
    }
}

fn equal(place: &Place, value: &Expr) -> Option<Problem> {
    (!can_be(place.kind, value)).then(|| place.never(value, value.span()))
}

/// `value in place`.
fn member(place: &Place, value: &Expr) -> Option<Problem> {
    match place.any() {
        Some(element) => equal(&element, value),
        None if matches!(place.kind, Kind::Text | Kind::Word(_)) => {
            let why = "has no members: it is text";
            let instead = format!("`contains({}, …)`", place.path);
            Some(super::at_span(value.span(), &place.path, why, &instead))
        }
        None => None,
    }
}
