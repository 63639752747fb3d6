//! `strings.count(text, part)`: the engine's counts overlapping parts, and panics on an empty one. `count(value)`: of
//! text, the engine counts a character beyond 16 bits twice.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{NUMBER, OBJECT, TEXT, TEXTS};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("count", &[TEXTS.or(OBJECT)], NUMBER, By::Ours(length)),
    Builtin::new("strings.count", &[TEXT, TEXT], NUMBER, By::Ours(count)),
];

/// How often the part stands in the text, none of them in another. An empty part would be found everywhere: it is
/// refused, since a caller who can send an empty text could otherwise choose the answer.
fn count(args: &[Value]) -> Result<Value, Fail> {
    let [search, part] = args else { return Err(Fail::Argument("takes two texts")) };
    let (search, part) = (text(search)?, text(part)?);
    if part.is_empty() {
        return Err(Fail::Limit("a part of at least one character"));
    }
    weigh::linear(args)?;
    Ok(Value::from(search.matches(part).count()))
}

/// How many members a collection has, or characters a text.
fn length(args: &[Value]) -> Result<Value, Fail> {
    Ok(Value::from(match args {
        [Value::Array(items)] => items.len(),
        [Value::Set(items)] => items.len(),
        [Value::Object(members)] => members.len(),
        [Value::String(text)] => text.chars().count(),
        _ => return Err(Fail::Argument("takes a list, a set, an object or text")),
    }))
}
