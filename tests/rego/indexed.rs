//! Bodies that OPA's index of rules leaves out although they hold: they are refused, and what stands near them is not.

use std::fs;
use std::process::Command;
use std::time::Duration;

use postern_policy::{AskError, Question, Sources, ask};
use postern_tests::parts::program;
use postern_tests::process::told_by;
use serde_json::Value;

const DATA: &str = r#"{
    "l": ["a.b", "c"],
    "docs": [{"role": "admin", "tags": ["x"]}],
    "lists": [["a", 1]],
    "users": {"al": {"role": "admin", "tags": ["x"]}},
    "grants": {"a.b": true},
    "deep": {"l": ["a.b"]}
}"#;

const RULES: &str = "package a\nxs := [\"a.b\", \"z\"]\nnamed contains \"a.b\"\n";

/// Left out by OPA, and found with `--disable-indexing`.
const LEFT_OUT: [&str; 37] = [
    "y if { some x in xs; x in data.l; x == \"a.b\" }",
    "y if { some x in xs; x in data.l; \"a.b\" = x }",
    "y if { x := lower(\"A.b\"); x in data.l; x in {\"a.b\", \"d\"} }",
    "y if { some x in xs; ok := [\"a.b\"]; x in data.l; x in ok }",
    "y if { some x in xs; x in data.deep.l; x == \"a.b\" }",
    "y if { some x in xs; all := data.l; x in all; x == \"a.b\" }",
    "y if { some x in xs; all := data.deep; x in all.l; x == \"a.b\" }",
    "y if { some x in xs; x in data.l; z := x; z == \"a.b\" }",
    "y if { some x in xs; x in data.l; glob.match(\"*.b\", [\".\"], x) }",
    "y contains x if { some x in xs; x in data.l; data.grants[x] }",
    "y if { some u in data.users; u in data.docs; u.role == \"admin\" }",
    "y if { some u in data.users; u in data.docs; u.role }",
    "y if { some u in data.users; u in data.docs; startswith(u.role, \"a\") }",
    "y if { some u in data.users; u in data.docs; \"x\" in u.tags }",
    "y contains u.role if { some u in data.users; u in data.docs }",
    "y contains m if { some u in data.users; u in data.docs; m := sprintf(\"%s\", [u.role]) }",
    "y[u.role] := 1 if { some u in data.users; u in data.docs }",
    "y := 2 if { false } else := u.role if { some u in data.users; u in data.docs }",
    "y if { some p in [[\"a\", 1]]; p in data.lists; p[0] == \"a\" }",
    "y if { some p in [[\"a\", 1]]; p in data.lists; \"a\" in p }",
    "f(l) if { some x in l; x in data.l; x == \"a.b\" }\ny if f(xs)",
    "y if { x := data.l[0]; glob.match(\"a.*\", [\".\"], x); x in data.deep.l; x in [\"a.b\"] }",
    "y if { some u in data.users; u in data.docs; every t in u.tags { t == \"x\" } }",
    "y if { some u in data.users; u in data.docs; every t in [u.role] { t == \"admin\" } }",
    "y if { some u in data.users; u in data.docs; some \"x\" in u.tags }",
    "y if { some u in data.users; u in data.docs; some 0, t in u.tags; t == \"x\" }",
    "y if { some u in data.users; u in data.docs; some \"admin\" in u }",
    "y if { some u in data.users; u in data.docs; some t in [u.role]; t == \"admin\" }",
    "y if { some u in data.users; u in data.docs; not startswith(u.role, \"z\") }",
    "y if { some u in data.users; u in data.docs; not \"z\" in u.tags }",
    "y if { some u in data.users; u in data.docs; not data.grants[u.role] }",
    "y if { some u in data.users; u in data.docs; not [u.role] == [\"z\"] }",
    "y if { some u in data.users; u in data.docs; count(xs) == 2 with input.role as u.role }",
    "y if { some u in data.users; u in data.docs; not count(xs) == 1 with input as {\"role\": [u.role]} }",
    "y if { some u in data.users; u in data.docs; u[i] == \"admin\" }",
    "y if { x := [lower(\"A\"), 1]; x in data.lists; x[0] == \"a\" }",
    "y if { some x in xs; x in data.l; data.grants[x] }\ny := false if input.off",
];

