//! `time.parse_ns` and `time.parse_rfc3339_ns`: the engine stops where the layout ends, OPA wants the whole text; and
//! the engine has leap seconds, and small letters in RFC 3339.

use regorus::Value;

use super::{Fail, engines, text, weigh};

const WRONG: Fail = Fail::Argument("takes a layout and a time that is written so");
/// Stands behind layout and time; part of neither, or it would be taken for text.
const END: &str = "\u{1}";

/// Nanoseconds since 1970.
pub(super) fn parse_ns(args: &[Value]) -> Result<Value, Fail> {
    let [layout, time] = args else { return Err(WRONG) };
    weigh::linear(args)?;
    let (layout, time) = (named(text(layout)?), text(time)?);
    if layout.contains(END) || time.contains(END) || leaps(time) {
        return Err(WRONG);
    }
    // The name of a time zone the engine reads by itself, to the end.
    let end = if layout.contains("MST") { "" } else { END };
    let whole = [Value::from(format!("{layout}{end}")), Value::from(format!("{time}{end}"))];
    engines("time.parse_ns", &whole).ok_or(WRONG)
}

/// Nanoseconds since 1970 of a time as RFC 3339 writes it.
pub(super) fn parse_rfc3339_ns(args: &[Value]) -> Result<Value, Fail> {
    let [time] = args else { return Err(WRONG) };
    weigh::linear(args)?;
    let written = text(time)?;
    if leaps(written) || written.contains(['t', 'z']) {
        return Err(WRONG);
    }
    engines("time.parse_rfc3339_ns", args).ok_or(WRONG)
}

/// Whether a 60th second is written.
fn leaps(time: &str) -> bool {
    time.match_indices(":60").any(|(at, _)| time.get(..at).is_some_and(|before| before.contains(':')))
}

/// The layouts that have a name and no name of a time zone.
fn named(layout: &str) -> &str {
    match layout {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => "2006-01-02T15:04:05Z07:00",
        "RFC3339Nano" => "2006-01-02T15:04:05.999999999Z07:00",
        layout => layout,
    }
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
    }
}
