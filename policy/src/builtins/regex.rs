//! `regex.*`: our own, for the dialect (see [`super::pattern`]) and for the caps.
//!
//! One match costs pattern times text. Finding all of them can cost the square of the text, so those take less.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use regorus::Value;

use super::pattern::compiled;
use super::row::{Builtin, By};
use super::signatures::{BOOL, LIST, NUMBER, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("regex.find_all_string_submatch_n", &[TEXT, TEXT, NUMBER], LIST, By::Ours(find_all))
        .constants(&[(0, wrong_constant)]),
    Builtin::new("regex.find_n", &[TEXT, TEXT, NUMBER], LIST, By::Ours(find))
        .constants(&[(0, wrong_constant)]),
    Builtin::new("regex.is_valid", &[TEXT], BOOL, By::Ours(is_valid)),
    Builtin::new("regex.match", &[TEXT, TEXT], BOOL, By::Ours(is_match)).constants(&[(0, wrong_constant)]),
    Builtin::new("regex.replace", &[TEXT, TEXT, TEXT], TEXT, By::Ours(replace))
        .constants(&[(1, wrong_constant)]),
    Builtin::new("regex.split", &[TEXT, TEXT], LIST, By::Ours(split)).constants(&[(0, wrong_constant)]),
    Builtin::new("regex.template_match", &[TEXT, TEXT, TEXT, TEXT], BOOL, By::Ours(template_match)),
];

/// Longest text of one match, in bytes.
const MATCH: usize = 8 * 1024;
/// Longest text in which all matches are looked for, in bytes.
const SEARCH: usize = 2 * 1024;
/// Most bytes that a replacement makes.
const REPLACED: usize = 1024 * 1024;

/// What is wrong with a constant pattern, and what to write instead.
fn wrong_constant(pattern: &str) -> Option<(Fail, &'static str)> {
    let instead =
        "a pattern of RE2, as OPA has it: no look-around, no back-reference, no flag but i, m, s and U";
    compiled(pattern).err().map(|fail| (fail, instead))
}

/// `regex.match(pattern, text)`.
fn is_match(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, value] = args else { return Err(Fail::Argument("takes a pattern and a text")) };
    let pattern = compiled(text(pattern)?)?;
    Ok(Value::Bool(pattern.is_match(short(value, MATCH, "a text of at most 8192 bytes")?)))
}

/// `regex.is_valid(pattern)`; what is not text is not valid, not an error.
fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    let [Value::String(pattern)] = args else { return Ok(Value::Bool(false)) };
    match compiled(pattern) {
        Ok(_) => Ok(Value::Bool(true)),
        Err(Fail::Argument(_)) => Ok(Value::Bool(false)),
        Err(limit) => Err(limit),
    }
}

/// `regex.find_n(pattern, text, n)`: the first `n` matches, all when it is negative.
fn find(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, value, most] = args else { return Err(Fail::Argument("takes pattern, text, number")) };
    let (pattern, value) = (compiled(text(pattern)?)?, searched(value)?);
    let found = pattern.find_iter(value).take(number(most)?).map(|found| Value::from(found.as_str()));
    Ok(Value::from(found.collect::<Vec<_>>()))
}

/// `regex.find_all_string_submatch_n(pattern, text, n)`: each with its groups.
fn find_all(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, value, most] = args else { return Err(Fail::Argument("takes pattern, text, number")) };
    let (pattern, value) = (compiled(text(pattern)?)?, searched(value)?);
    weigh::pay(pattern.captures_len().saturating_mul(value.len() + 1))?;
    let groups = |found: Captures<'_>| {
        let groups = found.iter().map(|group| Value::from(group.map_or("", |group| group.as_str())));
        Value::from(groups.collect::<Vec<_>>())
    };
    Ok(Value::from(pattern.captures_iter(value).take(number(most)?).map(groups).collect::<Vec<_>>()))
}

/// `regex.replace(text, pattern, replacement)`, where `$1` and `${name}` stand for what was matched.
fn replace(args: &[Value]) -> Result<Value, Fail> {
    let [value, pattern, replacement] = args else { return Err(Fail::Argument("takes three texts")) };
    let (value, pattern, replacement) = (searched(value)?, compiled(text(pattern)?)?, text(replacement)?);
    // Every match may bring the whole replacement, and every name in it what was matched.
    let names = replacement.matches('$').count() + 1;
    let most = (value.len() + 1).saturating_mul(replacement.len().saturating_add(names));
    if most > REPLACED {
        return Err(Fail::Limit("a replacement that makes at most 1 MiB"));
    }
    weigh::pay(most)?;
    Ok(Value::from(pattern.replace_all(value, as_in_go(replacement)?.as_ref()).as_ref()))
}

/// The replacement in the words of the library that fills it in. In Go a name goes on over letters and digits of every
/// script, a number that begins with 0 is no group's, and a `$` behind which no name stands is text.
fn as_in_go(replacement: &str) -> Result<Cow<'_, str>, Fail> {
    static NAMED: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))?").ok());
    let named = NAMED.as_ref().ok_or(Fail::Argument("has a replacement that cannot be read"))?;
    Ok(named.replace_all(replacement, |found: &Captures<'_>| {
        match found.get(1).or_else(|| found.get(2)).map(|name| name.as_str()) {
            None => "$$".to_owned(),
            Some(number) if number.len() > 1 && number.starts_with('0') => String::new(),
            Some(name) => format!("${{{name}}}"),
        }
    }))
}

