//! `regex.*`: the engine bounds what a pattern compiles to; we bound the text it runs over.
//!
//! One match costs pattern times text. Finding all of them can cost the square of the text, so those take less.

use regorus::Value;

use super::{Fail, text, weigh};

/// Longest pattern, in bytes.
const PATTERN: usize = 1_024;
/// Longest text of one match, in bytes.
const MATCH: usize = 8 * 1024;
/// Longest text in which all matches are looked for, in bytes.
const SEARCH: usize = 2 * 1024;
/// Most bytes that a replacement makes.
const REPLACED: usize = 1024 * 1024;

const PATTERN_LIMIT: &str = "a pattern of at most 1024 bytes";

/// `regex.match(pattern, text)`.
pub(super) fn short_match(args: &[Value]) -> Result<(), Fail> {
    let [pattern, value] = args else { return Err(Fail::Argument("takes a pattern and a text")) };
    short(pattern, PATTERN, PATTERN_LIMIT)?;
    short(value, MATCH, "a text of at most 8192 bytes")
}

/// `regex.is_valid(pattern)`; what is not text is not valid, not an error.
pub(super) fn short_pattern(args: &[Value]) -> Result<(), Fail> {
    match args {
        [Value::String(pattern)] if pattern.len() > PATTERN => Err(Fail::Limit(PATTERN_LIMIT)),
        _ => Ok(()),
    }
}

/// `regex.split(pattern, text)`, `regex.find_n(pattern, text, n)` and its sibling.
pub(super) fn short_search(args: &[Value]) -> Result<(), Fail> {
    let [pattern, value, ..] = args else { return Err(Fail::Argument("takes a pattern and a text")) };
    search(pattern, value)
}

/// `regex.replace(text, pattern, replacement)`: the replacement may name what was matched, and more than once.
pub(super) fn short_replace(args: &[Value]) -> Result<(), Fail> {
    let [value, pattern, replacement] = args else { return Err(Fail::Argument("takes three texts")) };
    search(pattern, value)?;
    let (value, replacement) = (text(value)?, text(replacement)?);
    let names = replacement.matches('$').count();
    let most = (value.len() + 1)
        .saturating_mul(replacement.len())
        .saturating_add((value.len() + 1).saturating_mul(names + 1));
    if most > REPLACED {
        return Err(Fail::Limit("a replacement that makes at most 1 MiB"));
    }
    weigh::pay(most)
}

fn search(pattern: &Value, value: &Value) -> Result<(), Fail> {
    short(pattern, PATTERN, PATTERN_LIMIT)?;
    short(value, SEARCH, "a text of at most 2048 bytes")
}

fn short(value: &Value, most: usize, limit: &'static str) -> Result<(), Fail> {
    if text(value)?.len() > most { Err(Fail::Limit(limit)) } else { Ok(()) }
}
