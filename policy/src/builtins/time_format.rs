//! `time.format`: a time by a layout, part by part as Go writes it. The engine knows other parts, and no zone's name.

use std::fmt::Write as _;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{TEXT, TIME};
use super::time_layout::{DAYS, Fill, MONTHS, Offset, Part, days_before, named, next};
use super::{Fail, engines, text, time_parse, weigh, zone};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("time.format", &[TIME], TEXT, By::Ours(format))];

const WRONG: Fail = Fail::Argument("takes a time, or a list of a time, a time zone and a layout");
const ABBREVIATED: Fail = Fail::Argument(
    "has no names of zones such as CET for a layout with MST: an offset, `-0700` or `Z07:00`, as in RFC1123Z",
);
const CLOCK: &str = "2006-01-02T15:04:05.000000000";

/// The text of a time.
fn format(args: &[Value]) -> Result<Value, Fail> {
    let [what] = args else { return Err(WRONG) };
    let utc = Value::from("UTC");
    let Value::Array(items) = what else { return written(what, &utc, "") };
    match items.as_slice() {
        [time] => written(time, &utc, ""),
        [time, zone] => written(time, zone, ""),
        // What stands behind is read by nobody.
        [time, zone, layout, ..] => written(time, zone, text(layout)?),
        _ => Err(WRONG),
    }
}

fn written(time: &Value, zone: &Value, layout: &str) -> Result<Value, Fail> {
    let zone_name = text(zone)?;
    let utc = matches!(zone_name, "" | "UTC");
    let layout = if layout.is_empty() { "RFC3339Nano" } else { layout };
    // The engine knows the zones; what its clock shows there is all that is asked of it.
    let there = [Value::from(vec![time.clone(), zone.clone(), Value::from(CLOCK)])];
    zone::known(&there)?;
    let shown = engines("time.format", &there).ok_or(WRONG)?;
    let shown = text(&shown)?;
    let part = |from: usize, to: usize| {
        shown.get(from..to).and_then(|digits| digits.parse::<i64>().ok()).ok_or(WRONG)
    };
    let (local, ns) = (time_parse::read(CLOCK, shown)?, time.as_i64().map_err(|_| WRONG)?);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let days = days_before(year, month) + day - 1;
    let time = Time {
        year,
        month,
        day,
        day_of_year: days - days_before(year, 1) + 1,
        // The first day of 1970 was a Thursday.
        weekday: (days + 4).rem_euclid(7),
        hour: part(11, 13)?,
        minute: part(14, 16)?,
        second: part(17, 19)?,
        nanos: part(20, 29)?,
        offset: (local - ns) / 1_000_000_000,
        utc,
    };
    let (mut out, mut layout) = (Vec::new(), named(layout)?.as_bytes());
    // No part is written more than three times as long as it stands in the layout.
    weigh::pay(layout.len() * 3)?;
    loop {
        let (before, part, behind) = next(layout);
        out.extend_from_slice(before);
        let Some(part) = part else { break };
        layout = behind;
        let mut text = String::new();
        time.write(part, &mut text)?;
        out.extend_from_slice(text.as_bytes());
    }
    String::from_utf8(out).map(Value::from).map_err(|_| WRONG)
}

/// What a clock and a calendar show.
struct Time {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    weekday: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    /// Seconds ahead of UTC.
    offset: i64,
    utc: bool,
}

impl Time {
    fn write(&self, part: Part, out: &mut String) -> Result<(), Fail> {
        let (number, width, fill) = match part {
            Part::ShortYear => (self.year % 100, 2, Fill::Zero),
            Part::Year => (self.year, 4, Fill::Zero),
            Part::Month(fill) => (self.month, 2, fill),
            Part::Day(fill) => (self.day, 2, fill),
            Part::DayOfYear(fill) => (self.day_of_year, 3, fill),
            Part::Hour => (self.hour, 2, Fill::Zero),
            Part::HalfHour(fill) => ((self.hour + 11) % 12 + 1, 2, fill),
            Part::Minute(fill) => (self.minute, 2, fill),
            Part::Second(fill) => (self.second, 2, fill),
            Part::MonthName { full } => return name(&MONTHS, self.month - 1, full, out),
            Part::DayName { full } => return name(&DAYS, self.weekday, full, out),
            Part::Half { small } => {
                out.push_str(match (self.hour >= 12, small) {
                    (true, false) => "PM",
                    (false, false) => "AM",
                    (true, true) => "pm",
                    (false, true) => "am",
                });
                return Ok(());
            }
            Part::Offset(offset) => return self.write_offset(offset, out),
            Part::ZoneName if self.utc => {
                out.push_str("UTC");
                return Ok(());
            }
            Part::ZoneName => return Err(ABBREVIATED),
            Part::Fraction { mark, digits, trimmed } => {
                let all = format!("{:09}", self.nanos);
                let digits = all.get(..digits).unwrap_or(&all);
                let digits = if trimmed { digits.trim_end_matches('0') } else { digits };
                if !digits.is_empty() {
                    out.push(char::from(mark));
                    out.push_str(digits);
                }
                return Ok(());
            }
        };
        let _written = match fill {
            Fill::No => write!(out, "{number}"),
            Fill::Blank => write!(out, "{number:width$}"),
            Fill::Zero => write!(out, "{number:0width$}"),
        };
        Ok(())
    }

    fn write_offset(&self, offset: Offset, out: &mut String) -> Result<(), Fail> {
        if offset.z && self.offset == 0 {
            out.push('Z');
            return Ok(());
        }
        // Zones of old that were less than a minute behind; Go writes two signs there.
        if (-59..0).contains(&self.offset) {
            return Err(WRONG);
        }
        let ahead = self.offset.abs();
        let colon = if offset.colons { ":" } else { "" };
        let _written = write!(out, "{}{:02}", if self.offset < 0 { '-' } else { '+' }, ahead / 3600);
        if offset.numbers > 1 {
            let _written = write!(out, "{colon}{:02}", ahead / 60 % 60);
        }
        if offset.numbers > 2 {
            let _written = write!(out, "{colon}{:02}", ahead % 60);
        }
        Ok(())
    }
}

fn name(names: &[&str], at: i64, full: bool, out: &mut String) -> Result<(), Fail> {
    let name = usize::try_from(at).ok().and_then(|at| names.get(at)).ok_or(WRONG)?;
    out.push_str(if full { name } else { name.get(..3).unwrap_or(name) });
    Ok(())
}
