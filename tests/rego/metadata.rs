//! `rego.metadata.rule()` and `rego.metadata.chain()`: which annotations are whose, and how they are written.

use postern_policy::AskError;

use crate::loaded::opa_loads;
use crate::{differ, opa_of, ours, ours_of};

const AROUND: &str = "# METADATA
# scope: subpackages
# description: around
# organizations: [bank]
package a

# METADATA
# scope: document
# title: of another rule
p := 1
";

const MAIN: &str = r#"# METADATA
# scope: package
# title: main
# entrypoint: true
# related_resources:
# - https://example.com/a?b=1#c
# - {ref: docs/a.md, description: " B "}
# authors:
# - Jane  Doe <jane@example.com>
# - name: Al
#   email: al@example.com
# - <only@example.com>
# - Just Name
# schemas:
# - input: schema.input
# compile: {unknowns: [input]}
# labels: {team: x}
# custom:
#   contact: desk@example.com
#   n: [1.5, 1_000, 017, 0x1F, 1.0, -3]
#   day: "2020-01-01"
#   l: yes
#   nothing:
#   empty: {}
#   text: |
#     a
#     b "c" \ <é>
package a.b

import data.a.p as other

# METADATA
# title: p
# entrypoint: true
p := rego.metadata.chain()

#METADATA
#title: q1
#custom: {}

# METADATA
# title: q2
# organizations: []
q := [rego.metadata.rule(), rego.metadata.chain()]

without := [rego.metadata.rule(), rego.metadata.chain()]

# METADATA
# title: f
# scope: document
f(x) := rego.metadata.chain() if x
# METADATA
# title: f2
f(x) := rego.metadata.rule() if not x
fs := [f(true), f(false)]

# METADATA
# title: set
set contains x if some x in rego.metadata.chain()
  # METADATA
  # title: not at the beginning of a line

# METADATA
# title: members
members.t[k] := rego.metadata.chain() if k := "k"

# METADATA
# title: else
otherwise(x) := rego.metadata.rule() if x == 1
else := [rego.metadata.rule()] if x == 2
else := rego.metadata.chain()
otherwises := [otherwise(x) | some x in [1, 2, 3]]

# METADATA
# title: true
# description: ~
inside := [rego.metadata.rule().title | some x in [1, 2]; x == other]

# METADATA
# title: 1_000
statement := x if {
	rego.metadata.rule(x)
	rego.metadata.chain()[0].annotations.title == "1_000"
}

# METADATA
# title: keyword
if.then := rego.metadata.chain()
keyword := data.a.b["if"].then

# METADATA
# title: once
once := "no" if rego.metadata.rule().title == "no"
# METADATA
# title: twice
# custom: {times: [2022-01-01T00:00:00Z, 2022-02-30T24:00:60Z, "2022-01-02"], 2022-01-01T00:00:00Z: 1}
once := [rego.metadata.rule().custom] if rego.metadata.rule().title == "twice"
"#;

