//! `json.marshal`, with and without options, and `json.patch`: what multiplies a value is bounded, and text is escaped
//! as OPA escapes it, so that hashes of it agree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, LIST, OBJECT, TEXT};
use super::{Fail, engines, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("json.is_valid", &[TEXT], BOOL, By::Ours(is_valid)),
    Builtin::new("json.marshal", &[ANY], TEXT, By::Ours(marshal)),
    Builtin::new("json.marshal_with_options", &[ANY, OBJECT], TEXT, By::Ours(marshal_with_options)),
    Builtin::new("json.patch", &[ANY, LIST], ANY, By::Guard(few_copies)),
];

/// Longest indent and prefix together, in bytes.
const INDENT: usize = 32;
/// Most values that are written with an indent.
const INDENTED: usize = 2_000;
/// Most operations of one patch.
const OPERATIONS: usize = 64;
/// Most values a patched document may grow to.
const GROWN: usize = 100_000;

/// A value as JSON.
fn marshal(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(WRITTEN) };
    weigh::deep(args)?;
    let written = as_go_writes(value)?;
    weigh::pay(written.len())?;
    Ok(Value::from(written))
}

/// The same on several lines.
fn marshal_with_options(args: &[Value]) -> Result<Value, Fail> {
    small_indent(args)?;
    let args: Vec<Value> = args.iter().map(plain).collect::<Result<_, _>>()?;
    let written = engines("json.marshal_with_options", &args).ok_or(WRITTEN)?;
    // Prefix and indent stay as they are; values are few here.
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in text(&written)?.chars() {
        match escape(c).filter(|_| quoted) {
            Some(escape) => out.push_str(escape),
            None => out.push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    Ok(Value::from(out))
}

/// What the engine writes as OPA does: names of members are text, and in their order.
fn plain(value: &Value) -> Result<Value, Fail> {
    Ok(match value {
        Value::Array(items) => Value::from(items.iter().map(plain).collect::<Result<Vec<_>, _>>()?),
        // As JSON has it, in the order of the set.
        Value::Set(items) => Value::from(items.iter().map(plain).collect::<Result<Vec<_>, _>>()?),
        Value::Object(members) => {
            let mut object = regorus::value::Object::new();
            for (name, value) in members.iter() {
                object.insert(Value::from(name_of(name)?.as_ref()), plain(value)?);
            }
            object.into_value()
        }
        Value::Number(number) if number.is_integer() && value.as_i64().is_err() => {
            return Err(Fail::Argument("takes whole numbers of 64 bits; json.marshal takes longer ones"));
        }
        other => other.clone(),
    })
}

const WRITTEN: Fail = Fail::Argument("takes a value, and options that it knows");

/// Lets through a small value, or one with a short indent.
fn small_indent(args: &[Value]) -> Result<(), Fail> {
    let [_, options] = args else { return Err(Fail::Argument("takes a value and options")) };
    let options = options.as_object().map_err(|_| Fail::Argument("takes an object of options"))?;
    let texts = options.values().filter_map(|value| value.as_string().ok());
    if texts.map(|text| text.len()).sum::<usize>() > INDENT {
        return Err(Fail::Limit("indent and prefix of at most 32 bytes"));
    }
    weigh::values(args, INDENTED)
}

/// Lets through a patch that cannot double its document often: each `copy` may.
fn few_copies(args: &[Value]) -> Result<(), Fail> {
    let [document, operations] = args else { return Err(Fail::Argument("takes a document and operations")) };
    weigh::deep(args)?;
    let operations = operations.as_array().map_err(|_| Fail::Argument("takes a list of operations"))?;
    if operations.len() > OPERATIONS {
        return Err(Fail::Limit("at most 64 operations"));
    }
    let (copy, op) = (Value::from("copy"), Value::from("op"));
    let copies =
        operations.iter().filter(|operation| operation.as_object().is_ok_and(|o| o.get(&op) == Some(&copy)));
    let mut grown = weigh::nested(document)?;
    for _ in copies {
        grown = grown.saturating_mul(2);
    }
    if grown > GROWN { Err(Fail::Limit("fewer `copy` operations")) } else { Ok(()) }
}

/// `json.is_valid(text)`; what is not text is not valid, not an error. Nor does it matter how large a number is.
fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    weigh::linear(args)?;
    let [Value::String(text)] = args else { return Ok(Value::Bool(false)) };
    Ok(Value::Bool(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()))
}

/// JSON as Go writes it: names in order, whole numbers to their last digit, and nothing in it that would end a script.
pub(super) fn as_go_writes(value: &Value) -> Result<String, Fail> {
    let mut out = String::new();
    write(value, &mut out, true)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String, escapes: bool) -> Result<(), Fail> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) if number.is_integer() => match number.format_decimal().as_str() {
            "-0" => out.push('0'),
            digits => out.push_str(digits),
        },
        Value::Number(_) => out.push_str(&serde_json::to_string(value).map_err(|_| WRITTEN)?),
        Value::String(text) => write_text(text, out, escapes)?,
        Value::Array(items) => list(items.iter(), out, escapes)?,
        Value::Set(items) => list(items.iter(), out, escapes)?,
        Value::Object(members) => {
            // Of names that turn out the same OPA writes the last.
            let named = members.iter().map(|(name, value)| Ok((name_of(name)?, value)));
            let named: BTreeMap<Cow<'_, str>, &Value> = named.collect::<Result<_, Fail>>()?;
            let mut before = '{';
            for (name, value) in named {
                out.push(before);
                write_text(&name, out, escapes)?;
                out.push(':');
                write(value, out, escapes)?;
                before = ',';
            }
            out.push_str(if before == '{' { "{}" } else { "}" });
        }
        Value::Undefined => return Err(WRITTEN),
    }
    Ok(())
}

