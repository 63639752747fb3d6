//! The JSON schema of the input document, made from the table of its leaves.

use serde_json::{Map, Value, json};

use crate::input::{Kind, LeafId};

/// The schema (JSON Schema 2020-12) that is published for policy authors and their editors. Members are only ever
/// added, so unknown ones are allowed.
#[must_use]
pub fn input_schema() -> Value {
    let mut properties = Map::new();
    for leaf in LeafId::ALL {
        put(&mut properties, leaf.path(), leaf_schema(*leaf));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Input of a Postern policy",
        "type": "object",
        "properties": properties,
    })
}

/// Puts a leaf's schema below the members of its path.
fn put(properties: &mut Map<String, Value>, path: &str, schema: Value) {
    let Some((member, rest)) = path.split_once('.') else {
        properties.insert(path.to_owned(), schema);
        return;
    };
    let object = properties.entry(member).or_insert_with(|| json!({"type": "object", "properties": {}}));
    if let Some(below) = object.get_mut("properties").and_then(Value::as_object_mut) {
        put(below, rest, schema);
    }
}

fn leaf_schema(leaf: LeafId) -> Value {
    let mut schema = match leaf.kind() {
        Kind::Text => json!({"type": "string"}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Kind::List => json!({"type": "array"}),
        Kind::Lists => {
            json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}})
        }
        Kind::Object => json!({"type": "object"}),
        Kind::ObjectOrNull => json!({"type": ["object", "null"]}),
    };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), leaf.summary().trim().into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_is_in_the_schema_with_its_type_and_words() {
        let schema = input_schema();
        for leaf in LeafId::ALL {
            let pointer = format!("/properties/{}", leaf.path().replace('.', "/properties/"));
            let described = schema.pointer(&pointer).unwrap();
            assert!(
                described.get("type").is_some() && described["description"].as_str().unwrap().len() > 5,
                "{leaf}"
            );
        }
        assert_eq!(schema.pointer("/properties/caller/properties/id/type"), Some(&json!("string")));
        assert_eq!(schema.pointer("/properties/now/type"), Some(&json!("integer")));
    }
}
