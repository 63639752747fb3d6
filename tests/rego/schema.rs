//! `json.match_schema` and `json.verify_schema`: what is judged at all is judged as OPA judges it, error by error.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{opa, ours};

/// Members of a schema; `S` is another schema.
const WORDS: [&str; 65] = [
    r#""type": "object""#,
    r#""type": "integer""#,
    r#""type": "number""#,
    r#""type": "array""#,
    r#""type": ["string", "null"]"#,
    r#""type": []"#,
    r#""properties": {"a": S, "b": S}"#,
    r#""properties": {"id": S, "enum": S}"#,
    r#""properties": {"a": true, "b": false}"#,
    r#""additionalProperties": false"#,
    r#""additionalProperties": S"#,
    r#""patternProperties": {"^[ab]$": S, "c": S}"#,
    r#""patternProperties": {"a": {"type": "integer"}}, "additionalProperties": false"#,
    r#""propertyNames": {"maxLength": 1}"#,
    r#""propertyNames": {"enum": ["a"]}"#,
    r#""required": ["a"]"#,
    r#""required": ["b", "c"]"#,
    r#""minProperties": 2"#,
    r#""maxProperties": 1"#,
    r#""dependencies": {"a": ["b", "c"]}"#,
    r#""dependencies": {"a": S, "b": ["a"]}"#,
    r#""items": S"#,
    r#""items": [S, S]"#,
    r#""items": [S], "additionalItems": false"#,
    r#""items": [S], "additionalItems": S"#,
    r#""items": [], "additionalItems": false"#,
    r#""items": {"type": "integer"}, "additionalItems": false"#,
    r#""items": false"#,
    r#""minItems": 2"#,
    r#""maxItems": 1"#,
    r#""minItems": 3, "maxItems": 1"#,
    r#""uniqueItems": true"#,
    r#""contains": S"#,
    r#""contains": {"const": 1}"#,
    r#""minLength": 2"#,
    r#""maxLength": 3"#,
    r#""pattern": "^[a-z]+$""#,
    r#""format": "ipv4""#,
    r#""format": "ipv6""#,
    r#""format": "uuid""#,
    r#""format": "date""#,
    r#""format": "hostname""#,
    r#""format": "unheard of""#,
    r#""minimum": 2"#,
    r#""maximum": 1.5"#,
    r#""minimum": 1, "exclusiveMinimum": true"#,
    r#""maximum": 5, "exclusiveMaximum": true"#,
    r#""maximum": 5, "exclusiveMaximum": false"#,
    r#""exclusiveMinimum": 1"#,
    r#""exclusiveMaximum": 5"#,
    r#""minimum": 1234567, "maximum": 0.00001"#,
    r#""multipleOf": 2"#,
    r#""multipleOf": 0.1"#,
    r#""const": {"b": 1, "a": [1.0]}"#,
    r#""const": "a""#,
    r#""enum": [1, "a", null, {"a": 1}]"#,
    r#""enum": []"#,
    r#""oneOf": [S, S]"#,
    r#""anyOf": [S, S, S]"#,
    r#""anyOf": []"#,
    r#""allOf": [S, S]"#,
    r#""not": S"#,
    r#""if": S, "then": S, "else": S"#,
    r#""if": {"type": "integer"}, "then": {"minimum": 3}"#,
    r##""$ref": "#/definitions/x""##,
];
/// What no schema has in it, or none of some drafts.
const BROKEN: [&str; 21] = [
    r#""type": ["string", "string"]"#,
    r#""type": "text""#,
    r#""type": 5"#,
    r#""properties": []"#,
    r#""additionalProperties": 1"#,
    r#""required": ["a", "a"]"#,
    r#""required": "a""#,
    r#""minProperties": 2, "maxProperties": 1"#,
    r#""dependencies": {"a": [1]}"#,
    r#""items": 1"#,
    r#""uniqueItems": 1"#,
    r#""maxLength": -1"#,
    r#""minLength": 1.5"#,
    r#""format": "email""#,
    r#""minimum": "a""#,
    r#""exclusiveMinimum": true"#,
    r#""multipleOf": 0"#,
    r#""enum": [1, 1.0]"#,
    r#""allOf": S"#,
    r##""$ref": "#/definitions/nobody""##,
    r#""title": 5"#,
];
const DOCUMENTS: [&str; 24] = [
    "{}",
    r#"{"a": 1}"#,
    r#"{"a": 1, "b": "x", "c": null}"#,
    r#"{"a": {"a": {"b": 2}}, "b": [1, 2]}"#,
    r#"{"id": "a", "enum": 5, "cc": [1]}"#,
    r#"{"b": 1.0, "a": [1]}"#,
    "[]",
    "[1]",
    "[1, 1.0, 2]",
    r#"["a", "bb", "ccc", "dddd"]"#,
    r#"[{"a": 1}, {"a": 1.5}, [1], null, true]"#,
    "1",
    "2",
    "5",
    "0.3",
    "1.5",
    "-7",
    "12345678",
    "null",
    "true",
    r#""a""#,
    r#""é\u0001""#,
    r#""127.0.0.1""#,
    r#""2024-02-29""#,
];

