//! What OPA takes and answers, and what was hardly meant so: a check warns of it, and of nothing that is sane beside it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use postern_policy::{PolicySet, Problem, Sources};
use postern_tests::parts::program;
use postern_tests::process::told_by;
use serde_json::{Value, json};

/// A request, as far as these policies read one.
fn request() -> Value {
    json!({
        "caller": {"id": "spiffe://td/a", "path": ["a"]},
        "context": {"peer": {"ip": "10.0.0.1"}},
        "request": {"method": "GET", "path": "/ledger/1", "segments": ["ledger", "1"], "headers": {}},
    })
}

/// Beside each statement.
const RULES: &str = r#"
grounds contains "a" if input.request.method == "NONE"
also := {"a"}
listed := [x | some x in input.request.segments; x == "none"]
named[x] := 1 if { some x in input.request.segments; x == "none" }
by(x) := {y | some y in [x]; y == "none"}
default level := "none"
level := "high" if input.request.method == "NONE"
default reason := ""
allowed := ["GET", "POST"]
allowed_set := {"GET", "POST"}
admins := ["a"]
default role := false
role := "high" if input.request.method == "GET"
kind := "x" if input.request.method == "GET"
when := ["a"] if input.request.method == "GET"
few(x) := ["a"] if x == "a"
"#;

/// Warned of, in a decision whose whole body they are; what OPA answers to the request above.
const WARNED: [(&str, bool); 38] = [
    ("grounds", true),
    ("not grounds", false),
    ("listed", true),
    ("not listed", false),
    ("named", true),
    ("by(input.caller.id)", true),
    ("not by(input.caller.id)", false),
    ("[x | some x in input.request.segments; x == \"none\"]", true),
    ("xs := {x | some x in input.request.segments; x == \"none\"}; xs", true),
    ("grounds & also", true),
    ("also - also", true),
    ("count(grounds)", true),
    ("indexof(input.request.path, \"..\")", true),
    ("split(input.request.path, \"..\")", true),
    ("io.jwt.decode_verify(\"eyJhbGciOiJIUzI1NiJ9.e30.AAAA\", {\"secret\": \"k\"})", true),
    ("not {input.request.path == \"/\"}", false),
    ("level", true),
    ("not reason", false),
    ("admins", true),
    ("\"admin\"", true),
    ("every x in [1] { x == 1; grounds }", true),
    ("data.postern.grounds", true),
    ("not allowed[input.request.method]", true),
    ("m := input.request.method; not [\"GET\"][m]", true),
    ("startswith(\"/ledger\", input.request.path)", false),
    ("p := input.request.path; endswith(\"/1\", p)", false),
    ("regex.match(input.request.path, \"^/ledger\")", false),
    ("glob.match(input.request.path, [\"/\"], \"/ledger/*\")", false),
    ("split(\"/\", input.request.path)[1] == \"ledger\"", false),
    ("contains(\"/ledger\", input.request.path)", false),
    ("trim_prefix(\"/ledger\", input.request.path) == \"/1\"", false),
    ("net.cidr_contains(input.context.peer.ip, \"10.0.0.0/8\")", false),
    ("lower(input.request.method) == \"GET\"", false),
    ("upper(input.request.method) != \"get\"", true),
    ("lower(input.request.method) in {\"GET\", \"POST\"}", false),
    ("input.request.method in \"GET\"", false),
    ("input.context.peer.ip == \"10.0.0.0/8\"", false),
    ("input.context.peer.ip in [\"10.0.0.0/8\"]", false),
];

