//! `urlquery.decode` and `urlquery.decode_object`: the engine takes what is no query for text, OPA refuses it.

use std::collections::BTreeMap;

use regorus::Value;

use super::{Fail, text, weigh};

const ESCAPE: Fail = Fail::Argument("has a % without two hex digits after it");
const UTF8: Fail = Fail::Argument("is not UTF-8 when decoded");
const SEMICOLON: Fail = Fail::Argument("has a semicolon between its parts");

/// The text of one encoded part.
pub(super) fn decode(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    decoded(text(value)?).map(Value::from)
}

/// The values of each name, in their order.
pub(super) fn decode_object(args: &[Value]) -> Result<Value, Fail> {
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
