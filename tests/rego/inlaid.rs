//! Comprehensions in heads: OPA calls unsafe what is declared in a reference in an object or a set there, and answers those in
//! the brackets of a head's name.

use std::fs;
use std::process::Command;

use postern_policy::AskError;
use postern_tests::parts::program;

use crate::{opa, ours};

/// Beside each module.
const XS: &str = "xs := [1]\nid(a) := a\n";

/// Unsafe to OPA, and refused as such.
const UNSAFE: [&str; 40] = [
    "r := {\"a\": [x | x := 1][0]}",
    "r := {[x | x := 1][0]}",
    "r := {[x | x := \"k\"][0]: 1}",
    "r := {\"a\": \"b\", [x | x := \"k\"][0]: 2}",
    "r := {\"a\": upper([x | x := \"b\"][0])}",
    "r := id({\"a\": [x | x := 1][0]})",
    "r := object.union({\"a\": [x | x := 1][0]}, {})",
    "r contains {\"a\": [x | x := 1][0]}",
    "r if false else := {\"a\": [x | x := 1][0]}",
    "r := 1 if false else := {[x | x := 1][0]} if true",
    "f(a) := {\"a\": [x | x := a][0]}",
    "g({\"a\": [x | x := 1][0]}) := 1",
    "r := [{\"a\": [x | x := 1][0]}]",
    "r := {\"a\": [[x | x := 1][0]]}",
    "r := {\"a\": [x | x := 1][0]} if true",
    "r := {\"a\": {x | x := 1}[1]}",
    "r := {\"a\": {\"k\": x | x := 1}.k}",
    "r := {\"a\": {\"k\": [x | x := 1]}[\"k\"]}",
    "r := {\"a\": [x | some x in [1]][0]}",
    "r := {\"a\": [1 | some x in [1]; x == 1][0]}",
    "r := {\"a\": [i | some i, _ in xs][0]}",
    "r := {\"a\": [1 | [_] := [1]][0]}",
    "r := {\"a\": [x | {\"x\": x} := {\"x\": 1}][0]}",
    "r := {\"a\": [1 | z = [x | x := 1]][0]}",
    "r := {\"a\": [1 | count([x | x := 1]) == 1][0]}",
    "r := {\"a\": [1 | not xs == [x | x := 1]][0]}",
    "r := {\"a\": [count([x | x := 1]) | true][0]}",
    "r := {\"a\": [[y | y := 1][0] | true]}",
    "r := {\"a\": {[x | x := \"k\"][0]: 1 | true}}",
    "r := {\"a\": count([[x | x := 1][0] | true])}",
    "r := {\"a\": xs[count([[x | x := 1][0] | true]) - 1]}",
    "r := {\"a\": [$\"{[x | x := 1][0]}\"][0]}",
    "r := {\"a\": [$\"{x}\" | x := 1][0]}",
    "r := {\"a\": 1 + [x | x := 1][0]}",
    "r := {\"a\": [x | x := 1][0] == 1}",
    "r := {\"a\": 1 in [x | x := [1]][0]}",
    "r := {\"a\": xs[[x | x := 0][0]]}",
    "r := {\"a\": id([x | x := 1])[0]}",
    "r := {\"a\": id(count([x | x := 1]))[0]}",
    "r[k] := {\"a\": [x | x := 1][0]} if k := \"k\"",
];

/// Taken by OPA for the names of the rule, or too much for it.
const OTHERWISE: [&str; 4] = [
    "r := {\"a\": [y | some y in [1]][0]} if { some y in [2] }",
    "r := {\"a\": [y | y := 1][0]} if { y := 2 }",
    "f(x) := {\"a\": [x | x := 1][0]}",
    "r := {\"a\": [1 | every x in xs { x == 1 }][0]}",
];

