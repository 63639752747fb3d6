//! Values as far as they are written out: what a `with` puts in, what a decision says, what is compared.

use regorus::unstable::Expr;

use super::place::{Place, is_union};
use super::{Scopes, text_of};
use crate::kind::Kind;
use crate::problem::Problem;

/// Every member that cannot be there, and every value that cannot stand in its place.
pub(in crate::gate) fn check(place: &Place<'_>, value: &Expr, found: &mut dyn FnMut(Problem)) {
    if place.kind().is_some_and(|kind| !can_be(kind, value)) {
        return found(place.never(value, value.span()));
    }
    match value {
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                let Some(name) = text_of(key) else { continue };
                match place.member(name, key.span()) {
                    Ok(member) => check(&member, value, found),
                    Err(problem) => found(*problem),
                }
            }
        }
        Expr::Array { items, .. } => {
            let Some(element) = place.any().into_iter().next() else { return };
            for item in items {
                check(&element, item, found);
            }
        }
        _ => {}
    }
}

/// The first of them.
fn first(place: &Place<'_>, value: &Expr) -> Option<Problem> {
    let mut first = None;
    check(place, value, &mut |problem| {
        first.get_or_insert(problem);
    });
    first
}

/// The same of what a `with` puts in, which may have a name: of a rule, or of this one.
pub(super) fn put_in<'a>(scopes: &Scopes<'a, '_>, place: &Place<'_>, value: &'a Expr) -> Option<Problem> {
    // A case among others may bring more than the input.
    let case = scopes.known(value).first().is_some_and(|place| place.path().contains("[_]"));
    let value = scopes.literal(value).filter(|_| !case).unwrap_or(value);
    match value {
        Expr::Call { params, .. } if is_union(value) => {
            params.iter().find_map(|part| first(place, scopes.literal(part).unwrap_or(part)))
        }
        _ => first(place, value),
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
