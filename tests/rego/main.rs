//! What a policy asks of a builtin is answered as the real `opa` answers it.

mod aws;
mod bound;
mod certificates;
mod formats;
mod fractions;
mod gathered;
mod globs;
mod heads;
mod indexed;
mod inlaid;
mod loaded;
mod locals;
mod members;
mod metadata;
mod missing;
mod mocks;
mod negated;
mod patterns;
mod products;
mod quantities;
mod queries;
mod render;
mod rows;
mod schema;
mod times;
mod types;
mod unmeant;
mod uris;
mod written;

use std::fs;
use std::process::Command;
use std::time::Duration;

use postern_policy::{AskError, Question, Sources, ask};
use postern_tests::parts::program;
use postern_tests::process::told_by;
use serde_json::Value;

/// The value of a rule by `opa`; none where it is undefined.
fn opa(module: &str, rule: &str) -> Option<Value> {
    opa_of(&[("a.rego", module)], rule)
}

fn opa_of(modules: &[(&str, &str)], rule: &str) -> Option<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, module) in modules {
        fs::write(folder.path().join(name), module).expect("it can be written");
    }
    let words = ["eval", "--format", "json", "--data", ".", rule];
    let told =
        told_by(Command::new(program("opa")).current_dir(folder.path()).args(words)).expect("opa ends well");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    told.pointer("/result/0/expressions/0/value").map(sorted)
}

/// The same by the engine that decides; an error where Postern denies.
fn ours(module: &str, rule: &str) -> Result<Option<Value>, AskError> {
    ours_of(&[("a.rego", module)], rule)
}

fn ours_of(modules: &[(&str, &str)], rule: &str) -> Result<Option<Value>, AskError> {
    // As the real one reads them: what is called `data.json` is data.
    let (data, modules): (Vec<_>, Vec<_>) =
        modules.iter().copied().partition(|(name, _)| *name == "data.json");
    let data = data.into_iter().map(|(_, text)| ("", text));
    let sources = Sources::from_modules(modules, data);
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let question =
        Question { query: rule, input: None, now: Some(now), fuse: Duration::from_secs(10), lines: false };
    let answer = ask(&sources, question)?;
    let row = answer.rows.into_iter().next();
    Ok(row.and_then(|row| row.expressions.into_iter().next()).map(|expression| sorted(&expression.value)))
}

#[track_caller]
fn same(module: &str, rule: &str) -> Value {
    let (theirs, ours) = (opa(module, rule), ours(module, rule));
    let ours = ours.unwrap_or_else(|error| panic!("{rule}: {error}"));
    let theirs = theirs.unwrap_or_else(|| panic!("{rule} is undefined"));
    differ(&ours.unwrap_or(Value::Null), &theirs, rule);
    theirs
}

/// Names the first place where two values differ.
#[track_caller]
fn differ(ours: &Value, theirs: &Value, place: &str) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            one.iter().for_each(|(name, value)| differ(value, &other[name], &format!("{place}.{name}")));
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.for_each(|(at, (one, other))| differ(one, other, &format!("{place}[{at}]")));
        }
        _ => assert_eq!(ours, theirs, "{place}"),
    }
}

/// With the members of its objects in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let ordered: std::collections::BTreeMap<_, _> =
                members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        _ => value.clone(),
    }
}
