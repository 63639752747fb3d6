//! Members that are not there, asked for below `not`: whatever gave their name its value, the negation holds.

use crate::same;

/// Bodies; what they negate is not in the data, so that each holds.
const HOLD: [&str; 39] = [
    "every v in [1] { not none.obj[v] }",
    "every k, _ in [1] { not none.obj[k] }",
    "every k, v in list { not none.obj[v][k] }",
    "every v in [{\"a\": 1}] { not none.obj[v.a] }",
    "every v in [1] { not none.obj[[v]] }",
    "every v in list { not none.obj[v].a.b }",
    "every v in list { not none.obj[v] == 3 }",
    "every v in list { not v == none.obj[v] }",
    "every v in list { not data.nowhere[v].x == v }",
    "every v in list { every w in [1] { not none.obj[v][w] } }",
    "every v in list { count([1 | not none.obj[v]]) == 1 }",
    "every v in list { not none.obj[v] with data.q as {} }",
    "every v in [[1, 2]] { [a, b] = v; not none.obj[a][b] }",
    "every v in [{\"k\": 1}] { w = v.k; not none.obj[w] }",
    "split(\"a b\", \" \", [v, _]); not none.obj[v]",
    "split(\"a\", \" \", v); not none.obj[v]",
    "same(1, v); not none.obj[v]",
    "walk(list, v); not none.obj[v]",
    "walk(list, [p, v]); not none.obj[p]; not none.obj[v]",
    "v = one; not none.obj[v]",
    "one = v; not none.obj[v] == 3",
    "v = list[0]; not none.obj[v]",
    "list[_] = v; not none.obj[v]",
    "[_, v] = split(\"a b\", \" \"); not none.obj[v]",
    "{\"a\": v} = {\"a\": 1}; not none.obj[v]",
    "[1, one] = [v, w]; not none.obj[v]; not none.obj[w]",
    "some v; v = list[_]; not none.obj[v]",
    "v = one; not none.obj[v] with data.q as {}",
    "v = one; not none.obj[[v, 1]]",
    "v := 1; every _ in [1] { not none.obj[v] }",
    "v = 1; every w in [1] { not none.obj[v]; w }",
    "some v in list; not none.obj[v]",
    "some k, _ in list; not none.obj[k]",
    "not none.obj[one]",
    "split(\"a\", \" \", v); not none.obj[v[0]]",
    "a := one; n := [a, one]; not none.obj[n]",
    "b := one; n := {\"a\": b}; not none.obj[n]",
    "b := one; n := [b]; m := n; not none.obj[m]",
    "walk(list, [p, v]); not none.obj[p[0]]",
];

/// Bodies that do not hold, or do for what is there alone.
const OTHERWISE: [&str; 10] = [
    "every v in list { not has[v] }",
    "every k, _ in list { not list[k] }",
    "v = list[0]; not has[v]",
    "v = list[0]; not has[v] == true",
    "v = list[0]; not has[v] == false",
    "walk(list, [_, v]); not has[v]",
    "v = list[0]; not none.obj[v][none.x]",
    "every v in list { not has[none[v]] }",
    "split(\"x\", \" \", v); not has[v[0]]",
    "b := list[0]; n := [b]; not {[\"x\"]}[n]",
];

fn module(body: &str) -> String {
    format!(
        "package a\nlist := json.unmarshal(\"[\\\"x\\\"]\")\nhas := json.unmarshal(\"{{\\\"x\\\": true}}\")\n\
         none := json.unmarshal(\"{{}}\")\none := json.unmarshal(\"1\")\nsame(v) := v\ny if {{ {body} }}\n"
    )
}

#[test]
fn what_is_not_there_is_negated_whatever_names_it() {
    for body in HOLD {
        assert_eq!(same(&module(body), "data.a.y"), true, "{body}");
    }
    for body in OTHERWISE {
        let (ours, theirs) = (crate::ours(&module(body), "data.a.y"), crate::opa(&module(body), "data.a.y"));
        assert_eq!(ours.unwrap_or_else(|error| panic!("{body}: {error}")), theirs, "{body}");
    }
}