fn list<'a>(items: impl Iterator<Item = &'a Value>, out: &mut String, escapes: bool) -> Result<(), Fail> {
    let mut before = '[';
    for item in items {
        out.push(before);
        write(item, out, escapes)?;
        before = ',';
    }
    out.push_str(if before == '[' { "[]" } else { "]" });
    Ok(())
}

fn write_text(text: &str, out: &mut String, escapes: bool) -> Result<(), Fail> {
    let quoted = serde_json::to_string(text).map_err(|_| WRITTEN)?;
    for c in quoted.chars() {
        match escape(c).filter(|_| escapes) {
            Some(escape) => out.push_str(escape),
            None => out.push(c),
        }
    }
    Ok(())
}

/// The name of a member as text: JSON where it is none.
fn name_of(name: &Value) -> Result<Cow<'_, str>, Fail> {
    if let Value::String(text) = name {
        return Ok(Cow::Borrowed(text.as_ref()));
    }
    let mut out = String::new();
    write(name, &mut out, false)?;
    Ok(Cow::Owned(out))
}

/// How OPA writes what could end a script in HTML.
const fn escape(c: char) -> Option<&'static str> {
    Some(match c {
        '<' => "\\u003c",
        '>' => "\\u003e",
        '&' => "\\u0026",
        '\u{2028}' => "\\u2028",
        '\u{2029}' => "\\u2029",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn text_is_escaped_as_opa_does_and_a_prefix_is_not() {
        turn::begin(None);
        let value = Value::from_json_str("{\"<\": \"a\\\\&\\\"\u{2028}\"}").unwrap();
        let plain = marshal(std::slice::from_ref(&value)).unwrap();
        assert_eq!(plain, Value::from(r#"{"\u003c":"a\\\u0026\"\u2028"}"#));
        let options = Value::from_json_str(r#"{"prefix": "> ", "indent": " ", "pretty": true}"#).unwrap();
        let pretty = marshal_with_options(&[value, options]).unwrap();
        assert_eq!(pretty, Value::from("> {\n>  \"\\u003c\": \"a\\\\\\u0026\\\"\\u2028\"\n> }"));
    }
}
