//! Numbers that are kept as they are written. OPA keeps every digit; here a number is one of 64 bits, and of two long ones
//! that differ in their last digits both would become the same.

use std::collections::BTreeMap;

use regorus::Value;

/// Whether JSON text has no number that would be kept as another. Whether it is JSON at all, a parser says.
#[must_use]
pub fn keeps_numbers(json: &[u8]) -> bool {
    rounded(json).is_none()
}

/// Where the first number begins that would be kept as another.
pub(crate) fn rounded(json: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped, mut begin) = (false, false, None);
    for (at, byte) in json.iter().chain(b" ").enumerate() {
        let in_number = !quoted && matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        match (begin, in_number) {
            (None, true) if byte.is_ascii_digit() || *byte == b'-' => begin = Some(at),
            (Some(from), false) => {
                begin = None;
                if !json.get(from..at).and_then(|number| str::from_utf8(number).ok()).is_some_and(is_kept) {
                    return Some(from);
                }
            }
            _ => {}
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    None
}

/// Digits that every number of 64 bits keeps.
const SURE: usize = 15;
/// From here on a fraction's number of 64 bits is a whole one, and none beyond [`LARGEST`] is any other kind's.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// Beyond whole numbers of 64 bits.
const LARGEST: f64 = 18_446_744_073_709_551_616.0;

/// Whether no other number, as it is written, becomes the same.
pub(crate) fn is_kept(number: &str) -> bool {
    // Most are short, and have no exponent.
    if number.len() <= SURE && !number.bytes().any(|byte| matches!(byte, b'e' | b'E')) {
        return true;
    }
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let digits = significant(number);
    if digits.is_empty() {
        return true;
    }
    let Ok(kept) = number.parse::<f64>() else { return true };
    if kept == 0.0 || !kept.is_finite() {
        return false;
    }
    // Among whole numbers it is compared by its own value, elsewhere it stands for its shortest spelling.
    let own = if (WHOLE..LARGEST).contains(&kept.abs()) { format!("{kept:.0}") } else { format!("{kept:e}") };
    significant(&own) == digits
}

/// A number that a reader of JSON has as a double: from [`LARGEST`] on whole, and computed with in full, as where a policy
/// writes it.
pub(crate) fn of_double(number: f64) -> Value {
    if number.abs() < LARGEST {
        return number.into();
    }
    // As it was written: `is_kept` has seen that these are its digits.
    Value::from_numeric_string(&format!("{number:e}")).unwrap_or(Value::Null)
}

/// What the engine's own reader of JSON made, with the numbers that [`of_double`] makes.
pub(crate) fn in_full(value: Value) -> Value {
    match value {
        Value::Number(ref number) if number.is_integer() => number.as_f64().map_or(value.clone(), of_double),
        Value::Array(items) => items.iter().cloned().map(in_full).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), in_full(member.clone())));
            members.collect::<BTreeMap<_, _>>().into()
        }
        other => other,
    }
}

fn significant(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

/// A number as Go writes it in JSON: the shortest digits, with an exponent only where a number is very large or very small.
pub(crate) fn float_as_go(float: f64) -> String {
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return float.to_string();
    }
    let text = format!("{float:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_could_be_taken_for_is_not_kept() {
        for kept in [
            "0",
            "-0.0e9",
            "[18446744073709551615, -9223372036854775808, 18446744073709552000]",
            "[9007199254740993, 9007199254740992.0, 9007199254740994e0, 1e18, -1.50, 0.1000000000000000000]",
            "{\"a\": 0.30000000000000004, \"b\": 1e300, \"c\": 100000000000000000000000}",
            "[\"123456789012345678901234\", \"\\\"1e999\", true]",
        ] {
            assert!(keeps_numbers(kept.as_bytes()), "{kept}");
        }
        let long = "1".repeat(100_000);
        for lost in [
            "123456789012345678901",
            "[-0.123456789012345678]",
            "1e-400",
            "{\"a\":1E400}",
            &long,
            "9007199254740993.0",
            "-9007199254740993e0",
            "900719925474099.3e1",
            "0.10000000000000001",
            // Two spellings of what is one number of 64 bits, of which the other is kept.
            "18446744073709551616",
            "1.2345678901234567e18",
        ] {
            assert!(!keeps_numbers(lost.as_bytes()), "{lost}");
        }
    }
}
