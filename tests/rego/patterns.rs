//! Patterns: what they match, and which are none, as with Go's `regexp`.

use serde_json::{Value, json};

use crate::{opa, ours};

const TEXTS: [&str; 14] =
    ["", "a", "aa", "b", "ab", "a{ 2 }", "a{1, 2}", "a{01}", "/vv", "/v{1, 2}", "1 é", "A-]", "aé_<", "Σ\\"];

/// What was seen to differ, and its like.
const PATTERNS: &[&str] = &[
    "a{ 2 }",
    "a{1, 2}",
    "a{2 ,}",
    "a{\n2}",
    "a{2\u{a0}}",
    "a{01}",
    "a{1,01}",
    "^/v{1, 2}$",
    "a{,2}",
    "a{}",
    "a{1",
    "a{0}",
    "a{00}",
    "a{2,1}",
    "a{2}",
    "{1}",
    "a**",
    "a++",
    "a*?*",
    "a{2}{3}",
    "a*?",
    "a??",
    "a???",
    "a{1001}|b",
    "(a{40}){40}|b",
    r"(\d{1,3}){334}|b",
    r"(\d{1,3}){333}|b",
    "((a{600}){0}){600}|b",
    "(a{600}){1}|b",
    "a{1000}|b",
    "(a{600}){0,2}|b",
    "(a{600}){0,}|b",
    "(a{501,}){2}|b",
    "a{99999999999}|b",
    r"\u0041",
    r"\U00000041",
    r"\u{41}",
    r"\x41",
    r"\x{41}",
    r"\x{0000041}",
    r"\x4",
    r"\x{}",
    r"\x{110000}",
    r"\101",
    r"\0",
    r"\1",
    r"\12",
    r"\8",
    r"\p{gc=Lu}",
    r"\p{Script=Greek}",
    r"\p{Script_Extensions=Greek}",
    r"\p{Latn}",
    r"\p{Greek}",
    r"\p{greek}",
    r"\p{^Greek}",
    r"\P{^Greek}",
    r"\p{Lowercase_Letter}",
    r"\p{Alphabetic}",
    r"\pL",
    r"\pX",
    r"\p{Lu",
    r"\p{}",
    r"\p{Old_Italic}",
    "[[:foo:]]",
    "[[:Alpha:]]",
    "[[:w:]]",
    "[[:alpha:]]",
    "[[:^alpha:]]",
    "[[:word:]-b]",
    "[[:alpha]",
    "[a-[:alpha:]]",
    "(?P<a.b>a)",
    "(?P<é>a)",
    "(?P<a>a)",
    "(?<a>a)",
    "(?P<>a)",
    "(?P<a>a)(?P<a>a)",
    "(?<=a)b",
    "(?P=a)",
    "(?i)A",
    "(?ii)A",
    "(?i-)A",
    "(?-i)A",
    "(?i-i)A",
    "(?)a",
    "(?:a)",
    "(?-:a)",
    "(?x)a",
    "a--b",
    "[a--b]",
    "[+--]",
    "[--a]",
    "[a-]",
    "[-a]",
    "[]a]",
    "[]",
    "[^]a]",
    r"[a-\d]",
    r"[\d-a]",
    r"[\]-a]",
    r"[\b]",
    r"[\Q]",
    "[a&&b]",
    "[a~~b]",
    "[b-a]",
    r"\<",
    r"\>",
    r"\_",
    r"\é",
    r"\ ",
    r"\B",
    r"a\B",
    r"é\B",
    r"\b",
    r"\C",
    r"\Z",
    r"\z",
    r"\A",
    r"\G",
    r"\E",
    r"\Qa{\E",
    r"\Qa",
    r"\Qab\E*",
    "*",
    "|*",
    "a|*",
    "(*)",
    "()*",
    "^*",
    "$+",
    "(a",
    "a)",
    "a|b",
    "(|a)",
    "\\",
    ".",
    "(?s).",
    "(?m)^a$",
    "(?U)a+",
    "b+?",
    "[[a]",
    "[a[]b]",
];

/// Parts of which more patterns are put together.
const PARTS: &[&str] = &[
    "a",
    "b",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "{1, 2}",
    "{ 2 }",
    "{0}",
    "{2,}",
    "{1001}",
    "{400}",
    "{01}",
    "[",
    "]",
    "-",
    "^",
    "(?:",
    "(?i)",
    "(?P<n>",
    "[[:alpha:]]",
    "[:x:]",
    r"\d",
    r"\pL",
    r"\x41",
    r"\<",
    r"\b",
    r"\Q",
    r"\E",
    "é",
    "{",
    "}",
    ",",
    r"\B",
    "[a-b]",
    "(a|b)",
    "a{2}",
];

