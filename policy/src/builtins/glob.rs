//! `glob.match` and `glob.quote_meta`: the engine's let `*` pass a `:` and know `**` only between slashes.
//!
//! `*` is any run of characters without a delimiter, `**` any run at all, `?` one character that is no delimiter,
//! `[abc]`, `[a-z]`, `[!abc]` and `[!a-z]` one character, `{a,b}` either, `\` takes the next character as it is.
//! All places that a pattern can have reached are carried along together, so that no pattern makes it go back.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, LIST, NULL, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("glob.match", &[TEXT, NULL.or(LIST), TEXT], BOOL, By::Ours(glob_match))
        .constants(&[(0, wrong_pattern), (1, wrong_delimiter)]),
    Builtin::new("glob.quote_meta", &[TEXT], TEXT, By::Ours(quote_meta)),
];

/// Most characters of the pattern times characters of the text.
const STEPS: usize = 1_000_000;
/// Deepest nesting of alternatives.
const DEPTH: usize = 8;

enum Piece {
    Char(char),
    One,
    Run,
    Any,
    List { not: bool, chars: Vec<char> },
    Range { not: bool, from: char, to: char },
    Either(Vec<Vec<Self>>),
}

/// `glob.match(pattern, delimiters, text)`; null means no delimiters, an empty list means `.`.
fn glob_match(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, delimiters, value] = args else {
        return Err(Fail::Argument("takes pattern, delimiters, text"));
    };
    let (pattern, value) = (text(pattern)?, text(value)?);
    if (pattern.len() + 1).saturating_mul(value.len() + 1) > STEPS {
        return Err(Fail::Limit("at most 1000000 characters of pattern times characters of text"));
    }
    let pieces = parse(&mut pattern.chars().peekable(), 0)?;
    let text = Text { chars: value.chars().collect(), delimiters: delimiters_of(delimiters)? };
    let mut reached = vec![false; text.chars.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    Ok(Value::Bool(text.advance(&pieces, reached).last().copied().unwrap_or(false)))
}

/// What is wrong with a constant pattern, and what to write instead.
fn wrong_pattern(pattern: &str) -> Option<(Fail, &'static str)> {
    let instead =
        "closed brackets and braces, `[a-z]` with one range in it; `\\\\` before what stands for itself";
    parse(&mut pattern.chars().peekable(), 0).err().map(|fail| (fail, instead))
}

/// What is wrong with a constant delimiter, and what to write instead.
fn wrong_delimiter(delimiter: &str) -> Option<(Fail, &'static str)> {
    let delimiters = Value::from(vec![Value::from(delimiter)]);
    delimiters_of(&delimiters).err().map(|fail| (fail, "each of them apart, `[\".\", \"/\"]`"))
}

