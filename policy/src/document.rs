//! The input document as the engine wants it, built without a detour over JSON text.
//!
//! The proxy describes a request with these constructors; the engine's own value type stays in this crate. Text
//! and keys are shared by reference count, so a part that does not change (a caller, a route's name) is built
//! once and cloned into every document.

pub(crate) mod exact;
pub(crate) mod plain;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regorus::Value;
use regorus::value::{Array, Object};

/// Deepest nesting of a document: what JSON from outside may have, and what a whole input may have.
pub const MAX_DEPTH: u8 = 64;

/// Largest number of values (scalars, lists, objects) in JSON from outside.
pub const MAX_VALUES: usize = 100_000;
/// Most values in one file of a policy's data.
pub(crate) const MAX_DATA_VALUES: usize = 2_000_000;

/// Constant text, made into the engine's form once per process; [`word!`](crate::word) makes one where it is used.
#[derive(Debug)]
pub struct Word {
    text: &'static str,
    value: OnceLock<Value>,
}

impl Word {
    /// Names the text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, value: OnceLock::new() }
    }

    /// The text as a value.
    #[must_use]
    pub fn document(&self) -> Document {
        Document { value: self.value.get_or_init(|| Value::from(self.text)).clone(), depth: 0 }
    }
}

/// The member names of an object, made into the engine's form once per process; [`object!`](crate::object) makes one
/// where it is used.
#[derive(Debug)]
pub struct Shape<const N: usize> {
    names: [&'static str; N],
    values: OnceLock<[Value; N]>,
}

impl<const N: usize> Shape<N> {
    /// Names the members; no name may come twice. Cheapest in the order of the alphabet, which the engine keeps.
    #[must_use]
    pub const fn new(names: [&'static str; N]) -> Self {
        Self { names, values: OnceLock::new() }
    }

    /// The object with these values, in the order of the names.
    #[must_use]
    pub fn object(&self, values: [Document; N]) -> Document {
        let names = self.values.get_or_init(|| self.names.map(Value::from));
        let depth = values.iter().map(Document::depth).max().unwrap_or_default();
        let mut values = values.into_iter();
        let members = names
            .each_ref()
            .map(|name| (name.clone(), values.next().map_or(Value::Null, Document::into_value)));
        Document::members(BTreeMap::from(members), depth)
    }
}

/// Constant text as a [`Document`], at the price of a reference count: `word!("none")`.
#[macro_export]
macro_rules! word {
    ($text:literal) => {{
        static WORD: $crate::Word = $crate::Word::new($text);
        WORD.document()
    }};
}

/// An object whose member names are constants: `object! { "id" => id, "kind" => word!("workload") }`.
#[macro_export]
macro_rules! object {
    ($($name:literal => $value:expr),+ $(,)?) => {{
        static SHAPE: $crate::Shape<{ [$($name),+].len() }> = $crate::Shape::new([$($name),+]);
        SHAPE.object([$($value),+])
    }};
}

/// A JSON-like value in the engine's form, with the depth of its nesting. Cloning costs a reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    value: Value,
    depth: u8,
}

/// Why JSON from outside does not become a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Malformed(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// More values than are let in.
    #[error("too many values")]
    TooMany,
    /// A number that would be kept as another.
    #[error("a number of more digits than are kept: write it as text")]
    Inexact,
}

impl Document {
    /// JSON null.
    #[must_use]
    pub const fn null() -> Self {
        Self { value: Value::Null, depth: 0 }
    }

    /// True or false.
    #[must_use]
    pub const fn bool(value: bool) -> Self {
        Self { value: Value::Bool(value), depth: 0 }
    }

    /// Text.
    #[must_use]
    pub fn text(value: &str) -> Self {
        Self { value: Value::from(value), depth: 0 }
    }

    /// Text that is shared already: costs a reference count.
    #[must_use]
    pub fn shared(value: &Arc<str>) -> Self {
        Self { value: Value::String(Arc::clone(value)), depth: 0 }
    }

