//! `indexof` and `indexof_n`: the engine's compare the part anew at every place.

use regorus::Value;

use super::{Fail, text, weigh};

/// Most places that `indexof_n` gives.
const MOST: usize = 10_000;

/// The first place of the part, counted in characters; -1 when there is none.
pub(super) fn indexof(args: &[Value]) -> Result<Value, Fail> {
    let (text, part) = text_and_part(args)?;
    Ok(text.find(part).map_or(Value::from(-1_i64), |at| Value::from(characters(text, at))))
}

/// All places of the part, overlapping ones too.
pub(super) fn indexof_n(args: &[Value]) -> Result<Value, Fail> {
    let (text, part) = text_and_part(args)?;
    weigh::product(args)?;
    let (mut places, mut from, mut passed) = (Vec::new(), 0, 0);
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(part)) {
        if places.len() == MOST {
            return Err(Fail::Limit("at most 10000 places"));
        }
        passed += text.get(from..from + found).unwrap_or_default().chars().count();
        places.push(Value::from(passed));
        let step = text.get(from + found..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        from += found + step;
        passed += 1;
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

fn characters(text: &str, bytes: usize) -> usize {
    text.get(..bytes).unwrap_or_default().chars().count()
}
