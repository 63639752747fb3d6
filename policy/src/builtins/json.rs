//! `json.marshal_with_options` and `json.patch`: what multiplies a value is bounded.

use regorus::Value;

use super::{Fail, engines, weigh};

/// Longest indent and prefix together, in bytes.
const INDENT: usize = 32;
/// Most values that are written with an indent.
const INDENTED: usize = 2_000;
/// Most operations of one patch.
const OPERATIONS: usize = 64;
/// Most values a patched document may grow to.
const GROWN: usize = 100_000;

/// Lets through a small value, or one with a short indent.
pub(super) fn small_indent(args: &[Value]) -> Result<(), Fail> {
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

/// `json.is_valid(text)`; what is not text is not valid, not an error.
pub(super) fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    weigh::linear(args)?;
    let [Value::String(_)] = args else { return Ok(Value::Bool(false)) };
    engines("json.is_valid", args).ok_or(Fail::Argument("takes text"))
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
