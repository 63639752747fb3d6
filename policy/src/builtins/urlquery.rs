//! `urlquery.*`: the engine takes what is no query for text, OPA refuses it; and it escapes `~` and not `*`, OPA `*` and
//! not `~`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{OBJECT, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("urlquery.decode", &[TEXT], TEXT, By::Ours(decode)),
    Builtin::new("urlquery.decode_object", &[TEXT], OBJECT, By::Ours(decode_object)),
    Builtin::new("urlquery.encode", &[TEXT], TEXT, By::Ours(encode)),
    Builtin::new("urlquery.encode_object", &[OBJECT], TEXT, By::Ours(encode_object)),
];

const ESCAPE: Fail = Fail::Argument("has a % without two hex digits after it");
const UTF8: Fail = Fail::Argument("is not UTF-8 when decoded");
const MEMBERS: Fail = Fail::Argument("takes an object of texts, or of lists or sets of texts");
const SEMICOLON: Fail = Fail::Argument("has a semicolon between its parts");

/// The text of one encoded part.
fn decode(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    decoded(text(value)?).map(Value::from)
}

/// The values of each name, in their order.
fn decode_object(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    let mut members: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for part in text(value)?.split('&').filter(|part| !part.is_empty()) {
        if part.contains(';') {
            return Err(SEMICOLON);
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        members.entry(decoded(name)?.into()).or_default().push(decoded(value)?.into());
    }
    weigh::pay(members.len() * 8)?;
    Ok(Value::from(
        members.into_iter().map(|(name, values)| (name, Value::from(values))).collect::<BTreeMap<_, _>>(),
    ))
}

/// Text as a part of a query.
fn encode(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    let mut out = String::new();
    encoded(text(value)?, &mut out);
    weigh::pay(out.len())?;
    Ok(Value::from(out))
}

/// A query of names and their values, in the order of the names: texts, or lists or sets of them.
fn encode_object(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(MEMBERS) };
    weigh::deep(args)?;
    let mut out = String::new();
    for (name, values) in value.as_object().map_err(|_| MEMBERS)?.iter() {
        let name = text(name)?;
        let mut add = |value: &Value| {
            // A long name may have many values.
            weigh::pay(name.len() * 3)?;
            if !out.is_empty() {
                out.push('&');
            }
            encoded(name, &mut out);
            out.push('=');
            encoded(text(value)?, &mut out);
            Ok(())
        };
        match values {
            Value::Array(items) => items.iter().try_for_each(&mut add)?,
            Value::Set(items) => items.iter().try_for_each(&mut add)?,
            one => add(one)?,
        }
    }
    Ok(Value::from(out))
}

fn encoded(part: &str, out: &mut String) {
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => {
                let _written = write!(out, "%{byte:02X}");
            }
        }
    }
}

fn decoded(part: &str) -> Result<String, Fail> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit().zip(digit()).map(|(high, low)| high * 16 + low).ok_or(ESCAPE)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| UTF8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(query: &str) -> Result<String, Fail> {
        crate::builtins::turn::begin(None);
        decode_object(&[Value::from(query)]).map(|value| value.to_string())
    }

    #[test]
    fn what_is_no_query_is_no_text_either() {
        assert_eq!(object("a=1&b=%C3%A9&a=+&&c"), Ok(r#"{"a":["1"," "],"b":["é"],"c":[""]}"#.to_owned()));
        assert_eq!(object("=1"), Ok(r#"{"":["1"]}"#.to_owned()));
        assert_eq!(object(""), Ok("{}".to_owned()));
        assert_eq!(object("a=%zz"), Err(ESCAPE));
        assert_eq!(object("a=%c"), Err(ESCAPE));
        assert_eq!(object("a=1;b=2"), Err(SEMICOLON));
        assert_eq!(object("%ff"), Err(UTF8));
        assert_eq!(decode(&[Value::from("a+b%20;c")]), Ok(Value::from("a b ;c")));
        assert_eq!(decode(&[Value::from("%")]), Err(ESCAPE));
    }
}
