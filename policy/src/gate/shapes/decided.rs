//! What the entrypoint says, as far as it is known: what is written out is read as a live decision is, and what has a
//! name or is computed may be of a kind that never fits.

use regorus::Value;
use regorus::unstable::{ArithOp, Expr, Module, Ref, Rule, RuleHead, Span};
use regorus::value::Object;

use super::super::names::{self, Names};
use super::arguments;
use super::compared::nanoseconds;
use super::place::Place;
use super::values::Values;
use super::{Scopes, at_span, literal, text_of};
use crate::builtins::signatures;
use crate::decision::DECISION;
use crate::kind::Kind;
use crate::problem::Problem;
use crate::verdict::{self, Cause, Verdict};

/// What is wrong with what is written out, beside its kinds.
pub(super) fn written(value: &Expr) -> Option<Problem> {
    let mut decision = constants(value, Some(DECISION))?.as_object().ok()?.clone();
    let (allow, deny) = (Value::from("allow"), Value::from("deny"));
    if !decision.contains_key(&allow) {
        let denies = decision.contains_key(&deny);
        decision.insert(allow, Value::Bool(!denies));
    }
    let Verdict::Deny(refusal) = verdict::read(&decision.into_value()) else { return None };
    let Cause::BadDecision { member, fault } = refusal.cause else { return None };
    let at = stands(value, &member);
    let why = format!("{fault}, and denies as it is");
    Some(at_span(
        at.span(),
        &format!("decision.{member}"),
        &why,
        "what `postern policy schema --of decision` prints of it",
    ))
}

/// What is written out, without what is not; a list whose members are all computed is an empty one.
fn constants(value: &Expr, kind: Option<Kind>) -> Option<Value> {
    let element = kind.and_then(|kind| kind.element().ok());
    match value {
        Expr::String { value, .. }
        | Expr::RawString { value, .. }
        | Expr::Number { value, .. }
        | Expr::Bool { value, .. }
        | Expr::Null { value, .. } => Some(value.clone()),
        Expr::Array { items, .. } => {
            let items = items.iter().filter_map(|item| constants(item, element));
            Some(Value::from(items.collect::<Vec<_>>()))
        }
        Expr::Object { fields, .. } => {
            let mut object = Object::new();
            for (_, key, value) in fields {
                let Some(name) = text_of(key) else { continue };
                let member = kind.and_then(|kind| kind.member(name).ok());
                if let Some(value) = constants(value, member) {
                    object.insert(Value::from(name), value);
                }
            }
            Some(object.into_value())
        }
        _ => matches!(kind, Some(Kind::List(_))).then(|| Value::from(Vec::<Value>::new())),
    }
}

/// Where the member of this path stands, or what it is a member of.
fn stands<'a>(value: &'a Expr, path: &str) -> &'a Expr {
    let Expr::Object { fields, .. } = value else { return value };
    fields
        .iter()
        .find_map(|(_, key, value)| {
            let name = text_of(key)?.to_ascii_lowercase();
            let rest = path.strip_prefix(name.as_str())?;
            if rest.is_empty() { Some(value.as_ref()) } else { Some(stands(value, rest.strip_prefix('.')?)) }
        })
        .unwrap_or(value)
}

/// What is wrong with what each clause of the entrypoint gives, with what its names stand for.
pub(super) fn given<'a>(
    rules: &[(&'a Module, &'a Rule)],
    names: &Names,
    values: &Values<'a>,
    found: &mut dyn FnMut(Problem),
) {
    for (module, rule) in rules {
        let Rule::Spec { head: RuleHead::Compr { assign, .. }, bodies, .. } = rule else { continue };
        let mut look = |stmts, value: Option<&'a Ref<Expr>>| {
            let mut scopes = Scopes::new(module, values, true);
            scopes.open(stmts);
            if let Some(value) = value {
                decision(&scopes, names, value, found);
            }
        };
        let (first, others) = bodies.split_first().unzip();
        look(first.map_or(&[], |body| body.query.stmts.as_slice()), assign.as_ref().map(|said| &said.value));
        for body in others.unwrap_or_default() {
            look(&body.query.stmts, body.assign.as_ref().map(|said| &said.value));
        }
    }
}