/// `glob.quote_meta(text)`: a pattern that matches this text alone.
fn quote_meta(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    let mut quoted = String::new();
    for c in text(value)?.chars() {
        if "*?\\[]{}".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    Ok(Value::from(quoted))
}

fn delimiters_of(value: &Value) -> Result<BTreeSet<char>, Fail> {
    const WANT: Fail = Fail::Argument("takes a list of single characters, or null");
    let Value::Array(items) = value else {
        return if *value == Value::Null { Ok(BTreeSet::new()) } else { Err(WANT) };
    };
    if items.is_empty() {
        return Ok(BTreeSet::from(['.']));
    }
    let one = |item: &Value| {
        let mut chars = text(item)?.chars();
        match (chars.next(), chars.next()) {
            (Some(delimiter), None) => Ok(delimiter),
            _ => Err(WANT),
        }
    };
    items.iter().map(one).collect()
}

/// Pieces up to the end, or inside alternatives up to their `,` or `}`, which is left for the caller.
fn parse(rest: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Vec<Piece>, Fail> {
    if depth > DEPTH {
        return Err(Fail::Limit("alternatives nested at most 8 deep"));
    }
    let mut pieces = Vec::new();
    while let Some(&c) = rest.peek() {
        if depth > 0 && (c == ',' || c == '}') {
            return Ok(pieces);
        }
        rest.next();
        pieces.push(match c {
            '*' if rest.next_if_eq(&'*').is_some() => Piece::Any,
            '*' => Piece::Run,
            '?' => Piece::One,
            '[' => list(rest)?,
            '{' => either(rest, depth + 1)?,
            '\\' => Piece::Char(rest.next().ok_or(Fail::Argument("pattern ends in a backslash"))?),
            _ => Piece::Char(c),
        });
    }
    if depth > 0 { Err(Fail::Argument("pattern lacks a closing brace")) } else { Ok(pieces) }
}

fn either(rest: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Piece, Fail> {
    let mut choices = vec![parse(rest, depth)?];
    while rest.next_if_eq(&',').is_some() {
        choices.push(parse(rest, depth)?);
    }
    rest.next();
    Ok(Piece::Either(choices))
}

/// What stands in brackets: a range or a list, not both in one.
fn list(rest: &mut Peekable<Chars<'_>>) -> Result<Piece, Fail> {
    const OPEN: Fail = Fail::Argument("pattern lacks a closing bracket");
    let not = rest.next_if_eq(&'!').is_some();
    let mut chars = Vec::new();
    loop {
        match rest.next().ok_or(OPEN)? {
            ']' if !chars.is_empty() => return Ok(Piece::List { not, chars }),
            ']' => return Err(Fail::Argument("pattern has empty brackets")),
            '\\' => chars.push(rest.next().ok_or(OPEN)?),
            '-' => {
                let to = rest.next().ok_or(OPEN)?;
                return match (chars.as_slice(), rest.next()) {
                    (&[from], Some(']')) if from <= to => Ok(Piece::Range { not, from, to }),
                    _ => Err(Fail::Argument("a range in brackets stands alone, as in [a-z]")),
                };
            }
            c => chars.push(c),
        }
    }
}

struct Text {
    chars: Vec<char>,
    delimiters: BTreeSet<char>,
}

impl Text {
    /// From the places that are reached, those that are reached after the pieces.
    fn advance(&self, pieces: &[Piece], mut reached: Vec<bool>) -> Vec<bool> {
        for piece in pieces {
            reached = match piece {
                Piece::Char(want) => self.step(&reached, |c| c == *want),
                Piece::One => self.step(&reached, |c| !self.delimiters.contains(&c)),
                Piece::List { not, chars } => self.step(&reached, |c| chars.contains(&c) != *not),
                Piece::Range { not, from, to } => self.step(&reached, |c| (*from..=*to).contains(&c) != *not),
                Piece::Run => self.run(&reached, |c| !self.delimiters.contains(&c)),
                Piece::Any => self.run(&reached, |_| true),
                Piece::Either(choices) => {
                    let mut any = vec![false; reached.len()];
                    for choice in choices {
                        let after = self.advance(choice, reached.clone());
                        any.iter_mut().zip(after).for_each(|(any, after)| *any |= after);
                    }
                    any
                }
            };
        }
        reached
    }

    fn step(&self, reached: &[bool], fits: impl Fn(char) -> bool) -> Vec<bool> {
        let moved = reached.iter().zip(&self.chars).map(|(here, c)| *here && fits(*c));
        std::iter::once(false).chain(moved).collect()
    }

    fn run(&self, reached: &[bool], fits: impl Fn(char) -> bool) -> Vec<bool> {
        let mut running = false;
        let mut after = Vec::with_capacity(reached.len());
        for (index, here) in reached.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| self.chars.get(before));
            running = *here || (running && before.is_some_and(|c| fits(*c)));
            after.push(running);
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, delimiters: &str, text: &str) -> bool {
        let delimiters = Value::from_json_str(delimiters).unwrap();
        glob_match(&[pattern.into(), delimiters, text.into()]).unwrap() == Value::Bool(true)
    }

    #[test]
    fn a_star_stops_at_a_delimiter_and_two_do_not() {
        assert!(!matches("a:*", r#"[":"]"#, "a:b:c"));
        assert!(matches("a:**", r#"[":"]"#, "a:b:c"));
        assert!(matches("/api**", r#"["/"]"#, "/api/v1/orders"));
        assert!(!matches("/api*", r#"["/"]"#, "/api/v1"));
        assert!(matches("*.example.org", "[]", "api.example.org"));
        assert!(!matches("*.example.org", "[]", "a.b.example.org"));
        assert!(matches("*", "null", "a.b/c"));
        assert!(matches("", "null", ""));
        assert!(!matches("?", r#"["/"]"#, "/"));
    }

    #[test]
    fn brackets_braces_and_backslashes_mean_what_opa_means() {
        assert!(matches("[!a-c]at", "null", "fat") && !matches("[!a-c]at", "null", "cat"));
        assert!(matches("{a,b{c,d*}}x", "null", "bdefx") && !matches("{a,b{c,d*}}x", "null", "bx"));
        assert!(matches(r"\*\{", "null", "*{") && !matches(r"\*", "null", "a"));
        assert!(matches("{,a}b", "null", "b"));
        assert!(matches("é?", "null", "éü"));
        assert!(matches("a,b}", "null", "a,b}"));
    }

    #[test]
    fn what_is_no_pattern_is_an_error_and_what_is_too_large_hits_the_cap() {
        for pattern in ["[a", "[]", "{a", "\\", "[a-zA-Z]", "[z-a]"] {
            assert!(
                matches!(glob_match(&[pattern.into(), Value::Null, "a".into()]), Err(Fail::Argument(_))),
                "{pattern}"
            );
        }
        let long = "a".repeat(10_000);
        assert!(matches!(glob_match(&[long.clone().into(), Value::Null, long.into()]), Err(Fail::Limit(_))));
        let nested = "{".repeat(20);
        assert!(matches!(glob_match(&[nested.into(), Value::Null, "a".into()]), Err(Fail::Limit(_))));
    }

    #[test]
    fn quoted_text_matches_itself_alone() {
        crate::builtins::turn::begin(None);
        let quoted = quote_meta(&["a*[b]{c}?\\".into()]).unwrap();
        assert_eq!(quoted, Value::from("a\\*\\[b\\]\\{c\\}\\?\\\\"));
        let again = glob_match(&[quoted, Value::Null, "a*[b]{c}?\\".into()]).unwrap();
        assert_eq!(again, Value::Bool(true));
    }
}
