//! `indexof` and `indexof_n`: the engine's compare the part anew at every place, however long both are.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LIST, NUMBER, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("indexof", &[TEXT, TEXT], NUMBER, By::Ours(indexof)),
    Builtin::new("indexof_n", &[TEXT, TEXT], LIST, By::Ours(indexof_n)),
];

/// Most places that `indexof_n` gives.
const MOST: usize = 10_000;

/// The first place of the part, counted in characters; -1 when there is none.
fn indexof(args: &[Value]) -> Result<Value, Fail> {
    let (text, part) = text_and_part(args)?;
    let characters = |at| text.get(..at).unwrap_or_default().chars().count();
    Ok(text.find(part).map_or(Value::from(-1_i64), |at| Value::from(characters(at))))
}

/// All places of the part, overlapping ones too.
fn indexof_n(args: &[Value]) -> Result<Value, Fail> {
    let (text, part) = text_and_part(args)?;
    weigh::product(args)?;
    let mut places = Vec::new();
    for (index, (at, _)) in text.char_indices().enumerate() {
        if text.get(at..).is_some_and(|rest| rest.starts_with(part)) {
            if places.len() == MOST {
                return Err(Fail::Limit("at most 10000 places"));
            }
            places.push(Value::from(index));
        }
    }
    Ok(Value::from(places))
}

fn text_and_part(args: &[Value]) -> Result<(&str, &str), Fail> {
    let [search, part] = args else { return Err(Fail::Argument("takes two texts")) };
    weigh::linear(args)?;
    match (text(search)?, text(part)?) {
        (_, "") => Err(Fail::Argument("takes a part of at least one character")),
        both => Ok(both),
    }
}