/// Answered by both, the same.
const ANSWERED: [&str; 22] = [
    "r := [[x | x := 1][0]]",
    "r := [x | x := 1][0]",
    "r contains [x | x := 1][0]",
    "r := y if y := {\"a\": [x | x := 1][0]}",
    "r := {\"a\": count([x | x := 1])}",
    "r := {\"a\": [x | x := 1]}",
    "r := {\"a\": [1 | true][0]}",
    "r := {\"a\": [x | x = 1][0]}",
    "r := {\"a\": [x | some x; xs[x]][0]}",
    "r := {\"a\": [x | xs[x]][0]}",
    "r := {\"a\": [1 | some _ in [1]][0]}",
    "r := {\"a\": [z | true][0]} if { z := 2 }",
    "r := $\"{[x | x := 1][0]}\"",
    "r := {\"a\": $\"{[x | x := 1][0]}\"}",
    "r := upper([x | x := \"a\"][0])",
    "r := {\"a\": xs[count([x | x := 1]) - 1]}",
    "r := {\"a\": xs[count([x | some x in [1]]) - 1]}",
    "r := {\"a\": [y | y := [x | x := 1][0]]}",
    "r := [{\"a\": [x | x := y][0]} | y := 1]",
    "r := {\"a\": xs[_]}",
    "r[k] := 1 if { k := [x | x := \"k\"][0] }",
    "r[k] := 1 if { k := concat(\"\", [x | x := \"k\"]) }",
];

/// Answered by OPA, and refused here by name and line.
const KEYED: [&str; 7] = [
    "r[[x | x := \"k\"][0]] := 1",
    "r[concat(\"\", [x | x := \"k\"])] := 1",
    "r[count([1 | true])] := 1",
    "r[{\"a\": [x | x := \"k\"][0]}] := 1",
    "r[[x | x := \"k\"][0]] contains 1",
    "r[[x | x := \"k\"][0]] := y if { y := 2 }",
    "r[[x | x := y][0]] := y if { y := \"a\" }",
];

fn module(rule: &str) -> String {
    format!("package a\n{XS}{rule}\n")
}

fn checked(module: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a.rego"), module).expect("it can be written");
    let words = ["check", "--format", "json", "."];
    let output = Command::new(program("opa")).current_dir(folder.path()).args(words).output();
    String::from_utf8_lossy(&output.expect("opa runs").stderr).into_owned()
}

#[track_caller]
fn refused(module: &str) -> postern_policy::Problem {
    match ours(module, "data.a.r") {
        Err(AskError::Refused(error)) => error.problems[0].clone(),
        other => panic!("{module}: {other:?}"),
    }
}

#[test]
fn what_is_declared_in_a_reference_of_a_heads_object_is_refused_as_by_opa() {
    for rule in UNSAFE {
        let problem = refused(&module(rule));
        assert!(problem.why.contains("OPA calls it unsafe"), "{rule}: {problem}");
        assert!(problem.line >= 4 && problem.instead.contains("in the body"), "{rule}: {problem}");
        let said = checked(&module(rule));
        assert!(said.contains("rego_unsafe_var_error"), "{rule}: {said}");
    }
    for rule in OTHERWISE {
        let problem = refused(&module(rule));
        assert!(!problem.why.contains("OPA calls it unsafe"), "{rule}: {problem}");
        assert!(!checked(&module(rule)).contains("rego_unsafe_var_error"), "{rule}");
    }
}

#[test]
fn what_else_heads_compute_is_answered_as_by_opa() {
    for rule in ANSWERED {
        let ours = ours(&module(rule), "data.a.r").unwrap_or_else(|error| panic!("{rule}: {error}"));
        assert!(ours.is_some(), "{rule}");
        assert_eq!(ours, opa(&module(rule), "data.a.r"), "{rule}");
    }
}

#[test]
fn a_comprehension_in_the_brackets_of_a_heads_name_is_refused_at_load() {
    for rule in KEYED {
        let problem = refused(&module(rule));
        assert_eq!((problem.construct.as_str(), problem.line), ("comprehension", 4), "{rule}: {problem}");
        assert!(opa(&module(rule), "data.a.r").is_some(), "{rule}");
    }
}
