//! Reads a JSON body so that policy sees it; the bytes go on as they came. A body that two parsers
//! could read differently is malformed: what policy judged would not be what the old system does.

use std::fmt;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use postern_policy::keeps_numbers;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::authorize::BodyFacts;
use crate::config::BodyInspection;
use crate::fault::{Code, Fault, codes};
use crate::forward::Source;

/// What is known of a body.
#[derive(Debug)]
pub(super) enum Inspected {
    /// The route does not look.
    Not,
    /// There is none.
    Absent,
    /// JSON, and its length.
    Parsed(usize, Value),
    /// Longer than the route looks.
    TooLarge,
    /// Not JSON, or not in one way.
    Malformed,
}

impl Inspected {
    /// Reads as far as the route looks.
    pub(super) async fn read(
        wanted: Option<BodyInspection>,
        headers: &HeaderMap,
        source: Option<&Source>,
    ) -> Result<Self, Fault> {
        let Some(wanted) = wanted else { return Ok(Self::Not) };
        let Some(source) = source else { return Ok(Self::Absent) };
        // What is not read is not waited for.
        let text = if is_json(headers) { source.peek(wanted.limit).await? } else { Some(Vec::new()) };
        Self::of(wanted, headers, text.as_deref())
    }

    /// What is known of a body by its text; none where it is longer than the route looks.
    pub(super) fn of(
        wanted: BodyInspection,
        headers: &HeaderMap,
        text: Option<&[u8]>,
    ) -> Result<Self, Fault> {
        if !is_json(headers) {
            return tolerated(Self::Malformed, codes::BODY_MALFORMED, wanted);
        }
        let Some(text) = text else {
            return tolerated(Self::TooLarge, codes::BODY_TOO_LARGE, wanted);
        };
        match serde_json::from_slice::<Strict>(text) {
            _ if text.is_empty() => Ok(Self::Absent),
            // Others may keep all digits of a long number, and policy would see another.
            Ok(Strict(value)) if keeps_numbers(text) => Ok(Self::Parsed(text.len(), value)),
            _ => tolerated(Self::Malformed, codes::BODY_MALFORMED, wanted),
        }
    }

    /// As policy sees it.
    pub(super) const fn facts(&self) -> BodyFacts<'_> {
        match self {
            Self::Not => BodyFacts::NotInspected,
            Self::Absent => BodyFacts::Absent,
            Self::Parsed(bytes, value) => BodyFacts::Parsed { bytes: *bytes, value },
            Self::TooLarge => BodyFacts::TooLarge,
            Self::Malformed => BodyFacts::Malformed,
        }
    }
}

/// What keeps a body from being read, in words: for who tries a request out.
pub(super) fn wrong(headers: &HeaderMap, text: &[u8]) -> Option<String> {
    if !is_json(headers) {
        let plain =
            "`content-type: application/json`, in no other charset than UTF-8, without a content-encoding";
        return Some(format!("no header says that the body is plain JSON: {plain}"));
    }
    match serde_json::from_slice::<Strict>(text) {
        Err(error) => Some(format!("the body: {error}")),
        Ok(_) if keeps_numbers(text) => None,
        Ok(_) => Some("the body has a number of more digits than are kept: write it as text".to_owned()),
    }
}

fn tolerated(body: Inspected, code: &'static Code, wanted: BodyInspection) -> Result<Inspected, Fault> {
    if wanted.tolerate { Ok(body) } else { Err(Fault::of(code)) }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind =
        headers.get(CONTENT_TYPE).and_then(|kind: &HeaderValue| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let (kind, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
    let kind = kind.trim();
    is_utf8(parameters)
        && (kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")))
        && !headers.contains_key(CONTENT_ENCODING)
}

/// JSON is UTF-8 (RFC 8259, 8.1). A server that believes another `charset` would read other text.
fn is_utf8(parameters: &str) -> bool {
    parameters.split(';').all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.contains("charset") || matches!(value.trim().trim_matches('"'), "utf-8" | "utf8")
    })
}

/// A JSON value in which no object names a member twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Reader.deserialize(from).map(Self)
    }
}

#[derive(Clone, Copy)]
struct Reader;

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let value = object.next_value_seed(self)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_in_one_way_only() {
        let read = |text: &str| serde_json::from_str::<Strict>(text).map(|strict| strict.0);
        let text = r#"{"a": [1, -2, 2.5, "x", null, true], "b": {"a": {}}}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for bad in
            [r#"{"a": 1, "a": 2}"#, r#"{"b": [{"a": 1, "\u0061": 2}]}"#, "{} {}", "{", "", "\u{feff}{}"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read(&"[".repeat(200)).is_err());
    }

    #[test]
    fn a_number_that_policy_would_see_as_another_is_malformed() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let wanted = BodyInspection { limit: 1024, tolerate: true };
        for (text, parsed) in [
            ("{\"id\": 12345678901234567890}", true),
            ("{\"id\": 123456789012345678901}", false),
            ("{\"id\": 1e-400}", false),
            ("{\"id\": 1e400}", false),
        ] {
            let seen = Inspected::of(wanted, &headers, Some(text.as_bytes())).unwrap();
            assert_eq!(matches!(seen, Inspected::Parsed(..)), parsed, "{text}: {seen:?}");
        }
    }

    #[test]
    fn only_plain_json_is_read() {
        let headers = |kind: &str, coded: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
            if coded {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            headers
        };
        assert!(is_json(&headers("application/json; charset=utf-8", false)));
        assert!(is_json(&headers("application/vnd.x+json", false)));
        assert!(!is_json(&headers("application/json", true)));
        assert!(!is_json(&headers("text/plain", false)));
        assert!(is_json(&headers("application/json; charset=\"UTF-8\"", false)));
        for charset in ["shift_jis", "utf-16", "\"\"", "utf-8; charset=utf-7"] {
            assert!(!is_json(&headers(&format!("application/json; charset={charset}"), false)), "{charset}");
        }
    }
}
