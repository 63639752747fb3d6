//! Numbers that are kept as they are written. OPA keeps every digit; here a number is one of 64 bits, and of two long ones
//! that differ in their last digits both would become the same.

/// Most significant digits that a fraction or a power of ten may have: as many as a number of 64 bits is written with.
pub(crate) const DIGITS: usize = 17;

/// Whether JSON text has no number that would be kept as another. Whether it is JSON at all, a parser says.
#[must_use]
pub fn keeps_numbers(json: &[u8]) -> bool {
    let (mut quoted, mut escaped, mut begin) = (false, false, None);
    for (at, byte) in json.iter().chain(b" ").enumerate() {
        let in_number = !quoted && matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        match (begin, in_number) {
            (None, true) if byte.is_ascii_digit() || *byte == b'-' => begin = Some(at),
            (Some(from), false) => {
                begin = None;
                if !json.get(from..at).and_then(|number| str::from_utf8(number).ok()).is_some_and(is_kept) {
                    return false;
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
    true
}

fn is_kept(number: &str) -> bool {
    let bytes = number.bytes();
    // Most are short, and have no exponent.
    if number.len() <= DIGITS && bytes.clone().all(|byte| byte.is_ascii_digit()) {
        return true;
    }
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() || number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(kept) = number.parse::<f64>() else { return true };
    let whole = number.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    let same = digits.len() <= DIGITS || (whole && format!("{kept:.0}") == number);
    same && kept != 0.0 && kept.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_could_be_taken_for_is_not_kept() {
        for kept in [
            "0",
            "-0.0e9",
            "[18446744073709551615, -9223372036854775808, 18446744073709551616]",
            "{\"a\": 0.30000000000000004, \"b\": 1e300, \"c\": 100000000000000000000000}",
            "[\"123456789012345678901234\", \"\\\"1e999\", true]",
        ] {
            assert!(keeps_numbers(kept.as_bytes()), "{kept}");
        }
        let long = "1".repeat(100_000);
        for lost in ["123456789012345678901", "[-0.123456789012345678]", "1e-400", "{\"a\":1E400}", &long] {
            assert!(!keeps_numbers(lost.as_bytes()), "{lost}");
        }
    }
}
