//! `with` on what goes through many values, with statements behind it, beside the real `opa`.

use crate::{opa, ours};

const RULES: &str = "deny contains msg if { some r in input.rs; msg := sprintf(\"[%s] on %v\", [r, input.on]) }\n\
                     denies[r] := input.on if some r in input.rs\n\
                     kinds contains input.on\n\
                     role := input.role\n\
                     one := {\"rs\": [\"a\", \"b\"], \"on\": 1}\n";

/// Each gives `y`, or nothing.
const ANSWERED: [&str; 30] = [
    "y if { deny[x]with input as one; x != \"\" }",
    "y contains msg if { some msg in deny with input as one; startswith(msg, \"[a\") }",
    "y contains msg if { deny[msg] with input as one; startswith(msg, \"[a\") }",
    "y contains msg if { data.a.deny[msg] with input as one; msg != \"x\" }",
    "y if { some msg in deny with input as one; contains(msg, \"b\") ; z := 1; z == 1 }",
    "y if { some msg in deny with input as {}; msg != \"x\" }",
    "y := [m | some m in deny with input as one; count(deny) == 0]",
    "y := {k: v | some k, v in denies with input as one; k != \"a\"}",
    "y := [k | denies[k] with input as one; k != \"a\"]",
    "hit(given, id) if { some v in deny with input as given; v == id; id != \"\" }\ny if hit(one, \"[a] on 1\")",
    "hit(given, id) if { some v in deny with input as given; v == id; id != \"\" }\ny if not hit(one, \"[c] on 1\")",
    "y contains [m, n] if { some m in deny with input as one; some n in deny with input as {\"rs\": [\"c\"], \"on\": 2}; m != n }",
    "y contains [m, n] if { deny[m] with input as one; deny[n] with input as {\"rs\": [\"c\"], \"on\": 2}; m != n }",
    "y contains m if { some m in deny with input.rs as [\"q\"] with input.on as 7; not m in deny }",
    "y contains m if { some m in deny with input.rs as [\"q\"] with input.on as 7; not deny[m] }",
    "y contains [c.n, m] if { some c in [{\"n\": 1, \"i\": one}, {\"n\": 2, \"i\": {\"rs\": [\"z\"], \"on\": 3}}]; some m in deny with input as c.i; c.n > 0 }",
    "y contains [n, m] if { some n in [1, 2]; deny[m] with input as {\"rs\": [\"z\"], \"on\": n}; n > 1 }",
    "y if { every n in [1, 2] { some m in deny with input as {\"rs\": [\"z\"], \"on\": n}; contains(m, \"z\") } }",
    "y if { some m in deny with input as one # \"what\"\n contains(m, \"b\") }",
    "y if { some m in deny # \"what\"\n with input as one\n contains(m, \"b\") }",
    "y if { some m in (deny) with input as one; contains(m, \"b\") }",
    "y contains m if { some m in deny with input as one\n m != \"x\" }",
    "y contains x if { some x in [input.on, 5] with input as one; x != 0 }",
    "y contains x if { some x in object.keys(denies) with input as one; x != \"a\" }",
    "y contains x if { some x in {r | some r in kinds} with input as one; x != 0 }",
    "y contains x if { some x in deny with input as {\"rs\": [\"é\"], \"on\": \"ü\"}; x != \"a\" }",
    "y := [a, b] if { some a, b in denies with input as one; a == \"b\"; input.role == \"r\" } else := 3",
    "y contains m if { some m in deny with deny as {\"q\", \"p\"}; m != \"p\" }",
    "y contains m if { m := \"[a] on 1\"; deny[m] with input as one; m != \"p\" }",
    "y if { some m in deny with data.q as 3 with input as one; deny == set(); m != \"\" }",
];

#[test]
fn what_comes_after_does_not_see_the_with() {
    for body in ANSWERED {
        let module = format!("package a\n{RULES}{body}\n");
        let ours = ours(&module, "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa(&module, "data.a.y"), "{body}");
    }
}
