//! `time.parse_duration_ns`, as Go reads durations, with the days, weeks and years that OPA adds. The engine's own ends in
//! a panic for letters beyond ASCII.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{NUMBER, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] =
    &[Builtin::new("time.parse_duration_ns", &[TEXT], NUMBER, By::Ours(parse_duration_ns))];

const WRONG: Fail = Fail::Argument("takes a duration of less than 293 years, `1h30m`");

/// Nanoseconds of 64 bits.
fn parse_duration_ns(args: &[Value]) -> Result<Value, Fail> {
    let [duration] = args else { return Err(WRONG) };
    weigh::linear(args)?;
    read(text(duration)?).map(Value::from).ok_or(WRONG)
}

/// The most that 64 bits hold below zero.
const MOST: u64 = 1 << 63;

fn read(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    // OPA does not read the Greek letter beside units of its own.
    let greek = rest.contains('\u{3bc}');
    let mut sum: u64 = 0;
    loop {
        let (nanos, added);
        (nanos, added, rest) = part(rest)?;
        if added && greek {
            return None;
        }
        sum = sum.checked_add(nanos).filter(|sum| *sum <= MOST)?;
        if rest.is_empty() {
            return if negative { 0_i64.checked_sub_unsigned(sum) } else { i64::try_from(sum).ok() };
        }
    }
}

/// The first number and its unit, in nanoseconds; whether the unit is one that OPA adds; what is behind them.
fn part(text: &str) -> Option<(u64, bool, &str)> {
    let (whole, behind) = digits(text);
    let (places, behind) = behind.strip_prefix('.').map_or(("", behind), digits);
    if whole.is_empty() && places.is_empty() {
        return None;
    }
    let (unit, behind) = apart(behind, |c| c != '.' && !c.is_ascii_digit());
    let Some(hours) = hours(unit) else { return Some((times(whole, places, nanos(unit)?)?, false, behind)) };
    // OPA writes hours in their place, as many digits as tell them from others.
    let hours = format!("{}", format!("{whole}.{places}").parse::<f64>().ok()? * hours);
    let (whole, places) = hours.split_once('.').unwrap_or((&hours, ""));
    Some((times(whole, places, HOUR)?, true, behind))
}

/// A number of units, in nanoseconds.
fn times(whole: &str, places: &str, unit: u64) -> Option<u64> {
    let mut number: u64 = 0;
    for digit in whole.bytes() {
        number =
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|number| *number <= MOST)?;
    }
    let number = number.checked_mul(unit).filter(|number| *number <= MOST)?;
    number.checked_add(fraction(places, unit)).filter(|number| *number <= MOST)
}

/// What digits behind a point are of a unit; those that 63 bits do not hold count for nothing. Go counts in floating point.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go rounds so, and a part of a unit is below it"
)]
fn fraction(places: &str, unit: u64) -> u64 {
    let (mut number, mut scale) = (0_u64, 1_f64);
    for digit in places.bytes() {
        if number > (MOST - 1) / 10 {
            break;
        }
        let more = number * 10 + u64::from(digit - b'0');
        if more > MOST {
            break;
        }
        number = more;
        scale *= 10.0;
    }
    (number as f64 * (unit as f64 / scale)) as u64
}

fn digits(text: &str) -> (&str, &str) {
    apart(text, |c| c.is_ascii_digit())
}

/// What a text begins with, of such characters; what is behind it.
fn apart(text: &str, of: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !of(c)).unwrap_or(text.len()))
}

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 60 * 60 * SECOND;

fn hours(unit: &str) -> Option<f64> {
    match unit {
        "d" => Some(24.0),
        "w" => Some(168.0),
        "y" => Some(8760.0),
        _ => None,
    }
}

fn nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // The sign for micro, and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => HOUR,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_to_its_end_or_not_at_all() {
        for (duration, nanos) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1h30m", Some(5_400_000_000_000)),
            ("-1.5d", Some(-129_600_000_000_000)),
            ("1\u{b5}s1\u{3bc}s1us", Some(3_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("9223372036854775807ns", Some(i64::MAX)),
            ("-9223372036854775808ns", Some(i64::MIN)),
            ("9223372036854775808ns", None),
            ("1e3s", None),
            ("1", None),
            ("", None),
            ("s", None),
            (".s", None),
            ("1\u{e9}", None),
            ("1\u{b5}", None),
            ("1s\u{b5}", None),
            ("1h 1m", None),
            ("1d1\u{3bc}s", None),
            ("400.357d", Some(34_590_844_800_000_003)),
        ] {
            assert_eq!(read(duration), nanos, "{duration}");
        }
    }
}
