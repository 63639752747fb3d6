//! What is meant by a text that the engine's parser refuses: other languages, older Rego, a bracket that is left open.

/// What the engine says of `f("a")` as a whole rule.
const BARE: &str = "rule must have a body or assignment";
/// What it says of a body in Rego v0.
pub(crate) const V0: &str = "`if` keyword is required before rule body";

/// What the engine says alone, and what to write instead.
const SAID: &[(&str, &str)] = &[
    ("else cannot be used with set rules", "a rule of its own with the same head, for each body"),
    ("expecting `:=` while parsing default rule", "`default … := …`, with `:=` and a constant behind it"),
    (
        "input cannot be shadowed",
        "another name: `input` is the request, and a test puts in its own by `with input as …`",
    ),
    ("data cannot be shadowed", "another name: `data` is all that the bundle holds"),
    (
        "invalid number. serde_json cannot parse number: out of range",
        "a number of at most 1.7976931348623157e308; a whole one beyond by all its digits",
    ),
    (
        "invalid number",
        "a number as in JSON, `10`, `0.5`, `1.5e3`; an address, a version or a date is text, in quotes",
    ),
    ("serde_json cannot parse string: unexpected end of hex escape", NO_PAIR),
    ("serde_json cannot parse string: lone leading surrogate", NO_PAIR),
];

/// What to write instead in data that is no JSON to this reader.
pub(crate) fn instead_in_data(why: &str) -> &'static str {
    let half = ["unexpected end of hex escape", "lone leading surrogate"];
    if half.iter().any(|said| why.contains(said)) { NO_PAIR } else { "" }
}

const NO_PAIR: &str = "`\\ufffd`, which is what OPA makes of half a surrogate pair";

/// What stands at the place that the parser names, or ends right before it, and what to write instead.
const MARKS: &[(&str, &str)] = &[
    ("&&", ALL),
    ("||", ANY),
    ("'", TEXT),
    ("\u{2018}", TEXT),
    ("\u{2019}", TEXT),
    ("\u{201c}", TEXT),
    ("\u{201d}", TEXT),
    ("===", "`==`"),
    ("!==", "`!=`"),
    ("=>", "`if` behind the head; `>=` for a comparison"),
    ("=~", "`regex.match(pattern, text)`"),
    ("~", "`regex.match(pattern, text)`"),
    ("!", "`not …`"),
    ("?", "`… if …` and `else := …`, or two rules: there is no `? :`"),
    ("//", "`#` for a comment"),
    ("/*", "`#` for a comment, on each line"),
    ("+=", "another name: what has a value keeps it"),
    ("-=", "another name: what has a value keeps it"),
    ("++", "another name: what has a value keeps it"),
    ("->", "`:=` and `if`"),
    ("$", "a name without `$`; `$\"…{name}…\"` for a text with values"),
];

/// Words of other languages, at the place or right before it.
const WORDS: &[(&str, &str)] = &[
    ("and", ALL),
    ("or", ANY),
    ("for", "`some x in …` for any of them, `every x in … { … }` for all"),
    ("let", "`x := …`"),
    ("var", "`x := …`"),
    ("const", "`x := …`"),
    ("return", "the value in the head: `name := value if { … }`"),
    ("contains", "`… in …` for a member, `contains(text, part)` for a part of a text"),
    ("is", "`==`"),
    ("like", "`glob.match` or `regex.match`"),
    ("matches", "`regex.match(pattern, text)`"),
    ("def", "`name(x) := value if { … }`"),
    ("func", "`name(x) := value if { … }`"),
    ("function", "`name(x) := value if { … }`"),
    ("elif", "`else := … if { … }`"),
    ("then", "`{`, or nothing: `… if …`"),
    ("import", "the import right below `package`, before all rules"),
    ("if", "a rule of its own for the condition, or `else`: `if` stands behind a head alone"),
    ("not", "`… if not …`; `not` stands before a statement, not inside an expression"),
];

const ALL: &str = "`;` or a new line between statements: all of a body must hold";
const ANY: &str = "one more rule of this name, for any of them may hold; or `x in {a, b}`";
const TEXT: &str = "`\"…\"`, or backticks around a text without escapes";

