//! Rules, functions and builtins that a `with` replaces, by whatever name, beside the real `opa`.

use crate::{opa_of, ours_of};

const LIB: &str = "package lib\nf(x) := x + 1\ng(x) := x * 10\nr := 1\ns := [f(1), data.lib.f(2), r]\n";

/// Answered by both, the same.
const ANSWERED: [&str; 72] = [
    "y if {\n\tnot 1 > 2 with input as 1 with input.n as units.parse_bytes(\"1K\")\n\t(1 * 1) = [1][_]\n}",
    "y if {\n\tnot 1 > 2 with input as 1 with input.n as units.parse_bytes(\"1K\")\n\t([1][_] + 1) == 3\n}",
    "f(x) := x\ng(base64) := z if { z := f(\"a\") with f as base64.encode }\ny := g({\"encode\": 1})",
    "f(x) := x\ny := z if { base64 := {\"encode\": 1}; z := f(\"a\") with f as base64.encode }",
    "f(x) := x\ny := z if { some base64 in [{\"encode\": 1}]; z := f(\"a\") with f as base64.encode }",
    "f(x) := x + 1\ng(x) := x * 10\ny := z if { z := f(2) with f as g }",
    "r := 1\nq if { input.x == 1 with r as 9 with input as {\"x\": r} }\ny if q",
    "r := 1\ng := r\ny := z if { z := input.x with r as 9 with input as {\"x\": [w | w := g]} }",
    "f(x) := 1\ny := z if { z := input.x with f as 9 with input as {\"x\": f(0)} }",
    "y := z if { z := [input.x] with count as 5 with input as {\"x\": count([])} }",
    "y := z if { count := 3; z := q with count as 3 }\nq := count([1])",
    "f(x) := x + 1\ng(x) := f(x) * 10\ny := z if { z := f(2) with f as g }",
    "f(x) := x + 1\ng(x) := h(x) * 10\nh(x) := x\ny := z if { z := f(2) with f as g with h as 7 }",
    "f(x) := x + 1\nr := f(3)\ny := z if { z := r with f as 7 }\nz := r",
    "f(x) := x + 1\nr := f(3)\ny := z if { z := [r, 1] with data.a.f as 7 }",
    "r := 3\ns := r + 1\ny := z if { z := s with r as 9 }",
    "r := 3\ns := r + 1\ny if { s == 10 with r as 9; s == 4 }",
    "r contains 1\ns := count(r)\ny := z if { z := s with r as {1, 2, 3} }",
    "r[x] := 1 if some x in [1, 2]\ns := count(r)\ny := z if { z := s with r as {} }",
    "r.a.b := 1\ns := r.a\ny := z if { z := s with r.a.b as 9 }",
    "r.a.b := 1\ns := r.a\ny := z if { z := s with r.a as {\"b\": 4} }",
    "r.a.b := 1\ns := r.a\ny := z if { z := s with r as {\"a\": 4} }",
    "y := z if { z := crypto.sha256(\"a\") with crypto.sha256 as \"q\" }",
    "y := z if { z := crypto.hmac.equal(\"a\", \"b\") with crypto.hmac.equal as true }",
    "f(_, _) := \"m\"\ny := z if { z := crypto.hmac.equal(\"a\", \"b\") with crypto.hmac.equal as f }",
    "f(a, b) := crypto.hmac.equal(a, b)\ny := z if { z := crypto.hmac.equal(\"a\", \"a\") with crypto.hmac.equal as f }",
    "y := x if { io.jwt.decode_verify(\"a\", {}, x) with io.jwt.decode_verify as [true, {}, {\"a\": 1}] }",
    "y := x if { io.jwt.decode_verify(\"a\", {}) = x with io.jwt.decode_verify as [true, {}, {\"a\": 1}] }",
    "y := p if { [_, _, p] := io.jwt.decode_verify(\"a\", {}) with io.jwt.decode_verify as [true, {}, {\"a\": 1}] }",
    "y if not io.jwt.verify_hs256(\"a\", \"b\") with io.jwt.verify_hs256 as false",
    "y := z if { z := time.now_ns() with time.now_ns as 5 }",
    "y := x if { x := time.now_ns() with time.now_ns as 5 }",
    "y := z if { z := time.now_ns() with input.now as 5 with time.now_ns as 6 }",
    "f := 8\ny := z if { z := time.now_ns() with time.now_ns as f }",
    "y := z if { z := lower(\"A\") with lower as upper }",
    "y := z if { z := lower(\"A\") with lower as input.nope }",
    "y := lower(\"A\") if { x := \"q\"; lower(\"A\") == x with lower as x }",
    "y := z if { z := count([1]) with count as sum }",
    "y := z if { z := startswith(\"a\", \"b\") with startswith as endswith }",
    "y := z if { z := [lower(x) | some x in [\"A\", \"B\"]] with lower as \"z\" }",
    "y if { every x in [\"A\"] { lower(x) == \"z\" with lower as \"z\" } }",
    "y := z if { z := [x | some i; x := lower([\"A\", \"B\"][i]) with lower as \"z\"] }",
    "default f(_) := 9\nf(x) := 1 if x == 1\ng(x) := 2 if x == 1\ny := z if { z := f(5) with f as g }",
    "default g(_) := 9\nf(x) := 1 if x == 1\ng(x) := 2 if x == 1\ny := z if { z := f(5) with f as g }",
    "f(x) := 1\nr if f(1) == 5\ny if r with f as 5\nz if not r with f as 6",
    "f(x) := 1\nr if f(1) == 5\ny := z if { z := r with f as data.a.v }\nv := 5",
    "f(x) := 1\ny := z if { z := f(1) with f as v }\nv := {\"a\": 1}",
    "f(x) := 1\ny := z if { z := f(1) with f as f2(3) }\nf2(x) := x",
    "f(x) := x\nr := [f(1), data.a.f(2)]\ny := z if { z := r with data.a.f as 9 }",
    "f(x) := x\nr := f(\"a\")\ny := z if { z := r with f as crypto.sha256 }",
    "f(x) := x\ny := z if { z := f(f(1)) with f as g }\ng(x) := x + 5",
    "f(x) := x\ny := z if { z := [f(i) | some i in [1, 2]] with f as g }\ng(x) := x + 5",
    "y := z if { z := io.jwt.decode(\"a\") with io.jwt.decode as d }\nd(x) := [x, x, x]",
    "y := z if { z := object.union_n([]) with object.union_n as \"z\" }",
    "y := z if { z := strings.render_template(\"{{.a}}\", {\"a\": 1}) with strings.render_template as t }\nt(a, b) := a",
    "y := z if { z := regex.globs_match(\"[\", \"b\") with regex.globs_match as true }",
    "y := z if { z := json.match_schema({}, {}) with json.match_schema as [true, []] }",
    "y := z if { z := time.parse_ns(\"a\", \"b\") with time.parse_ns as 5 }",
    "y := z if { z := urlquery.decode_object(\"a=b\") with urlquery.decode_object as {\"a\": 1} }",
    "a := b\nb := 2\nc := a + b\ny := z if { z := c with b as 5 }",
    "a := 1\ny := z if { z := a with a as a + 1 }",
    "import data.lib\ny if lib.r == 5 with lib.r as 5",
    "import data.lib\ny := x if { x := lib.f(1) with data.lib.f as \"m\" }",
    "import data.lib\nimport data.lib.f as g\ny := x if { x := [lib.f(1), g(2), data.lib.s] with lib.f as \"m\" }",
    "import data.lib\nm(x) := [x]\ny := x if { x := data.lib.s with lib.f as m }",
    "y := x if { x := data.lib.s with data.lib.f as data.lib.g }",
    "import data.lib as l\ny := x if { x := data.lib.s with data.lib.f as l.g }",
    "f(x) := x\ny if { f(\"a\") == \"YQ==\" with f as base64.encode }",
    "f(x) := 1\nmax := 3\ny := z if { z := f([1, 2]) with f as max }",
    "x := {\"b\": 2}\ny := z if { z := x.a with data.a.x as {\"a\": 1} }",
    "x := {\"b\": 2}\ny if not x.a with x as {\"a\": false}",
    "x := 1\nr := 1\ny if { x with r as 3; [1 | r := 3] }",
];

