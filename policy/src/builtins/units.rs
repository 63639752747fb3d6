//! `units.parse` and `units.parse_bytes`, as OPA reads quantities: the engine takes units and digits that OPA does not, and
//! writes out a number of as many digits as the exponent says.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{NUMBER, TEXT};
use super::{Fail, text};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("units.parse", &[TEXT], NUMBER, By::Ours(parse)),
    Builtin::new("units.parse_bytes", &[TEXT], NUMBER, By::Ours(parse_bytes)),
];

/// Longest quantity, in bytes.
const LONGEST: usize = 64;
/// Most digits of an exponent.
const EXPONENT: usize = 2;
/// Decimal places that OPA rounds to.
const PLACES: usize = 10;

const NOT_READ: Fail = Fail::Argument("takes a number with a unit, `1.5Ki`");
const UNIT: Fail = Fail::Argument("takes the units k, m, g, t, p and e, and with an i behind them");
const FEW: Fail = Fail::Limit("a number of bytes below 2^120, of at most 19 digits and 27 places");

/// A number as it is written: its digits, and the power of ten that they are multiplied with.
struct Written {
    negative: bool,
    digits: Vec<u8>,
    ten: i32,
}

/// `units.parse(quantity)`, where `m` is a thousandth and `M` a million.
fn parse(args: &[Value]) -> Result<Value, Fail> {
    let [quantity] = args else { return Err(NOT_READ) };
    let quantity = unquoted(quantity)?;
    let (number, unit) = apart(&quantity)?;
    let mut letters = unit.chars();
    let unit: String = letters.next().into_iter().chain(letters.map(small)).collect();
    let (thousandth, times) = match unit.as_str() {
        "m" => (true, 1),
        unit => (false, multiple(unit).ok_or(UNIT)?),
    };
    let written = written(number)?;
    let digits = product(&written.digits, times);
    value(written.negative, &digits, written.ten - if thousandth { 3 } else { 0 })
}

/// `units.parse_bytes(quantity)`, whole bytes.
fn parse_bytes(args: &[Value]) -> Result<Value, Fail> {
    let [quantity] = args else { return Err(NOT_READ) };
    let quantity: String = unquoted(quantity)?.chars().map(small).collect();
    let (number, unit) = apart(&quantity)?;
    let times = match unit.strip_suffix('b').filter(|unit| !unit.is_empty()).unwrap_or(unit) {
        "m" => 1_000_000,
        unit => multiple(unit).ok_or(UNIT)?,
    };
    let written = written(number)?;
    let bytes = Binary::of(&written)?.times(times).whole()?;
    number_of(&format!("{}{bytes}", if written.negative && bytes > 0 { "-" } else { "" }))
}

/// The text without its quotes, which OPA takes for part of how it is written.
fn unquoted(quantity: &Value) -> Result<String, Fail> {
    let quantity = text(quantity)?;
    if quantity.len() > LONGEST {
        return Err(Fail::Limit("a quantity of at most 64 bytes"));
    }
    Ok(quantity.replace('"', ""))
}

/// Of `İ` alone the small letter has two characters, and in OPA one.
fn small(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// The number and its unit. An `e` belongs to the number where a digit or a sign follows it.
fn apart(quantity: &str) -> Result<(&str, &str), Fail> {
    let bytes = quantity.as_bytes();
    let (mut at, mut end) = (0, bytes.len());
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'0'..=b'9' | b'.' | b'+' | b'-', _) | (b'e' | b'E', Some(b'0'..=b'9')) => at += 1,
            (b'e' | b'E', Some(b'+' | b'-')) => at += 2,
            _ => {
                end = at;
                break;
            }
        }
    }
    quantity.split_at_checked(end).filter(|(number, _)| !number.is_empty()).ok_or(NOT_READ)
}

/// What a unit multiplies with.
fn multiple(unit: &str) -> Option<u64> {
    let (letter, by): (&str, u64) = match unit.strip_suffix('i') {
        Some(letter) => (letter, 1024),
        None => (unit, 1000),
    };
    let power = match letter {
        "" if by == 1000 => 0,
        "k" | "K" => 1,
        "m" if by == 1024 => 2,
        "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        "p" | "P" => 5,
        "e" | "E" => 6,
        _ => return None,
    };
    by.checked_pow(power)
}

fn written(number: &str) -> Result<Written, Fail> {
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (number, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: Vec<u8> = whole.bytes().chain(part.bytes()).map(|digit| digit.wrapping_sub(b'0')).collect();
    if digits.is_empty() || digits.iter().any(|digit| *digit > 9) {
        return Err(NOT_READ);
    }
    let places = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if places.is_empty() || !places.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(NOT_READ);
    }
    if places.len() > EXPONENT {
        return Err(Fail::Limit("an exponent of at most two digits"));
    }
    let exponent: i32 = exponent.parse().map_err(|_| NOT_READ)?;
    let part = i32::try_from(part.len()).map_err(|_| NOT_READ)?;
    Ok(Written { negative, digits, ten: exponent - part })
}

/// Decimal digits times a number.
fn product(digits: &[u8], times: u64) -> Vec<u8> {
    let (mut product, mut carried) = (Vec::new(), 0_u128);
    for digit in digits.iter().rev() {
        carried += u128::from(*digit) * u128::from(times);
        product.push(u8::try_from(carried % 10).unwrap_or_default());
        carried /= 10;
    }
    while carried > 0 {
        product.push(u8::try_from(carried % 10).unwrap_or_default());
        carried /= 10;
    }
    product.reverse();
    product
}

