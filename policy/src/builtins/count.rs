//! `strings.count(text, part)`: the engine's counts overlapping parts, and panics on an empty one.

use regorus::Value;

use super::{Fail, text, weigh};

/// How often the part stands in the text, none of them in another; an empty part stands around every character.
pub(super) fn count(args: &[Value]) -> Result<Value, Fail> {
    let [search, part] = args else { return Err(Fail::Argument("takes two texts")) };
    weigh::linear(args)?;
    Ok(Value::from(text(search)?.matches(text(part)?).count()))
}
