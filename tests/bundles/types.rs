use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use postern_policy::{PolicySet, Sources, builtins_page, capabilities, input_schema, signatures};
use postern_tests::parts::{present, program};
use serde_json::Value;

use super::{folder, opa};

/// Calls whose arguments are of the kind that is taken and calls whose arguments are not, one on each line.
const CALLS: &str = include_str!("types.txt");

const ANNOTATION: &str = "# METADATA\n# scope: package\n# schemas:\n#   - input: schema.input\n";
const RULES: &str = "some_text := \"a\"\nsome_number := 1\ntwo_kinds := 1 if input.now > 3\nelse := \"a\"\nhelper(x) := x\n\
                     default decision := false\n";

/// The files in which `opa check` finds a wrong type; it finds nothing else.
fn wrong_for_opa(files: &[(&str, &str)]) -> BTreeSet<String> {
    let schema = input_schema().to_string();
    let files = [files, &[("schemas/input.json", schema.as_str())]].concat();
    let folder = folder(&files);
    let mut opa = Command::new(program("opa"));
    let check = ["check", "--max-errors", "0", "--format", "json", "--schema", "schemas", "."];
    let told = opa.current_dir(folder.path()).args(check).output().expect("opa runs");
    let said: Value = serde_json::from_slice(&[told.stdout, told.stderr].concat()).expect("opa prints JSON");
    let file = |error: &Value| {
        assert_eq!(error["code"], "rego_type_error", "{error}");
        error["location"]["file"].as_str().expect("a file").to_owned()
    };
    said["errors"].as_array().expect("a list of errors").iter().map(file).collect()
}

#[test]
fn an_argument_is_of_a_wrong_kind_for_us_where_it_is_for_opa() {
    if !present("an_argument_is_of_a_wrong_kind_for_us_where_it_is_for_opa", &["opa"]) {
        return;
    }
    let named = |(number, call): (usize, &str)| {
        let text = format!("{ANNOTATION}package calls.c{number}\n\nx := {call}\n\n{RULES}");
        (format!("c{number}.rego"), text, format!("data.calls.c{number}.decision"))
    };
    let calls: Vec<_> = CALLS.lines().enumerate().map(named).collect();
    let files: Vec<(&str, &str)> =
        calls.iter().map(|(name, text, _)| (name.as_str(), text.as_str())).collect();
    let theirs = wrong_for_opa(&files);
    assert!(theirs.len() > 40 && theirs.len() + 40 < calls.len(), "{} of {}", theirs.len(), calls.len());

    let mut otherwise = Vec::new();
    for ((name, text, entrypoint), call) in calls.iter().zip(CALLS.lines()) {
        let sources = Sources::from_modules([(name.as_str(), text.as_str())], []);
        let ours = PolicySet::compile(&sources, entrypoint, Duration::from_secs(1)).err();
        let wrong = ours.as_ref().is_some_and(|error| {
            error.problems.iter().all(|problem| problem.line == 7 && problem.why.contains("in this place"))
        });
        if wrong != theirs.contains(name) || wrong != ours.is_some() {
            otherwise.push(format!("{call}\n{ours:?}"));
        }
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n---\n"));
}

/// `null|string|array` of a type as OPA's capabilities have it.
fn kinds(of: &Value) -> BTreeSet<String> {
    match (of["type"].as_str().expect("a type"), of["of"].as_array()) {
        ("any", Some(several)) => several.iter().flat_map(kinds).collect(),
        (one, _) => BTreeSet::from([one.to_owned()]),
    }
}

fn written(kinds: &BTreeSet<String>) -> String {
    let order = ["any", "null", "boolean", "number", "string", "array", "object", "set"];
    order.into_iter().filter(|kind| kinds.contains(*kind)).collect::<Vec<_>>().join("|")
}

#[test]
fn the_signatures_of_the_builtins_are_those_that_opa_tells() {
    if !present("the_signatures_of_the_builtins_are_those_that_opa_tells", &["opa"]) {
        return;
    }
    let folder = folder(&[]);
    let told: Value =
        serde_json::from_str(&opa(folder.path(), &["capabilities", "--current"])).expect("JSON");
    let signature = |builtin: &Value| {
        let empty = Vec::new();
        let takes = builtin["decl"]["args"].as_array().unwrap_or(&empty);
        let takes: Vec<String> = takes.iter().map(|of| written(&kinds(of))).collect();
        let gives = builtin["decl"].get("result").map(|of| written(&kinds(of))).unwrap_or_default();
        format!("{}({}) {gives}", builtin["name"].as_str().expect("a name"), takes.join(", "))
    };
    let theirs: BTreeSet<String> =
        told["builtins"].as_array().expect("a list").iter().map(signature).collect();
    let page = builtins_page();
    let own = |ours: &str| {
        let (name, _) = ours.split_once('(').expect("a call");
        name == "internal.metadata" || page.contains(&format!("### `{name}("))
    };
    let ours = signatures();
    let other: Vec<_> = ours.iter().filter(|ours| !theirs.contains(*ours) && !own(ours)).collect();
    assert!(ours.len() > 140 && other.is_empty(), "{other:?}");
}

#[test]
fn opa_refuses_by_the_capabilities_what_is_refused_here_and_takes_the_examples() {
    if !present("opa_refuses_by_the_capabilities_what_is_refused_here_and_takes_the_examples", &["opa"]) {
        return;
    }
    let capabilities = capabilities().to_string();
    let ours = "package a\n\nx if path.matches(\"/a\", input.path)\n\ny if {\n\twalk([1], [_, 1])\n\tprint(1)\n\tevery v in [1] { v + 1 > 1 }\n}\n";
    let folder = folder(&[
        ("capabilities.json", capabilities.as_str()),
        ("sends.rego", "package a\n\nx := http.send({})\n"),
        ("future.rego", "package a\n\nimport rego.v2\n\nx := 1\n"),
        ("ours.rego", ours),
    ]);
    let check = |words: &[&str]| {
        let all = ["check", "--capabilities", "capabilities.json"].iter().chain(words);
        let told = Command::new(program("opa")).current_dir(folder.path()).args(all).output();
        let told = told.expect("opa runs");
        (told.status.success(), String::from_utf8_lossy(&told.stderr).into_owned())
    };
    let (passes, said) = check(&["sends.rego"]);
    assert!(!passes && said.contains("undefined function http.send"), "{said}");
    assert!(!check(&["future.rego"]).0);
    assert_eq!(check(&["ours.rego"]), (true, String::new()));
    let library = super::library::ours("rego").display().to_string();
    assert_eq!(check(&["-b", &library]), (true, String::new()));
    for name in ["intranet", "batch"] {
        let example = super::library::ours("examples").join(name).display().to_string();
        assert_eq!(check(&["-b", &library, &example]), (true, String::new()), "{name}");
    }
}