/// What to write instead; empty where that cannot be told. Line and column are those of the author's text, from 1.
pub(crate) fn instead(why: &str, text: &str, (line, column): (u32, u32)) -> String {
    let index = usize::try_from(line).unwrap_or_default().saturating_sub(1);
    let at = usize::try_from(column).unwrap_or_default().saturating_sub(1);
    let said: Vec<char> = text.lines().nth(index).unwrap_or_default().chars().collect();
    let (before, here) = said.split_at_checked(at).unwrap_or((&said, &[]));
    let (before, here): (String, String) = (before.iter().collect(), here.iter().collect());
    if why.starts_with(V0) {
        return of_v0(&before);
    }
    if let Some((_, instead)) = SAID.iter().find(|(said, _)| why.starts_with(said)) {
        return (*instead).to_owned();
    }
    if let Some((_, instead)) = MARKS.iter().find(|(mark, _)| stands(mark, &before, &here)) {
        return (*instead).to_owned();
    }
    if is_body(&before, &here) {
        return "braces around the whole body, `if { {…} … }`: behind `if` a brace begins the body"
            .to_owned();
    }
    if here.starts_with('%') && why.contains("rule-ref") {
        return "parentheses around the remainder, `10 - (7 % 4)`".to_owned();
    }
    if (here.starts_with('=') && !here.starts_with("=="))
        && before.contains(['-', '+', '*', '/', '%', '<', '>', '&'])
    {
        return "the name on the left, `x := 1 - 1`, or parentheses, `(1 - 1) = x`".to_owned();
    }
    if here.starts_with('}') && before.trim_end().ends_with(';') {
        return "no `;` before `}`".to_owned();
    }
    if here.starts_with(['[', '.']) && before.trim_end().ends_with(')') {
        return "a name for what stands in parentheses, `x := a | b`, and then `x[_]` or `x.name`".to_owned();
    }
    if word(&here, false) == Some("some") && before.contains('-') && before.trim_end().ends_with('|') {
        return "parentheses around what stands before `|`, `[(-x) | some x in …]`".to_owned();
    }
    if let Some(two) = two_words(&here).filter(|_| why == BARE) {
        return two;
    }
    if why == BARE
        && let Some(name) = compared(&here)
    {
        return format!("`{name} := …`: a rule gets its value by `:=`");
    }
    if why == BARE && word(&here, false).is_some_and(|word| word != "and" && word != "or") {
        return "`… := true`, which OPA takes as said".to_owned();
    }
    let near = [word(&here, false), word(before.trim_end(), true)].into_iter().flatten();
    let known = |near: &str| WORDS.iter().find(|(word, _)| *word == near);
    if let Some((_, instead)) = near.into_iter().find_map(known) {
        return (*instead).to_owned();
    }
    if let Some(instead) = between(why, &before, &here) {
        return instead.to_owned();
    }
    if here.trim().is_empty() && text.lines().skip(index + 1).all(|line| line.trim().is_empty()) {
        return open(text).unwrap_or_default();
    }
    String::new()
}

/// What stands between two parts of a query or a comprehension, where nothing or something else does.
fn between(why: &str, before: &str, here: &str) -> Option<&'static str> {
    let collects =
        "`|` behind what is collected: `[x | some x in xs]`, `{key: value | some key, value in xs}`";
    let begins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '`');
    if (why.contains("while parsing array") || why.contains("while parsing set")) && here.starts_with(':')
        || why == "unexpected keyword `some`" && before.trim_end().ends_with([',', ';', ':', '[', '{'])
    {
        Some(collects)
    } else if why.ends_with("while parsing query") && here.starts_with(begins) && !before.trim().is_empty() {
        Some(ALL)
    } else {
        None
    }
}

/// A rule that is two words: whether it is a condition or a value that is missing, its author knows.
fn two_words(here: &str) -> Option<String> {
    let name = word(here, false)?;
    let rest = here.strip_prefix(name)?;
    let next = word(rest.trim_start(), false).filter(|_| rest.starts_with([' ', '\t']))?;
    let known = WORDS.iter().any(|(word, _)| *word == name || *word == next);
    (!known).then(|| format!("`{name} if {next}` for a condition, `{name} := {next}` for a value"))
}

/// The name of a rule that is compared where it was to get a value.
fn compared(here: &str) -> Option<&str> {
    let (name, rest) = here.split_once("==")?;
    let name = name.trim_end();
    (!rest.is_empty() && word(name, false) == Some(name)).then_some(name)
}

/// Whether a set or an object stands right behind `if`, and the expression goes on behind it.
fn is_body(before: &str, here: &str) -> bool {
    let line = format!("{before}{here}");
    let Some((_, body)) = line.split_once(" if {") else { return false };
    let mut depth = 1_usize;
    let closed = body.find(|c| {
        depth = match c {
            '{' => depth + 1,
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        depth == 0
    });
    let behind = closed.and_then(|at| body.get(at + 1..)).unwrap_or_default().trim_start();
    let comprehension = body.get(..closed.unwrap_or_default()).unwrap_or_default().contains('|');
    comprehension
        || behind.starts_with(['&', '|', '-', '=', '!', '<', '>', '[', '.'])
        || word(behind, false) == Some("in")
}

/// Whether a mark begins or ends at the place, or goes over it.
fn stands(mark: &str, before: &str, here: &str) -> bool {
    let split = |at: usize| {
        mark.split_at_checked(at).is_some_and(|(left, right)| {
            let here = if right.is_empty() {
                left.is_empty() || !here.starts_with(mark)
            } else {
                here.starts_with(right)
            };
            here && before.ends_with(left)
        })
    };
    (0..mark.len()).any(split)
}

/// The word at the beginning or at the end.
fn word(text: &str, last: bool) -> Option<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let found = if last { text.rsplit(|c| !inside(c)).next() } else { text.split(|c| !inside(c)).next() };
    found.filter(|word| !word.is_empty())
}

