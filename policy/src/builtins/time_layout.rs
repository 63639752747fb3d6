//! Layouts of times as Go knows them: a model time, 15:04:05.999999999 on Monday, 2 January 2006, in the zone MST
//! (-0700), with literal text between its parts.

use super::Fail;

/// The layout of RFC 3339.
pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
/// Longest layout, in bytes: each of its parts is looked for at each of its places.
const LONGEST: usize = 4 * 1024;
const LONG: Fail = Fail::Limit("a layout of at most 4 KiB");

/// How a number is filled up to its width.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fill {
    No,
    Blank,
    Zero,
}

/// One part of a time.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// Of two digits.
    ShortYear,
    Year,
    /// By its name, in full or its first three letters.
    MonthName {
        full: bool,
    },
    Month(Fill),
    DayName {
        full: bool,
    },
    Day(Fill),
    DayOfYear(Fill),
    Hour,
    /// Of 12.
    HalfHour(Fill),
    Minute(Fill),
    Second(Fill),
    /// AM or PM.
    Half {
        small: bool,
    },
    Offset(Offset),
    /// An abbreviation, such as CET.
    ZoneName,
    Fraction {
        mark: u8,
        digits: usize,
        trimmed: bool,
    },
}

/// Hours, minutes and seconds between a zone and UTC.
#[derive(Clone, Copy)]
pub(super) struct Offset {
    /// Whether none is written `Z`.
    pub(super) z: bool,
    pub(super) colons: bool,
    /// 1 for hours alone, 2 with minutes, 3 with seconds.
    pub(super) numbers: usize,
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const fn offset(z: bool, colons: bool, numbers: usize) -> Part {
    Part::Offset(Offset { z, colons, numbers })
}

/// What a layout may have, the longer before what it begins with.
#[rustfmt::skip]
const PARTS: &[(&str, Part)] = &[
    ("January", Part::MonthName { full: true }), ("Jan", Part::MonthName { full: false }),
    ("Monday", Part::DayName { full: true }), ("Mon", Part::DayName { full: false }),
    ("MST", Part::ZoneName),
    ("01", Part::Month(Fill::Zero)), ("02", Part::Day(Fill::Zero)), ("03", Part::HalfHour(Fill::Zero)),
    ("04", Part::Minute(Fill::Zero)), ("05", Part::Second(Fill::Zero)), ("06", Part::ShortYear),
    ("002", Part::DayOfYear(Fill::Zero)), ("__2", Part::DayOfYear(Fill::Blank)),
    ("15", Part::Hour), ("1", Part::Month(Fill::No)),
    ("2006", Part::Year), ("2", Part::Day(Fill::No)), ("_2", Part::Day(Fill::Blank)),
    ("3", Part::HalfHour(Fill::No)), ("4", Part::Minute(Fill::No)), ("5", Part::Second(Fill::No)),
    ("PM", Part::Half { small: false }), ("pm", Part::Half { small: true }),
    ("-070000", offset(false, false, 3)), ("-07:00:00", offset(false, true, 3)),
    ("-0700", offset(false, false, 2)), ("-07:00", offset(false, true, 2)),
    ("-07", offset(false, false, 1)),
    ("Z070000", offset(true, false, 3)), ("Z07:00:00", offset(true, true, 3)),
    ("Z0700", offset(true, false, 2)), ("Z07:00", offset(true, true, 2)),
    ("Z07", offset(true, false, 1)),
];

/// The text before the first part of a layout, that part, and the layout behind it.
pub(super) fn next(layout: &[u8]) -> (&[u8], Option<Part>, &[u8]) {
    for at in 0..layout.len() {
        let (before, rest) = layout.split_at(at);
        if let Some((part, length)) = first(rest) {
            return (before, Some(part), rest.get(length..).unwrap_or_default());
        }
    }
    (layout, None, &[])
}

/// The part with which text begins, and its length.
fn first(text: &[u8]) -> Option<(Part, usize)> {
    if let Some(mark @ (b'.' | b',')) = text.first().copied() {
        let digit = *text.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
        let digits = text.iter().skip(1).take_while(|byte| **byte == digit).count();
        let goes_on = text.get(digits + 1).is_some_and(u8::is_ascii_digit);
        return (!goes_on).then_some((Part::Fraction { mark, digits, trimmed: digit == b'9' }, digits + 1));
    }
    // `_2006` is a year behind a line.
    if text.starts_with(b"_2006") {
        return None;
    }
    PARTS.iter().find_map(|(name, part)| {
        let behind = text.strip_prefix(name.as_bytes())?.first();
        let short = matches!(part, Part::MonthName { full: false } | Part::DayName { full: false });
        // `Month` is a word, no day.
        (!(short && behind.is_some_and(u8::is_ascii_lowercase))).then_some((*part, name.len()))
    })
}

/// The layout that a name stands for, or the layout itself.
pub(super) fn named(layout: &str) -> Result<&str, Fail> {
    Ok(match layout {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => RFC3339,
        "RFC3339Nano" => "2006-01-02T15:04:05.999999999Z07:00",
        layout if layout.len() > LONGEST => return Err(LONG),
        layout => layout,
    })
}

/// Days from 1970 to the first of a month, January being 1.
pub(super) fn days_before(year: i64, month: i64) -> i64 {
    let before = year - 1;
    let leaps = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    before * 365 + leaps - 719_162 + months
}

/// Days of a month, January being 1.
pub(super) const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
