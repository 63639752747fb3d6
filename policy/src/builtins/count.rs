//! `strings.count(text, part)`: the engine's counts overlapping parts, and panics on an empty one.

use regorus::Value;

use super::{Fail, text, weigh};

/// How often the part stands in the text, none of them in another. An empty part would be found everywhere: it is
/// refused, since a caller who can send an empty text could otherwise choose the answer.
pub(super) fn count(args: &[Value]) -> Result<Value, Fail> {
    let [search, part] = args else { return Err(Fail::Argument("takes two texts")) };
    let (search, part) = (text(search)?, text(part)?);
    if part.is_empty() {
        return Err(Fail::Limit("a part of at least one character"));
    }
    weigh::linear(args)?;
    Ok(Value::from(search.matches(part).count()))
}
