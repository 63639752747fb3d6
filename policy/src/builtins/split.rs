//! `split(text, delimiter)`: capped, since each part is a value of its own.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LIST, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("split", &[TEXT, TEXT], LIST, By::Ours(split))];

/// Most parts.
const MOST: usize = 10_000;

/// The parts between the delimiters; with an empty delimiter, the characters.
fn split(args: &[Value]) -> Result<Value, Fail> {
    let [value, delimiter] = args else { return Err(Fail::Argument("takes a text and a delimiter")) };
    weigh::linear(args)?;
    let (value, delimiter) = (text(value)?, text(delimiter)?);
    let parts: Vec<Value> = if delimiter.is_empty() {
        value.chars().take(MOST + 1).map(|c| Value::from(c.to_string())).collect()
    } else {
        value.split(delimiter).take(MOST + 1).map(Value::from).collect()
    };
    if parts.len() > MOST {
        return Err(Fail::Limit("at most 10000 parts"));
    }
    weigh::pay(parts.len() * 8)?;
    Ok(Value::from(parts))
}
