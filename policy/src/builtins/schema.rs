//! `json.verify_schema` and `json.match_schema`: JSON schema of the drafts 4, 6 and 7, as OPA's library reads it.
//!
//! A schema without `$schema` may use the words of all three. What this one does not do as OPA does is an error, never
//! another answer.

mod check;
mod matching;

use std::fmt::Display;

use regorus::Value;
use serde_json::Value as Json;

use super::row::{Builtin, By};
use super::signatures::{LIST, OBJECT, TEXT};
use super::{Fail, weigh};
use crate::document::exact::float_as_go;
use crate::document::plain;

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("json.match_schema", &[TEXT.or(OBJECT), TEXT.or(OBJECT)], LIST, By::Added(matches)),
    Builtin::new("json.verify_schema", &[TEXT.or(OBJECT)], LIST, By::Added(verify)),
];

/// Most values in either, and in both together where neither is given as text.
const VALUES: usize = 5_000;
/// Most bytes of JSON in either.
const BYTES: usize = 256 * 1024;
/// Most patterns in a schema: fewer than a thread keeps compiled, so that none is compiled again for each value.
const PATTERNS: usize = 64;
/// Deepest nesting of schemas in one another, those that a `$ref` names included.
const DEPTH: usize = 64;
const TOO_MANY: Fail = Fail::Limit("at most 5000 values, 64 deep");
const TOO_DEEP: Fail = Fail::Limit("schemas at most 64 deep in one another");

/// `json.verify_schema(schema)`: whether it is one, and what is wrong with it.
fn verify(args: &[Value]) -> Result<Value, Fail> {
    let [schema] = args else { return Err(Fail::Argument("takes a schema")) };
    light(args)?;
    match loaded(schema)?.and_then(|schema| check::schema(&schema)) {
        Ok(_) => Ok(Value::from(vec![Value::Bool(true), Value::Null])),
        Err(Wrong::Schema(why)) => {
            Ok(Value::from(vec![Value::Bool(false), Value::from(format!("jsonschema: {why}"))]))
        }
        Err(Wrong::Unknown(fail)) => Err(fail),
    }
}

/// `json.match_schema(document, schema)`: whether the document is as the schema says, and where it is not.
fn matches(args: &[Value]) -> Result<Value, Fail> {
    let [document, schema] = args else { return Err(Fail::Argument("takes a document and a schema")) };
    light(args)?;
    let read = |value: &Value| match loaded(value)? {
        Ok(json) => Ok(json),
        Err(Wrong::Unknown(fail)) => Err(fail),
        Err(Wrong::Schema(_)) => Err(Fail::Argument("takes JSON as text, an object or a list")),
    };
    let (document, schema) = (read(document)?, read(schema)?);
    let draft = check::schema(&schema).map_err(|wrong| match wrong {
        Wrong::Unknown(fail) => fail,
        Wrong::Schema(_) => {
            Fail::Argument("takes a schema: json.verify_schema says what is wrong with this one")
        }
    })?;
    let errors = matching::errors(&schema, draft, &document)?;
    Ok(Value::from(vec![Value::Bool(errors.is_empty()), Value::from(errors)]))
}

fn light(args: &[Value]) -> Result<(), Fail> {
    weigh::values(args, VALUES).map_err(|_| TOO_MANY)
}

/// What a schema may be written for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Four,
    Six,
    Seven,
    /// Where nothing says so, the words of all of them.
    Any,
}

/// Why a schema is not used.
enum Wrong {
    /// It is none.
    Schema(String),
    /// It is one of which we do not know what it means to OPA.
    Unknown(Fail),
}

impl From<Fail> for Wrong {
    fn from(fail: Fail) -> Self {
        Self::Unknown(fail)
    }
}

fn none<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Schema(why.into()))
}

fn unknown<T>(why: &'static str) -> Result<T, Wrong> {
    Err(Wrong::Unknown(Fail::Argument(why)))
}

/// The JSON that an argument is, or is the text of.
fn loaded(value: &Value) -> Result<Result<Json, Wrong>, Fail> {
    let json = match value {
        Value::String(json) => json.to_string(),
        Value::Object(_) | Value::Array(_) => {
            value.to_json_str().map_err(|_| Fail::Argument("takes what can be written as JSON"))?
        }
        _ => return Ok(none("wrong type, expected string or object")),
    };
    if json.len() > BYTES {
        return Err(Fail::Limit("at most 256 KiB of JSON"));
    }
    weigh::pay(json.len())?;
    if crate::document::within(&json, VALUES).is_err() {
        return Err(TOO_MANY);
    }
    Ok(plain::parse(&json).or_else(|_| none("invalid JSON string")))
}

/// What a `$ref` names: part of the same schema.
fn named<'a>(root: &'a Json, refr: &str) -> Option<&'a Json> {
    root.pointer(refr.strip_prefix('#')?)
}

/// Whether a number is whole, `1.0` included.
fn whole(value: &Json) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// The JSON that equal values have in common: members in order, numbers by their value. As Go writes it.
fn canonical(value: &Json) -> String {
    match value {
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let member = |(name, value): (&String, &Json)| format!("{}:{}", quoted(name), canonical(value));
            format!("{{{}}}", joined(members.into_iter().map(member), ","))
        }
        Json::Array(items) => format!("[{}]", joined(items.iter().map(canonical), ",")),
        Json::String(text) => quoted(text),
        Json::Number(number) => float_as_go(number.as_f64().unwrap_or_default()),
        _ => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    super::json::as_go_writes(&Value::from(text)).unwrap_or_default()
}

fn joined(parts: impl Iterator<Item = impl Display>, between: &str) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(between)
}
