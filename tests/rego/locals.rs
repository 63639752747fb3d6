//! Variables that are called as rules, and second names of variables: they mean what they mean to OPA.

use crate::{opa, ours};

/// A body each, beside the rules below; `y` is asked for.
const ANSWERED: [&str; 50] = [
    "y := [x | some x in [1, 2]]",
    "y if { some x, v in {1: 2}; x == 1 }",
    "y := [z | some x in [1]; z := [x | x := 3]]",
    "y := [x | some x in [1, 2]; z := [x | true]; z == [x]]",
    "y contains x if some x in [1, 2]",
    "y[x] := k if some k, x in [1, 2]",
    "y := x if { some x in [] } else := x if some x in [7]",
    "y := x if { some x in [] } else := x",
    "y := [[x, z] | some x in [1, 2]; z := [x | some x in [3, 4]]]",
    "y := {x: x | some [x, _] in {[1, 2], [3, 4]}}",
    r#"y := [x | some {"a": x} in [{"a": 2}, {"b": 1}]]"#,
    r#"y := [v | some x in ["a"]; v := {"a": 3}[x]]"#,
    "y if { some x in [1]; not x == 5 }",
    r#"y if { some x in [1]; not startswith(sprintf("%d", [x]), "5") }"#,
    "y if { some x in [1]; every z in [2] { z > x } }",
    "y if { every z in [2] { z > 1 }; some x in [z | some z in [2]]; x == 2 }",
    "y := [f | some f in [1]]",
    "y := [set | some set in [5]]",
    r#"y := [inner.b | some inner in [{"b": 2}]]"#,
    "g(a) := x if { some x in a }\ny := g([3])",
    "y := y2 if { some y in [1]; y2 := y }",
    "y := [y | some y in [1]]",
    "z := x\ny := [[x, z] | some x in [1]]",
    "z := input.q\ny := [x | some x in [1]; z == x with input.q as x]",
    "y := [x | some x in [1]; x = 1]",
    "y := z if { x := 1; z := [x | x := x] }",
    "y := z if { z := [v | x := 2; v := [x | x := x + 1]] }",
    "y if { some x; x = 1 }",
    "y := [[x, v] | some x; v := d[x]]",
    "y := [v | x := 1; not d[x] == 3; v := 1]",
    "y := [f(x) | some x in [1, 2]]",
    "y := [v | x := 7; v := $\"a{x}\"]",
    r#"y := [v | q := "a"; x := q; v := {"a": 3}[x]]"#,
    "y if { some q in [1]; x := q; every z in [2] { z > x } }",
    "y if { some q in [1]; x := q; x = 1 }",
    "y := v if { some q in [1]; x := q; v := d[x] }",
    "y := v if { some q in [1]; other := q; v := d[other] }",
    "y := v if { q := input.q; other := q; v = d[other] } else := other if { other := x }",
    "y := [other | other := input with input as 3]",
    "y := [v | x := 7; v := x with input.q as x]",
    "y := q if { q := {q | d[q] == 2} }",
    "y := q if { q := count({q | d[q]}) }",
    "y := q if { q := {q: v | v := d[q]} }",
    "y := [q, v] if { [q, v] := [{v | d[v]}, {q | d[q]}] }",
    "y := x if { x := {x | d[x]} }",
    "y := [x | x := {x | d[x]}] if { x == 5 }",
    "y := [q | q := {q | d[q]}] if { q = 7; q }",
    "y := [v | v := {q | d[q]}; q := 1; q] if { q = 7 }",
    "y := q if { q := {q | d[q]}; count(q) == 9 } else := {q | d[q]}",
    "y := q if { q := [v | v := [q | d[q]]] }",
];

const REFUSED: [&str; 10] = [
    "y := [x(1) | x := 1]",
    "g(x) := [x | some x in x]\ny := g([3])",
    "y := [x | x == 5; some x in [1]]",
    "y := [1 | some x in x]",
    "y := [1 | some x in [x]]",
    "y := [x | some x in [1]; x := 2]",
    "y if { x := x; x == 5 }",
    "y := z if { z := [x | x := x] }",
    "y := z if { x := [x | true]; z := x }",
    "y := z if { [x, z] := [x, x] }",
];

const RULES: &str = "x := 5\nf(a) := a\nset contains 1\ninner.b := 5\nd := {1: 2}\n";

#[test]
fn a_variable_hides_the_rule_that_is_called_so() {
    for body in ANSWERED {
        let module = format!("package a\n{RULES}{body}\n");
        let ours = ours(&module, "data.a.y").unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(ours, opa(&module, "data.a.y"), "{body}");
    }
}

#[test]
fn what_opa_refuses_of_it_is_refused_in_the_authors_words() {
    for body in REFUSED {
        let error = ours(&format!("package a\n{RULES}{body}\n"), "data.a.y").expect_err(body).to_string();
        assert!(error.contains("`x`") && !error.contains("_local"), "{body}: {error}");
    }
}

#[test]
fn a_minus_stands_before_names_references_and_calls_and_binds_as_in_opa() {
    let values = "-late, -o.b * 2, 10 - -o.b % 3, -count([1]) / 2, -2 * late, -7 % 4, -late == -2, -late in [-2], - # c\n2.5, \
                  -f(1) - late, -o[\"b\"] + -3 * -late, 0 - late";
    let rules = "late := 2\no := {\"b\": 5}\nf(a) := -a + 1\ns contains -x if some x in [1, 2]";
    crate::same(&format!("package a\n{rules}\nx := [{values}, s]\n"), "data.a.x");
    for value in ["-(late)", "--late", "-{1}"] {
        let module = format!("package a\nlate := 2\nx := [{value}]\n");
        let Err(postern_policy::AskError::Refused(error)) = crate::ours(&module, "data.a.x") else {
            panic!("{value} is taken")
        };
        let problem = &error.problems[0];
        assert_eq!((problem.line, problem.column), (3, 7), "{value}: {problem}");
    }
}
