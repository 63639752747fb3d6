//! How values are put in order and written as text, and what stands in templates and on lines of its own.

use std::fs;
use std::process::Command;

use postern_policy::AskError;
use postern_tests::parts::program;

use crate::{opa, ours, same};

/// Beside each body; `y` is asked for.
const RULES: &str = r#"
s := {1}
o := json.unmarshal("{\"z\": 9, \"xs\": [3, 4]}")
f(a) := a
"#;

/// Answered by both, the same.
const ANSWERED: [&str; 54] = [
    "y := o < s",
    "y := s <= o",
    "y := [o, 1] > [s, 0]",
    "y if not s < o",
    "y if { (s) > # >\n (o) }",
    "y := (o < s) >= (s < o)",
    "y := [x | some x in [s, o]; x >= s]",
    "y if { every x in [o, 1] { x < s } }",
    "y := o.k < s",
    "y if not o.k < s",
    "y if o < s with data.a.o as 1",
    "g(a, b) := a < b\ny := g(o, s)",
    "y := sort([s, o, [1], \"a\", {\"a\": s}, {\"a\": o}])",
    "y := max([s, o])",
    "y := min([s, o])",
    "y := min([])",
    "y := sprintf(\"%v %v %v %v\", [0.00001, 1234567.5, 123456.5, 0.0001])",
    "y := sprintf(\"%s\", [1234567.5])",
    "y := sprintf(\"%+v|%+40v|%-+40v|%+040v|\", [n | some i in [1, 2, 3, 4]; n := 123456789012345678901234567890 + i])",
    "y := sprintf(\"%+v %+v %+v % v\", [9223372036854775807, 9223372036854775808, -18446744073709551616, 18446744073709551616])",
    "y := sprintf(\"%+v|%+5v|% v|%+d|%08v|%-8v|\", [1.5, 3, 1.5, 3, 0.00001, 1.5])",
    "y := sprintf(\"%v %d\", [to_number(\"-0\"), to_number(\"-0\")])",
    "y if { some i\n (o.xs[i] + 1) == 5 }",
    "y if { o.z == o.z # c\n # d\n (\"a\") == \"a\" }",
    "y := x if { x := o.z\n (x) == 9 }",
    "y if { not o.q\n (1) == 1 }",
    "y if { 9 in\n ([9]) }",
    "y := [1 | o.xs[0]\n (3) == 3]",
    "y := $\"{o.z} {[x | some x in o.xs]} {$\"{o.z}\"} {{\"a\": o.z}}\"",
    "y := $\"{o.xs[i]}\" if { o.xs[i] == 4 }",
    "y := x if { i = 1; x := $\"{o.xs[i]}\" }",
    "y := $\"{[1 | o.xs[_]]}\"",
    "y := [$\"{o.xs[i]}\" | o.xs[i]]",
    "y if { every q in o.xs { $\"{q}\" != \"a\" } }",
    "y := [1 | [_, _] := o.xs]",
    "y := {o.z: 1, \"z\": 2, \"y\": {(\"a\"): o.z, lower(\"B\"): {s: 1, 1: 2}}, }",
    "y := {o.z: 1, o.z: 1}",
    "y if { some k, v in {o.z: 1, \"y\": 2}; k == \"y\"; v == 2 }",
    "y := graph.reachable_paths({\"a\": [\"b\"], \"b\": [\"c\", \"d\"], \"c\": [\"d\"], \"d\": [\"e\"], \"e\": []}, [\"a\"])",
    "y := graph.reachable_paths({\"a\": [\"b\", \"a\"], \"b\": [\"b\", \"a\"]}, [\"a\", \"b\"])",
    "y := [uuid.parse(\"f47ac10b-58cc-1372-8567-0e02b2c3d479\"), uuid.parse(\"f47ac10b-58cc-7372-8567-0e02b2c3d479\")]",
    "y := [trace(\"a\")]",
    "y := object.union_n([{\"a\": {\"b\": 1}}, {\"a\": {\"c\": o}}, {\"a\": 2, \"d\": s}, {\"a\": {\"e\": 3}}])",
    "y if { (s | {2}) == {1, 2} }",
    "y if s | {2} == {1, 2}",
    "y := [1 | s | {2} == {1, 2}]",
    "y if { true; s | {2} == {1, 2} }",
    "y if { o.z == o.z\n (1) == 2 }",
    "y if { some i\n\t(o.xs[i] + 1) == 99 }",
    "y if { o.z == o.z # (\n (1) == 2 # c\n}",
    "y contains\n (\"a\")",
    "y := [1 | o.z; o.xs[0]\r\n (3) == 4]",
    "y if set()",
    "y := 1 if set()",
];

/// Refused by both.
const REFUSED: [&str; 13] = [
    "y := $\"{o.xs[i]}\"",
    "y := $\"{count(o.xs[_])}\"",
    "y := $\"{o.z; o.xs}\"",
    "y := $\"{{o.xs[i]}}\"",
    "y := $\"{zz}\"",
    "y if { [v, v] := o.xs }",
    "y if { {\"a\": v, \"b\": v} := {\"a\": 1, \"b\": 1} }",
    "y if { [v, [v]] := [1, [1]] }",
    "y := [1 | true; some v\n-2 = v]",
    "y if { some v\n-2 = v }",
    "array := {}\ny := array.concat([1], [2])",
    "json.foo := 1\ny := json.marshal(1)",
    "count := 3\ny := count([1])",
];