#[test]
fn a_policy_reads_its_annotations_as_with_opa() {
    let modules = [("around.rego", AROUND), ("main.rego", MAIN)];
    for rule in
        ["p", "q", "without", "fs", "set", "members", "otherwises", "inside", "statement", "keyword", "once"]
    {
        let rule = format!("data.a.b.{rule}");
        let theirs = opa_of(&modules, &rule).unwrap_or_else(|| panic!("{rule} is undefined"));
        let ours = ours_of(&modules, &rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
        differ(&ours.unwrap_or_default(), &theirs, &rule);
    }
}

#[test]
fn an_annotation_that_opa_would_read_otherwise_or_not_at_all_is_refused_by_its_line() {
    for (above, line, why) in [
        ("# METADATA\n# scope: document\npackage a", 1, "before no rule"),
        ("package a\n# METADATA\n# scope: package\nx := 1", 2, "before no package"),
        ("package a\n# METADATA\n# title: a\nimport data.b\nx := b", 2, "before no package and no rule"),
        (
            "package a\nx := 1\n# METADATA\n# scope: document\nz := 1\n# METADATA\n# scope: document\nz := 1",
            6,
            "second",
        ),
        ("package a\n# METADATA\n# scope: rule\n# entrypoint: true\nx := 1", 2, "entrypoint"),
        ("package a\n# METADATA\n# custom: {d: 2020-01-01}\nx := 1", 2, "quotes"),
        ("package a\n# METADATA\n# custom: {d: 2020-01-01T00:00:00.0Z}\nx := 1", 2, "write it in quotes"),
        ("package a\n# METADATA\n# custom: {d: 2020-01-01t00:00:00Z}\nx := 1", 2, "write it in quotes"),
        ("package a\n# METADATA\n# custom: {d: 2020-01-01T1:00:00Z}\nx := 1", 2, "write it in quotes"),
        ("package a\n# METADATA\n# custom: {d: 12345678901234567890}\nx := 1", 2, "64 bits"),
        ("package a\n# METADATA\n# custom: {d: 1_000.5}\nx := 1", 2, "without `_`"),
        ("package a\n# METADATA\n# custom: {d: [0_8, a]}\nx := 1", 2, "0_8"),
        ("package a\n# METADATA\n# labels: {d: .5_0}\nx := 1", 2, ".5_0"),
        ("package a\n# METADATA\n# custom: {d: 0b1__1}\nx := 1", 2, "0b1__1"),
        ("package a\n# METADATA\n# custom: {d: 1_e3}\nx := 1", 2, "1_e3"),
        ("package a\n# METADATA\n# custom: {d: -1__2}\nx := 1", 2, "-1__2"),
        ("package a\n# METADATA\n# custom: {d: 0_}\nx := 1", 2, "0_"),
        ("package a\n# METADATA\n# custom: {1_: a}\nx := 1", 2, "name 1_"),
        ("package a\n# METADATA\n# custom: {d: 1.7976931348623157e308}\nx := 1", 2, "1e308"),
        ("package a\n# METADATA\n# custom: {d: .inf}\nx := 1", 3, "not read"),
        ("package a\n# METADATA\n# related_resources: [https://a b/]\nx := 1", 2, "address"),
        ("package a\n# METADATA\n# authors: [[]]\nx := 1", 2, "author"),
    ] {
        let module = format!("{above}\ny := rego.metadata.rule()\n");
        let Err(AskError::Refused(error)) = ours(&module, "data.a.y") else { panic!("{above}") };
        let problem = &error.problems[0];
        assert_eq!((problem.line, problem.construct.as_str()), (line, "METADATA"), "{above}: {problem}");
        assert!(problem.why.contains(why), "{above}: {problem}");
    }
}

#[test]
fn what_stands_behind_a_call_keeps_its_place() {
    let module = "package a\n# METADATA\n# title: a\nx := [rego.metadata.rule().title, nope(1)]\n";
    let Err(AskError::Refused(error)) = ours(module, "data.a.x") else { panic!("is taken") };
    let problem = &error.problems[0];
    assert_eq!((problem.line, problem.column, problem.construct.as_str()), (4, 35, "nope"));
    for wrong in ["rego.metadata.rule(1)", "[rego.metadata.rule(x)]", "rego.metadata.chain(1, 2)"] {
        let module = format!("package a\nx := {wrong}\n");
        let Err(AskError::Refused(error)) = ours(&module, "data.a.x") else { panic!("{wrong} is taken") };
        assert!(error.problems[0].construct.starts_with("rego.metadata."), "{error}");
    }
}

/// Above `y := 1`: as OPA takes them.
const TAKEN: [&str; 18] = [
    "entrypoint: \"yes\"",
    "entrypoint: no",
    "entrypoint:",
    "title: true\n# description: 1.5",
    "organizations:\n# authors:\n# schemas:\n# compile:\n# labels:\n# custom:\n# related_resources:",
    "schemas:\n#   - input: schema[\"a-b\"].c\n#   - data.p[\"a-b\"]: schema\n#   - input.x: schema.x\n#   - foo.bar: schema.x",
    "compile: {unknowns: [input, data.x, 'data[\"x-y\"].z', 'foo.bar']}",
    "compile: {unknowns: input, mask_rule: mask}",
    "compile: {unknowns: [1], mask_rule: data.p.mask}",
    "compile: {mask_rule: '\"a\"'}",
    "related_resources:\n# - {ref: 'https://example.com/x?y=%zz#q', description: 1}\n# - https://example.com/pa th",
    "related_resources: ['mailto:%zz', docs/x.md, HTTPS://u@Example.com:8080/%7Euser/, //h/x, ///x, '#', '?', ä, 'a/b:c']",
    "related_resources: ['http://[::1]:8/x', 'http://%e4/', 'http://h:']",
    "authors: [{name: 1, email: x}, <a, \"<a@b>\"]",
    "title:\ta",
    "title: a\t# b",
    "description: |\n#   a\n#   \tb",
    "custom: {\ta: 1}",
];

/// Above `y := 1`: as OPA takes none.
const TAKEN_BY_NONE: [&str; 48] = [
    "title: [a]",
    "description: {a: 1}",
    "organizations: x",
    "organizations: {a: b}",
    "authors: x",
    "authors: [\"\"]",
    "authors: [{}]",
    "authors: [1]",
    "authors: [null]",
    "authors: [{name: 1}]",
    "related_resources: a",
    "related_resources: ['']",
    "related_resources: [':']",
    "related_resources: ['%zz']",
    "related_resources: ['a#%zz']",
    "related_resources: ['a_b:c']",
    "related_resources: ['http://a b']",
    "related_resources: ['http://u u@h']",
    "related_resources: ['http://a:1:2/']",
    "related_resources: ['http://h:x']",
    "related_resources: ['http://[zz]/']",
    "related_resources: ['http://%41/']",
    "related_resources: [\"a\\tb\"]",
    "related_resources: [1]",
    "related_resources: [{description: a}]",
    "labels: a",
    "labels: [a]",
    "compile: 5",
    "compile: {unknowns: [a]}",
    "compile: {mask_rule: 'f(x)'}",
    "compile: {mask_rule: '{}'}",
    "schemas: a",
    "schemas: [a]",
    "schemas: [null]",
    "schemas: [{}]",
    "schemas: {input: {type: string}}",
    "schemas: [{input: 5}]",
    "schemas: [{input: 'foo'}]",
    "schemas: [{foo: schema.x}]",
    "schemas: [{input: {type: bogus}}]",
    "entrypoint: \"true\"",
    "entrypoint: 1",
    "entrypoint: true\n# scope: rule",
    "\ttitle: a",
    " \ttitle: a",
    "organizations:\n#   -\ta",
    "description: |\n#   \ta",
    "title: a\ny := 1\n# METADATA\n# scope: document\n# title: a\nz := 1\n# METADATA\n# scope: document\n# title: a\nz := 1",
];

fn above(said: &str) -> String {
    format!("package a\n# METADATA\n# {said}\ny := 1\n")
}

#[test]
fn what_opa_takes_for_an_annotation_is_taken() {
    for said in TAKEN {
        let module = above(said);
        let modules = [("a.rego", module.as_str())];
        assert_eq!(opa_of(&modules, "data.a.y"), Some(1.into()), "{said}");
        assert!(ours_of(&modules, "data.a.y").is_ok(), "{said}: {:?}", ours_of(&modules, "data.a.y"));
    }
}

#[test]
fn what_opa_does_not_take_for_an_annotation_is_refused() {
    for said in TAKEN_BY_NONE {
        let module = above(said);
        assert!(!opa_loads(&[("a.rego", &module)]), "opa loads {said}");
        let Err(AskError::Refused(error)) = ours(&module, "data.a.y") else { panic!("{said} is taken") };
        assert_eq!(error.problems[0].construct, "METADATA", "{said}: {error}");
    }
}

#[test]
fn an_annotation_is_declared_once_over_all_modules() {
    for (first, second, twice) in [
        ("# METADATA\n# scope: package\npackage a", "# METADATA\n# title: b\npackage a", true),
        ("# METADATA\n# scope: subpackages\npackage a", "# METADATA\n# scope: subpackages\npackage a", true),
        ("# METADATA\n# scope: subpackages\npackage a", "# METADATA\n# title: b\npackage a", false),
        (
            "package a\n# METADATA\n# entrypoint: true\nx := 1",
            "package a\n# METADATA\n# scope: document\n# title: b\nx := 1",
            true,
        ),
        ("package a\n# METADATA\n# title: a\nx := 1", "package a\n# METADATA\n# title: b\nx := 1", false),
        (
            "package a\n# METADATA\n# scope: document\n# title: a\nx.a := 1",
            "package a\n# METADATA\n# scope: document\n# title: b\nx.b := 1",
            false,
        ),
    ] {
        let first = format!("{first}\ny := 1\n");
        let modules = [("a.rego", first.as_str()), ("b.rego", second)];
        assert_eq!(opa_loads(&modules), !twice, "{first}\n{second}");
        match ours_of(&modules, "data.a.y") {
            Err(AskError::Refused(error)) if twice => {
                assert!(error.problems[0].why.contains("second"), "{error}");
            }
            Ok(_) if !twice => {}
            other => panic!("{first}\n{second}: {other:?}"),
        }
    }
}
