//! A query of the workbench has the rows that `opa eval` gives: values, texts, places and variables.

use std::fs;
use std::process::Command;
use std::time::Duration;

use postern_policy::{Document, Question, Row, Sources, ask};
use postern_tests::parts::program;
use postern_tests::process::told_by;
use serde_json::{Value, json};

const MODULE: &str = "package lib\n\nxs := [1, 2, 3]\n\nf(x) := x + 1\n";
const INPUT: &str =
    r#"{"word": "abc", "xs": [1, 2, 3], "a": 1, "o": {"p": 1}, "ys": ["ax", "bx"], "s": "a b"}"#;
const QUERIES: &[&str] = &[
    r#"not startswith(input.none, "x")"#,
    r#"x := "in" in input.none"#,
    r#"count([1 | not startswith(input.none, "x")])"#,
    "[p, v] := walk(input.o)",
    "[input.none[_] | true]",
    "some x in input.word",
    "z := y; y := 1; input.xs[z]",
    "y := 1; z := y; input.xs[z]",
    r#"not startswith(input.s, "x")"#,
    r#"not startswith(input.s, "a")"#,
    "count(input.xs) == 2",
    "count(input.xs) == 3",
    "some x in input.xs; x > 1",
    "some i, x in input.xs",
    "x := input.xs[_]; y := x + 1",
    "x := input.xs[_]; some i; input.xs[i] == x",
    "some i; input.xs[i] == 2",
    "input.xs[_] = x; not x == 2",
    "y__ := 1",
    "y__ := input.xs[_]; y__ > 1",
    "data.lib.f(1)",
    r#"$"a {input.none}""#,
    r#"x := $"a {input.a}""#,
    "every x in input.xs { x > 0 }",
    "some _ in input.xs",
    r#""in" in input.none"#,
    "1 in input.xs",
    "x := {k: v | some k, v in input.xs}",
    "input.xs[x] == input.xs[y]; x < y",
    "not input.none",
    "walk(input.o, [p, v])",
    "x = 1; y = x",
    r#"true with input as {"a": 2}"#,
    r#"input.a == 2 with input as {"a": 2}"#,
    r#"not startswith(input.none, "x") with input.none as "y""#,
    "[p, v] := walk(input.o); p == []",
    "[p, v] = walk(input.o)",
    "[p, v] = walk(input.o); p == []",
    "p = [\"p\"]; [p, v] = walk(input.o)",
    "x := [p | [p, v] = walk(input.o); v == 1]",
    "[_, v] = walk(input.o)",
    "x := [p | [p, v] := walk(input.o)]",
    r#"split(input.s, " ", x)"#,
    r#"x := split(input.s, " ")[_]"#,
    r#"concat(",", ["a"], x)"#,
    "asked := 1",
    "[x, y] := [1, 2]",
    r#"{"a": x} := {"a": 1}"#,
    "{x | some x in input.none}",
    "some x in input.none",
    "x := input.xs; some y in x; not y in [1]",
    "not 1 in input.none",
    "data.lib.xs",
    "x := data.lib.xs",
    "input.xs[_]",
    "x := 1; x == 2",
    "false",
    "1 == 2",
    "not false",
    "not true",
    "x := input.none",
    "input.xs",
    r#"{"a": 1}"#,
    r#""abc""#,
    "sum([1,2]) + 1",
    "x := 1 # c",
    r#""a" == input.ys[_]; some i; input.ys[i]"#,
    "count(input.xs[_].y) == 2",
    r#"startswith(input.ys[_], "a")"#,
    r#"y := startswith(input.ys[_], "a")"#,
    r#"input.ys[_] == "ax"; x := 1"#,
    "[false, true][_]",
    "input.none == 1",
    "data.none",
    "x := 1; [false,true][_]",
    r#"split(input.s, " ")[_] == "a""#,
    "[1,2][i]",
    r#"{"a":1}[k]"#,
    "some i; input.xs[i]",
    "x := [y | y := input.xs[_]]",
    "x := {1,2}; 1 in x",
    "(1 == 2)",
    "(1 == 1) == true",
    "y := 2; (y > 1)",
    r#""a" in ["a"]; true"#,
    "0, 1 in input.xs",
    "every x in input.xs { some y in [x]; y > 0 }; z := 1",
    r#"x := $"{input.ys}"; y := $"b""#,
    r#"some {"a": q} in [{"a": 1}]"#,
    "x := `a`",
    "`a`",
    "-1",
    "1 - 2",
    "count(`a`)",
    r#"input["xs"][_] = 1 with input as {"xs":[1,1]}"#,
    r#"x := input.xs with input as {"xs": [4]}"#,
    "input.a == data.lib.xs[0]",
    r#"strings.count("aa","a")"#,
    "xs := data.lib.xs; count(xs) == 3",
    "numbers.range(1,3)[_] > 2",
    "x := 5; [x | x := 6]",
    "data.lib.xs[x]",
    "data.lib[x][y] == 2",
    "x == 1; x := 1",
    "{x: y | some x, y in input.xs}",
    "contains := 1",
    r#""a"; "b""#,
    "input.o.p + input.a",
    "x := input.o.p + input.a == 2",
];