fn module(body: &str) -> String {
    format!("package a\n{RULES}{body}\n")
}

#[test]
fn values_are_put_in_order_and_written_as_by_opa() {
    for body in ANSWERED {
        let ours = ours(&module(body), "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa(&module(body), "data.a.y"), "{body}");
    }
}

#[test]
fn two_members_that_turn_out_the_same_are_an_error() {
    for object in
        ["{o.k: 1, \"z\": 2}", "{\"z\": 2, o.k: 1}", "{o.k: 1, lower(\"Z\"): 2}", "[{o.k: o, \"z\": s}]"]
    {
        let module = module(&format!("y := {}", object.replace("o.k", "[\"z\"][o.z - 9]")));
        match ours(&module, "data.a.y") {
            Err(AskError::Failed(_)) => {}
            other => panic!("{object}: {other:?}"),
        }
        assert!(opa(&module, "data.a.y").is_some(), "{object}");
    }
}

#[test]
fn a_body_that_begins_with_a_union_is_refused() {
    for body in [
        "s | {2} == {3}",
        "s | {2} != {3} with input as 1",
        "1 | 1 with data.a.o as 1",
        "s | {2} & s == s",
        "(s | {2}) | {3} == s",
    ] {
        let module = module(&format!("y if {{ {body} }}"));
        match ours(&module, "data.a.y") {
            Err(AskError::Refused(error)) => {
                assert!(error.to_string().contains("a comprehension"), "{error}");
            }
            other => panic!("{body}: {other:?}"),
        }
        assert_eq!(opa(&module, "data.a.y"), Some(true.into()), "{body}");
    }
}

#[test]
fn a_body_behind_another_is_refused_where_the_head_has_a_value() {
    for (rules, theirs) in [
        ("default y := true\ny := false if { o.z == 1 } { o.z == 9 }", false.into()),
        ("g(x) := 5 if { x == 1 } { x == 2 }\ny := g(2)", 5.into()),
        ("p.q := 1 if { o.z == 1 } { o.z == 9 }\ny := p.q", 1.into()),
    ] {
        let module = module(rules);
        match ours(&module, "data.a.y") {
            Err(AskError::Refused(error)) => {
                assert!(error.to_string().contains("one body behind"), "{error}");
            }
            other => panic!("{rules}: {other:?}"),
        }
        assert_eq!(opa(&module, "data.a.y"), Some(theirs), "{rules}");
    }
}

#[test]
fn a_parenthesis_at_the_beginning_of_a_line_undoes_nothing_before_it() {
    for body in [
        "y if {\no.z == o.z # c\n(1) == 2 }",
        "y if {\no.z\n(1) == 2 }",
        "y if {\r\no.z == o.z # c\r\n(1) == 2 }",
    ] {
        assert_eq!(opa(&module(body), "data.a.y"), None, "{body}");
        match ours(&module(body), "data.a.y") {
            Ok(None) | Err(AskError::Refused(_)) => {}
            other => panic!("{body}: {other:?}"),
        }
    }
}

/// Behind a statement that is written anew, whose last word may be a name then.
#[test]
fn a_parenthesis_at_the_beginning_of_a_line_calls_nothing_before_it() {
    for stmt in [
        "some v in o.xs with input.s as true",
        "some v in o.xs with input.s as true # c",
        "some k, v in o with input.s as {1} | {2}",
        "f[v] with input.s as true",
        "f[w] with input.s as true",
        "every v in o.xs { v > 0 } with input.s as o.z",
        "not input.a with input.s as o.z",
        "o.z == v with input.s as o.z",
    ] {
        for parenthesis in ["(1 / 1) in o.xs", "(1 + 1) == 2", "(3) in o.xs"] {
            let module = format!(
                "package a\no := {{\"xs\": [1, 2], \"z\": 1}}\nf contains 1 if input.s\ndefault y := false\n\
                 y if {{\n\tv := 1\n\t{stmt}\n\t{parenthesis}\n}}\n"
            );
            // Where the statement declares its name itself.
            let module = if stmt.starts_with("some") { module.replace("\tv := 1\n", "") } else { module };
            same(&module, "data.a.y");
        }
    }
}

#[test]
fn what_opa_reads_in_no_template_or_pattern_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for body in REFUSED {
        match ours(&module(body), "data.a.y") {
            Err(AskError::Refused(_)) => {}
            other => panic!("{body}: {other:?}"),
        }
        fs::write(folder.path().join("a.rego"), module(body)).expect("it can be written");
        let check =
            Command::new(program("opa")).current_dir(folder.path()).args(["check", "a.rego"]).output();
        assert!(!check.expect("opa runs").status.success(), "opa loads {body}");
    }
}
