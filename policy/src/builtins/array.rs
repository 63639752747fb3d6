//! `array.flatten(list)`: lists in a list are taken out of it, one level deep.

use regorus::Value;
use regorus::value::Array;

use super::row::{Builtin, By};
use super::signatures::LIST;
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("array.flatten", &[LIST], LIST, By::Added(flatten))];

/// Most members that come out.
const MOST: usize = 32_768;

/// The members of the members that are lists, and the others as they are.
fn flatten(args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one list")) };
    let items = value.as_array().map_err(|_| Fail::Argument("takes one list"))?;
    let members =
        items.iter().map(|item| item.as_array().map_or(1, Array::len)).fold(0_usize, usize::saturating_add);
    if members > MOST || items.len() > MOST {
        return Err(Fail::Limit("at most 32768 members"));
    }
    weigh::pay((members + items.len()) * 8)?;
    let mut flat = Vec::with_capacity(members);
    for item in items {
        match item {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Ok(Value::from(flat))
}
