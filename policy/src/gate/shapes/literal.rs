//! Values as far as they are written out: what a `with` puts in, what a decision says, what is compared.

use regorus::unstable::Expr;

use super::super::names;
use super::{Place, Scopes};
use crate::kind::Kind;
use crate::problem::Problem;

/// The first member that cannot be there, or value that cannot stand in its place.
pub(in crate::gate) fn check(place: &Place, value: &Expr) -> Option<Problem> {
    if !can_be(place.kind, value) {
        return Some(place.never(value, value.span()));
    }
    match value {
        Expr::Object { fields, .. } => fields.iter().find_map(|(_, name, value)| {
            let (Expr::String { span, value: text, .. } | Expr::RawString { span, value: text, .. }) =
                name.as_ref()
            else {
                return None;
            };
            match place.member(text.as_string().ok()?, span) {
                Ok(member) => check(&member, value),
                Err(problem) => Some(*problem),
            }
        }),
        Expr::Array { items, .. } => {
            let element = place.any()?;
            items.iter().find_map(|item| check(&element, item))
        }
        _ => None,
    }
}

/// The same of what a `with` puts in, which may be named: a rule that is a constant.
pub(super) fn put_in(scopes: &Scopes<'_>, place: &Place, value: &Expr) -> Option<Problem> {
    match value {
        Expr::Call { fcn, params, .. }
            if names::path(fcn).is_some_and(|name| name == ["object", "union"]) =>
        {
            params.iter().find_map(|part| put_in(scopes, place, part))
        }
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
            // A constant that names another is followed no further.
            check(place, scopes.constant(value)?)
        }
        _ => check(place, value),
    }
}

/// Whether a value may be of this kind; what is not written out may.
pub(super) fn can_be(kind: Kind, value: &Expr) -> bool {
    match (kind, value) {
        (Kind::Any, _) | (Kind::OrNull(_), Expr::Null { .. }) => true,
        (Kind::OrNull(kind), _) => can_be(*kind, value),
        (Kind::Word(words), Expr::String { value, .. } | Expr::RawString { value, .. }) => {
            value.as_string().map_or(true, |text| words.contains(&text.as_ref()))
        }
        (Kind::Number, Expr::Number { value: regorus::Value::Number(number), .. }) => {
            number.as_u64().is_some()
        }
        (_, Expr::String { .. } | Expr::RawString { .. }) => kind == Kind::Text,
        (_, Expr::Number { .. } | Expr::Null { .. } | Expr::Set { .. } | Expr::SetCompr { .. }) => false,
        (_, Expr::Bool { .. }) => kind == Kind::Bool,
        (_, Expr::Array { .. } | Expr::ArrayCompr { .. }) => matches!(kind, Kind::List(_)),
        (_, Expr::Object { .. } | Expr::ObjectCompr { .. }) => {
            matches!(kind, Kind::Map(_) | Kind::Headers | Kind::Object(_) | Kind::Leaves(_))
        }
        _ => true,
    }
}
