//! Numbers with mantissas of 64 bits, which OPA computes fractions with, kept in the engine's, which have 53.
//!
//! What most fractions come to is a simple number, one of few decimal digits or of two small whole numbers, or differs from
//! it in its last bits alone: `0.1 * 0.7` is next to 0.07 and not the same. So next to each simple number a double stands
//! for a number of 64 bits that lies as many steps from it: the order stays, and what is equal stays equal. Elsewhere a
//! double stands for its shortest decimal digits, and a number of 64 bits is kept as the nearest double.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::manual_midpoint,
    reason = "each is rounded or cut on purpose: doubles are what this is about"
)]

/// Digits of a simple number.
const DIGITS: usize = 13;
/// Largest divisor of a simple number.
const DIVISOR: u64 = 1_000;
/// Steps on each side of a simple number that are told apart; one further stands for all beyond.
const STEPS: i64 = 3;
/// Above this the parts of a simple number that is divided cannot be found in a double.
const DIVIDED: f64 = 1e9;

/// `mantissa * 2^exponent`, with the highest bit of the mantissa set; or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fraction {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl Fraction {
    /// What a double stands for.
    pub(super) fn of(kept: f64) -> Self {
        let size = kept.abs();
        let found = if size.fract() == 0.0 {
            Self::exact(size)
        } else if let Some((simple, double)) = simple(size) {
            let steps = step(size) - step(double);
            let steps = if steps.abs() > STEPS { steps * 2 } else { steps };
            let mantissa = u128::from(simple.mantissa).saturating_add_signed(i128::from(steps));
            Self::rounded(mantissa, false, simple.exponent)
        } else {
            decimal(&format!("{size:e}")).unwrap_or_else(|| Self::exact(size))
        };
        Self { negative: kept < 0.0, ..found }
    }

    /// A whole number.
    pub(super) fn whole(number: i128) -> Self {
        Self { negative: number < 0, ..Self::rounded(number.unsigned_abs(), false, 0) }
    }

    /// A whole number of any length, by its size in 64 bits each, the lowest first.
    pub(super) fn long(negative: bool, size: &[u64]) -> Self {
        let Some(([next, high], lower)) = size.split_last_chunk::<2>().map(|(lower, last)| (last, lower))
        else {
            let size = size.first().copied().unwrap_or_default();
            return Self { negative, ..Self::rounded(size.into(), false, 0) };
        };
        let more = lower.iter().any(|part| *part != 0);
        let exponent = i32::try_from(lower.len() * 64).unwrap_or(i32::MAX / 2);
        Self { negative, ..Self::rounded(u128::from(*high) << 64 | u128::from(*next), more, exponent) }
    }

    /// The double that stands for it; none beyond their range.
    pub(super) fn kept(self) -> Option<f64> {
        let size = Self { negative: false, ..self }.nearest();
        if !size.is_normal() && self.mantissa != 0 {
            return None;
        }
        let kept = simple(size).map_or(size, |(simple, double)| {
            let steps = self.steps_from(simple).clamp(-STEPS - 1, STEPS + 1);
            f64::from_bits(double.to_bits().saturating_add_signed(steps))
        });
        kept.is_finite().then_some(if self.negative { -kept } else { kept })
    }

    /// Its value, where it is whole and has at most 126 bits.
    pub(super) fn as_whole(self) -> Option<i128> {
        let size = match self.exponent {
            _ if self.mantissa == 0 => 0,
            0..=62 => i128::from(self.mantissa) << self.exponent,
            -63..=-1 if self.mantissa.trailing_zeros() >= self.exponent.unsigned_abs() => {
                i128::from(self.mantissa >> self.exponent.unsigned_abs())
            }
            _ => return None,
        };
        Some(if self.negative { -size } else { size })
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let (large, small) = if (self.exponent, self.mantissa) < (other.exponent, other.mantissa) {
            (other, self)
        } else {
            (self, other)
        };
        if self.mantissa == 0 || other.mantissa == 0 {
            return if self.mantissa == 0 { other } else { self };
        }
        let apart = large.exponent.abs_diff(small.exponent);
        let (wide, added) = (u128::from(large.mantissa) << 63, u128::from(small.mantissa) << 63);
        let shifted = added.checked_shr(apart).unwrap_or(0);
        let lost = shifted.checked_shl(apart) != Some(added);
        let sum =
            if large.negative == small.negative { wide + shifted } else { wide - shifted - u128::from(lost) };
        Self { negative: large.negative, ..Self::rounded(sum, lost, large.exponent - 63) }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self { negative: !other.negative, ..other })
    }

    pub(super) fn times(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa);
        let negative = self.negative != other.negative;
        Self { negative, ..Self::rounded(product, false, self.exponent + other.exponent) }
    }

    /// The product of a double's own value and this, rounded to a double.
    pub(super) fn times_double(self, other: f64) -> f64 {
        let of = Self::exact(other.abs());
        let product = (u128::from(self.mantissa) * u128::from(of.mantissa)) as f64;
        let size = scaled(product, self.exponent + of.exponent);
        if self.negative == (other < 0.0) { size } else { -size }
    }

    /// None where it is divided by 0.
    pub(super) fn divided_by(self, other: Self) -> Option<Self> {
        let (over, under) = (u128::from(self.mantissa) << 64, u128::from(other.mantissa));
        let (quotient, rest) = (over.checked_div(under)?, over.checked_rem(under)? * 2);
        let (half, rest) = if rest >= under { (1, rest - under) } else { (0, rest) };
        let negative = self.negative != other.negative;
        let exponent = self.exponent - other.exponent - 65;
        Some(Self { negative, ..Self::rounded(quotient << 1 | half, rest != 0, exponent) })
    }

    /// To 64 bits, of what lies in the middle the even one; `more` says that it is a little more than this.
    fn rounded(number: u128, more: bool, exponent: i32) -> Self {
        let zeros = number.leading_zeros();
        if number == 0 {
            return Self { negative: false, mantissa: 0, exponent: 0 };
        }
        let wide = number << zeros;
        let (mantissa, rest) = ((wide >> 64) as u64, wide as u64);
        let half = 1 << 63;
        let up = rest > half || rest == half && (more || mantissa & 1 == 1);
        let exponent = exponent + 64 - i32::try_from(zeros).unwrap_or_default();
        match mantissa.checked_add(u64::from(up)) {
            Some(mantissa) => Self { negative: false, mantissa, exponent },
            None => Self { negative: false, mantissa: half, exponent: exponent + 1 },
        }
    }

    /// A double's own value.
    fn exact(size: f64) -> Self {
        let bits = size.to_bits();
        let (exponent, mantissa) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
        let mantissa = if exponent == 0 { mantissa } else { mantissa | 1 << 52 };
        Self::rounded(mantissa.into(), false, exponent.max(1) - 1_075)
    }

    /// The double nearest to what a double stands for, which Go writes for it.
    pub(super) fn written(kept: f64) -> f64 {
        let size = Self::of(kept).nearest();
        if kept < 0.0 { -size } else { size }
    }

    fn nearest(self) -> f64 {
        scaled(self.mantissa as f64, self.exponent)
    }

    /// How many steps of that one's last bit this is away from it, those that are begun counted.
    fn steps_from(self, simple: Self) -> i64 {
        let wide = |of: Self| i128::from(of.mantissa) << (of.exponent - simple.exponent + 1).clamp(0, 2);
        let halves = wide(self) - wide(simple);
        i64::try_from((halves + halves.signum()) / 2).unwrap_or_default()
    }
}