    /// A whole number that is not negative; times are whole seconds.
    #[must_use]
    pub fn number(value: u64) -> Self {
        Self { value: Value::from(value), depth: 0 }
    }

    /// A list.
    #[must_use]
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        let mut depth = 0;
        let items: Array = items
            .into_iter()
            .map(|item| {
                depth = depth.max(item.depth);
                item.value
            })
            .collect();
        Self { value: items.into_value(), depth: depth.saturating_add(1) }
    }

    /// A list of texts.
    #[must_use]
    pub fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Self {
        Self::list(items.into_iter().map(Self::text))
    }

    /// An object whose member names come from the request: headers, query, labels. A name that comes twice keeps
    /// its last value, so collect lists first.
    #[must_use]
    pub fn map<'a>(members: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::keyed(members.into_iter().map(|(name, item)| (Value::from(name), item)))
    }

    /// The same with names that are shared already, as those of the configuration are.
    #[must_use]
    pub fn named<'a>(members: impl IntoIterator<Item = (&'a Arc<str>, Self)>) -> Self {
        Self::keyed(members.into_iter().map(|(name, item)| (Value::String(Arc::clone(name)), item)))
    }

    fn keyed(members: impl Iterator<Item = (Value, Self)>) -> Self {
        let mut depth = 0;
        let note = |(name, item): (Value, Self)| {
            depth = depth.max(item.depth);
            (name, item.value)
        };
        let members: BTreeMap<Value, Value> = members.map(note).collect();
        Self::members(members, depth)
    }

    /// JSON from outside: a request body, a recorded document. Bounded in depth and number of values.
    pub fn json(text: &str) -> Result<Self, DocumentError> {
        Self::bounded_json(text, MAX_VALUES)
    }

    /// The same with another limit: a policy's own data may be larger than what a request brings.
    pub(crate) fn bounded_json(text: &str, most: usize) -> Result<Self, DocumentError> {
        // Both are known before a parser recurses into it and takes room for each value.
        within(text, most)?;
        if !exact::keeps_numbers(text.as_bytes()) {
            return Err(DocumentError::Inexact);
        }
        let value = plain::parse(text).map_err(|error| DocumentError::Malformed(error.to_string()))?;
        build(&value, 0, &mut { most })
    }

    /// The same, from JSON that is already parsed.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, DocumentError> {
        build(value, 0, &mut { MAX_VALUES })
    }

    /// The same object with this member in place of the one that it has; what is no object stays as it is.
    #[must_use]
    pub fn with(mut self, name: &str, member: Self) -> Self {
        if let Ok(members) = self.value.as_object_mut() {
            members.insert(Value::from(name), member.value);
            self.depth = self.depth.max(member.depth.saturating_add(1));
        }
        self
    }

    /// How deep lists and objects stand in one another; a scalar has depth 0.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    pub(crate) const fn value(&self) -> &Value {
        &self.value
    }

    pub(crate) fn into_value(self) -> Value {
        self.value
    }

    fn members(members: BTreeMap<Value, Value>, depth: u8) -> Self {
        // Not `into_value`, which would copy them into the form that is compact to keep.
        Self { value: Value::Object(Arc::new(Object::from(members))), depth: depth.saturating_add(1) }
    }
}

fn build(value: &serde_json::Value, depth: u8, left: &mut usize) -> Result<Document, DocumentError> {
    *left = left.checked_sub(1).ok_or(DocumentError::TooMany)?;
    if depth > MAX_DEPTH {
        return Err(DocumentError::TooDeep);
    }
    Ok(match value {
        serde_json::Value::Null => Document::null(),
        serde_json::Value::Bool(value) => Document::bool(*value),
        serde_json::Value::String(text) => Document::text(text),
        serde_json::Value::Number(number) => Document { value: number_value(number), depth: 0 },
        serde_json::Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|item| build(item, depth + 1, left)).collect();
            Document::list(items?)
        }
        serde_json::Value::Object(members) => {
            let members: Result<Vec<_>, _> = members
                .iter()
                .map(|(name, item)| Ok((name.as_str(), build(item, depth + 1, left)?)))
                .collect();
            Document::map(members?)
        }
    })
}

