//! What gives a name its value, times what reads it, times what stands around that: beside the real one, so that no pair of
//! them is left to chance.

use serde_json::Value;

use postern_policy::AskError;

use crate::{opa, ours};

/// Of no type that OPA could refuse something by.
const RULES: &str = r#"
any := json.unmarshal("{\"a\": \"a\", \"b\": 1, \"q\": {\"z\": 1}}")
text := json.unmarshal("\"a\"")
list := json.unmarshal("[\"c\", 2, \"a\"]")
pairs := json.unmarshal("[[\"c\", 1], [\"a\", 2]]")
f(x) := x
"#;

const GIVES: [&str; 20] = [
    "w := text",
    "w = text",
    "v := text; w = v",
    "v := text; u = v; w = u",
    "w = v; v = u; u = text",
    "w = v; v = text",
    "some w in list",
    "some i, w in list",
    "w := list[_]",
    "w = list[i]",
    "any[w]",
    "some w; any[w] == 1",
    "some [w, _] in pairs",
    "z := pairs[_]; [w, _] := z",
    "z := pairs[_]; [w, _] = z",
    "z := any; {\"a\": w} := z",
    "lower(\"A\", w)",
    "[w, y2] = split(\"c.x\", \".\")",
    "walk(list, [_, w])",
    "v := lower(\"C\"); w := v",
];

const READS: [&str; 7] = [
    "any[w]",
    "any[w] == 1",
    "w == \"a\"",
    "f(w) != \"c\"",
    "w in list",
    "[1 | any[w]] == [1]",
    "any[[w][0]] == any[w]",
];

const AROUND: [&str; 13] = [
    "R",
    "not R",
    "x := [1 | R]; x == [1]",
    "count({w: 1 | R}) == 1",
    "every _ in [1] { R }",
    "every _ in [1] { not R }",
    "every _ in list { R }",
    "every e in [w] { e == w; R }",
    "every _ in [1] { every _ in [2] { R } }",
    "every _ in [1] { [1 | R] == [1] }",
    "[1 | every _ in [1] { R }] == [1]",
    "not [1 | every _ in [1] { R }] == [1]",
    "every _ in [1] { R } with input.k as w",
];

#[test]
fn whatever_gives_a_name_its_value_and_whatever_reads_it() {
    let bodies: Vec<String> = GIVES
        .iter()
        .flat_map(|gives| AROUND.iter().map(move |around| (gives, around)))
        .flat_map(|(gives, around)| {
            READS.iter().map(move |reads| format!("{gives}; {}", around.replace('R', reads)))
        })
        .collect();
    let rules: String =
        bodies.iter().enumerate().map(|(at, body)| format!("r{at} if {{ {body} }}\n")).collect();
    let theirs = opa(&format!("package a\n{RULES}{rules}"), "data.a").expect("a package");
    let mut refused = 0;
    for (at, body) in bodies.iter().enumerate() {
        match ours(&format!("package a\n{RULES}r if {{ {body} }}\n"), "data.a.r") {
            Ok(answer) => assert_eq!(answer.as_ref(), theirs.get(format!("r{at}")), "{body}"),
            Err(AskError::Refused(_)) => refused += 1,
            Err(error) => panic!("{body}: {error}"),
        }
    }
    let held =
        (0..bodies.len()).filter(|at| theirs.get(format!("r{at}")) == Some(&Value::Bool(true))).count();
    // Of both kinds there are many, or nothing is shown; and few are refused.
    assert!(held > 300 && bodies.len() - held > 300, "{held} of {}", bodies.len());
    assert!(refused * 10 < bodies.len(), "{refused} of {} are refused", bodies.len());
}
