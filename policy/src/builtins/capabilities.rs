//! What a policy may call, in the form that OPA's own commands take.

use serde_json::{Value, json};

use super::TABLE;
use super::signatures::{ANY, BOOL, Kinds, LIST, NUMBER, OBJECT, SET, TEXT};

/// What OPA writes for operators, and how its authors write it.
const OPERATORS: &[(&str, &str, &[Kinds], Kinds)] = &[
    ("eq", "=", &[ANY, ANY], BOOL),
    ("assign", ":=", &[ANY, ANY], BOOL),
    ("equal", "==", &[ANY, ANY], BOOL),
    ("neq", "!=", &[ANY, ANY], BOOL),
    ("lt", "<", &[ANY, ANY], BOOL),
    ("lte", "<=", &[ANY, ANY], BOOL),
    ("gt", ">", &[ANY, ANY], BOOL),
    ("gte", ">=", &[ANY, ANY], BOOL),
    ("plus", "+", &[NUMBER, NUMBER], NUMBER),
    ("minus", "-", &[NUMBER.or(SET), NUMBER.or(SET)], NUMBER.or(SET)),
    ("mul", "*", &[NUMBER, NUMBER], NUMBER),
    ("div", "/", &[NUMBER, NUMBER], NUMBER),
    ("rem", "%", &[NUMBER, NUMBER], NUMBER),
    ("and", "&", &[SET, SET], SET),
    ("or", "|", &[SET, SET], SET),
    ("internal.member_2", "in", &[ANY, ANY], BOOL),
    ("internal.member_3", "in", &[ANY, ANY, ANY], BOOL),
];

/// The capabilities for `opa check --capabilities` and `opa build --capabilities`: what Postern refuses is missing.
#[must_use]
pub fn capabilities() -> Value {
    let operators = OPERATORS.iter().map(|(name, infix, takes, gives)| {
        let decl = decl(takes, *gives);
        json!({"name": name, "decl": decl, "infix": infix})
    });
    let called = TABLE.values().filter_map(|row| row.signature());
    let called = called.filter(|signature| !signature.name.starts_with("internal."));
    let named = called.map(|signature| {
        let decl = decl(signature.takes, signature.gives);
        json!({"name": signature.name, "decl": decl, "relation": signature.name == "walk"})
    });
    // What OPA writes for `print`, for templates, and for tests with computed members in their heads.
    let written = [
        json!({"name": "print", "decl": {"type": "function", "variadic": {"type": "any"}}}),
        json!({"name": "internal.print", "decl": {"type": "function", "args": [
            {"type": "array", "dynamic": {"type": "set", "of": {"type": "any"}}},
        ]}}),
        json!({"name": "internal.test_case", "decl": {"type": "function", "args": [
            {"type": "array", "dynamic": {"type": "any"}},
        ]}}),
        json!({"name": "internal.template_string", "decl": decl(&[LIST], TEXT)}),
    ];
    let mut builtins: Vec<Value> = operators.chain(named).chain(written).collect();
    builtins.sort_by_cached_key(|builtin| builtin.get("name").map(ToString::to_string));
    json!({
        "builtins": builtins,
        "features": ["keywords_in_refs", "rego_v1", "template_strings"],
        "future_keywords": [],
        "wasm_abi_versions": [],
        "allow_net": [],
    })
}

fn decl(takes: &[Kinds], gives: Kinds) -> Value {
    let takes: Vec<Value> = takes.iter().copied().map(of).collect();
    json!({"type": "function", "args": takes, "result": of(gives)})
}

/// A type as OPA writes it, with anything in it.
fn of(kinds: Kinds) -> Value {
    let any = || json!({"type": "any"});
    let one = |kind: Kinds| match kind {
        LIST => json!({"type": "array", "dynamic": any()}),
        OBJECT => json!({"type": "object", "dynamic": {"key": any(), "value": any()}}),
        SET => json!({"type": "set", "of": any()}),
        kind => json!({"type": kind.to_string()}),
    };
    if kinds == ANY {
        return any();
    }
    let all: Vec<Value> = kinds.each().map(one).collect();
    match all.as_slice() {
        [only] => only.clone(),
        _ => json!({"type": "any", "of": all}),
    }
}
