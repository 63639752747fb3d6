//! What was found, as a file in the form of OPA's own cases.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::compare::{Json, Ours, Theirs};
use crate::generate::Case;
use crate::run::Asked;

/// Writes a case with one input as `NAME.json` into `folder`.
pub fn keep(folder: &Path, name: &str, case: &Case, asked: &Asked) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let text =
        serde_json::to_string_pretty(&json!({"cases": [written(name, case, asked)]})).expect("it is JSON");
    fs::write(folder.join(format!("{name}.json")), text + "\n").expect("the case can be written");
}

fn written(name: &str, case: &Case, asked: &Asked) -> Value {
    let parsed = |json: &str| serde_json::from_str::<Value>(json).expect("it is JSON");
    let modules: Vec<String> = case.modules.iter().map(|module| module.tree.written()).collect();
    // Only tests may replace functions, and cases of that name are tests.
    let mocks = case.modules.iter().any(|module| module.name.ends_with("_test.rego"));
    let note = if mocks { format!("withkeyword/{name}") } else { name.to_owned() };
    let mut written = json!({
        "note": note,
        "query": format!("{} = x", asked.rule),
        "modules": modules,
        "data": {"d": parsed(&case.data.written())},
        "input": parsed(&case.inputs[asked.input].written()),
    });
    let json = |value: &Json| parsed(&value.to_string());
    match &asked.theirs {
        Theirs::Value(value) => written["want_result"] = json!([{"x": json(value)}]),
        Theirs::Undefined => written["want_result"] = json!([]),
        Theirs::Error { code, message, .. } | Theirs::Refused { code, message } => {
            written["want_error"] = json!(message);
            written["want_error_code"] = json!(code);
        }
    }
    written["was"] = match &asked.ours {
        Ours::Value(value) => json(value),
        Ours::Undefined => json!("undefined"),
        Ours::Error { detail, .. } | Ours::Refused { detail, .. } | Ours::Broken(detail) => json!(detail),
    };
    written
}
