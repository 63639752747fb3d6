//! The JSON schemas of the input document and of the decision, made from the tables of their members.

use serde_json::{Map, Value, json};

use crate::decision::DECISION;
use crate::input::INPUT;
use crate::kind::{Kind, Member};

/// The schema (JSON Schema 2020-12) that is published for policy authors and their editors. Members are only ever
/// added, so unknown ones are allowed.
#[must_use]
pub fn input_schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "Input of a Postern policy".into());
    schema.extend(of(INPUT));
    schema.into()
}

/// The schema of what the entrypoint gives: `true`, `false` or an object that has no other members than these.
#[must_use]
pub fn decision_schema() -> Value {
    let mut object = of(DECISION);
    object.insert("required".to_owned(), json!(["allow"]));
    close(&mut object);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Decision of a Postern policy",
        "anyOf": [{"type": "boolean"}, object],
    })
}

/// Lets no other members in than those that are named, here and below.
fn close(schema: &mut Map<String, Value>) {
    let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    members.values_mut().filter_map(Value::as_object_mut).for_each(close);
    schema.insert("additionalProperties".to_owned(), false.into());
}

fn of(kind: Kind) -> Map<String, Value> {
    let schema = match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Word(words) => json!({"type": "string", "enum": words}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::List(Kind::Any) => json!({"type": "array"}),
        Kind::List(items) => json!({"type": "array", "items": of(*items)}),
        Kind::Map(Kind::Any) => json!({"type": "object"}),
        Kind::Map(values) => json!({"type": "object", "additionalProperties": of(*values)}),
        Kind::Headers => json!({
            "type": "object",
            "propertyNames": {"pattern": "^[^A-Z]*$"},
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        }),
        Kind::Object(_) | Kind::Leaves(_) => {
            let members = kind.members().unwrap_or_default();
            let properties: Map<_, _> =
                members.iter().map(|one| (one.name.to_owned(), member(one))).collect();
            json!({"type": "object", "properties": properties})
        }
        Kind::OrNull(kind) => return or_null(of(*kind)),
        Kind::Any => json!({}),
    };
    schema.as_object().cloned().unwrap_or_default()
}

fn member(member: &Member) -> Value {
    let mut schema = of(member.kind);
    if !member.summary.is_empty() {
        schema.insert("description".to_owned(), member.summary.trim().into());
    }
    schema.into()
}

fn or_null(mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Some(own) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([own, "null"]));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::LeafId;

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