#[test]
fn what_is_judged_at_all_is_judged_as_opa_judges_it() {
    // A generator of its own, so that every run asks the same.
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut schemas: Vec<String> = WORDS.iter().chain(&BROKEN).map(|word| format!("{{{word}}}")).collect();
    schemas.extend((0..300).map(|_| {
        let words: Vec<&str> = (0..=next(3)).map(|_| WORDS[next(WORDS.len())]).collect();
        format!("{{{}}}", words.join(", "))
    }));
    let schemas: Vec<String> = schemas
        .into_iter()
        .map(|mut schema| {
            let mut left = 6;
            while let Some(at) = schema.find('S') {
                let part =
                    if left == 0 { "{}".to_owned() } else { format!("{{{}}}", WORDS[next(WORDS.len())]) };
                left -= usize::from(left > 0);
                schema.replace_range(at..=at, &part);
            }
            let draft = ["", "", "", "4", "6", "7"][next(6)];
            let draft = if draft.is_empty() {
                String::new()
            } else {
                format!(r#""$schema": "http://json-schema.org/draft-0{draft}/schema#", "#)
            };
            format!(r#"{draft}"definitions": {{"x": {{"type": "integer"}}}}, {}"#, &schema[1..])
        })
        .map(|members| format!("{{{members}"))
        .collect();
    let mut calls: Vec<String> =
        schemas.iter().map(|schema| format!("json.verify_schema(`{schema}`)")).collect();
    for (at, schema) in schemas.iter().enumerate() {
        for document in (0..6).map(|turn| DOCUMENTS[(at + 4 * turn) % DOCUMENTS.len()]) {
            calls.push(format!("json.match_schema(`{document}`, `{schema}`)"));
        }
    }
    let (judged, different) = compared(&calls);
    assert!(
        different.is_empty(),
        "{} differ: {}",
        different.len(),
        different[..different.len().min(5)].join("\n\n")
    );
    assert!(judged > 1_800, "{judged} of {}", calls.len());
}

#[test]
fn values_are_taken_as_their_json() {
    let calls = [
        r#"json.match_schema({"a": {1, 2}, 5: "x"}, {"properties": {"a": {"maxItems": 1}, "5": {"type": "integer"}}})"#,
        r##"json.match_schema({"a": 3}, {"$id": "https://example.com/a", "properties": {"a": {"$ref": "#/definitions/b~1c"}}, "definitions": {"b/c": {"maximum": 2}}})"##,
        r#"json.match_schema("1", "true")"#,
        r#"json.match_schema("1", "false")"#,
        r#"json.verify_schema("1")"#,
        r#"json.verify_schema("{")"#,
        r#"json.match_schema("{\"a\": 1}", {"additionalProperties": {"type": "string"}})"#,
        r##"json.match_schema({"a": {"a": {"b": 1}}}, {"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}})"##,
    ];
    let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
    let (judged, different) = compared(&calls);
    assert_eq!((judged, different), (calls.len(), Vec::new()));
}

/// How many are answered here, and those that OPA answers otherwise. An error denies, and is no other answer.
fn compared(calls: &[String]) -> (usize, Vec<String>) {
    let mut module = "package a\n".to_owned();
    for (at, call) in calls.iter().enumerate() {
        let _written = writeln!(module, "x{at} := {call}");
    }
    let theirs = opa(&module, "data.a").expect("a value");
    let (mut judged, mut different) = (0, Vec::new());
    for (at, call) in calls.iter().enumerate() {
        if let Ok(Some(ours)) = ours(&format!("package a\nx := {call}\n"), "data.a.x") {
            judged += 1;
            let theirs = theirs.get(format!("x{at}")).unwrap_or(&Value::Null);
            if in_order(&ours, call) != in_order(theirs, call) {
                different.push(format!("{call}\nours   {ours}\ntheirs {theirs}"));
            }
        }
    }
    (judged, different)
}

/// OPA goes through members in any order, and words what is wrong with a schema at more length.
fn in_order(answer: &Value, call: &str) -> (Value, Vec<String>) {
    let verdict = answer.get(0).cloned().unwrap_or_default();
    let mut errors: Vec<String> =
        answer.get(1).and_then(Value::as_array).into_iter().flatten().map(ToString::to_string).collect();
    errors.sort();
    if call.starts_with("json.verify") {
        errors.clear();
    }
    (verdict, errors)
}
