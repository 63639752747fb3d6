//! `time.add_date`: a day that the month does not have runs on into the next one, as in Go. The engine stops at the end
//! of the month.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::NUMBER;
use super::{Fail, engines};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("time.add_date", &[NUMBER, NUMBER, NUMBER, NUMBER], NUMBER, By::Ours(add_date))];

const WRONG: Fail = Fail::Argument("takes a time and three whole numbers that stay within the calendar");
const ZONED: Fail =
    Fail::Argument("takes a time in nanoseconds alone: what is added is counted by the clock of UTC");
/// Years and months that are added or taken away, at most.
const MOST: i64 = 1_000_000;

/// Nanoseconds since 1970, so many years, months and days later.
fn add_date(args: &[Value]) -> Result<Value, Fail> {
    let [time, years, months, days] = args else { return Err(WRONG) };
    // The engine stays with the offset that a zone has at the time before.
    if let Value::Array(_) = time {
        return Err(ZONED);
    }
    let number = |value: &Value| value.as_i64().map_err(|_| WRONG);
    let within = |number: i64| if (-MOST..=MOST).contains(&number) { Ok(number) } else { Err(WRONG) };
    let months = within(number(years)?)? * 12 + within(number(months)?)?;
    let date = engines("time.date", std::slice::from_ref(time)).ok_or(WRONG)?;
    let part = |at: usize| number(&date[at]);
    let (year, month, day) = (part(0)?, part(1)?, part(2)?);
    let target = year * 12 + (month - 1) + months;
    let beyond = (day - length(target.div_euclid(12), target.rem_euclid(12))).max(0);
    let days = within(number(days)?)? + beyond;
    let moved = [time.clone(), Value::from(0_u64), Value::from(months), Value::from(days)];
    engines("time.add_date", &moved).ok_or(WRONG)
}

/// Days of a month, January being 0.
pub(super) const fn length(year: i64, month: i64) -> i64 {
    match month {
        1 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn a_day_that_the_month_does_not_have_runs_on() {
        turn::begin(None);
        let parse = |time: &str| engines("time.parse_rfc3339_ns", &[time.into()]).unwrap();
        for (from, by, to) in [
            ("2024-01-31T10:00:00Z", [0, 1, 0], "2024-03-02T10:00:00Z"),
            ("2024-02-29T00:00:00Z", [1, 0, 0], "2025-03-01T00:00:00Z"),
            ("2024-03-31T00:00:00Z", [0, -1, 1], "2024-03-03T00:00:00Z"),
            ("2024-12-31T00:00:00Z", [0, 2, -3], "2025-02-28T00:00:00Z"),
            ("2024-05-15T00:00:00Z", [-1, 13, 0], "2024-06-15T00:00:00Z"),
        ] {
            let [years, months, days] = by.map(|number: i64| Value::from(number));
            assert_eq!(add_date(&[parse(from), years, months, days]), Ok(parse(to)), "{from} {by:?}");
        }
        for wrong in [i64::MIN, i64::MAX] {
            let [one, wrong] = [0, wrong].map(Value::from);
            assert_eq!(add_date(&[one.clone(), one.clone(), wrong, one]), Err(WRONG));
        }
    }
}