/// The value of digits times a power of ten, rounded to the places that OPA rounds to.
fn value(negative: bool, digits: &[u8], ten: i32) -> Result<Value, Fail> {
    let mut digits = digits.to_vec();
    let zeros = usize::try_from(ten).unwrap_or_default();
    digits.extend(std::iter::repeat_n(0, zeros));
    let mut places = usize::try_from(-ten).unwrap_or_default();
    let missing = (places + 1).saturating_sub(digits.len());
    digits.splice(0..0, std::iter::repeat_n(0, missing));
    if places > PLACES {
        let rest = digits.split_off(digits.len() - (places - PLACES));
        places = PLACES;
        if rest.first().is_some_and(|digit| *digit >= 5) {
            digits = add_one(&digits);
        }
    }
    let part = digits.split_off(digits.len() - places);
    let written = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
    let whole = written(&digits);
    let whole = whole.trim_start_matches('0');
    let part = written(&part);
    let part = part.trim_end_matches('0');
    let zero = whole.is_empty() && part.is_empty();
    let sign = if negative && !zero { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if part.is_empty() { "" } else { "." };
    number_of(&format!("{sign}{whole}{point}{part}"))
}

fn add_one(digits: &[u8]) -> Vec<u8> {
    let mut sum = digits.to_vec();
    for digit in sum.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return sum;
        }
        *digit = 0;
    }
    sum.insert(0, 1);
    sum
}

fn number_of(written: &str) -> Result<Value, Fail> {
    if written.contains('.') {
        return written.parse::<f64>().map(Value::from).map_err(|_| NOT_READ);
    }
    let whole: i128 = written.parse().map_err(|_| Fail::Limit("a quantity below 2^127"))?;
    Ok(i64::try_from(whole).map_or_else(|_| Value::from(whole), Value::from))
}

/// A number of 64 bits times a power of two: OPA counts bytes so, and what it drops of them follows from it.
struct Binary {
    bits: u64,
    two: i32,
}

impl Binary {
    fn of(written: &Written) -> Result<Self, Fail> {
        let mut bits: u64 = 0;
        for digit in &written.digits {
            let more = bits.checked_mul(10).and_then(|bits| bits.checked_add(u64::from(*digit)));
            bits = more.ok_or(FEW)?;
        }
        if bits == 0 {
            return Ok(Self { bits, two: 0 });
        }
        let places = written.ten.unsigned_abs();
        let five = 5_u64.checked_pow(places).filter(|_| places <= 27).ok_or(FEW)?;
        if written.ten >= 0 {
            return Ok(Self::rounded(u128::from(bits) * u128::from(five), false, written.ten));
        }
        let shift = bits.leading_zeros() + 64;
        let shifted = u128::from(bits) << shift;
        let rest = !shifted.is_multiple_of(u128::from(five));
        let two = written.ten - i32::try_from(shift).unwrap_or_default();
        Ok(Self::rounded(shifted / u128::from(five), rest, two))
    }

    /// The nearest number of 64 bits, of two the even one; `more` says that there is a rest below what is given.
    fn rounded(number: u128, more: bool, two: i32) -> Self {
        let over = 64_u32.saturating_sub(number.leading_zeros());
        if over == 0 {
            return Self { bits: u64::try_from(number).unwrap_or_default(), two };
        }
        let (kept, dropped, half) = (number >> over, number & ((1 << over) - 1), 1 << (over - 1));
        let up = dropped > half || (dropped == half && (more || kept % 2 == 1));
        let two = two + over.cast_signed();
        match u64::try_from(kept).ok().and_then(|kept| kept.checked_add(u64::from(up))) {
            Some(bits) => Self { bits, two },
            None => Self { bits: 1 << 63, two: two + 1 },
        }
    }

    fn times(&self, times: u64) -> Self {
        Self::rounded(u128::from(self.bits) * u128::from(times), false, self.two)
    }

    /// Without its part behind the point.
    fn whole(&self) -> Result<u128, Fail> {
        let bits = u128::from(self.bits);
        let by = self.two.unsigned_abs();
        if self.two < 0 {
            return Ok(bits.checked_shr(by).unwrap_or_default());
        }
        if bits == 0 {
            return Ok(0);
        }
        if by > bits.leading_zeros().saturating_sub(8) { Err(FEW) } else { Ok(bits << by) }
    }
}

#[cfg(test)]
mod tests {
    use crate::builtins::tests::assert_gives;

    #[test]
    fn parts_of_a_byte_are_dropped() {
        for (quantity, bytes) in [
            ("1.5", "1"),
            ("-1.5", "-1"),
            ("15e-1", "1"),
            ("0.1Ki", "102"),
            ("1.5e3KiB", "1536000"),
            ("2E", "2000000000000000000"),
            ("100Ei", "115292150460684697600"),
        ] {
            assert_gives("units.parse_bytes", &format!("\"{quantity}\""), bytes);
        }
    }

    #[test]
    fn a_quantity_is_rounded_to_ten_places() {
        for (quantity, value) in [
            ("1.k", "1000"),
            ("0.", "0"),
            ("-0.5m", "-0.0005"),
            ("1.23456789015", "1.2345678902"),
            ("-0.00000000005", "-0.0000000001"),
            ("0.00000000004", "0"),
            ("9.99999999999", "10"),
            ("100Ei", "115292150460684697600"),
        ] {
            assert_gives("units.parse", &format!("\"{quantity}\""), value);
        }
    }
}