/// A rule without `if`; one with a name in brackets is a set or an object.
fn of_v0(before: &str) -> String {
    let head = before.trim_end();
    let set = head.split_once('[').filter(|(_, key)| key.ends_with(']') && !head.contains('='));
    let new = match set {
        Some((name, key)) if !head.contains("else") => {
            format!("`{} contains {} if {{`", name.trim(), key.trim_end_matches(']'))
        }
        _ => "`if {`".to_owned(),
    };
    format!("{new}; `opa fmt --v0-v1 --write` writes a whole file of Rego v0 so")
}

/// The last bracket that is left open, in a text that ends too soon.
fn open(text: &str) -> Option<String> {
    let mut left: Vec<(char, usize)> = Vec::new();
    let mut quoted = None;
    for (line, said) in (1..).zip(text.lines()) {
        let mut escaped = false;
        quoted = quoted.filter(|mark| *mark == '`');
        for c in said.chars() {
            match (quoted, c) {
                _ if escaped => escaped = false,
                (Some('"'), '\\') => escaped = true,
                (Some(mark), c) => quoted = Some(mark).filter(|mark| *mark != c),
                (None, '"' | '`') => quoted = Some(c),
                (None, '#') => break,
                (None, '(' | '[' | '{') => left.push((c, line)),
                (None, ')' | ']' | '}') => drop(left.pop()),
                _ => {}
            }
        }
    }
    let (begins, line) = left.pop()?;
    let ends = match begins {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    Some(format!("`{ends}` for the `{begins}` of line {line}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{PolicySet, Sources};

    #[test]
    fn what_its_author_meant_is_told_of_what_does_not_compile() {
        for (rule, line, told) in [
            ("decision if { input.now > 1 && input.now < 5 }", 5, "`;` or a new line"),
            ("decision if ({1} | {2})[_] == input.now", 5, "`x := a | b`"),
            ("decision if [-x | some x in [1]] == [input.now]", 5, "`[(-x) | some"),
            ("decision if [x : some x in [1]] == [input.now]", 5, "`|` behind what"),
            ("decision if input.now == {k: v, some k, v in [1]}", 5, "`|` behind what"),
            ("decision if [x, some x in [1]] == [input.now]", 5, "`|` behind what"),
            ("decision if [x | some x in [1] x > 0] == [input.now]", 5, "`;` or a new line"),
            ("decision if { input.now > 1 input.now < 5 }", 5, "`;` or a new line"),
            ("decision if { input.now > 1 || input.now < 5 }", 5, "one more rule"),
            ("decision if input.now > 1 and input.now < 3", 5, "`;` or a new line"),
            ("decision if { input.now > 1 or input.now < 3 }", 5, "one more rule"),
            ("decision if { input.route == 'x' }", 5, "`\"…\"`"),
            ("decision if input.route == \u{201c}x\u{201d}", 5, "`\"…\"`"),
            ("decision if input.now === 1", 5, "`==`"),
            ("decision if !input.now", 5, "`not …`"),
            ("decision if { input.route == \"a\" ? true : false }", 5, "no `? :`"),
            ("decision if { input.now != 1 // c\n}", 5, "`#`"),
            ("role == input.route", 5, "`role := …`"),
            ("role == \"admin\" if input.now", 5, "`role := …`"),
            ("default other == 1", 5, "`default … := …`"),
            ("decision { input.now > 1 }", 5, "`if {`; `opa fmt --v0-v1"),
            ("decision = true { input.now > 1 }", 5, "`if {`; "),
            ("deny[\"no\"] { true }", 5, "`deny contains \"no\" if {`"),
            ("decision if { for x in input.request.segments { x == \"a\" } }", 5, "`some x in …`"),
            ("decision if { let x = 1 }", 5, "`x := …`"),
            ("decision if { return true }", 5, "the value in the head"),
            ("decision if { x := [1]; x contains 1 }", 5, "`… in …`"),
            ("decision if { if input.now > 1 { true } }", 5, "`if` stands behind a head"),
            ("decision if { some x; input.request.segments[x] == \"a\"; }", 5, "no `;` before `}`"),
            ("decision if input.request.method in [\"GET\"", 6, "`]` for the `[` of line 5"),
            ("x := 1\nimport data.a", 6, "right below `package`"),
            ("f(\"a\")", 5, "`… := true`"),
            ("foo bar", 5, "`foo if bar`"),
            ("input := 5", 5, "`with input as …`"),
            ("data := 5", 5, "another name: `data`"),
            ("p contains x if { x := 1 } { x := 2 }", 5, "a rule of its own"),
            ("default y", 6, "`default … := …`"),
            ("y := \"\\ud83d\"", 5, "`\\ufffd`"),
            ("y := 10-7%4", 5, "`10 - (7 % 4)`"),
            ("y := x if { 1 - 1 = x }", 5, "the name on the left"),
            ("y if {x | x = 1}", 5, "braces around the whole body"),
        ] {
            let text = format!("package postern\n\ndefault decision := false\n\n{rule}\n");
            let sources = Sources::from_modules([("main.rego", text.as_str())], []);
            let error = PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(1));
            let problem = error.unwrap_err().problems.remove(0);
            assert!(problem.instead.contains(told) && problem.line == line, "{rule}: {problem}");
        }
    }
}