/// `number * 2^exponent`, in two steps, neither of which leaves the range unless the product does.
fn scaled(number: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    number * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}

/// The place of a double among all of them.
const fn step(size: f64) -> i64 {
    size.to_bits().cast_signed()
}

/// The simple number that a double is next to, and that number's own double.
fn simple(size: f64) -> Option<(Fraction, f64)> {
    let near = |double: f64| (step(double) - step(size)).abs() <= STEPS + 1;
    let text = format!("{size:.*e}", DIGITS - 1);
    if let Some(double) = text.parse().ok().filter(|double| near(*double)) {
        return Some((decimal(&text)?, double));
    }
    if size > DIVIDED {
        return None;
    }
    // By its continued fraction.
    let (mut left, mut over, mut under) = (size, (0_u64, 1_u64), (1_u64, 0_u64));
    loop {
        let part = left.floor();
        over = (over.1, (part as u64).checked_mul(over.1)?.checked_add(over.0)?);
        under = (under.1, (part as u64).checked_mul(under.1)?.checked_add(under.0)?);
        if under.1 > DIVISOR {
            return None;
        }
        let double = over.1 as f64 / under.1 as f64;
        if near(double) {
            let over = Fraction::whole(over.1.into());
            return Some((over.divided_by(Fraction::whole(under.1.into()))?, double));
        }
        left = 1.0 / (left - part);
        if !left.is_finite() {
            return None;
        }
    }
}

