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
    Builtin::new("json.patch", &[ANY, LIST], ANY, By::Ours(patch)),
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

/// Lets through a patch that cannot double its document often: each `copy` may. Gives how many values it may come to.
fn few_copies(args: &[Value]) -> Result<usize, Fail> {
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
    if grown > GROWN { Err(Fail::Limit("fewer `copy` operations")) } else { Ok(grown) }
}

/// `json.patch(document, operations)`, with `1.0` and `1.` for indexes of lists, as OPA takes them.
fn patch(args: &[Value]) -> Result<Value, Fail> {
    let grown = few_copies(args)?;
    let [document, operations] = args else { return Err(Fail::Argument("takes a document and operations")) };
    let operations = operations.as_array().map_err(|_| Fail::Argument("takes a list of operations"))?;
    let operations: Vec<Value> = operations.iter().map(whole).collect();
    let apply = |document: &Value, operations: Vec<Value>| {
        engines("json.patch", &[document.clone(), Value::from(operations)])
    };
    let has_point = |operation: &Value| {
        PATHS.iter().any(|name| parts(operation, name).iter().any(|part| index(part).is_some()))
    };
    if !operations.iter().any(has_point) {
        return Ok(apply(document, operations).unwrap_or(Value::Undefined));
    }
    // `1.0` may as well be the name of a member: one operation after the other, by what its path meets.
    if grown.saturating_mul(operations.len()) > GROWN {
        return Err(Fail::Limit("fewer operations, or indexes without a point"));
    }
    let mut document = document.clone();
    for operation in &operations {
        let Some(patched) = resolved(&document, operation, "from").and_then(|operation| {
            // What moves is taken away before its new place is looked for.
            let is_move = member(&operation, "op") == Some(&Value::from("move"));
            let taken = is_move.then(|| {
                let from = member(&operation, "from")?.clone();
                let taken = [("op".into(), "remove".into()), ("path".into(), from)];
                apply(&document, vec![Value::from(BTreeMap::from(taken))])
            });
            let met = taken.unwrap_or_else(|| Some(document.clone()))?;
            apply(&document, vec![resolved(&met, &operation, "path")?])
        }) else {
            return Ok(Value::Undefined);
        };
        document = patched;
    }
    Ok(document)
}

/// The members of an operation that are paths.
const PATHS: [&str; 2] = ["from", "path"];

fn member<'a>(operation: &'a Value, name: &str) -> Option<&'a Value> {
    operation.as_object().ok()?.get(&Value::from(name))
}

/// The parts of an operation's path.
fn parts(operation: &Value, name: &str) -> Vec<Value> {
    match member(operation, name) {
        Some(Value::Array(parts)) => parts.to_vec(),
        Some(Value::String(path)) if !path.is_empty() => {
            let part = |part: &str| Value::from(part.replace("~1", "/").replace("~0", "~"));
            path.trim_start_matches('/').split('/').map(part).collect()
        }
        _ => Vec::new(),
    }
}

/// An operation whose paths have no number with a point that is a whole one: the engine keeps it as a fraction.
fn whole(operation: &Value) -> Value {
    let mut operation = operation.clone();
    for name in PATHS {
        if let Some(Value::Array(parts)) = member(&operation, name) {
            let part = |part: &Value| part.as_u64().map_or_else(|_| part.clone(), Value::from);
            let parts: Vec<Value> = parts.iter().map(part).collect();
            let _members =
                operation.as_object_mut().map(|members| members.insert(name.into(), Value::from(parts)));
        }
    }
    operation
}

/// The index that a text with a point is, where a list meets it.
fn index(part: &Value) -> Option<&str> {
    let (whole, fraction) = part.as_string().ok()?.split_once('.')?;
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let is_index = digits.bytes().all(|digit| digit.is_ascii_digit())
        && fraction.bytes().all(|digit| digit == b'0')
        && !whole.starts_with('0');
    is_index.then_some(if digits.is_empty() { "0" } else { whole })
}

/// An operation, with the indexes of the lists that a path of it meets written as the engine takes them.
fn resolved(document: &Value, operation: &Value, name: &str) -> Option<Value> {
    let mut parts = parts(operation, name);
    let mut met = Some(document);
    for part in &mut parts {
        met = match met {
            Some(Value::Array(items)) => {
                if let Some(index) = index(part) {
                    *part = Value::from(index);
                }
                let at = part.as_string().map_or_else(|_| part.as_u64().ok(), |text| text.parse().ok());
                at.and_then(|at| items.get(usize::try_from(at).ok()?))
            }
            Some(Value::Object(members)) => members.get(part),
            Some(Value::Set(items)) => items.iter().find(|item| *item == part),
            _ => break,
        };
    }
    let mut operation = operation.clone();
    if matches!(member(&operation, name), Some(Value::Array(_) | Value::String(_))) {
        operation.as_object_mut().ok()?.insert(name.into(), Value::from(parts));
    }
    Some(operation)
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