fn decision<'a>(scopes: &Scopes<'a, '_>, names: &Names, value: &'a Expr, found: &mut dyn FnMut(Problem)) {
    if matches!(value, Expr::Object { .. }) {
        return member(scopes, names, &Place::decision(), value, found);
    }
    let given = arguments::given(scopes, names, value);
    let fits = given.meets(signatures::OBJECT.or(signatures::BOOL)) || !literal::can_be(DECISION, value);
    let why = format!("must be true, false or an object, and denies as it is: {given}");
    if !fits {
        found(at_span(begin(value), "decision", &why, "`{\"allow\": true, …}`, or `false`"));
    }
}

/// Every member that is never of its kind.
fn member<'a>(
    scopes: &Scopes<'a, '_>,
    names: &Names,
    place: &Place<'a>,
    value: &'a Expr,
    found: &mut dyn FnMut(Problem),
) {
    match value {
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                let place = text_of(key).and_then(|name| place.member(name, key.span()).ok());
                if let Some(place) = place {
                    member(scopes, names, &place, value, found);
                }
            }
        }
        Expr::Array { items, .. } => {
            let Some(element) = place.any().into_iter().next() else { return };
            for item in items {
                member(scopes, names, &element, item, found);
            }
        }
        _ => {
            let Some(kind) = place.kind() else { return };
            if matches!(place.path(), "decision.until" | "decision.max_age")
                && in_nanoseconds(Some(scopes), value)
            {
                let why = "is in seconds, and is given nanoseconds";
                let instead = "`input.now + 3600`, or the time divided by 1000000000";
                return found(at_span(begin(value), place.path(), why, instead));
            }
            // The kind of what is written out is looked at elsewhere.
            let given = arguments::given(scopes, names, value);
            if !literal::can_be(kind, value) || given.meets(arguments::of(kind)) {
                return;
            }
            let why = format!("must be {}, and denies as it is: {given}", kind.name());
            found(at_span(begin(value), place.path(), &why, instead(kind, given.meets(signatures::SET))));
        }
    }
}

/// How a value of this kind is made of another.
fn instead(kind: Kind, of_set: bool) -> &'static str {
    match kind {
        Kind::OrNull(kind) => instead(*kind, of_set),
        Kind::List(_) if of_set => "a list of its members: `[x | some x in …]`",
        Kind::List(_) => "a list, of one member too: `[x]`",
        Kind::Bool => "`true` or `false`, or a comparison, such as `x == 1`",
        Kind::Number => "a whole number, such as `input.now + 3600`; of a text `to_number(x)`",
        Kind::Headers => "an object of lists: `{\"x-name\": [x]}`",
        Kind::Map(_) | Kind::Object(_) | Kind::Leaves(_) => "an object: `{\"name\": x}`",
        Kind::Text | Kind::Word(_) | Kind::Any => "a text, such as `sprintf(\"%v\", [x])`",
    }
}

/// Where a value begins; what is computed begins with its first operand.
fn begin(value: &Expr) -> &Span {
    match value {
        Expr::ArithExpr { lhs, .. } | Expr::BinExpr { lhs, .. } | Expr::BoolExpr { lhs, .. } => begin(lhs),
        Expr::Call { fcn, .. } => names::begin(fcn),
        _ => names::begin(value),
    }
}

/// Whether this is a time as `time.now_ns()` gives it, or one that is so much later or earlier.
fn in_nanoseconds<'a>(scopes: Option<&Scopes<'a, '_>>, value: &'a Expr) -> bool {
    match value {
        Expr::ArithExpr { op: ArithOp::Add | ArithOp::Sub, lhs, rhs, .. } => {
            in_nanoseconds(scopes, lhs) || in_nanoseconds(scopes, rhs)
        }
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
            // The names in what a name stands for may mean something else here.
            let said = scopes.and_then(|scopes| scopes.literal(value));
            said.is_some_and(|said| in_nanoseconds(None, said))
        }
        value => nanoseconds(value),
    }
}
