//! `x in xs` where its value is asked for: what the engine calls `false` where there are no `xs`, OPA leaves undefined.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, LIST, OBJECT};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("internal.collection", &[ANY], ANY, By::Within(collection, "in")),
    Builtin::new("internal.member_2", &[ANY, ANY], BOOL, By::Added(member)).said("in"),
    Builtin::new("internal.member_3", &[ANY, ANY, ANY], BOOL, By::Added(member_at)).said("in"),
    Builtin::new("internal.object", &[LIST], OBJECT, By::Within(object, "an object")).said("an object"),
    Builtin::new("internal.shaped", &[ANY, ANY], ANY, By::Within(shaped, "a pattern of an object")),
    Builtin::new(
        "internal.shaped_members",
        &[ANY, ANY, ANY],
        ANY,
        By::Within(shaped_members, "a pattern of an object"),
    ),
];

/// What `some x in xs` goes through: nothing where there is no collection.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every answer")]
fn collection(args: &[Value]) -> Result<Value, Fail> {
    Ok(match args {
        [all @ (Value::Array(_) | Value::Set(_) | Value::Object(_))] => all.clone(),
        _ => Value::new_array(),
    })
}

/// An object of pairs; which of two values of one name it has cannot be told.
fn object(args: &[Value]) -> Result<Value, Fail> {
    const WANT: Fail = Fail::Argument("takes pairs");
    let [Value::Array(pairs)] = args else { return Err(WANT) };
    let mut members = BTreeMap::new();
    for pair in pairs.iter() {
        let Value::Array(pair) = pair else { return Err(WANT) };
        let [name, value] = pair.as_slice() else { return Err(WANT) };
        if members.insert(name.clone(), value.clone()).is_some_and(|other| other != *value) {
            return Err(Fail::Argument(
                "has a computed member twice, with two values: `object.union` says which wins",
            ));
        }
    }
    Ok(Value::from(members))
}

/// What a pattern of objects is compared with: `false` where one of them has other members than its pattern, which no
/// such pattern fits.
fn shaped(args: &[Value]) -> Result<Value, Fail> {
    let [value, shape] = args else { return Err(Fail::Argument("takes a value and a shape")) };
    Ok(if fits(value, shape) { value.clone() } else { Value::from(false) })
}

/// What `some` goes through by patterns of objects: without the members that they do not fit. In a list, where the others
/// keep their places, `null` stands for these.
fn shaped_members(args: &[Value]) -> Result<Value, Fail> {
    let [all, key, value] = args else { return Err(Fail::Argument("takes a collection and two shapes")) };
    weigh::members(all)?;
    Ok(match all {
        Value::Array(items) => {
            let fitting = |item: &Value| if fits(item, value) { item.clone() } else { Value::Null };
            Value::from(items.iter().map(fitting).collect::<Vec<_>>())
        }
        Value::Set(items) => {
            let fit = items.iter().filter(|item| fits(item, key) && fits(item, value));
            Value::from(fit.cloned().collect::<BTreeSet<_>>())
        }
        Value::Object(members) => {
            let fit = members.iter().filter(|(name, member)| fits(name, key) && fits(member, value));
            Value::from(fit.map(|(name, member)| (name.clone(), member.clone())).collect::<BTreeMap<_, _>>())
        }
        _ => all.clone(),
    })
}

/// Whether a value has the lists and objects of a shape, and these no other members; `null` is any value.
fn fits(value: &Value, shape: &Value) -> bool {
    match (value, shape) {
        (_, Value::Null) => true,
        (Value::Array(items), Value::Array(shapes)) => {
            items.len() == shapes.len()
                && items.iter().zip(shapes.iter()).all(|(item, shape)| fits(item, shape))
        }
        (Value::Object(members), Value::Object(shapes)) => {
            members.len() == shapes.len()
                && shapes
                    .iter()
                    .all(|(name, shape)| members.get(name).is_some_and(|member| fits(member, shape)))
        }
        _ => false,
    }
}

