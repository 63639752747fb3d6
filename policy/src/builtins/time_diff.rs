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
/// Months of a year, days (those of the month instead), hours, minutes and seconds: how many make one of the next.
const FULL: [i64; 6] = [i64::MAX, 12, 0, 24, 60, 60];

/// Years, months, days, hours, minutes and seconds between two times.
fn diff(args: &[Value]) -> Result<Value, Fail> {
    let [one, other] = args else { return Err(WRONG) };
    let zone = match one {
        Value::Array(parts) if parts.len() > 1 => parts[1].clone(),
        _ => Value::from("UTC"),
    };
    // It has a zone of its own, of which no more is asked than that it is one.
    read(other)?;
    let other = Value::from(vec![Value::from(nanoseconds(other)?), zone]);
    let (mut from, mut to) = (read(one)?, read(&other)?);
    if nanoseconds(one)? > nanoseconds(&other)? {
        swap(&mut from, &mut to);
    }
    let mut between: [i64; 6] = std::array::from_fn(|at| to[at] - from[at]);
    for at in (1..between.len()).rev() {
        if between[at] < 0 {
            between[at] += if at == 2 { add_date::length(from[0], from[1] - 1) } else { FULL[at] };
            between[at - 1] -= 1;
        }
    }
    Ok(Value::from(between.map(Value::from).to_vec()))
}

fn nanoseconds(time: &Value) -> Result<i64, Fail> {
    let number = if let Value::Array(parts) = time { parts.first().ok_or(WRONG)? } else { time };
    number.as_i64().map_err(|_| WRONG)
}

/// Its year, month, day, hour, minute and second.
fn read(time: &Value) -> Result<[i64; 6], Fail> {
    zone::known(std::slice::from_ref(time))?;
    let asked = |what| engines(what, std::slice::from_ref(time)).ok_or(WRONG);
    let (date, clock) = (asked("time.date")?, asked("time.clock")?);
    let mut parts = [0; 6];
    for at in 0..3_usize {
        parts[at] = date[at].as_i64().map_err(|_| WRONG)?;
        parts[at + 3] = clock[at].as_i64().map_err(|_| WRONG)?;
    }
    Ok(parts)
}
