//! Comparisons of a part of the input with what it never is: they hold in no request, or in every one.

use regorus::unstable::{AssignOp, BoolOp, Expr, Ref};

use super::super::names::{self, Names};
use super::literal::can_be;
use super::place::Place;
use super::{Scopes, arguments, forms, text_of};
use crate::kind::Kind;
use crate::problem::Problem;

/// The first operand that decides the comparison whatever the request is.
pub(super) fn check<'a>(scopes: &Scopes<'a, '_>, names: &Names, expr: &'a Expr) -> Option<Problem> {
    let places = |expr: &'a Expr| scopes.place(expr).unwrap_or_default();
    match expr {
        Expr::BoolExpr { op: BoolOp::Eq | BoolOp::Ne, lhs, rhs, .. }
        | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            let sides = [(lhs, rhs), (rhs, lhs)];
            let never = sides.into_iter().find_map(|(input, value)| equal(scopes, &places(input), value));
            never.or_else(|| of_one_kind(scopes, names, expr, lhs, rhs))
        }
        Expr::BoolExpr { op: BoolOp::Lt | BoolOp::Le | BoolOp::Gt | BoolOp::Ge, lhs, rhs, .. } => {
            let sides = [(lhs, rhs), (rhs, lhs)];
            let (place, value) = sides.into_iter().find_map(|(input, value)| {
                Some((places(input).into_iter().find(|place| place.kind().is_some())?, value))
            })?;
            if place.path() == "input.now" && nanoseconds(scopes.literal(value).unwrap_or(value)) {
                let why = "is in seconds, and is put in order with nanoseconds";
                return Some(super::at_span(
                    names::begin(value),
                    place.path(),
                    why,
                    "`input.now * 1000000000`",
                ));
            }
            let of = |side: &'a Expr| arguments::given(scopes, names, side);
            (!of(lhs).meets(of(rhs))).then(|| place.other_kind(&of(value).to_string(), value))
        }
        Expr::Membership { key: None, value, collection, .. } => {
            let all = places(collection);
            if let [place] = all.as_slice()
                && place.kind().is_some()
            {
                return member(scopes, place, value);
            }
            let (Expr::Array { items, .. } | Expr::Set { items, .. }) = collection.as_ref() else {
                return None;
            };
            let all = places(value);
            items.iter().find_map(|item| equal(scopes, &all, item))
        }
        _ => None,
    }
}

/// `==` of two kinds, which OPA calls a match error.
fn of_one_kind<'a>(
    scopes: &Scopes<'a, '_>,
    names: &Names,
    expr: &Expr,
    lhs: &'a Expr,
    rhs: &'a Expr,
) -> Option<Problem> {
    let (one, other) = (arguments::given(scopes, names, lhs), arguments::given(scopes, names, rhs));
    if one.meets(other) || matches!(expr, Expr::BoolExpr { op: BoolOp::Ne, .. }) {
        return None;
    }
    let why = format!("is never true: {one} stands in this place, and {other} in the other");
    Some(super::at_span(names::begin(lhs), "==", &why, "two values of one kind"))
}

/// Whether this is a time as `time.now_ns()`, `time.parse_ns(…)` and `time.add_date(…)` give it.
pub(super) fn nanoseconds(value: &Expr) -> bool {
    let Expr::Call { fcn, .. } = value else { return false };
    let called = names::constant(fcn);
    called.len() == 2
        && called.first().is_some_and(|first| first == "time")
        && called.last().is_some_and(|last| last.ends_with("_ns") || last == "add_date")
}

/// A value, written here or where its name is bound, that is equal to none of these places.
fn equal<'a>(scopes: &Scopes<'a, '_>, places: &[Place<'a>], value: &'a Expr) -> Option<Problem> {
    let written = scopes.literal(value).unwrap_or(value);
    let never =
        |place: &Place<'_>| !place.is_handed() && place.kind().is_some_and(|kind| !can_be(kind, written));
    if let Some(place) = places.first().filter(|_| places.iter().all(never)) {
        return Some(place.never(written, names::begin(value)));
    }
    form(scopes, places, forms::never, written, value)
}

/// A text of which none of these places ever has the form.
fn form<'a>(
    scopes: &Scopes<'a, '_>,
    places: &[Place<'a>],
    never: fn(&Place<'a>, &str) -> Option<(&'static str, String)>,
    written: &Expr,
    value: &Expr,
) -> Option<Problem> {
    let text = text_of(written)?;
    let wrong = |place: &Place<'a>| {
        if place.is_handed() || scopes.replaces(place.path()) { None } else { never(place, text) }
    };
    let mut all = places.iter().map(wrong);
    let (is, instead) = all.next()??;
    if !all.all(|wrong| wrong.is_some()) {
        return None;
    }
    let why = format!("{is} in every request, and never {}", regorus::Value::from(text));
    Some(super::at_span(names::begin(value), places.first()?.path(), &why, &instead))
}

/// `startswith` of a part of the input that begins with no such text.
pub(super) fn begins<'a>(
    scopes: &Scopes<'a, '_>,
    names: &Names,
    fcn: &Expr,
    params: &'a [Ref<Expr>],
) -> Option<Problem> {
    let [input, value, ..] = params else { return None };
    let called = names::path(fcn).filter(|called| called == &["startswith"])?;
    if names.function(scopes.module(), &called).is_some() {
        return None;
    }
    let written = scopes.literal(value).unwrap_or(value);
    form(scopes, &scopes.place(input).unwrap_or_default(), forms::never_begins, written, value)
}

/// `value in place`.
fn member<'a>(scopes: &Scopes<'a, '_>, place: &Place<'a>, value: &'a Expr) -> Option<Problem> {
    let elements = place.any();
    if elements.is_empty() && matches!(place.kind(), Some(Kind::Text | Kind::Word(_))) {
        let why = "has no members: it is text";
        let instead = format!("`contains({}, …)`", place.path());
        return Some(super::at_span(value.span(), place.path(), why, &instead));
    }
    equal(scopes, &elements, value)
}
