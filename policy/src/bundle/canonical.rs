//! What OPA hashes of a structured file: its value with sorted members and no blanks, each number as it was written.

use std::collections::BTreeMap;

use aws_lc_rs::digest::Context;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Role, Wrong, document};
use crate::document::exact::float_as_go;
use crate::document::{MAX_DATA_VALUES, within};

/// Hashes the value of a file that is JSON or, by its name, YAML.
pub(super) fn hash(name: &str, text: &str, role: Role, into: &mut Context) -> Result<(), Wrong> {
    let raw: Result<&RawValue, _> = serde_json::from_str(text);
    match (raw, role) {
        (Ok(raw), _) => {
            within(text, MAX_DATA_VALUES).map_err(|error| Wrong::new(name, error.to_string()))?;
            json(raw.get(), into).map_err(|error| Wrong::new(name, error.to_string()))
        }
        (Err(_), Role::Yaml) => {
            value(&document(name, text, role)?, into);
            Ok(())
        }
        (Err(error), _) => Err(Wrong::new(name, format!("not JSON: {error}"))),
    }
}

/// Text that is known to be one JSON value.
fn json(text: &str, into: &mut Context) -> Result<(), serde_json::Error> {
    let text = text.trim();
    match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            into.update(b"{");
            for (index, (name, member)) in members.into_iter().enumerate() {
                into.update(if index == 0 { b"" } else { b"," });
                string(&name, into);
                into.update(b":");
                json(member.get(), into)?;
            }
            into.update(b"}");
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            into.update(b"[");
            for (index, item) in items.into_iter().enumerate() {
                into.update(if index == 0 { b"" } else { b"," });
                json(item.get(), into)?;
            }
            into.update(b"]");
        }
        Some(b'"') => string(&serde_json::from_str::<String>(text)?, into),
        _ => into.update(text.as_bytes()),
    }
    Ok(())
}

/// A value that came from YAML: its numbers are written as Go writes them in JSON.
fn value(value: &Value, into: &mut Context) {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, &Value> = members.iter().collect();
            into.update(b"{");
            for (index, (name, member)) in members.into_iter().enumerate() {
                into.update(if index == 0 { b"" } else { b"," });
                string(name, into);
                into.update(b":");
                self::value(member, into);
            }
            into.update(b"}");
        }
        Value::Array(items) => {
            into.update(b"[");
            for (index, item) in items.iter().enumerate() {
                into.update(if index == 0 { b"" } else { b"," });
                self::value(item, into);
            }
            into.update(b"]");
        }
        Value::String(text) => string(text, into),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => into.update(float_as_go(float).as_bytes()),
            _ => into.update(number.to_string().as_bytes()),
        },
        Value::Bool(_) | Value::Null => into.update(value.to_string().as_bytes()),
    }
}

/// A string in quotes, escaped as Go does where HTML is none of its concern.
fn string(text: &str, into: &mut Context) {
    // A string cannot fail to be written.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let quoted = quoted.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    into.update(quoted.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::{Digest, SHA256, digest};

    fn hashed(text: &str, role: Role) -> Digest {
        let mut context = Context::new(&SHA256);
        hash("x", text, role, &mut context).unwrap();
        context.finish()
    }

    #[test]
    fn order_and_blanks_change_nothing_and_the_writing_of_numbers_does() {
        for (role, text, canonical) in [
            (Role::Json, r#" {"b": [1, 2.50, 1E5, -0], "a": null} "#, r#"{"a":null,"b":[1,2.50,1E5,-0]}"#),
            (Role::Json, r#"{"a": {"d": 1, "c": "x"}, "B": true}"#, r#"{"B":true,"a":{"c":"x","d":1}}"#),
            (Role::Json, r#""\u003c\/é\u2028\u0001\t""#, "\"</é\\u2028\\u0001\\t\""),
            (Role::Json, r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#),
            (Role::Yaml, "b: [1, 2.50, 1e3, 1e-7, 1e21]\na: ~", r#"{"a":null,"b":[1,2.5,1000,1e-7,1e+21]}"#),
            (Role::Yaml, r#"{"a": 1.0}"#, r#"{"a":1.0}"#),
            (Role::Yaml, "a: 1.0", r#"{"a":1}"#),
        ] {
            assert_eq!(hashed(text, role).as_ref(), digest(&SHA256, canonical.as_bytes()).as_ref(), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_has_no_hash() {
        let mut context = Context::new(&SHA256);
        assert!(hash("data.json", "a: 1", Role::Json, &mut context).is_err());
        assert!(hash("data.json", &"[".repeat(1000), Role::Json, &mut context).is_err());
    }
}