/// Sane, and not warned of.
const SANE: [&str; 38] = [
    "count(grounds) > 0",
    "count(grounds) == 0",
    "grounds[\"a\"]",
    "grounds[_]",
    "\"a\" in grounds",
    "not \"a\" in grounds",
    "named.ledger",
    "named[input.caller.id]",
    "x := grounds; count(x) == 0",
    "count(grounds & also) == 0",
    "role",
    "kind",
    "not kind",
    "when",
    "few(input.caller.id)",
    "not few(input.caller.id)",
    "level == \"high\"",
    "reason == \"\"",
    "true",
    "print(\"a\")",
    "to_number(input.request.segments[1])",
    "time.parse_rfc3339_ns(input.request.segments[1])",
    "base64.decode(input.request.segments[1])",
    "walk(input.request.segments, [_, v]); v == \"a\"",
    "split(input.request.path, \"/\", [_, \"ledger\", _])",
    "grounds with data.postern.grounds as false",
    "allowed_set[input.request.method]",
    "some i in [0, 1]; allowed[i] == input.request.method",
    "input.request.method in allowed",
    "startswith(input.request.path, \"/ledger\")",
    "startswith(\"a\", \"b\")",
    "contains(\"GET,POST\", input.request.method)",
    "contains(input.request.path, \"/ledger\")",
    "regex.match(\"^/ledger\", input.request.path)",
    "split(input.request.path, \"/\")[1] == \"ledger\"",
    "net.cidr_contains(\"10.0.0.0/8\", input.context.peer.ip)",
    "lower(input.request.method) == \"get\"",
    "input.context.peer.ip == \"10.0.0.1\"",
];

fn policy(rules: &str) -> String {
    format!("package postern\n\ndefault decision := false\n\n{rules}\n{RULES}")
}

fn warned(module: &str) -> Vec<Problem> {
    let sources = Sources::from_modules([("a.rego", module)], []);
    let policy = PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(10));
    policy.map_or_else(|error| error.problems, |policy| policy.warnings().to_vec())
}

fn opa(module: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("a.rego"), module).expect("it can be written");
    fs::write(folder.path().join("input.json"), request().to_string()).expect("it can be written");
    let words = ["eval", "-f", "json", "-d", "a.rego", "-i", "input.json", "data.postern.decision"];
    let told =
        told_by(Command::new(program("opa")).current_dir(folder.path()).args(words)).expect("opa ends");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    told.pointer("/result/0/expressions/0/value").cloned().unwrap_or_else(|| panic!("{module}: {told}"))
}

#[test]
fn what_opa_takes_and_was_hardly_meant_is_warned_of() {
    let mut other = Vec::new();
    for (statement, holds) in WARNED {
        let module = policy(&format!("decision if {{ {statement} }}"));
        let found = warned(&module);
        let [only] = found.as_slice() else {
            other.push(format!("{statement}: {found:?}"));
            continue;
        };
        let said = only.why.contains("always holds").then_some(true);
        let said = said.or(only.why.contains("never holds").then_some(false));
        let opa = opa(&module);
        if only.line != 5 || only.instead.is_empty() || said.is_some_and(|said| said != holds) || opa != holds
        {
            other.push(format!("{statement}: {only}; opa: {opa}"));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

#[test]
fn what_is_sane_is_not_warned_of() {
    let mut other = Vec::new();
    for statement in SANE {
        let found = warned(&policy(&format!("decision if {{ {statement} }}")));
        other.extend(found.iter().map(|found| format!("{statement}: {found}")));
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

#[test]
fn what_is_warned_of_says_what_to_write() {
    for (statement, instead) in [
        ("grounds", "`count(grounds) > 0`"),
        ("not grounds", "`count(grounds) == 0`"),
        ("count(grounds)", "`count(grounds) > 0`"),
        ("not allowed[input.request.method]", "`input.request.method in allowed`"),
        ("startswith(\"/ledger\", input.request.path)", "`startswith(input.request.path, \"/ledger\")`"),
        ("glob.match(input.request.path, [], \"/a/*\")", "`glob.match(\"/a/*\", [], input.request.path)`"),
        ("lower(input.request.method) == \"GET\"", "`\"get\"`"),
    ] {
        let found = warned(&policy(&format!("decision if {statement}")));
        assert_eq!(found[0].instead, instead, "{statement}");
    }
}

#[test]
fn a_decision_with_its_default_alone_is_warned_of_beside_a_name_like_it() {
    for name in ["decison", "Decision", "decisions"] {
        let module = policy(&format!("{name} if input.request.method == \"GET\""));
        let found = warned(&module);
        assert_eq!((found.len(), found[0].construct.as_str()), (1, name), "{found:?}");
        assert_eq!((found[0].line, opa(&module)), (5, Value::Bool(false)), "{}", found[0]);
    }
    for sane in ["", "decision if decison\n\ndecison if input.request.method == \"GET\"", "denied if true"] {
        assert!(warned(&policy(sane)).is_empty(), "{sane}");
    }
}