/// The number of decimal digits with an exponent, `1.25e-3`; none where it would not fit.
fn decimal(text: &str) -> Option<Fraction> {
    let (digits, exponent) = text.split_once('e')?;
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let behind = behind.trim_end_matches('0');
    let number: u64 = format!("{whole}{behind}").parse().ok()?;
    let exponent = exponent.parse::<i32>().ok()? - i32::try_from(behind.len()).ok()?;
    let power = 10_u64.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        return Some(Fraction::rounded(u128::from(number) * u128::from(power), false, 0));
    }
    let shift = u128::from(number).leading_zeros();
    let (over, under) = (u128::from(number) << shift, u128::from(power));
    let exponent = -i32::try_from(shift).ok()?;
    // Of at most 18 digits behind the point the quotient has 66 bits or more.
    (exponent.unsigned_abs() >= 1 && power <= 1_000_000_000_000_000_000)
        .then(|| Fraction::rounded(over / under, over % under != 0, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubles of all sizes, the same each time.
    fn many() -> impl Iterator<Item = f64> {
        let mut state = 7_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 11
        };
        (0..20_000).map(move |turn| {
            let (one, other) = (next(), next());
            match turn % 4 {
                0 => (one % 1_000_000) as f64 / 100.0,
                1 => (one % 1_000 + 1) as f64 / (other % 999 + 1) as f64,
                2 => (one % 100_000) as f64 / 1_000.0 * ((other % 100) as f64 / 100.0),
                _ => f64::from_bits((one << 1) & !(1 << 63)),
            }
        })
    }

    #[test]
    fn a_double_stands_for_a_number_that_it_is_kept_as_and_the_order_stays() {
        for double in many().filter(|double| double.is_normal()) {
            let (one, next) = (Fraction::of(double), Fraction::of(f64::from_bits(double.to_bits() + 1)));
            assert_eq!(one.kept(), Some(double), "{one:?}");
            let less = next.minus(one);
            assert!(!less.negative || less.mantissa == 0, "{double:e}: {one:?} {next:?}");
        }
    }

    #[test]
    fn each_operation_is_rounded_to_64_bits() {
        // Of small numbers all is exact in 128 bits.
        let of = |number: i128| Fraction::whole(number);
        for (one, other) in
            [(1, 3), (2, 3), (-7, 9), (10, 4), (123_456_789, 1_000), (1, 1 << 40), (1 << 40, 3)]
        {
            let (a, b) = (of(one), of(other));
            assert_eq!(a.plus(b), of(one + other), "{one} + {other}");
            assert_eq!(a.minus(b), of(one - other), "{one} - {other}");
            assert_eq!(a.times(b), of(one * other), "{one} * {other}");
            let quotient = a.divided_by(b).unwrap();
            let exact = Fraction::rounded(
                (one.unsigned_abs() << 70) / other.unsigned_abs(),
                (one << 70) % other != 0,
                -70,
            );
            assert_eq!(
                (quotient.mantissa, quotient.exponent),
                (exact.mantissa, exact.exponent),
                "{one} / {other}"
            );
        }
        assert_eq!(of(1).divided_by(of(0)), None);
        // Half of the last bit is rounded to the even one, and more than half up.
        let odd = i128::from(u64::MAX);
        assert_eq!(of(odd).plus(of(1).divided_by(of(2)).unwrap()), of(odd + 1));
        assert_eq!(of(odd - 1).plus(of(1).divided_by(of(2)).unwrap()), of(odd - 1));
        assert_eq!(of(odd - 1).plus(of(3).divided_by(of(4)).unwrap()), of(odd));
        assert_eq!(of(odd).minus(of(1).divided_by(of(4)).unwrap()), of(odd));
    }

    #[test]
    fn what_is_whole_is_told() {
        assert_eq!(Fraction::of(0.29).times(Fraction::whole(100)).as_whole(), Some(29));
        assert_eq!(Fraction::of(-2.5).times(Fraction::of(0.4)).as_whole(), Some(-1));
        assert_eq!(Fraction::of(0.5).as_whole(), None);
        assert_eq!(Fraction::of(0.5).minus(Fraction::of(0.5)).as_whole(), Some(0));
        assert_eq!(Fraction::whole(i128::from(u64::MAX) << 62).as_whole(), Some(i128::from(u64::MAX) << 62));
        assert_eq!(Fraction::of(1e308).times(Fraction::whole(10)).kept(), None);
        assert_eq!(Fraction::of(1e-300).times(Fraction::of(1e-300)).kept(), None);
        assert_eq!(Fraction::long(true, &[7, 1]), Fraction::whole(-(7 + (1 << 64))));
        assert_eq!(
            Fraction::long(false, &[1, 0, 1 << 63]).plus(Fraction::whole(1)),
            Fraction::long(false, &[0, 0, 1 << 63])
        );
        assert_eq!(Fraction::long(false, &[5]), Fraction::whole(5));
    }
}
