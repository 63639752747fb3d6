//! Which of two values stands first, as OPA has it: an object before a set, at any depth; the engine has them the other
//! way round. What no set stands in, both put in the same order.

use std::cmp::Ordering;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, LIST, LISTS};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("internal.gt", &[ANY, ANY], BOOL, By::Within(|args| holds(args, Ordering::is_gt), ">"))
        .said(">"),
    Builtin::new("internal.gte", &[ANY, ANY], BOOL, By::Within(|args| holds(args, Ordering::is_ge), ">="))
        .said(">="),
    Builtin::new("internal.lt", &[ANY, ANY], BOOL, By::Within(|args| holds(args, Ordering::is_lt), "<"))
        .said("<"),
    Builtin::new("internal.lte", &[ANY, ANY], BOOL, By::Within(|args| holds(args, Ordering::is_le), "<="))
        .said("<="),
    Builtin::new(
        "max",
        &[LISTS],
        ANY,
        By::Ours(|args| Ok(one(items(args)?.into_iter().max_by(|one, other| order(one, other))))),
    ),
    Builtin::new(
        "min",
        &[LISTS],
        ANY,
        By::Ours(|args| Ok(one(items(args)?.into_iter().min_by(|one, other| order(one, other))))),
    ),
    Builtin::new("sort", &[LISTS], LIST, By::Ours(sort)),
];

fn holds(args: &[Value], wanted: fn(Ordering) -> bool) -> Result<Value, Fail> {
    let [one, other] = args else { return Err(Fail::Argument("takes two values")) };
    let composed = |value: &Value| matches!(value, Value::Array(_) | Value::Set(_) | Value::Object(_));
    if composed(one) && composed(other) {
        weigh::deep(args)?;
    }
    Ok(Value::from(wanted(order(one, other))))
}

fn sort(args: &[Value]) -> Result<Value, Fail> {
    let mut items = items(args)?;
    items.sort_by(|one, other| order(one, other));
    Ok(Value::from(items.into_iter().cloned().collect::<Vec<_>>()))
}

/// The members of a list or a set, paid for with all that stands in them: each is compared as a whole.
fn items(args: &[Value]) -> Result<Vec<&Value>, Fail> {
    weigh::deep(args)?;
    match args {
        [Value::Array(items)] => Ok(items.iter().collect()),
        [Value::Set(items)] => Ok(items.iter().collect()),
        _ => Err(Fail::Argument("takes an array or a set")),
    }
}

/// Of nothing, nothing.
fn one(item: Option<&Value>) -> Value {
    item.cloned().unwrap_or(Value::Undefined)
}

fn order(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Object(_), Value::Set(_)) => Ordering::Less,
        (Value::Set(_), Value::Object(_)) => Ordering::Greater,
        (Value::Array(one), Value::Array(other)) => all(one.as_slice(), other.as_slice(), order),
        (Value::Set(one), Value::Set(other)) => {
            let [one, other] = [one, other].map(|of| in_order(of.iter().collect(), |item| item));
            all(&one, &other, |one, other| order(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let [one, other] = [one, other].map(|of| in_order(of.iter().collect(), |(name, _)| name));
            all(&one, &other, |one, other| order(one.0, other.0).then_with(|| order(one.1, other.1)))
        }
        _ => one.cmp(other),
    }
}

/// The first members that are not the same decide; else that one of them has fewer.
fn all<T>(one: &[T], other: &[T], order: impl Fn(&T, &T) -> Ordering) -> Ordering {
    let differ = one.iter().zip(other).map(|(one, other)| order(one, other)).find(|order| order.is_ne());
    differ.unwrap_or_else(|| one.len().cmp(&other.len()))
}

/// Sets and objects have their members in the engine's order.
fn in_order<'a, T: Copy>(mut members: Vec<T>, name: impl Fn(T) -> &'a Value) -> Vec<T> {
    members.sort_by(|one, other| order(name(*one), name(*other)));
    members
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::builtins::turn;

    #[test]
    fn an_object_stands_before_a_set_at_any_depth() {
        turn::begin(None);
        let json = |text: &str| Value::from_json_str(text).unwrap();
        let set = |items: &[Value]| Value::from(items.iter().cloned().collect::<BTreeSet<_>>());
        let list = |items: &[Value]| Value::from(items.to_vec());
        let object = |name: Value, value: Value| Value::from(BTreeMap::from([(name, value)]));
        let one = set(&[json("1")]);
        for (less, more) in [
            (json("{}"), set(&[])),
            (json("{\"z\": 9}"), one.clone()),
            (json("[9, 9]"), json("{}")),
            (list(&[json("{}"), json("9")]), list(&[one.clone(), json("0")])),
            (object(json("{}"), json("9")), object(one.clone(), json("0"))),
            (object(json("0"), json("{}")), object(json("0"), one.clone())),
            (set(&[json("{}"), one.clone()]), set(&[set(&[json("2")])])),
            (list(std::slice::from_ref(&one)), list(&[one.clone(), json("0")])),
        ] {
            assert_eq!(order(&less, &more), Ordering::Less, "{less} {more}");
            assert_eq!(order(&more, &less), Ordering::Greater, "{less} {more}");
            assert_eq!(order(&less, &less), Ordering::Equal, "{less}");
            let both = list(&[more.clone(), less.clone()]);
            assert_eq!(sort(&[both]), Ok(list(&[less, more])));
        }
    }

    #[test]
    fn nothing_is_the_most_of_none() {
        turn::begin(None);
        assert_eq!(sort(&[Value::new_array()]), Ok(Value::new_array()));
        assert_eq!(one(None), Value::Undefined);
        assert!(items(&[Value::from("a")]).is_err());
    }
}
