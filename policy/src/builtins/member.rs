//! `x in xs` where its value is asked for: what the engine calls `false` where there are no `xs`, OPA leaves undefined.

use regorus::Value;

use super::Fail;

/// What `some x in xs` goes through: nothing where there is no collection.
pub(super) fn collection(args: &[Value]) -> Result<Value, Fail> {
    Ok(match args {
        [all @ (Value::Array(_) | Value::Set(_) | Value::Object(_))] => all.clone(),
        _ => Value::new_array(),
    })
}

/// Whether a value is in a list or a set, or the value of an object's member.
pub(super) fn member(args: &[Value]) -> Result<Value, Fail> {
    let [value, collection] = args else { return Err(Fail::Argument("takes a value and a collection")) };
    Ok(Value::from(match collection {
        Value::Array(items) => items.contains(value),
        Value::Set(items) => items.contains(value),
        Value::Object(members) => members.values().any(|member| member == value),
        _ => false,
    }))
}

/// Whether this value stands at this key.
pub(super) fn member_at(args: &[Value]) -> Result<Value, Fail> {
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

    #[test]
    fn a_member_is_found_by_its_value_and_by_key_and_value() {
        let json = |text: &str| Value::from_json_str(text).unwrap();
        let (list, object) = (json("[1, \"a\"]"), json(r#"{"k": 1}"#));
        let set = Value::from(std::collections::BTreeSet::from([json("1")]));
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
}
