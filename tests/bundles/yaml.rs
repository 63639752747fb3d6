//! Data in YAML is what it is to OPA, or refused by its line.

use std::process::Command;

use postern_policy::{Signed, Sources};
use postern_tests::parts::{present, program};
use serde_json::{Value, json};

use super::folder;
use super::reading::{all, values};

/// What `opa` makes of a data file, if it takes it.
fn theirs(yaml: &str) -> Option<Value> {
    let source = folder(&[("w/data.yaml", yaml), ("a.rego", "package a\n")]);
    let mut opa = Command::new(program("opa"));
    let out = opa.current_dir(source.path()).args(["eval", "-b", ".", "data.w", "--format", "raw"]).output();
    let out = out.expect("opa runs");
    out.status.success().then(|| serde_json::from_slice(&out.stdout).expect("opa prints JSON"))
}

fn ours(yaml: &str) -> Result<Value, String> {
    let source = folder(&[("w/data.yaml", yaml), ("a.rego", "package a\n")]);
    let sources = Sources::read(source.path(), Signed::NoKey).map_err(|error| error.to_string())?;
    Ok(all(&sources)["w"].clone())
}

const ALIKE: &[&str] = &[
    // Names that OPA writes as they stand.
    "1: a\n-5: b\n0: c\n18446744073709551615: d\n",
    "0.1: a\n1.5: b\n3.14: c\n-2.25: d\n999999.5: e\n0.0001: f\n",
    "true: a\nfalse: b\nyes: c\nno: d\non: e\ny: f\n-: g\n=: h\n<<x: i\n",
    ".inf: a\n-.inf: b\n.nan: c\n",
    "2001-01-01: a\n2001-12-14T21:59:43Z: b\n12:30:45: c\n1.2.3: d\n10.0.0.0/8: e\nv1.0: f\n_1: g\n1_a: h\n",
    "'007': a\n\"1.10\": b\n!!str 012: c\n? |\n  1\n: d\n",
    "a: {1: b, true: c, d, \"e\":}\n",
    "tRue: a\nnULL: b\n+: c\n.: d\n12e: e\n0x: f\n2024-01: g\n555-1234: h\n+49 30: i\n7f3: j\n",
    "x: &a 07\ny: *a\nz: &b name\n*b : 1\n",
    // Text of several lines that ends the file.
    "a: |\n  x",
    "a: |+\n  x",
    "a: |-\n  x",
    "a: >\n  x\n  y",
    "a:\n  b: |\n    x\n\n    y",
    "- |\n  x",
    "- a: >\n    x\n\n    y",
    "a: |2+ # as it is\n   x",
    "a: |+2\n   x",
    "a: &k |\r\n  x\r\n  y",
    "a: !!str\n  |\n\n  x",
    "? |\n  x",
    "a: |\n  x\n# that was all",
    "a: |\n  x\n  # a line of it",
    "a: |\n  x\n ",
    "a: |+\n  x\n\n  ",
    "a: |\n  x\n",
    "a: |",
    "a: |\n  x\nb: y",
    // Values.
    "a: [1_000, 0x1_F, 0b1_1, 0o1_7, 0_7, -1_0, +0xff_ff, _1_0, 1_a, '1_000.5', \"1_\"]\n",
    "a: [!x abc, !x '1', !x [1], !x {a: 1}, !!str 1, !!int 1, !!float 1.5, ! a, !!binary aGk=]\n",
    "a: \"\\u00e9\\x41\\U0001F600\\N\\L \\\\/ \\\\ud83d\"\n",
    "%YAML 1.1\n---\na: {b: , c: 1}\nd: [b: , \"c\":1]\n",
];

