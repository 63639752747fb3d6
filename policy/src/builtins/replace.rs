//! `replace` and `strings.replace_n`: capped, since what is put in multiplies with what is found.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{OBJECT, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("replace", &[TEXT, TEXT, TEXT], TEXT, By::Ours(replace)),
    Builtin::new("strings.replace_n", &[OBJECT, TEXT], TEXT, By::Ours(replace_n)),
];

/// Most bytes that come out.
const MOST: usize = 1024 * 1024;
const LIMIT: &str = "at most 1 MiB of text";

/// `replace(text, old, new)`: every `old` by `new`; an empty `old` stands between all characters.
fn replace(args: &[Value]) -> Result<Value, Fail> {
    let [value, old, new] = args else { return Err(Fail::Argument("takes three texts")) };
    weigh::linear(args)?;
    let (value, old, new) = (text(value)?, text(old)?, text(new)?);
    if old.is_empty() && !value.is_ascii() {
        // OPA cuts such characters in pieces.
        return Err(Fail::Argument("takes a part of at least one character"));
    }
    let length = value.matches(old).count().saturating_mul(new.len()).saturating_add(value.len());
    if length > MOST {
        return Err(Fail::Limit(LIMIT));
    }
    weigh::pay(length)?;
    Ok(Value::from(value.replace(old, new)))
}

/// `strings.replace_n({old: new, …}, text)`: in one pass, so that nothing put in is looked at again; where several
/// match, the first in order of the names. The engine replaces one after the other.
fn replace_n(args: &[Value]) -> Result<Value, Fail> {
    let [patterns, value] = args else { return Err(Fail::Argument("takes an object and a text")) };
    weigh::product(args)?;
    let patterns = patterns.as_object().map_err(|_| Fail::Argument("takes an object of texts"))?;
    let pairs = patterns.iter_sorted().map(|(old, new)| Ok((text(old)?, text(new)?)));
    let pairs: Vec<(&str, &str)> = pairs.collect::<Result<_, _>>()?;
    if pairs.iter().any(|(old, _)| old.is_empty()) {
        return Err(Fail::Argument("takes names of at least one character"));
    }
    let mut rest = text(value)?;
    let mut out = String::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        let (taken, put) = match pairs.iter().find(|(old, _)| rest.starts_with(old)) {
            Some((old, new)) => (old.len(), *new),
            None => (first.len_utf8(), rest.get(..first.len_utf8()).unwrap_or_default()),
        };
        if out.len() + put.len() > MOST {
            return Err(Fail::Limit(LIMIT));
        }
        out.push_str(put);
        rest = rest.get(taken..).unwrap_or_default();
    }
    weigh::pay(out.len())?;
    Ok(Value::from(out))
}
