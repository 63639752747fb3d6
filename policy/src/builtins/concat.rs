//! `concat(delimiter, parts)`: capped, since a long delimiter multiplies with the number of parts.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LISTS, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("concat", &[TEXT, LISTS], TEXT, By::Ours(concat))];

/// Most bytes that come out.
const MOST: usize = 1024 * 1024;

/// The parts, the delimiter between them.
fn concat(args: &[Value]) -> Result<Value, Fail> {
    let [delimiter, parts] = args else { return Err(Fail::Argument("takes a delimiter and a list")) };
    let delimiter = text(delimiter)?;
    let parts: Vec<&str> = match parts {
        Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        Value::Set(items) => items.iter_sorted().map(text).collect::<Result<_, _>>()?,
        _ => return Err(Fail::Argument("takes a list or set of texts")),
    };
    let between = delimiter.len().saturating_mul(parts.len());
    let length = parts.iter().map(|part| part.len()).fold(between, usize::saturating_add);
    if length > MOST {
        return Err(Fail::Limit("at most 1 MiB of text"));
    }
    weigh::pay(length)?;
    Ok(Value::from(parts.join(delimiter)))
}