fn number_value(number: &serde_json::Number) -> Value {
    if let Some(whole) = number.as_u64() {
        return Value::from(whole);
    }
    if let Some(whole) = number.as_i64() {
        return Value::from(whole);
    }
    number.as_f64().map_or(Value::Null, exact::of_double)
}

/// Whether JSON text is nested no deeper than [`MAX_DEPTH`] and holds at most so many values. Whether it is JSON at all,
/// a parser says.
pub(crate) fn within(text: &str, most: usize) -> Result<(), DocumentError> {
    let (depth, values) = size(text.as_bytes());
    if depth > usize::from(MAX_DEPTH) {
        return Err(DocumentError::TooDeep);
    }
    if values > most { Err(DocumentError::TooMany) } else { Ok(()) }
}

/// How deep the brackets of JSON text nest, and how many values it holds.
fn size(text: &[u8]) -> (usize, usize) {
    let (mut depth, mut deepest, mut values) = (0_usize, 0, 1_usize);
    let (mut quoted, mut escaped, mut opened) = (false, false, false);
    for byte in text {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => quoted = false,
            (true, _) | (false, b' ' | b'\t' | b'\n' | b'\r') => continue,
            (false, b'"') => quoted = true,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
                values += 1;
            }
            (false, b']' | b'}') => {
                depth = depth.saturating_sub(1);
                // An empty one holds none.
                values -= usize::from(opened);
            }
            (false, b',') => values += 1,
            _ => {}
        }
        opened = !quoted && matches!(byte, b'[' | b'{');
    }
    (deepest, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_document_equals_the_same_json() {
        let built = object! {
            "now" => Document::number(12),
            "caller" => object! { "id" => Document::shared(&"spiffe://a/b".into()), "kind" => word!("workload") },
            "headers" => Document::map([("b", Document::list([])), ("a", Document::null())]),
        };

        let parsed = Document::json(r#"{"headers": {"a": null, "b": []}, "now": 12, "caller": {"kind": "workload", "id": "spiffe://a/b"}}"#).unwrap();

        assert_eq!(built, parsed);
        assert_eq!(built.depth(), 3);
    }

    #[test]
    fn json_nested_too_deep_is_refused_before_it_is_parsed() {
        let deep = "[".repeat(1_000_000);

        assert_eq!(Document::json(&deep).unwrap_err(), DocumentError::TooDeep);
    }

    #[test]
    fn brackets_inside_json_strings_are_text() {
        let text = format!(r#"["\"{}"]"#, "[".repeat(500));

        assert_eq!(Document::json(&text).unwrap().depth(), 1);
    }

    #[test]
    fn values_are_counted_before_a_parser_takes_room_for_them() {
        for (text, values) in [
            ("1", 1),
            (" [ ] ", 1),
            ("[[], {}, [ ]]", 4),
            (r#"{"a,b": [1, 2], "c": {"d": "[,{"}}"#, 6),
            (r#"["\\", "\",[", null]"#, 4),
        ] {
            let limit = |most| within(text, most);
            let parsed: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!((limit(values), limit(values - 1)), (Ok(()), Err(DocumentError::TooMany)), "{text}");
            assert!(build(&parsed, 0, &mut { values }).is_ok(), "{text}");
            assert_eq!(build(&parsed, 0, &mut { values - 1 }), Err(DocumentError::TooMany), "{text}");
        }
        // Cut short: a parser would say that first.
        let cut = format!("[{}", "0,".repeat(MAX_VALUES));
        assert_eq!(Document::json(&cut), Err(DocumentError::TooMany));
    }

    #[test]
    fn json_with_too_many_values_is_refused() {
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));

        assert_eq!(Document::json(&many).unwrap_err(), DocumentError::TooMany);
    }
}
