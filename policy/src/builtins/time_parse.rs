//! `time.parse_ns` and `time.parse_rfc3339_ns`, digit by digit as Go reads times. The engine is laxer in many places.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{NUMBER, TEXT};
use super::time_layout::{DAYS, Fill, MONTHS, Offset, Part, RFC3339, days_before, days_in, named, next};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("time.parse_ns", &[TEXT, TEXT], NUMBER, By::Ours(parse_ns)),
    Builtin::new("time.parse_rfc3339_ns", &[TEXT], NUMBER, By::Ours(parse_rfc3339_ns)),
];

const WRONG: Fail = Fail::Argument("takes a layout and a time that is written so");
const ZONE: Fail =
    Fail::Argument("takes no name of a time zone but UTC and GMT: an offset, `-0700` in the layout");

/// Nanoseconds since 1970.
fn parse_ns(args: &[Value]) -> Result<Value, Fail> {
    let [layout, time] = args else { return Err(WRONG) };
    weigh::linear(args)?;
    read(named(text(layout)?)?, text(time)?).map(Value::from)
}

/// Nanoseconds since 1970 of a time as RFC 3339 writes it.
fn parse_rfc3339_ns(args: &[Value]) -> Result<Value, Fail> {
    let [time] = args else { return Err(WRONG) };
    weigh::linear(args)?;
    read(RFC3339, text(time)?).map(Value::from)
}

/// The parts of a time that were read.
#[derive(Default)]
struct Time {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    /// Whether it is written as the second half of the day.
    late: Option<bool>,
    /// Seconds ahead of UTC.
    offset: i64,
}

/// Nanoseconds since 1970 of a time that is written by a layout; the whole text is.
pub(super) fn read(layout: &str, time: &str) -> Result<i64, Fail> {
    let (mut layout, mut rest) = (layout.as_bytes(), time.as_bytes());
    let mut time = Time::default();
    loop {
        let (before, part, behind) = next(layout);
        rest = skip(rest, before).ok_or(WRONG)?;
        let Some(part) = part else { break };
        layout = behind;
        rest = match part {
            Part::ZoneName => zone_name(rest)?,
            part => time.take(part, rest, layout).ok_or(WRONG)?,
        };
    }
    if rest.is_empty() { time.nanos().ok_or(WRONG) } else { Err(WRONG) }
}

impl Time {
    /// Reads one part; what is behind it. The layout is the one behind the part.
    fn take<'a>(&mut self, part: Part, text: &'a [u8], layout: &[u8]) -> Option<&'a [u8]> {
        let rest;
        match part {
            Part::ShortYear => {
                let (year, behind) = digits(text, 2)?;
                (self.year, rest) = (year + if year >= 69 { 1900 } else { 2000 }, behind);
            }
            Part::Year => (self.year, rest) = digits(text, 4)?,
            Part::MonthName { full } => {
                let (at, behind) = name(&MONTHS, full, text)?;
                (self.month, rest) = (Some(at + 1), behind);
            }
            Part::Month(fill) => {
                let (month, behind) = number(text, fill)?;
                (self.month, rest) = (Some(month).filter(|month| (1..=12).contains(month)), behind);
                self.month?;
            }
            Part::DayName { full } => (_, rest) = name(&DAYS, full, text)?,
            Part::Day(fill) => {
                let text = if fill == Fill::Blank { text.strip_prefix(b" ").unwrap_or(text) } else { text };
                let (day, behind) = number(text, fill)?;
                (self.day, rest) = (Some(day), behind);
            }
            Part::DayOfYear(fill) => {
                let blanks = if fill == Fill::Blank {
                    text.iter().take(2).take_while(|c| **c == b' ').count()
                } else {
                    0
                };
                let text = text.get(blanks..)?;
                let length = text.iter().take(3).take_while(|c| c.is_ascii_digit()).count();
                let (day, behind) = digits(text, if fill == Fill::Zero { 3 } else { length.max(1) })?;
                (self.day_of_year, rest) = (Some(day), behind);
            }
            Part::Hour => (self.hour, rest) = below(24, number(text, Fill::No)?)?,
            Part::HalfHour(fill) => (self.hour, rest) = below(13, number(text, fill)?)?,
            Part::Minute(fill) => (self.minute, rest) = below(60, number(text, fill)?)?,
            Part::Second(fill) => {
                let (second, mut behind) = below(60, number(text, fill)?)?;
                // A fraction is read where the layout has none, too.
                let written = behind.get(1).is_some_and(u8::is_ascii_digit);
                if written
                    && !matches!(next(layout).1, Some(Part::Fraction { .. }))
                    && let Some((nanos, end)) = fraction(behind, None)
                {
                    (self.nanos, behind) = (nanos, end);
                }
                (self.second, rest) = (second, behind);
            }
            Part::Half { small } => {
                let half;
                (half, rest) = text.split_at_checked(2)?;
                self.late = match (half, small) {
                    (b"PM", false) | (b"pm", true) => Some(true),
                    (b"AM", false) | (b"am", true) => Some(false),
                    _ => return None,
                };
            }
            Part::Offset(offset) => (self.offset, rest) = ahead(text, offset)?,
            Part::ZoneName => return None,
            Part::Fraction { trimmed: true, .. } => {
                (self.nanos, rest) = fraction(text, None).unwrap_or((self.nanos, text));
            }
            Part::Fraction { digits, .. } => (self.nanos, rest) = fraction(text, Some(digits))?,
        }
        Some(rest)
    }

    /// Nanoseconds since 1970; none for a day that is not.
    fn nanos(&self) -> Option<i64> {
        let (mut month, mut day) = (self.month, self.day);
        if let Some(mut left) = self.day_of_year {
            let mut found = 1;
            while left > days_in(self.year, found) {
                left -= days_in(self.year, found);
                found += 1;
            }
            if left < 1
                || found > 12
                || month.is_some_and(|month| month != found)
                || day.is_some_and(|day| day != left)
            {
                return None;
            }
            (month, day) = (Some(found), Some(left));
        }
        let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
        if day < 1 || day > days_in(self.year, month) {
            return None;
        }
        let hour = match self.late {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let days = days_before(self.year, month) + day - 1;
        let seconds = ((days * 24 + hour) * 60 + self.minute) * 60 + self.second - self.offset;
        i64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(self.nanos)).ok()
    }
}

