//! `time.within(windows)`: whether the time of the request lies in a window.
//!
//! A window is text: `mon-fri 08:00-18:00 Europe/Berlin`, days and zone as wanted, or two times of RFC 3339 with a
//! slash between. The end is not in it. One that goes past midnight belongs to the day on which it begins.

use regorus::Value;

use super::row::{Builtin, By, Page};
use super::signatures::{ANY, BOOL, TEXTS};
use super::{Fail, at, engines, text, time_layout, time_now, time_parse};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("internal.now.within", &[ANY, ANY], ANY, By::Within(|args| at(args, within), "time.within")),
    Builtin::new("time.within", &[TEXTS], BOOL, By::Own(within, &WITHIN)).constants(&[(0, wrong_constant)]),
];

const WITHIN: Page = Page {
    arguments: "windows",
    what: "Whether the time of the request (`input.now`) lies in a window, or in any of a list or set of them. A window \
           is text: days, hours and a zone of the IANA database, days and zone as wanted (else every day, UTC); or two \
           times of RFC 3339 with a slash between. The end is not in it; hours that go past midnight belong to the day \
           on which they begin. A window that cannot be read is refused at load where it stands in the policy, and is \
           an error where it comes from data.",
    examples: &[
        (r#"time.within("mon-fri 08:00-18:00 Europe/Berlin")"#, "false"),
        (r#"time.within("sat,sun 00:00-24:00")"#, "true"),
        (r#"time.within("sat 22:00-06:00 Asia/Tokyo")"#, "false"),
        (r#"time.within("fri-sat 23:00-06:00 Europe/Berlin")"#, "true"),
        (r#"time.within(["08:00-12:00", "22:00-22:28"])"#, "false"),
        (r#"time.within("2026-11-21T00:00:00Z/2026-11-22T00:00:00+01:00")"#, "true"),
    ],
};

/// Most windows of one call.
const MOST: usize = 64;
/// Longest window, in bytes.
const LONGEST: usize = 128;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: u64 = 24 * 60;

const WANT: Fail = Fail::Argument(
    "takes windows such as `mon-fri 08:00-18:00 Europe/Berlin` or `2026-12-24T00:00:00Z/2026-12-27T00:00:00Z`",
);

/// Whether any of the windows holds the time of the request.
fn within(args: &[Value]) -> Result<Value, Fail> {
    let [windows] = args else { return Err(Fail::Argument("takes windows")) };
    let windows: Vec<&Value> = match windows {
        Value::Array(items) => items.iter().collect(),
        Value::Set(items) => items.iter().collect(),
        one => vec![one],
    };
    if windows.len() > MOST {
        return Err(Fail::Limit("at most 64 windows"));
    }
    let now = time_now::now()?;
    let mut within = false;
    for window in windows {
        // Each is read, also after one that holds: a mistake in it is one at any hour.
        within |= Window::of(text(window)?)?.holds(&now)?;
    }
    Ok(Value::Bool(within))
}

/// What is wrong with a constant window, and what to write instead.
fn wrong_constant(window: &str) -> Option<(Fail, &'static str)> {
    let instead = "days as `mon-fri` or `sat,sun`, hours as `22:00-06:00`, a zone as `Europe/Berlin`, in this order; \
                   days and zone as wanted";
    Window::of(window).and_then(|window| window.holds(&Value::from(0))).err().map(|fail| (fail, instead))
}

enum Window {
    /// From one time up to another, in Unix nanoseconds.
    Once { from: Value, to: Value },
    /// Every week.
    Weekly(Weekly),
}

struct Weekly {
    days: [bool; 7],
    /// Minutes of the day.
    from: u64,
    to: u64,
    zone: String,
}

impl Window {
    fn of(window: &str) -> Result<Self, Fail> {
        if window.len() > LONGEST {
            return Err(Fail::Limit("a window of at most 128 bytes"));
        }
        if let Some((from, to)) = window.split_once('/').filter(|(from, _)| from.contains('T')) {
            let time = |time: &str| time_parse::read(time_layout::RFC3339, time).map_err(|_| WANT);
            let (from, to) = (time(from)?, time(to)?);
            return if from < to { Ok(Self::Once { from: from.into(), to: to.into() }) } else { Err(WANT) };
        }
        let mut words = window.split_ascii_whitespace().peekable();
        let days = match words.next_if(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
            Some(word) => days(word).ok_or(WANT)?,
            None => [true; 7],
        };
        let (from, to) = words.next().and_then(|hours| hours.split_once('-')).ok_or(WANT)?;
        let (from, to) = (minutes(from).ok_or(WANT)?, minutes(to).ok_or(WANT)?);
        let zone = words.next().unwrap_or("UTC").to_owned();
        let right =
            from != to && from < DAY && words.next().is_none() && (zone == "UTC" || zone.contains('/'));
        if right { Ok(Self::Weekly(Weekly { days, from, to, zone })) } else { Err(WANT) }
    }

    fn holds(&self, now: &Value) -> Result<bool, Fail> {
        match self {
            Self::Once { from, to } => Ok(from <= now && now < to),
            Self::Weekly(weekly) => weekly.holds(now),
        }
    }
}

impl Weekly {
    fn holds(&self, now: &Value) -> Result<bool, Fail> {
        const ZONE: Fail = Fail::Argument("takes a zone of the IANA database, such as Europe/Berlin");
        let here = Value::from(vec![now.clone(), Value::from(self.zone.as_str())]);
        let clock = engines("time.clock", std::slice::from_ref(&here)).ok_or(ZONE)?;
        let mut parts = clock.as_array().map_err(|_| ZONE)?.iter().map_while(|part| part.as_u64().ok());
        let minute = parts.next().unwrap_or(0) * 60 + parts.next().unwrap_or(0);
        let day = engines("time.weekday", &[here]).ok_or(ZONE)?;
        let day = text(&day)?.to_ascii_lowercase();
        let day = DAYS.iter().position(|name| day.starts_with(name)).ok_or(ZONE)?;
        let on = |day: usize| self.days.get(day % 7).copied().unwrap_or(false);
        Ok(if self.from < self.to {
            on(day) && (self.from..self.to).contains(&minute)
        } else {
            (on(day) && minute >= self.from) || (on(day + 6) && minute < self.to)
        })
    }
}

/// `mon-fri`, `sat,sun`, `mon-wed,fri`.
fn days(word: &str) -> Option<[bool; 7]> {
    let number = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut days = [false; 7];
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let many = (last + 7 - first) % 7;
        for day in first..=first + many {
            *days.get_mut(day % 7)? = true;
        }
    }
    Some(days)
}

/// `08:00` up to `24:00`, in minutes.
fn minutes(time: &str) -> Option<u64> {
    let (hour, minute) = time.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}