/// Whether a value is in a list or a set, or the value of an object's member.
fn member(args: &[Value]) -> Result<Value, Fail> {
    let [value, collection] = args else { return Err(Fail::Argument("takes a value and a collection")) };
    Ok(Value::from(match collection {
        Value::Array(items) => items.contains(value),
        Value::Set(items) => items.contains(value),
        Value::Object(members) => members.values().any(|member| member == value),
        _ => false,
    }))
}

/// Whether this value stands at this key.
fn member_at(args: &[Value]) -> Result<Value, Fail> {
    let [key, value, collection] = args else {
        return Err(Fail::Argument("takes a key, a value and a collection"));
    };
    Ok(Value::from(match collection {
        Value::Set(items) => key == value && items.contains(value),
        Value::Array(_) | Value::Object(_) => collection[key] == *value,
        _ => false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn a_member_is_found_by_its_value_and_by_key_and_value() {
        let json = |text: &str| Value::from_json_str(text).unwrap();
        let (list, object) = (json("[1, \"a\"]"), json(r#"{"k": 1}"#));
        let set = Value::from(BTreeSet::from([json("1")]));
        let found = |collection: &Value, value: &str| {
            member(&[json(value), collection.clone()]).unwrap() == Value::from(true)
        };
        assert!(found(&list, "1") && found(&set, "1") && found(&object, "1"));
        assert!(
            !found(&list, "0") && !found(&set, "2") && !found(&object, "\"k\"") && !found(&json("1"), "1")
        );
        let at = |collection: &Value, key: &str, value: &str| {
            member_at(&[json(key), json(value), collection.clone()]).unwrap() == Value::from(true)
        };
        assert!(at(&list, "0", "1") && at(&object, "\"k\"", "1") && at(&set, "1", "1"));
        assert!(
            !at(&list, "1", "1") && !at(&list, "5", "1") && !at(&object, "\"z\"", "1") && !at(&set, "0", "1")
        );
    }

    #[test]
    fn an_object_of_a_shape_has_its_members_and_no_others() {
        let json = |text: &str| Value::from_json_str(text).unwrap();
        let fitting = |value: &str, shape: &str| {
            let shaped = shaped(&[json(value), json(shape)]).unwrap();
            assert!(shaped == json(value) || shaped == Value::from(false), "{shaped}");
            shaped == json(value)
        };
        let nested = r#"[{"a": {"b": null}}, null]"#;
        assert!(fitting(r#"[{"a": {"b": 1}}, 2]"#, nested) && fitting("7", "null") && fitting("{}", "{}"));
        for other in [
            r#"[{"a": {"b": 1, "c": 2}}, 2]"#,
            r#"[{"a": {"b": 1}, "c": 2}, 2]"#,
            r#"[{"a": {"c": 1}}, 2]"#,
            r#"[{"a": 1}, 2]"#,
            r#"[{"a": {"b": 1}}]"#,
            r#"{"a": {"b": 1}}"#,
        ] {
            assert!(!fitting(other, nested), "{other}");
        }
        assert!(!fitting("7", "false") && !fitting("{}", "[]") && !fitting(r#"{"a": 1}"#, "{}"));
        turn::begin(None);
        let members = |all: &str| shaped_members(&[json(all), json("null"), json(r#"{"a": null}"#)]).unwrap();
        assert_eq!(members(r#"[{"a": 1, "b": 2}, {"a": 1}, 3]"#), json(r#"[null, {"a": 1}, null]"#));
        assert_eq!(members(r#"{"k": {"a": 1, "b": 2}, "l": {"a": 1}}"#), json(r#"{"l": {"a": 1}}"#));
        assert_eq!(members("3"), json("3"));
        // However often it is gone through: each time it is copied.
        let many = json(&format!("[{}1]", "1,".repeat(99_999)));
        let shape = json(r#"{"a": null}"#);
        let copied =
            (0..20).take_while(|_| shaped_members(&[many.clone(), Value::Null, shape.clone()]).is_ok());
        assert_eq!(copied.count(), 10);
    }
}
