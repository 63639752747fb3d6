use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use postern_policy::{PolicySet, Sources};
use postern_tests::parts::{present, program};
use serde_json::Value;

use super::folder;

/// Rules that bind their variables and rules that do not, one shape to a block.
const SHAPES: &str = include_str!("unsafe_vars.txt");

/// The files in which `opa check` finds an unsafe variable; it finds nothing else.
fn unsafe_for_opa(files: &[(&str, &str)]) -> BTreeSet<String> {
    let folder = folder(files);
    let check = ["check", "--max-errors", "0", "--format", "json", "."];
    let mut found = BTreeSet::new();
    // Heads are looked at before bodies, and comprehensions only where all around them is well.
    loop {
        let mut opa = Command::new(program("opa"));
        let told = opa.current_dir(folder.path()).args(check).output().expect("opa runs");
        if told.status.success() {
            return found;
        }
        let said: Value =
            serde_json::from_slice(&[told.stdout, told.stderr].concat()).expect("opa prints JSON");
        for error in said["errors"].as_array().expect("a list of errors") {
            assert_eq!(error["code"], "rego_unsafe_var_error", "{error}");
            let file = error["location"]["file"].as_str().expect("a file");
            if found.insert(file.to_owned()) {
                fs::remove_file(folder.path().join(file)).expect("it can be taken away");
            }
        }
    }
}

#[test]
fn a_variable_is_unsafe_for_us_where_it_is_for_opa() {
    if !present("a_variable_is_unsafe_for_us_where_it_is_for_opa", &["opa"]) {
        return;
    }
    let named = |(number, shape): (usize, &str)| {
        let text = format!("package shapes.s{number}\n\n{shape}\n\ndefault decision := false\n");
        (format!("s{number}.rego"), text, format!("data.shapes.s{number}.decision"))
    };
    let shapes: Vec<_> = SHAPES.split("\n---\n").enumerate().map(named).collect();
    let files: Vec<(&str, &str)> =
        shapes.iter().map(|(name, text, _)| (name.as_str(), text.as_str())).collect();
    let theirs = unsafe_for_opa(&files);
    assert!(theirs.len() > 50 && theirs.len() + 50 < shapes.len(), "{} of {}", theirs.len(), shapes.len());

    let mut otherwise = Vec::new();
    for (name, text, entrypoint) in &shapes {
        let sources = Sources::from_modules([(name.as_str(), text.as_str())], []);
        let ours = PolicySet::compile(&sources, entrypoint, Duration::from_secs(1)).err();
        // For what OPA takes, the engine may still have its own reasons.
        let unsafe_ = ours.as_ref().is_some_and(|error| {
            error
                .problems
                .iter()
                .any(|problem| problem.line > 2 && problem.why.contains("OPA calls it unsafe"))
        });
        if unsafe_ != theirs.contains(name) {
            otherwise.push(format!("{text}{ours:?}"));
        }
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n---\n"));
}
