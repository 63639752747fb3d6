//! `units.parse` and `units.parse_bytes`: the engine writes out a number of as many digits as the exponent says, and
//! rounds parts of a byte, which OPA drops.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{NUMBER, TEXT};
use super::{Fail, engines, text};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("units.parse", &[TEXT], NUMBER, By::Guard(small_exponent)),
    Builtin::new("units.parse_bytes", &[TEXT], NUMBER, By::Ours(parse_bytes)),
];

/// Longest quantity, in bytes.
const LONGEST: usize = 64;
/// Most digits of an exponent.
const EXPONENT: usize = 2;

/// Lets through a quantity with an exponent of at most two digits. The suffix E, for exa, has none.
fn small_exponent(args: &[Value]) -> Result<(), Fail> {
    let [quantity] = args else { return Err(Fail::Argument("takes one quantity")) };
    let quantity = text(quantity)?;
    if quantity.len() > LONGEST {
        return Err(Fail::Limit("a quantity of at most 64 bytes"));
    }
    for (at, _) in quantity.match_indices(['e', 'E']) {
        let exponent = quantity.get(at + 1..).unwrap_or_default().trim_start_matches(['+', '-']);
        if exponent.chars().take_while(char::is_ascii_digit).count() > EXPONENT {
            return Err(Fail::Limit("an exponent of at most two digits"));
        }
    }
    Ok(())
}

/// `units.parse_bytes(quantity)`, whole bytes.
fn parse_bytes(args: &[Value]) -> Result<Value, Fail> {
    small_exponent(args)?;
    let rounded = engines("units.parse_bytes", args).ok_or(NOT_READ)?;
    let [quantity] = args else { return Err(NOT_READ) };
    let quantity = text(quantity)?.trim_matches('"').to_ascii_lowercase();
    let end = quantity.rfind(|c: char| c.is_ascii_digit()).ok_or(NOT_READ)? + 1;
    let (number, unit) = quantity.split_at_checked(end).ok_or(NOT_READ)?;
    let (written, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let (whole, part) = written.split_once('.').unwrap_or((written, ""));
    let exponent: i32 = exponent.parse().map_err(|_| NOT_READ)?;
    let places = i32::try_from(part.len()).map_err(|_| NOT_READ)? - exponent;
    if places <= 0 {
        return Ok(rounded);
    }
    let one = engines("units.parse_bytes", &[Value::from(format!("1{unit}"))]).ok_or(NOT_READ)?;
    let digits: i128 = format!("{whole}{part}").parse().map_err(|_| NOT_READ)?;
    let bytes = digits.checked_mul(one.as_i128().map_err(|_| NOT_READ)?).ok_or(NOT_READ)?;
    let scale = u32::try_from(places).ok().and_then(|places| 10_i128.checked_pow(places)).ok_or(NOT_READ)?;
    i64::try_from(bytes / scale).map(Value::from).map_err(|_| NOT_READ)
}

const NOT_READ: Fail = Fail::Argument("takes a number of bytes, `1.5Ki`, of few digits");

#[cfg(test)]
mod tests {
    use crate::builtins::tests::assert_gives;

    #[test]
    fn parts_of_a_byte_are_dropped() {
        for (quantity, bytes) in [
            ("1.5", "1"),
            ("-1.5", "-1"),
            ("15e-1", "1"),
            ("1.001K", "1001"),
            ("0.1Ki", "102"),
            ("1.5e3KiB", "1536000"),
            ("2E", "2000000000000000000"),
        ] {
            assert_gives("units.parse_bytes", &format!("\"{quantity}\""), bytes);
        }
    }
}