/// Refused here: the text, what it says if one does not know how OPA reads it, and the line that is told.
fn otherwise() -> Vec<(&'static str, Value, usize)> {
    vec![
        ("007: a", json!({"007": "a"}), 1),
        ("x: 1\n0100: a\n", json!({"x": 1, "0100": "a"}), 2),
        ("08: a\n", json!({"08": "a"}), 1),
        ("a:\n- b\n- 1.0: a\n", json!({"a": ["b", {"1.0": "a"}]}), 3),
        ("versions: {1.10: a}\n", json!({"versions": {"1.10": "a"}}), 1),
        ("1e3: a\n", json!({"1e3": "a"}), 1),
        ("0x1F: a\n", json!({"0x1F": "a"}), 1),
        ("0b11: a\n", json!({"0b11": "a"}), 1),
        ("+1: a\n", json!({"+1": "a"}), 1),
        ("-0: a\n", json!({"-0": "a"}), 1),
        ("1_000: a\n", json!({"1_000": "a"}), 1),
        ("True: a\n", json!({"True": "a"}), 1),
        (".INF: a\n", json!({".INF": "a"}), 1),
        (".5: a\n", json!({".5": "a"}), 1),
        ("1000000.5: a\n", json!({"1000000.5": "a"}), 1),
        ("0.30000000000000004: a\n", json!({"0.30000000000000004": "a"}), 1),
        ("18446744073709551616: a\n", json!({"18446744073709551616": "a"}), 1),
        ("1.0: a\n1: b\n", json!({"1.0": "a", "1": "b"}), 1),
        ("&a 007: b\n", json!({"007": "b"}), 1),
        ("! 007: b\n", json!({"007": "b"}), 1),
        ("!!binary aGk=: b\n", json!({"aGk=": "b"}), 1),
        ("x: &a 007\n*a : b\n", json!({"x": 7, "007": "b"}), 2),
        ("a: |+\n  x\n    ", json!({"a": "x\n  \n"}), 2),
        ("\"a | b\": |\n  x", json!({"a | b": "x\n"}), 2),
        ("a: 1_000.5\n", json!({"a": "1_000.5"}), 1),
        ("a: [1,\n 1_]\n", json!({"a": [1, "1_"]}), 2),
        ("a: 1__0\n", json!({"a": "1__0"}), 1),
        ("a: 1e1_0\n", json!({"a": "1e1_0"}), 1),
        ("a: .5_5\n", json!({"a": ".5_5"}), 1),
        ("a: 0_8\n", json!({"a": "0_8"}), 1),
        ("a: !x 1\n", json!({"a": 1}), 1),
        ("a: !x true\n", json!({"a": true}), 1),
        ("a: !x\n", json!({"a": null}), 1),
        ("a: !!foo 1.5\n", json!({"a": 1.5}), 1),
        ("a: ! 1\n", json!({"a": "1"}), 1),
        ("b: 1\na: 'a\u{85}b'\n", json!({"b": 1, "a": "a\u{85}b"}), 2),
        ("a: x # y\u{85}b: 1\n", json!({"a": "x"}), 1),
        ("a: |\n  a\u{2028}  b\n", json!({"a": "a\u{2028}  b\n"}), 2),
        ("a: {b:}\n", json!({"a": {"b": null}}), 1),
        ("a: [b:, c]\n", json!({"a": [{"b": null}, "c"]}), 1),
        // These OPA refuses.
        ("%YAML 1.2\n---\na: 1\n", json!({"a": 1}), 2),
        ("a: \"\\/\"\n", json!({"a": "/"}), 1),
        ("a: \"\\ud83d\\ude00\"\n", json!({"a": "\u{1f600}"}), 1),
        ("a: !!null x\n", json!({"a": null}), 1),
        ("a: 1\n<<: null\n", json!({"a": 1}), 2),
        ("a: &x.y 1\nb: *x.y\n", json!({"a": 1, "b": 1}), 1),
    ]
}

#[test]
fn data_in_yaml_is_what_it_is_to_opa() {
    if !present("data_in_yaml_is_what_it_is_to_opa", &["opa"]) {
        return;
    }
    for yaml in ALIKE {
        let theirs = theirs(yaml).unwrap_or_else(|| panic!("OPA takes {yaml:?}"));
        let ours = ours(yaml).unwrap_or_else(|why| panic!("{yaml:?}: {why}"));
        assert_eq!(values(&ours), values(&theirs), "{yaml:?}");
    }
}

#[test]
fn yaml_that_opa_reads_otherwise_than_it_looks_is_refused_by_its_line() {
    if !present("yaml_that_opa_reads_otherwise_than_it_looks_is_refused_by_its_line", &["opa"]) {
        return;
    }
    for (yaml, looks, line) in otherwise() {
        assert_ne!(theirs(yaml).as_ref().map(values), Some(values(&looks)), "OPA reads {yaml:?} as it looks");
        let why = ours(yaml).expect_err(yaml);
        assert!(why.contains(&format!("w/data.yaml: line {line}: ")), "{yaml:?}: {why}");
    }
}
