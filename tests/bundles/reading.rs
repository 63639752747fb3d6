use std::time::Duration;

use postern_policy::{AskError, Cause, Question, Signed, Sources, ask, check_query};
use postern_tests::parts::present;
use serde_json::Value;

use super::{folder, opa};

/// All of `data`, rules among it, as this policy gives it.
pub(super) fn all(sources: &Sources) -> Value {
    let question =
        Question { query: "data", input: None, now: None, fuse: Duration::from_secs(5), lines: false };
    ask(sources, question).expect("data can be asked for").rows.remove(0).expressions.remove(0).value
}

/// Numbers as their values: OPA prints 1.0 as 1.
pub(super) fn values(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(values).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), values(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_bundle_that_opa_builds_holds_for_us_what_it_holds_for_opa() {
    let test = "a_bundle_that_opa_builds_holds_for_us_what_it_holds_for_opa";
    if !present(test, &["opa"]) {
        return;
    }
    let source = folder(&[
        (
            "shop/rules.rego",
            "package shop\n\nopen if data.hours.mon.from < 12\n\nnames contains n if some n in data.staff\n",
        ),
        ("shop/rules_test.rego", "package shop_test\n\ntest_open if data.shop.open\n"),
        ("hours/data.json", r#"{"mon": {"from": 9}, "tue": {"from": 1.5e1}}"#),
        ("staff/data.yaml", "- ann\n- yes\n- 0777\n- 1.0\n"),
        ("notes.json", r#"{"unread": true}"#),
        (".manifest", r#"{"revision": "r7", "roots": ["shop", "shop_test", "hours", "staff"]}"#),
    ]);
    opa(source.path(), &["build", "-b", ".", "-o", "bundle.tar.gz"]);
    let theirs: Value = serde_json::from_str(&opa(
        source.path(),
        &["eval", "-b", "bundle.tar.gz", "data", "--format", "raw"],
    ))
    .expect("opa prints JSON");

    let sources = Sources::read(&source.path().join("bundle.tar.gz"), Signed::NoKey).expect("we read it");

    assert_eq!(sources.revision(), "r7");
    let mut theirs = values(&theirs);
    let theirs = theirs.as_object_mut().expect("an object");
    // We take no tests with us, and keep no data about bundles.
    theirs.remove("shop_test");
    theirs.remove("system");
    assert_eq!(&values(&all(&sources)), &Value::Object(theirs.clone()));
}

#[test]
fn plain_words_of_yaml_mean_what_they_mean_to_opa() {
    let test = "plain_words_of_yaml_mean_what_they_mean_to_opa";
    if !present(test, &["opa"]) {
        return;
    }
    let words = "yes on off n Yes NO True FALSE null ~ Null 0777 -0777 0o17 0o9 08 00 0b11 0b12 0x1F -0x1f 1_000 0_7 \
                 012.5 1e3 1.5e-3 .5 +.5 5. 1.0 -0 +12 12:30:45 1:20 2001-01-01 2001-12-14t21:59:43.10-05:00 \
                 18446744073709551615 -9223372036854775808 << = a#b";
    let yaml = format!("- {}\n", words.split_whitespace().collect::<Vec<_>>().join("\n- "));
    let shape = "base: &base { x: 1, y: 2 }\nmerged: { <<: *base, y: 3 }\nagain: *base\nempty:\nlong: |\n  a\n  b\n\
                 folded: >-\n  a\n  b\n2: number\ntrue: word\nquoted: \"a\\tb\"\ntext: !!str 12\n";
    let source =
        folder(&[("words/data.yaml", &yaml), ("shape/data.yml", shape), ("a.rego", "package a\n\nx := 1\n")]);
    let theirs: Value =
        serde_json::from_str(&opa(source.path(), &["eval", "-b", ".", "data", "--format", "raw"]))
            .expect("opa prints JSON");

    let ours = all(&Sources::read(source.path(), Signed::NoKey).expect("we read it"));

    assert!(theirs["words"].as_array().is_some_and(|words| words.len() > 40), "{theirs}");
    for member in ["words", "shape"] {
        assert_eq!(values(&ours[member]), values(&theirs[member]));
    }
}

/// Packages that read one another, through imports and without.
const ENTWINED: &[&[(&str, &str)]] = &[
    &[
        ("a.rego", "package a\n\nimport data.b\n\nx if b.y\n\nz := 1\n\nnever if b.nothing\n"),
        ("b.rego", "package b\n\nimport data.a\n\ny if a.z == 1\n\nnothing if a.z == 2\n"),
    ],
    &[
        (
            "a.rego",
            "package a\n\nx := data.b.y\n\nz := 1\n\np contains n if some n in [1, 2]\n\nq[n] := n if some n in [\"c\"]\n",
        ),
        (
            "b.rego",
            "package b\n\nimport data.a as aa\n\ny := aa.z\n\nf(n) := aa.z + n\n\nfailing := aa.z / 0\n",
        ),
        ("c.rego", "package a.c\n\nimport data.b\n\nw := data.a.x + data.a.z + b.f(2)\n\nq.r.s := 3\n"),
        ("a/c/table/data.json", r#"{"k": [1]}"#),
    ],
    &[
        ("one.rego", "package lib.one\n\nimport data.lib.two\n\nx := two.y + 1\n\nlonely := 1\n"),
        ("two.rego", "package lib.two\n\nimport data.lib\n\ny := lib.one.lonely\n"),
        ("more.rego", "package lib.one\n\nmore := x + 1\n"),
    ],
];

#[test]
fn a_whole_package_is_what_it_is_to_opa_however_its_modules_read_one_another() {
    if !present("a_whole_package_is_what_it_is_to_opa_however_its_modules_read_one_another", &["opa"]) {
        return;
    }
    for files in ENTWINED {
        let source = folder(files);
        let sources = Sources::read(source.path(), Signed::NoKey).expect("we read it");
        for query in ["data.a", "data.a.c", "data.a.x", "data.b.y", "data.lib", "data.lib.one", "data"] {
            let theirs = opa(source.path(), &["eval", "-b", ".", query]);
            let mut theirs: Value = serde_json::from_str(&theirs).expect("opa prints JSON");
            let fuse = Duration::from_secs(5);
            let question = Question { query, input: None, now: None, fuse, lines: false };
            check_query(&sources, query).unwrap_or_else(|error| panic!("{query}: {error}"));
            let ours = match ask(&sources, question) {
                // OPA goes on without what fails, unless it is told not to.
                Err(AskError::Failed(Cause::Error { detail })) if detail.contains("divide by zero") => {
                    continue;
                }
                ours => ours.unwrap_or_else(|error| panic!("{query}: {error}")),
            };
            let ours: Value = ours.rows.iter().map(|row| row.expressions[0].value.clone()).collect();
            let theirs: Value = theirs["result"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .map(|row| row["expressions"][0]["value"].take())
                .collect();
            assert_eq!(values(&ours), values(&theirs), "{query} of {files:?}");
        }
    }
}

#[test]
fn a_query_that_does_more_than_to_read_a_package_is_told_what_to_ask() {
    let source = folder(ENTWINED[1]);
    let sources = Sources::read(source.path(), Signed::NoKey).unwrap();
    for query in ["x := data", "x := data.a", "count(data.a) > 0"] {
        let refused = check_query(&sources, query).unwrap_err().to_string();
        assert!(refused.contains("instead: `data.x` as the whole query, or its rules by"), "{refused}");
        assert!(!refused.contains("postern_query"), "{refused}");
    }
}

/// Bundles that OPA refuses: why, and their files.
const REFUSED: &[(&str, &[(&str, &str)])] = &[
    (
        "data outside the roots",
        &[(".manifest", r#"{"roots": ["a"]}"#), ("b/data.json", "{}"), ("data.json", r#"{"b": 1}"#)],
    ),
    ("a package outside the roots", &[(".manifest", r#"{"roots": ["a/b"]}"#), ("a.rego", "package a\n")]),
    ("overlapping roots", &[(".manifest", r#"{"roots": ["a", "a/b"]}"#)]),
    ("data twice", &[("data.json", r#"{"a": {"b": 1}}"#), ("a/data.json", r#"{"b": 2}"#)]),
    ("data that is no object at the root", &[("data.json", "[]")]),
    ("a manifest that is no object", &[(".manifest", "[]")]),
    ("an unknown Rego", &[(".manifest", r#"{"rego_version": 7}"#)]),
    (
        "Rego of the other version",
        &[(".manifest", r#"{"rego_version": 0}"#), ("x.rego", "package x\n\ny if true\n")],
    ),
    (
        "a compiled module that is not there",
        &[(".manifest", r#"{"wasm": [{"entrypoint": "a/b", "module": "/x.wasm"}]}"#)],
    ),
    ("data that is not JSON", &[("data.json", "{")]),
];

#[test]
fn what_opa_refuses_we_refuse() {
    if !present("what_opa_refuses_we_refuse", &["opa"]) {
        return;
    }
    for (why, files) in REFUSED {
        let mut files = files.to_vec();
        // A module each, so that nothing is refused for having none.
        files.push(("main/main.rego", "package a.b\n\nx := 1\n"));
        let source = folder(&files);
        let theirs = std::process::Command::new(postern_tests::parts::program("opa"))
            .current_dir(source.path())
            .args(["eval", "-b", ".", "data"])
            .output()
            .expect("opa runs");
        let question =
            Question { query: "data", input: None, now: None, fuse: Duration::from_secs(5), lines: false };

        let ours = Sources::read_folder(source.path()).map(|sources| ask(&sources, question));

        assert!(!theirs.status.success(), "OPA takes {why}");
        assert!(!matches!(ours, Ok(Ok(_))), "we take {why}");
    }
}
