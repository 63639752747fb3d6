//! Compares the file with the schema of [`super::draft`], so that every unknown key, missing key and wrong type is
//! found in one pass; serde stops at the first. It reads just the part of JSON Schema that those types produce.

use serde_json::Value;

use super::later;
use super::problem::{Problems, Wrong};
use super::tree::{At, Kind, Node};

/// Notes everything in `node` that does not fit the schema.
pub(super) fn compare(node: &Node, schema: &Value, problems: &mut Problems) {
    Comparison { definitions: schema.get("$defs").unwrap_or(&Value::Null), problems }.node(
        &At::default(),
        node,
        schema,
    );
}

struct Comparison<'a> {
    definitions: &'a Value,
    problems: &'a mut Problems,
}

impl<'a> Comparison<'a> {
    fn node(&mut self, at: &At, node: &Node, schema: &'a Value) {
        let schema = self.follow(schema);
        let alternatives = self.alternatives(schema);
        if let [only] = *alternatives {
            self.one(at, node, only);
        } else if let Some(fitting) = Self::choose(node, &alternatives) {
            self.one(at, node, fitting);
        } else {
            self.none_fits(at, node, &alternatives);
        }
    }

    /// What a `$ref` leads to.
    fn follow(&self, schema: &'a Value) -> &'a Value {
        let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return schema };
        name.rsplit('/').next().and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }

    /// The schemas of which one must fit, nested choices and references resolved.
    fn alternatives(&self, schema: &'a Value) -> Vec<&'a Value> {
        let choices = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
        match choices {
            None => vec![schema],
            Some(choices) => choices.iter().flat_map(|one| self.alternatives(self.follow(one))).collect(),
        }
    }

    /// The alternative that was meant: the word that is written, the section whose key is written, else by type.
    fn choose(node: &Node, alternatives: &[&'a Value]) -> Option<&'a Value> {
        let mut sections = alternatives.iter().copied().filter(|schema| has_type(schema, "object"));
        if let (Kind::Map(_), Some(only), None) = (&node.kind, sections.next(), sections.next()) {
            return Some(only);
        }
        alternatives.iter().copied().find(|schema| match &node.kind {
            Kind::Map(entries) => {
                let keys = properties(schema);
                entries.iter().any(|(key, _)| keys.iter().any(|(name, _)| *name == key.name))
            }
            Kind::Text(text) | Kind::Number(text) => {
                let words = words(schema);
                words.contains(&text.as_str()) || (words.is_empty() && has_type(schema, "string"))
            }
            Kind::Null => has_type(schema, "null"),
            Kind::Bool => has_type(schema, "boolean"),
            Kind::List(_) => has_type(schema, "array"),
        })
    }

    fn none_fits(&mut self, at: &At, node: &Node, alternatives: &[&'a Value]) {
        let mut allowed: Vec<String> = Vec::new();
        for schema in alternatives {
            allowed.extend(words(schema).iter().map(ToString::to_string));
            allowed.extend(properties(schema).iter().map(|(name, _)| format!("{{ {name}: … }}")));
        }
        match &node.kind {
            Kind::Text(word) | Kind::Number(word) => self.word(at, word, allowed),
            Kind::Map(entries) if !entries.is_empty() => {
                for (key, _) in entries {
                    self.key(at, &key.name, allowed.clone());
                }
            }
            _ => {
                let value = node.describe().to_owned();
                self.problems.value(at, Wrong::Value { value, allowed });
            }
        }
    }

    fn one(&mut self, at: &At, node: &Node, schema: &'a Value) {
        if matches!(node.kind, Kind::Null) && has_type(schema, "null") {
            return;
        }
        match &node.kind {
            Kind::Map(_) if has_type(schema, "object") => self.section(at, node, schema),
            Kind::List(items) if has_type(schema, "array") => {
                let each = schema.get("items").unwrap_or(&Value::Null);
                for (index, item) in items.iter().enumerate() {
                    self.node(&at.index(index), item, each);
                }
            }
            Kind::Text(word) | Kind::Number(word)
                if has_type(schema, "string") || !words(schema).is_empty() =>
            {
                let allowed = words(schema);
                if !allowed.is_empty() && !allowed.contains(&word.as_str()) {
                    self.word(at, word, allowed.iter().map(ToString::to_string).collect());
                }
            }
            Kind::Number(text) if has_type(schema, "integer") => self.number(at, text, schema),
            Kind::Bool if has_type(schema, "boolean") => {}
            _ => self.problems.value(at, Wrong::Type { wanted: wanted(schema), found: node.describe() }),
        }
    }

    fn section(&mut self, at: &At, node: &Node, schema: &'a Value) {
        let Kind::Map(entries) = &node.kind else { return };
        let known = properties(schema);
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        for (key, value) in entries {
            let found = known.iter().find(|(name, _)| *name == key.name).map(|(_, schema)| *schema);
            if let Some(schema) = found.or(others) {
                self.node(&at.key(&key.name), value, schema);
            } else {
                self.key(at, &key.name, known.iter().map(|(name, _)| (*name).to_owned()).collect());
            }
        }
        let required =
            schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for name in required.iter().filter_map(Value::as_str) {
            if !entries.iter().any(|(key, _)| key.name == name) {
                self.problems.key(at, Wrong::Missing(name.to_owned()));
            }
        }
    }

    fn number(&mut self, at: &At, text: &str, schema: &Value) {
        let bound = |name, without| schema.get(name).and_then(Value::as_i64).unwrap_or(without);
        let (least, most) = (bound("minimum", 0), bound("maximum", i64::from(u32::MAX)));
        match text.parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => {}
            Ok(_) => self.problems.value(at, Wrong::Number { value: text.to_owned(), least, most }),
            Err(_) => {
                self.problems.value(at, Wrong::Type { wanted: "a whole number", found: "another number" });
            }
        }
    }

    fn word(&mut self, at: &At, word: &str, allowed: Vec<String>) {
        let value = word.to_owned();
        let wrong = match later::instead(at, word) {
            Some(supported) => Wrong::NotYet { what: value, supported },
            None => Wrong::Value { value, allowed },
        };
        self.problems.value(at, wrong);
    }

    fn key(&mut self, at: &At, key: &str, allowed: Vec<String>) {
        let name = key.to_owned();
        let wrong = match later::instead(at, key) {
            Some(supported) => Wrong::NotYet { what: name, supported },
            None => Wrong::UnknownKey { key: name, allowed },
        };
        self.problems.key(&at.key(key), wrong);
    }
}

fn properties(schema: &Value) -> Vec<(&str, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect()
}

/// The words that may stand here, if only certain ones may.
fn words(schema: &Value) -> Vec<&str> {
    let one = schema.get("const").and_then(Value::as_str);
    let many = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many).collect()
}

fn has_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(many)) => many.iter().any(|one| one == name),
        _ => false,
    }
}

fn wanted(schema: &Value) -> &'static str {
    let names = [
        ("object", "a section"),
        ("array", "a list"),
        ("string", "a text"),
        ("integer", "a whole number"),
        ("boolean", "true or false"),
    ];
    names.iter().find(|(name, _)| has_type(schema, name)).map_or("something else", |(_, words)| *words)
}