#[test]
fn what_with_replaces_is_replaced_as_by_opa() {
    for body in ANSWERED {
        let module = format!("package a\n{body}\n");
        let modules = [("a.rego", module.as_str()), ("lib.rego", LIB)];
        let ours = ours_of(&modules, "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa_of(&modules, "data.a.y"), "{body}");
    }
}

/// Rules with variables that have the name of a builtin, and the reason for which they are refused, if they are.
const NAMED: [(&str, Option<&str>); 56] = [
    ("y := z if { max = 3; z := input.x with input.x as [max] }", BUILTIN),
    ("y := z if { max = 3; z := input.x with input.x as {\"k\": max} }", BUILTIN),
    ("y := z if { max = {\"a\": 2}; z := input.x with input.x as max.a }", BUILTIN),
    ("y := z if { z := input.x with input.x as [w | max = 5; w := max] }", BUILTIN),
    ("y := z if { split(\"a b\", \" \", max); z := input.x with input.x as [max] }", BUILTIN),
    ("y := z if { split(\"a b\", \" \", [max, _]); z := input.x with input.x as [max] }", BUILTIN),
    ("y := z if { walk([1], [max, _]); z := input.x with input.x as [max] }", BUILTIN),
    ("g(x) := x\ny := z if { g(3, max); z := input.x with input.x as [max] }", BUILTIN),
    ("y := z if { max = 3; z := 3 with max as 5 }", BUILTIN),
    ("y := z if { max := 3; z := input.x with input.x as [max] }", None),
    ("y := z if { some max; max = 3; z := input.x with input.x as [max] }", None),
    ("y := z if { z := input.x with input.x as [max | some max in [5]] }", None),
    ("y := z if { base64 = 2; z := input.x with input.x as [base64] }", None),
    ("max := 3\ny := z if { max = 3; z := input.x with input.x as [max] }", None),
    ("import input.a as max\ny := z if { max = 1; z := input.x with input.x as [max] }", None),
    ("y := [max | max = 3]", BUILTIN),
    ("y := {1 | max = 3}", BUILTIN),
    ("y := {max: 1 | max = \"a\"}", BUILTIN),
    ("y := {max | input.xs[_] = max}", BUILTIN),
    ("y := [max | split(\"a b\", \" \", max)]", BUILTIN),
    ("y if { not [1 | max = 3] == [] }", BUILTIN),
    ("y := [eq | eq = 3]", BUILTIN),
    ("y := [re_match | re_match = 3]", BUILTIN),
    ("y := [x | x := [count | count = 3]]", BUILTIN),
    ("y := [time | time = 3]", None),
    ("y := [max | max := 3]", None),
    ("y := [max | some max in [3]]", None),
    ("max := 1\ny := [max | max = 1]", None),
    ("y := max if max = 2", None),
    ("y contains max if max = 2", None),
    ("y := z if { max = 2; z := [max | true] }", None),
    ("y := z if { max = 2; z := [max | max := 3] }", None),
    ("y if { some x in [3]; every k in [3] { max = k; max == x } }", None),
    ("y if { max = 2; every max in [3] { max == 3 } }", None),
    ("y := z if { max = 3; z := [max([1, 2])] }", CALLED),
    ("y := z if { max = 3; z := [w | w := max([1, 2])] }", CALLED),
    ("y := z if { max = 3; z := input.x with input.x as [max([1, 2])] }", CALLED),
    ("y := z if { z := max([1, 2]); split(\"a b\", \" \", max) }", CALLED),
    ("y := z if { z := max([1, 2]); input.xs[max] }", CALLED),
    ("y contains max if { max = 3; max([1, 2]) }", CALLED),
    ("y := max([1, 2]) if { max = 3 }", CALLED),
    ("y := z if { base64 = 3; z := base64.encode(\"a\") }", CALLED),
    ("y if { base64 = 1; not base64.encode(\"a\") }", CALLED),
    ("y := z if { z := base64.encode(\"a\"); w := [1 | base64 = 1] }", None),
    ("y := 1 if { max = 3; max == 4 } else := z if { z := max([1, 2]) }", None),
    ("y := z if { plus := 3; z := 2 + 2 }", Some("what OPA calls for `+`")),
    ("y := z if { plus = 3; z := plus + 1 }", Some("what OPA calls for `+`")),
    ("f(plus) := 1 + 1", Some("what OPA calls for `+`")),
    ("f(minus) := -x if x := 1", Some("what OPA calls for `-`")),
    ("f(and) := {1} & {1}", Some("what OPA calls for `&`")),
    ("f(neq) := z if { z := 2 != 1 }", Some("what OPA calls for `!=`")),
    ("f(equal) := 1 if input.a == 1", Some("what OPA calls for `==`")),
    ("f(eq) := 1 if input.a = 1", Some("what OPA calls for `=`")),
    ("y := z if { internal = 3; z := 2 in [2] }", Some("what OPA calls for `in`")),
    ("f(eq) := 1 if 1 == 1", None),
    ("y := z if { plus = 3; z := plus * 2 }", None),
];

const BUILTIN: Option<&str> = Some("is a builtin to OPA, which gets another value here");
const CALLED: Option<&str> = Some("is a variable here, and called as a function");

#[test]
fn a_builtins_name_is_a_variable_where_it_is_one_to_opa() {
    for (rules, refused) in NAMED {
        let module = format!("package a\n{rules}\n");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("a.rego"), &module).expect("it can be written");
        let told = std::process::Command::new(postern_tests::parts::program("opa"))
            .current_dir(folder.path())
            .args(["check", "a.rego"])
            .output();
        assert_eq!(!told.expect("opa runs").status.success(), refused.is_some(), "{rules}");
        match (ours_of(&[("a.rego", &module)], "data.a.y"), refused) {
            (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{rules}: {error}"),
            (ours, _) => assert!(ours.is_ok() && refused.is_none(), "{rules}: {ours:?}"),
        }
    }
}

/// OPA takes the builtin before the variable, or finds nothing.
#[test]
fn a_variable_that_nothing_declares_stands_before_no_builtin_of_several_words() {
    for (body, answer) in [
        ("y := z if { base64 = {\"encode\": 1}; z := f(\"a\") with f as base64.encode }", None),
        (
            "y := z if { z := f(\"a\") with f as base64.encode; base64 = {\"encode\": 1} }",
            Some("YQ==".into()),
        ),
    ] {
        let module = format!("package a\nf(x) := x\n{body}\n");
        let modules = [("a.rego", module.as_str())];
        let error = ours_of(&modules, "data.a.y").unwrap_err().to_string();
        assert!(error.contains("is a builtin to OPA, which gets another value here"), "{body}: {error}");
        assert_eq!(opa_of(&modules, "data.a.y"), answer, "{body}");
    }
}

/// OPA asks for such a rule at each call, the engine once.
#[test]
fn a_computed_rule_stands_in_for_no_function() {
    for body in [
        "f(x) := 1\nmax := v if v := 3\ny := z if { z := f([1, 2]) with f as max }",
        "f(x) := 1\nh := f(2)\nq if { not h with f as g }\ng := 9 if input.zz\ny if not q",
        "f(x) := 1\ny := z if { z := f(2) with f as g with input.x as 2 }\ng := input.x",
    ] {
        let module = format!("package a\n{body}\n");
        let error = ours_of(&[("a.rego", module.as_str())], "data.a.y").unwrap_err().to_string();
        assert!(
            error.contains("stands in for a function, and is a rule that is computed"),
            "{body}: {error}"
        );
    }
}
