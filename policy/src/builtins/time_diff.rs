//! `time.diff`: both times are read by the clock of the first one's zone, as it stood at each of them. The engine reads
//! both by the clock as it stood at the first, so a summer time between them is an hour too much or too few.

use std::mem::swap;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{LIST, TIME};
use super::{Fail, add_date, engines, zone};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("time.diff", &[TIME, TIME], LIST, By::Ours(diff))];

const WRONG: Fail = Fail::Argument(
    "takes two times, each in nanoseconds or with the name of its zone, [ns, \"Europe/Paris\"]",
);
/// Years, months, days, hours, minutes and seconds between two times.
fn diff(args: &[Value]) -> Result<Value, Fail> {
    let [one, other] = args else { return Err(WRONG) };
    let zone = match one {
        Value::Array(parts) => parts.get(1).cloned(),
        _ => None,
    };
    let zone = zone.unwrap_or_else(|| Value::from("UTC"));
    // It has a zone of its own, of which no more is asked than that it is one.
    read(other)?;
    let other = Value::from(vec![Value::from(nanoseconds(other)?), zone]);
    let (mut from, mut to) = (read(one)?, read(&other)?);
    if nanoseconds(one)? > nanoseconds(&other)? {
        swap(&mut from, &mut to);
    }
    let [year, month, ..] = from;
    // How many of each make one of those before it; of years there is no end.
    let full = [0, 12, add_date::length(year, month - 1), 24, 60, 60];
    let mut lent = 0;
    let mut between: Vec<Value> = Vec::new();
    for ((to, from), full) in to.iter().zip(from).zip(full).rev() {
        let number = to - from - lent;
        lent = i64::from(number < 0);
        between.push(Value::from(number + lent * full));
    }
    between.reverse();
    Ok(Value::from(between))
}

fn nanoseconds(time: &Value) -> Result<i64, Fail> {
    let number = if let Value::Array(parts) = time { parts.first().ok_or(WRONG)? } else { time };
    number.as_i64().map_err(|_| WRONG)
}

/// Its year, month, day, hour, minute and second.
fn read(time: &Value) -> Result<[i64; 6], Fail> {
    zone::known(std::slice::from_ref(time))?;
    let asked = |what| engines(what, std::slice::from_ref(time)).ok_or(WRONG);
    let said = [asked("time.date")?, asked("time.clock")?];
    let parts = said.iter().filter_map(|list| list.as_array().ok()).flat_map(|list| list.iter());
    let parts: Vec<i64> = parts.filter_map(|part| part.as_i64().ok()).collect();
    parts.try_into().map_err(|_| WRONG)
}
