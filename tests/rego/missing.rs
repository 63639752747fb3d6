//! What is not there, and what is no collection where one is gone through: nothing comes of it, as with OPA.

use crate::{opa, ours};

/// A body each, beside the rules below; `y` is asked for.
const BODIES: [&str; 21] = [
    "y := [input.nope[_] | true]",
    "y := {input.nope[_] | true}",
    r#"y := {k: input.nope[_] | some k in ["a"]}"#,
    r#"y := {input.nope[_]: k | some k in ["a"]}"#,
    "y := [[input.nope[_] | true] | some x in [1, 2]]",
    "y := [xs[_].b | true]",
    "y := count([1 | xs[_].b])",
    "y := 1 if { input.nope } else := input.nope[_] if { true } else := 3",
    "y := 1 if { input.nope } else := xs[_].b if { true }",
    "y := 1 if { input.nope } else := xs[_].b",
    "y := xs[_].b if xs",
    "y := [1 | some x in word]",
    "y := [1 | some _ in word]",
    "y := [1 | some k, v in number]",
    "y := [v | some k, v in nothing]",
    "y := [v | some v in xs[1]]",
    "y if { not any_of_word }\nany_of_word if some x in word",
    "y if { not any_of_word }\nany_of_word if { some x in word; x == 1 }",
    "y if { every v in word { v == 1 } }",
    "y := [z | some v in xs; some z in v.b]",
    "y := [v | some v in f(word)]",
];

/// OPA would refuse some of it where it knew the types.
const RULES: &str = r#"
xs := json.unmarshal("[{}, {\"b\": 5}]")
word := json.unmarshal("\"abc\"")
number := json.unmarshal("3")
nothing := json.unmarshal("null")
f(a) := a
"#;

#[test]
fn nothing_comes_of_what_is_missing_or_no_collection() {
    for body in BODIES {
        let module = format!("package a\n{RULES}{body}\n");
        let ours = ours(&module, "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa(&module, "data.a.y"), "{body}");
    }
}
