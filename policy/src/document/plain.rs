//! JSON as it is written. `serde_json` by itself takes an object with a certain member for the JSON in that member's
//! text, which nobody else does, and whose values nobody has counted.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The value of a text; of members that are named twice, the last counts.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    if text.starts_with('\u{feff}') {
        return Err(Error::custom("begins with a byte order mark, U+FEFF: write it without"));
    }
    serde_json::from_str::<Plain>(text).map(|plain| plain.0)
}

/// The first name that stands twice in one object, with its line and column in characters; none in what is no JSON.
pub(crate) fn twice(text: &str) -> Option<(String, u32, u32)> {
    let error = serde_json::from_str::<Once>(text).err()?;
    let said = error.to_string();
    let name = said.strip_prefix(TWICE)?.rsplit_once(" at line ")?.0.to_owned();
    let (line, column) = place(text, &error)?;
    Some((name, line, column))
}

/// The line and column, in characters, of the first member of this name in an object; none in what is none.
pub(crate) fn member(text: &str, name: &str) -> Option<(u32, u32)> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = Named(name).deserialize(&mut reader).err()?;
    error.to_string().starts_with(FOUND).then(|| place(text, &error))?
}

/// The place of the name behind which the reader stopped, which counts bytes.
fn place(text: &str, error: &serde_json::Error) -> Option<(u32, u32)> {
    let line = text.split('\n').nth(error.line().checked_sub(1)?)?;
    let begins = opening(line.get(..error.column())?)?;
    let column = line.get(..begins)?.chars().count() + 1;
    Some((u32::try_from(error.line()).ok()?, u32::try_from(column).ok()?))
}

/// Where the quoted text begins that ends a line; a quote inside it has a backslash before it.
fn opening(line: &str) -> Option<usize> {
    let (inside, _) = line.rsplit_once('"')?;
    let escaped = |at: usize| {
        let before = inside.get(..at).unwrap_or_default();
        (before.len() - before.trim_end_matches('\\').len()) % 2 == 1
    };
    inside.rmatch_indices('"').map(|(at, _)| at).find(|at| !escaped(*at))
}

/// Begins what is said of such a name.
const TWICE: &str = "twice: ";

/// What is said where a member was looked for.
const FOUND: &str = "found";

/// An object up to the member of this name.
struct Named<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Named<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            if name == self.0 {
                return Err(Error::custom(FOUND));
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// JSON in whose objects each name stands once.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                return Err(Error::custom(format!("{TWICE}{name}")));
            }
            names.insert(name);
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Plain(member))) = members.next_entry::<String, Plain>()? {
            object.insert(name, member);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_read_as_the_nearest_number() {
        // With the reader's quick way the first is one too small in its last digit.
        for text in ["123456789012345680000", "0.30000000000000004", "1.7976931348623157e308", "5e-324"] {
            assert_eq!(parse(text).unwrap().as_f64(), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn a_text_means_what_is_written_whatever_its_members_are_called() {
        for name in ["$serde_json::private::RawValue", "\\u0024serde_json::private::RawValue"] {
            let read = parse(&format!(r#"{{"{name}": "[1, 2]"}}"#)).unwrap();
            let members = read.as_object().unwrap();
            assert_eq!(members["$serde_json::private::RawValue"], "[1, 2]");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_told_with_its_place_in_characters() {
        for (text, name, place) in [
            (r#"{"a": 1, "a": 2}"#, "a", (1, 10)),
            ("{\"é\": 1,\n  \"ä\": {\"öö\": 1, \"öö\": 2}}", "öö", (2, 18)),
            (r#"{"a\"b\\": 1, "a\"b\\" : 2}"#, "a\"b\\", (1, 15)),
        ] {
            let (line, column) = place;
            assert_eq!(twice(text), Some((name.to_owned(), line, column)), "{text}");
        }
        assert_eq!(member("{\"é\": {\"a\": \"a\"}, \"a\": 1}", "a"), Some((1, 19)));
        assert_eq!(member("[1]", "a"), None);
        assert_eq!(twice(r#"{"a": {"a": 1}, "b": {"a": 1}}"#), None);
    }

    #[test]
    fn everything_else_is_read_as_ever() {
        let text =
            r#"{"b": [null, true, -1, 18446744073709551615, 1.5, 1e300, "\u00e9\n"], "a": {}, "b": [[]]}"#;
        assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        let list = "[null, true, -1, 18446744073709551616, -0, 1.5e3, \"\\u00e9\\n\"]";
        assert_eq!(parse(list).unwrap(), serde_json::from_str::<Value>(list).unwrap());
        for wrong in ["", "[1,]", "1 2", "{\"a\"}", "1e999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