/// What is behind the literal text of a layout, where any number of blanks is one; at the end of the time none is needed.
fn skip<'a>(mut text: &'a [u8], mut literal: &[u8]) -> Option<&'a [u8]> {
    while let Some((first, behind)) = literal.split_first() {
        if *first == b' ' {
            if text.first().is_some_and(|byte| *byte != b' ') {
                return None;
            }
            literal = past_blanks(literal);
            text = past_blanks(text);
        } else {
            text = text.strip_prefix(&[*first])?;
            literal = behind;
        }
    }
    Some(text)
}

fn past_blanks(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b" ") {
        text = rest;
    }
    text
}

/// A number of exactly so many digits, at most 18.
fn digits(text: &[u8], length: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(length)?;
    let all = number.iter().all(u8::is_ascii_digit);
    all.then(|| (number.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')), rest))
}

/// A number of two digits; of one, where the layout does not fill it with a zero.
fn number(text: &[u8], fill: Fill) -> Option<(i64, &[u8])> {
    let two = digits(text, 2);
    if fill == Fill::Zero { two } else { two.or_else(|| digits(text, 1)) }
}

fn below(end: i64, (number, rest): (i64, &[u8])) -> Option<(i64, &[u8])> {
    (number < end).then_some((number, rest))
}

/// The place of a name in a list, in large or small letters.
fn name<'a>(names: &[&str], full: bool, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
    (0..).zip(names).find_map(|(at, name)| {
        let name = if full { name.as_bytes() } else { name.as_bytes().get(..3)? };
        let (written, rest) = text.split_at_checked(name.len())?;
        written.eq_ignore_ascii_case(name).then_some((at, rest))
    })
}

/// Nanoseconds behind a point or a comma: as many digits as there are, at least one, or so many.
fn fraction(text: &[u8], length: Option<usize>) -> Option<(i64, &[u8])> {
    let (_, text) = text.split_first().filter(|(mark, _)| matches!(mark, b'.' | b','))?;
    let there = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length = length.unwrap_or(there);
    if length == 0 || length > there {
        return None;
    }
    let (nanos, _) = digits(text, length.min(9))?;
    let nanos = (length..9).fold(nanos, |nanos, _| nanos * 10);
    Some((nanos, text.get(length..)?))
}

/// Seconds ahead of UTC. Go takes 24 hours, 60 minutes and 60 seconds too.
fn ahead(text: &[u8], offset: Offset) -> Option<(i64, &[u8])> {
    if let Some(rest) = text.strip_prefix(b"Z").filter(|_| offset.z) {
        return Some((0, rest));
    }
    let (sign, mut rest) = text.split_first()?;
    let mut seconds = 0;
    for (at, most) in [24, 60, 60].into_iter().enumerate() {
        let mut part = 0;
        if at < offset.numbers {
            if at > 0 && offset.colons {
                rest = rest.strip_prefix(b":")?;
            }
            (part, rest) = below(most + 1, digits(rest, 2)?)?;
        }
        seconds = seconds * 60 + part;
    }
    match sign {
        b'+' => Some((seconds, rest)),
        // To Go one second behind is none at all.
        b'-' => Some((if seconds == 1 { 0 } else { -seconds }, rest)),
        _ => None,
    }
}

/// What is behind UTC or GMT. For other names OPA takes the offset of its machine's own zone, or none.
fn zone_name(text: &[u8]) -> Result<&[u8], Fail> {
    if let Some(rest) = text.strip_prefix(b"UTC") {
        return Ok(rest);
    }
    text.strip_prefix(b"GMT").filter(|rest| !matches!(rest.first(), Some(b'+' | b'-'))).ok_or(ZONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::turn;

    #[test]
    fn what_goes_on_behind_the_layout_is_no_such_time() {
        turn::begin(None);
        let parse = |layout: &str, time: &str| parse_ns(&[layout.into(), time.into()]);
        assert_eq!(parse("2006-01-02", "2024-02-29"), Ok(Value::from(1_709_164_800_000_000_000_u64)));
        assert_eq!(parse("RFC3339", "2024-02-29T00:00:00Z"), Ok(Value::from(1_709_164_800_000_000_000_u64)));
        for (layout, time) in [
            ("2006-01-02", "2024-02-29T12:34:56Z"),
            ("RFC3339", "2024-02-29T00:00:00Zx"),
            ("2006-01-02", "2024-02-29\u{1}"),
        ] {
            assert_eq!(parse(layout, time), Err(WRONG), "{layout} {time}");
        }
        assert_eq!(parse("RFC3339", "2024-06-30T23:59:60Z"), Err(WRONG));
        assert_eq!(parse_rfc3339_ns(&["2024-06-30T23:59:60Z".into()]), Err(WRONG));
        assert_eq!(parse("RFC1123", "Thu, 29 Feb 2024 00:00:00 EST"), Err(ZONE));
    }
}