/// `regex.split(pattern, text)`: what stands between the matches. As in Go, an empty match at either end of the
/// text splits nothing off.
fn split(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, value] = args else { return Err(Fail::Argument("takes a pattern and a text")) };
    let (source, value) = (text(pattern)?, searched(value)?);
    let pattern = compiled(source)?;
    let mut parts = Vec::new();
    let (mut begin, mut last) = (0, 0);
    for found in pattern.find_iter(value) {
        last = found.start();
        if found.end() > 0 {
            parts.push(Value::from(value.get(begin..last).unwrap_or_default()));
        }
        begin = found.end();
    }
    if last != value.len() || (value.is_empty() && !source.is_empty()) {
        parts.push(Value::from(value.get(begin..).unwrap_or_default()));
    }
    Ok(Value::from(parts))
}

/// `regex.template_match(template, text, "{", "}")`: the template's text stands for itself, what is between the
/// delimiters is a pattern, and the whole text must match.
fn template_match(args: &[Value]) -> Result<Value, Fail> {
    let [template, value, open, close] = args else { return Err(Fail::Argument("takes four texts")) };
    let value = short(value, MATCH, "a text of at most 8192 bytes")?;
    let (mut pattern, mut literal, mut inner, mut depth) =
        ("^".to_owned(), String::new(), String::new(), 0_usize);
    let (open, close) = (character(open)?, character(close)?);
    for c in text(template)?.chars() {
        let outside = depth == 0;
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.checked_sub(1).ok_or(UNBALANCED)?;
        }
        match (outside, depth) {
            (true, 0) => literal.push(c),
            (true, _) => pattern += &regex::escape(&std::mem::take(&mut literal)),
            (false, 0) => {
                // A pattern for itself: its parentheses are not those around it.
                compiled(&format!("^{inner}$"))?;
                pattern.extend(["(?:", &std::mem::take(&mut inner), ")"]);
            }
            (false, _) => inner.push(c),
        }
    }
    if depth > 0 {
        return Err(UNBALANCED);
    }
    pattern += &regex::escape(&literal);
    Ok(Value::Bool(compiled(&(pattern + "$"))?.is_match(value)))
}

const UNBALANCED: Fail = Fail::Argument("takes a template with as many opening as closing delimiters");

/// OPA counts bytes.
fn character(value: &Value) -> Result<char, Fail> {
    match text(value)?.as_bytes() {
        [c] => Ok(char::from(*c)),
        _ => Err(Fail::Argument("takes delimiters of one character, of ASCII")),
    }
}

/// How many; a negative number means all.
fn number(value: &Value) -> Result<usize, Fail> {
    let number = value.as_i64().map_err(|_| Fail::Argument("takes a whole number"))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn searched(value: &Value) -> Result<&str, Fail> {
    short(value, SEARCH, "a text of at most 2048 bytes")
}

fn short<'a>(value: &'a Value, most: usize, limit: &'static str) -> Result<&'a str, Fail> {
    let text = text(value)?;
    if text.len() > most { Err(Fail::Limit(limit)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    fn list(items: &[&str]) -> Value {
        Value::from(items.iter().map(|item| Value::from(*item)).collect::<Vec<_>>())
    }

    #[test]
    fn a_text_is_split_as_go_splits_it() {
        for (pattern, text, want) in [
            (",", "a,b,", &["a", "b", ""][..]),
            ("", "abc", &["a", "b", "c"]),
            ("", "", &[]),
            (",", "", &[""]),
            ("z*", "baz", &["b", "a", ""]),
            ("^", "ab", &["ab"]),
        ] {
            assert_eq!(split(&[pattern.into(), text.into()]), Ok(list(want)), "{pattern} {text}");
        }
    }

    #[test]
    fn matches_groups_and_replacements_come_out() {
        turn::begin(None);
        assert_eq!(find(&["a.".into(), "abacad".into(), 2_i64.into()]), Ok(list(&["ab", "ac"])));
        assert_eq!(find(&["a.".into(), "abacad".into(), (-1_i64).into()]), Ok(list(&["ab", "ac", "ad"])));
        let groups = find_all(&["(a)(x)?".into(), "ab".into(), (-1_i64).into()]);
        assert_eq!(groups, Ok(Value::from(vec![list(&["a", "a", ""])])));
        assert_eq!(replace(&["abc".into(), "(b)".into(), "<${1}>".into()]), Ok(Value::from("a<b>c")));
        assert_eq!(is_valid(&["[".into()]), Ok(Value::Bool(false)));
    }

    #[test]
    fn a_template_matches_the_whole_text_and_no_less() {
        let matched = |template: &str, text: &str| {
            template_match(&[template.into(), text.into(), "{".into(), "}".into()])
        };
        assert_eq!(matched("urn:{[a-z]{2}}:x.y", "urn:ab:x.y"), Ok(Value::Bool(true)));
        assert_eq!(matched("urn:{.*}", "a"), Ok(Value::Bool(false)));
        assert_eq!(matched("a{b|c}d", "acd"), Ok(Value::Bool(true)));
        assert_eq!(matched("a{b|c}d", "ab"), Ok(Value::Bool(false)));
        assert_eq!(matched("{a", "a"), Err(UNBALANCED));
        assert_eq!(matched("a}", "a"), Err(UNBALANCED));
    }
}
