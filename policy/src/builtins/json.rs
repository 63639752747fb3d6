//! `json.marshal`, with and without options, and `json.patch`: what multiplies a value is bounded, and text is escaped
//! as OPA escapes it, so that hashes of it agree.

use regorus::Value;

use super::{Fail, engines, text, weigh};

/// Longest indent and prefix together, in bytes.
const INDENT: usize = 32;
/// Most values that are written with an indent.
const INDENTED: usize = 2_000;
/// Most operations of one patch.
const OPERATIONS: usize = 64;
/// Most values a patched document may grow to.
const GROWN: usize = 100_000;

/// A value as JSON.
pub(super) fn marshal(args: &[Value]) -> Result<Value, Fail> {
    weigh::deep(args)?;
    escaped(&by_text(args)?)
}

/// The same on several lines.
pub(super) fn marshal_with_options(args: &[Value]) -> Result<Value, Fail> {
    small_indent(args)?;
    let written = engines("json.marshal_with_options", &by_text(args)?).ok_or(WRITTEN)?;
    // Prefix and indent stay as they are; values are few here.
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for c in text(&written)?.chars() {
        let escape = ESCAPES.iter().find(|(plain, _)| quoted && plain.starts_with(c));
        match escape {
            Some((_, escape)) => out.push_str(escape),
            None => out.push(c),
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    Ok(Value::from(out))
}

/// These with the names of all members as text, which OPA writes in the order of their letters, one of each.
fn by_text(args: &[Value]) -> Result<Vec<Value>, Fail> {
    args.iter().map(|arg| if named_by_text(arg) { Ok(arg.clone()) } else { renamed(arg) }).collect()
}

fn named_by_text(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(named_by_text),
        Value::Set(items) => items.iter().all(named_by_text),
        Value::Object(members) => {
            members.iter().all(|(name, value)| matches!(name, Value::String(_)) && named_by_text(value))
        }
        _ => true,
    }
}

fn renamed(value: &Value) -> Result<Value, Fail> {
    Ok(match value {
        Value::Array(items) => Value::from(items.iter().map(renamed).collect::<Result<Vec<_>, _>>()?),
        // As JSON has it, in the order of the set.
        Value::Set(items) => Value::from(items.iter().map(renamed).collect::<Result<Vec<_>, _>>()?),
        Value::Object(members) => {
            let mut renamed_members = regorus::value::Object::new();
            for (name, value) in members.iter() {
                let name = match name {
                    Value::String(_) => name.clone(),
                    name => Value::from(serde_json::to_string(&renamed(name)?).map_err(|_| WRITTEN)?),
                };
                renamed_members.insert(name, renamed(value)?);
            }
            renamed_members.into_value()
        }
        other => other.clone(),
    })
}

const WRITTEN: Fail = Fail::Argument("takes a value, and options that it knows");

/// OPA writes what could end a script in HTML as an escape. None of it stands outside of texts.
fn escaped(args: &[Value]) -> Result<Value, Fail> {
    let written = engines("json.marshal", args).ok_or(WRITTEN)?;
    let written = text(&written)?;
    let mut out = written.to_owned();
    for (c, escape) in ESCAPES {
        if out.contains(*c) {
            out = out.replace(*c, escape);
        }
    }
    weigh::pay(out.len())?;
    Ok(Value::from(out))
}

const ESCAPES: &[(&str, &str)] =
    &[("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")];

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
pub(super) fn few_copies(args: &[Value]) -> Result<(), Fail> {
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
pub(super) fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    weigh::linear(args)?;
    let [Value::String(text)] = args else { return Ok(Value::Bool(false)) };
    Ok(Value::Bool(serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()))
}

/// JSON as Go writes it: names in order, and nothing in it that would end a script.
pub(super) fn as_go_writes(value: &Value) -> Result<String, Fail> {
    let json =
        serde_json::to_string(value).map_err(|_| Fail::Argument("takes what can be written as JSON"))?;
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    Ok(out)
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