/// Always the same ones.
fn composed() -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    (0..60).map(|_| (0..2 + next(6)).map(|_| PARTS[next(PARTS.len())]).collect()).collect()
}

/// What each function makes of all texts by this pattern.
fn rules(at: usize, pattern: &str) -> String {
    let p = json!(pattern);
    // Not a constant to the gate.
    format!(
        "p{at} := concat(\"\", [{p}])\nv{at} := regex.is_valid(p{at})\nr{at} := {{\n\
         \"match\": {{t: regex.match(p{at}, t) | some t in texts}},\n\
         \"replace\": {{t: regex.replace(t, p{at}, \"<$0>\") | some t in texts}},\n\
         \"split\": {{t: regex.split(p{at}, t) | some t in texts}},\n\
         \"find\": {{t: regex.find_n(p{at}, t, -1) | some t in texts}},\n\
         \"groups\": {{t: regex.find_all_string_submatch_n(p{at}, t, -1) | some t in texts}},\n\
         \"template\": {{t: regex.template_match(concat(\"\", [\"<\", p{at}, \">\"]), t, \"<\", \">\") | \
         some t in texts}},\n\
         \"schema\": {{t: json.match_schema({{\"a\": t}}, {{\"properties\": {{\"a\": {{\"pattern\": p{at}}}}}}})[0] | some t in texts}}}}\n"
    )
}

#[test]
fn patterns_are_to_each_function_what_they_are_to_opa() {
    let mut patterns: Vec<String> = PATTERNS.iter().map(|pattern| (*pattern).to_owned()).collect();
    patterns.extend(composed());
    let head = format!("package a\n\ntexts := {}\n", json!(TEXTS));
    let (mut limits, mut valid, mut differ) = (0, 0, Vec::new());
    for some in patterns.chunks(50) {
        let whole =
            some.iter().enumerate().fold(head.clone(), |module, (at, pattern)| module + &rules(at, pattern));
        let names: Vec<String> =
            (0..some.len()).map(|at| format!("\"{at}\": [data.a.v{at}, data.a.r{at}]")).collect();
        let theirs = opa(&whole, &format!("{{{}}}", names.join(", "))).expect("every one has a value");
        for (at, pattern) in some.iter().enumerate() {
            let theirs = &theirs[at.to_string()];
            let module = format!("{head}{}", rules(at, pattern));
            let judged = ours(&module, &format!("data.a.v{at}"));
            let used = ours(&module, &format!("data.a.r{at}"));
            if theirs[0] == false {
                if !matches!(judged, Ok(Some(Value::Bool(false)))) || used.is_ok() {
                    differ.push(pattern.clone());
                }
                continue;
            }
            valid += 1;
            match (judged, used) {
                (Ok(Some(Value::Bool(true))), Ok(Some(used))) if used == theirs[1] => {}
                (Ok(Some(Value::Bool(true))) | Err(_), Err(_)) => limits += 1,
                _ => differ.push(pattern.clone()),
            }
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(valid > 90 && limits * 5 < valid, "{limits} of {valid} are refused");
}

#[test]
fn braces_in_a_template_are_text_where_they_repeat_nothing() {
    let module = r#"package a
p := [regex.template_match("a{b{ 1 }}c", "ab{ 1 }c", "{", "}"), regex.match(`^/v{1, 2}$`, "/vv")]"#;
    assert_eq!(crate::same(module, "data.a.p"), json!([true, false]));
}

#[test]
fn what_a_replacement_names_is_named_as_in_go() {
    let replacements = [
        "$0",
        "$00",
        "$1",
        "$01",
        "${01}",
        "$1x",
        "${1}x",
        "$1é",
        "${1}é",
        "$1€",
        "$1٣",
        "${1٣}",
        "$n",
        "$n_",
        "${n}_",
        "$é",
        "${é}",
        "${n-1}",
        "${ n }",
        "${1 }",
        "${}",
        "${",
        "${n",
        "${1",
        "$}",
        "$",
        "$$",
        "$$1",
        "$$$1",
        "$-1",
        "a$",
        "$3",
        "$10",
        "$99999999999999999999",
        "$\u{301}",
        "$n\u{301}",
        "${{1}}",
        "$日n",
        "x$1$2y",
    ];
    let module = |replacements: &[&str]| {
        format!(
            "package a\np := [regex.replace(`xaby`, `(?P<n>a)(b)`, t) | some t in {}]",
            json!(replacements)
        )
    };
    let all = crate::same(&module(&replacements), "data.a.p");
    assert_eq!(all[3], json!("xy"));
}