#[test]
fn a_query_has_the_rows_that_opa_gives() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("lib.rego", MODULE), ("input.json", INPUT)] {
        fs::write(folder.path().join(name), text).expect("it can be written");
    }
    let mut wrong = Vec::new();
    for query in QUERIES {
        let words = ["eval", "--format", "json", "--data", "lib.rego", "--input", "input.json", "--", query];
        let told = told_by(Command::new(program("opa")).current_dir(folder.path()).args(words));
        let (theirs, ours) = (told.map(|told| theirs_of(&told)), rows(query));
        let (mut theirs, mut ours) = match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => (theirs, ours),
            (Err(_), Err(_)) => continue,
            (theirs, ours) => {
                wrong.push(format!("{query}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
                continue;
            }
        };
        // Neither promises an order.
        for rows in [&mut ours, &mut theirs] {
            rows.sort_by_key(ToString::to_string);
        }
        if ours != theirs {
            wrong.push(format!("{query}:\n  ours   {}\n  theirs {}", json!(ours), json!(theirs)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn theirs_of(told: &str) -> Vec<Value> {
    let told: Value = serde_json::from_str(told).expect("JSON");
    told["result"].as_array().cloned().unwrap_or_default()
}

/// Rows as OPA writes them.
fn rows(query: &str) -> Result<Vec<Value>, String> {
    let sources = Sources::from_modules([("lib.rego", MODULE)], []);
    let input = Some(Document::json(INPUT).expect("it is JSON"));
    let question = Question { query, input, now: None, fuse: Duration::from_secs(10), lines: false };
    let answer = ask(&sources, question).map_err(|error| error.to_string())?;
    let row = |row: Row| {
        let expression = |one: postern_policy::Expression| json!({"value": one.value, "text": one.text, "location": {"row": one.line, "col": one.column}});
        let mut said =
            json!({"expressions": row.expressions.into_iter().map(expression).collect::<Vec<_>>()});
        if !row.bindings.is_empty() {
            said["bindings"] = row.bindings.into();
        }
        said
    };
    Ok(answer.rows.into_iter().map(row).collect())
}

#[test]
fn what_a_query_prints_and_what_is_refused_of_it_stand_in_its_own_lines() {
    let sources = Sources::from_modules([("lib.rego", MODULE)], []);
    let asked = |query| {
        ask(&sources, Question { query, input: None, now: None, fuse: Duration::from_secs(10), lines: false })
    };
    let answer = asked("x := 1\nprint(\"x\", x)").expect("it has an answer");
    assert_eq!(answer.prints, ["query:2: x 1"]);
    for (query, place) in [
        ("true\nx := http.send({})", "query:2:6: "),
        ("1 }\nx if { 1", "query:1:1: "),
        ("count(data)", "query:1:1: "),
    ] {
        let error = asked(query).expect_err(query).to_string();
        assert!(error.starts_with(place) && !error.contains("postern_"), "{error}");
    }
}
