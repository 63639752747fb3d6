use clap::ValueEnum;
use serde_json::Value;

use super::policy::Format;
use super::{Outcome, pretty_json};
use crate::config::draft;

/// What there is a schema of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Of {
    /// The file that `run` is given
    Configuration,
    /// What policy sees as `input`
    Input,
    /// What policy answers
    Decision,
    /// What policy may call, for `opa check --capabilities`
    Capabilities,
}

pub(super) fn schema(of: Of, format: Format) -> Outcome {
    let (name, schema): (_, Value) = match of {
        Of::Configuration => ("", draft::schema().into()),
        Of::Input => ("input", postern_policy::input_schema()),
        Of::Decision => ("decision", postern_policy::decision_schema()),
        Of::Capabilities if format == Format::Pretty => {
            return Outcome::said(postern_policy::signatures().join("\n") + "\n");
        }
        Of::Capabilities => return Outcome::said(pretty_json(&postern_policy::capabilities())),
    };
    if format == Format::Pretty {
        let mut text = String::new();
        members(name, &schema, &schema, &mut text, 0);
        return Outcome::said(text);
    }
    Outcome::said(pretty_json(&schema))
}

/// Deepest member that is told: a schema may name itself.
const DEEPEST: usize = 12;

/// A line for each member: its path, its types, and what it says.
fn members(path: &str, schema: &Value, whole: &Value, text: &mut String, depth: usize) {
    let schema = referred(schema, whole);
    let shapes: Vec<&Value> = match schema.get("anyOf").and_then(Value::as_array) {
        Some(shapes) => shapes.iter().map(|shape| referred(shape, whole)).collect(),
        None => vec![schema],
    };
    if !path.is_empty() {
        let types: Vec<String> = shapes.iter().filter_map(|shape| types(shape)).collect();
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = format!("{path:<34} {:<24} {about}", types.join(" or "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if depth > DEEPEST {
        return;
    }
    let dot = if path.is_empty() { "" } else { "." };
    for shape in shapes {
        for (name, member) in shape.get("properties").and_then(Value::as_object).into_iter().flatten() {
            members(&format!("{path}{dot}{name}"), member, whole, text, depth + 1);
        }
        for (below, name) in [("additionalProperties", "NAME"), ("items", "[]")] {
            let inside = shape.get(below).filter(|inside| inside.is_object());
            // A list of plain values says so in its own line.
            if let Some(inside) =
                inside.filter(|inside| below == "additionalProperties" || !is_plain(inside, whole))
            {
                let path = if name == "[]" { format!("{path}[]") } else { format!("{path}{dot}{name}") };
                members(&path, inside, whole, text, depth + 1);
            }
        }
    }
}

/// What a `$ref` names, in the schema's own definitions.
fn referred<'a>(schema: &'a Value, whole: &'a Value) -> &'a Value {
    let place = schema.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| whole.pointer(place)).unwrap_or(schema)
}

fn is_plain(schema: &Value, whole: &Value) -> bool {
    let schema = referred(schema, whole);
    !["properties", "additionalProperties", "items", "anyOf"].iter().any(|below| schema.get(*below).is_some())
}

/// `string`, `array of string`, or the words that it may be.
fn types(schema: &Value) -> Option<String> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Some(words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "));
    }
    let of = match schema.get("type")? {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        one => one.as_str()?.to_owned(),
    };
    let items = schema.get("items").and_then(types).filter(|_| of == "array");
    Some(items.map_or_else(|| of.clone(), |items| format!("array of {items}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_a_line_for_people() {
        let input = schema(Of::Input, Format::Pretty).out;
        let line = |text: &str, path: &str| {
            let found = text.lines().find(|line| line.split_whitespace().next() == Some(path));
            found.unwrap_or_else(|| panic!("{path} is not in:\n{text}")).to_owned()
        };
        for (path, words) in [
            ("input.caller.id", "string"),
            ("input.request.segments", "array of string"),
            ("input.caller.jwt.audience", "The audience it was issued for."),
            ("input.request.headers.NAME", "array of string"),
            ("input.credentials.NAME.state", "\"none\" | \"live\""),
        ] {
            assert!(line(&input, path).contains(words), "{}", line(&input, path));
        }
        let decision = schema(Of::Decision, Format::Pretty).out;
        assert!(line(&decision, "decision").contains("boolean or object"), "{decision}");
        assert!(line(&decision, "decision.deny.status").contains("integer"), "{decision}");
        let configuration = schema(Of::Configuration, Format::Pretty).out;
        line(&configuration, "listeners.NAME.bind");
    }
}
