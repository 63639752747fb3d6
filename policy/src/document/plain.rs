//! JSON as it is written. `serde_json` by itself takes an object with a certain member for the JSON in that member's
//! text, which nobody else does, and whose values nobody has counted.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The value of a text; of members that are named twice, the last counts.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Plain>(text).map(|plain| plain.0)
}

/// The first name that stands twice in one object, with the line and the column behind it; none in what is no JSON.
pub(crate) fn twice(text: &str) -> Option<(String, u32, u32)> {
    let error = serde_json::from_str::<Once>(text).err()?;
    let said = error.to_string();
    let name = said.strip_prefix(TWICE)?.rsplit_once(" at line ")?.0.to_owned();
    Some((name, u32::try_from(error.line()).ok()?, u32::try_from(error.column()).ok()?))
}

/// Begins what is said of such a name.
const TWICE: &str = "twice: ";

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