/// Answered by both.
const REACHED: [&str; 30] = [
    "y if { some u in data.users; u in data.docs; u.role == data.users.al.role }",
    "y contains u if { some u in data.users; u in data.docs; data.users.al.role = u.role }",
    "y if { some x in xs; x in data.l; glob.match(\"a.b*\", [\"/\"], x) }",
    "y if { some x in xs; data.l[_] == x; x == \"a.b\" }",
    "y contains u.role if { some u in data.users; data.docs[_] == u }",
    "y if { some x in xs; x == \"a.b\"; x in data.l }",
    "y if { some x in xs; x in data.l; startswith(x, \"a\") }",
    "y contains x if { some x in xs; x in data.l; x in data.deep.l }",
    "y contains x if { some x in xs; x in data.l; x != \"c\" }",
    "y if { some x in xs; x in data.l; not x == \"c\" }",
    "y if { x := data.deep.l[0]; x in data.l; x == \"a.b\" }",
    "y if { some x in xs; x in named; x == \"a.b\" }",
    "y := [x | some x in xs; x in data.l; x == \"a.b\"]",
    "y if { some x in xs; x in data.l; k := \"a.b\"; x == k }",
    "y if { some u in data.users; u in data.docs; u == {\"role\": \"admin\", \"tags\": [\"x\"]} }",
    "f(x) if { x in data.l; x == \"a.b\" }\ny if f(\"a.b\")",
    "f(x) if { x in data.docs; x.role == \"admin\" }\ny if f(data.users.al)",
    "y if { every u in data.users { u in data.docs; u.role == \"admin\" } }",
    "y if { x := \"a.b\"; x in data.l; x == \"a.b\" }",
    "y if { some u in data.users; u in data.docs; t := u.tags[_]; t == \"x\" }",
    "y if { some u in data.users; u in data.docs; some t in u.tags; t == \"x\" }",
    "y if { some u in data.users; u in data.docs; startswith(u.tags[_], \"x\") }",
    "y if { some u in data.users; u in data.docs; not u.role == \"z\" }",
    "y if { some u in data.users; u in data.docs; not u.off }",
    "y if { some u in data.users; u in data.docs; not u.tags[0] == \"z\" }",
    "y if { some x in xs; x in data.l; data.grants[x] }",
    "y if { some x in xs; x in data.l; x in [\"a.b\", lower(\"C\")] }",
    "y if { some x in xs; x in data.l; ok := [\"a.b\", lower(\"C\")]; x in ok }",
    "y contains x if { grants := data.grants; some x in xs; x in data.l; grants[x] }",
    "f(x) if { x in [\"a.b\"]; x in data.l; x == \"a.b\" }\ny if f(\"a.b\")",
];

fn theirs(module: &str, input: &str, words: &[&str]) -> Option<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("a.rego", module), ("data.json", DATA), ("input", input)] {
        fs::write(folder.path().join(name), text).expect("it can be written");
    }
    let fixed = ["eval", "--format", "json", "-d", "a.rego", "-d", "data.json", "-i", "input", "data.a.y"];
    let mut opa = Command::new(program("opa"));
    let told = told_by(opa.current_dir(folder.path()).args(fixed).args(words)).expect("opa ends well");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    told.pointer("/result/0/expressions/0/value").cloned()
}

fn ours(module: &str) -> Result<Option<Value>, AskError> {
    let sources = Sources::from_modules([("a.rego", module)], [("", DATA)]);
    let question =
        Question { query: "data.a.y", input: None, now: None, fuse: Duration::from_secs(10), lines: false };
    let row = ask(&sources, question)?.rows.into_iter().next();
    Ok(row.and_then(|row| row.expressions.into_iter().next()).map(|expression| expression.value))
}

#[test]
fn what_the_index_of_opa_leaves_out_is_refused() {
    for rule in LEFT_OUT {
        let module = format!("{RULES}{rule}\n");
        let (indexed, whole) = (theirs(&module, "{}", &[]), theirs(&module, "{}", &["--disable-indexing"]));
        assert_ne!(indexed, whole, "{rule}");
        let Err(AskError::Refused(problems)) = ours(&module) else { panic!("{rule} is taken") };
        assert!(problems.to_string().contains("index of rules"), "{rule}: {problems}");
    }
}

/// The engine has text end before its quotes.
#[test]
fn it_is_told_as_its_author_wrote_it() {
    for (rule, said) in [
        (
            "y if { some x in xs; x in data[\"l\"]; x == \"a.b\" }",
            ["`x == \"a.b\"`", "`data[\"l\"][_] == x`"],
        ),
        ("y if { some x in xs; x in data.l; `a.b` == x }", ["``a.b` == x`", "`data.l[_] == x`"]),
        (
            "y contains u.role if { some u in data.users; u in data[`docs`] }",
            ["`u.role`", "`data[`docs`][_] == u`"],
        ),
    ] {
        let Err(AskError::Refused(problems)) = ours(&format!("{RULES}{rule}\n")) else {
            panic!("{rule} is taken")
        };
        let problems = problems.to_string();
        assert!(said.iter().all(|said| problems.contains(said)), "{rule}: {problems}");
    }
}

#[test]
fn what_it_finds_is_answered() {
    for rule in REACHED {
        let module = format!("{RULES}{rule}\n");
        let answer = theirs(&module, "{}", &[]);
        assert!(answer.is_some(), "{rule}");
        assert_eq!(ours(&module).unwrap_or_else(|error| panic!("{rule}: {error}")), answer, "{rule}");
    }
}

#[test]
fn a_backslash_in_a_pattern_is_compared_by_the_index_of_opa() {
    let escaped = format!("{RULES}y if glob.match(`a\\*`, [\".\"], input.x)\n");
    let input = r#"{"x": "a*"}"#;
    assert_eq!(theirs(&escaped, input, &[]), None);
    assert_eq!(theirs(&escaped, input, &["--disable-indexing"]), Some(Value::Bool(true)));
    assert!(matches!(ours(&escaped), Err(AskError::Refused(_))));
    let brackets = format!("{RULES}y if glob.match(`a[*]`, [\".\"], input.x)\n");
    assert_eq!(theirs(&brackets, input, &[]), Some(Value::Bool(true)));
    assert!(ours(&brackets).is_ok());
}
