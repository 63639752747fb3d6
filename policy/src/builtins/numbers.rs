//! Ranges, shifts and products: a few digits choose how large they come out.

use regorus::Value;

use super::{Fail, weigh};

/// Longest range.
const MOST: u64 = 10_000;
/// Largest shift to the left.
const SHIFT: u64 = 1_024;
/// Most decimal digits that the factors of a product have together.
const DIGITS: usize = 10_000;

/// `numbers.range(a, b)`: whole numbers from `a` to `b`, both included, up or down.
pub(super) fn range(args: &[Value]) -> Result<Value, Fail> {
    let [from, to] = args else { return Err(Fail::Argument("takes two whole numbers")) };
    steps(whole(from)?, whole(to)?, 1)
}

/// `numbers.range_step(a, b, step)`: the same in steps; the engine's loses its way with large numbers.
pub(super) fn range_step(args: &[Value]) -> Result<Value, Fail> {
    let [from, to, step] = args else { return Err(Fail::Argument("takes three whole numbers")) };
    let step = u64::try_from(whole(step)?).ok().filter(|step| *step > 0);
    steps(whole(from)?, whole(to)?, step.ok_or(Fail::Argument("takes a step of at least 1"))?)
}

fn steps(from: i64, to: i64, step: u64) -> Result<Value, Fail> {
    let last = from.abs_diff(to) / step;
    if last >= MOST {
        return Err(Fail::Limit("at most 10000 numbers"));
    }
    weigh::pay(usize::try_from(last).unwrap_or(usize::MAX).saturating_mul(8))?;
    let away = |index: u64| {
        if from <= to {
            from.checked_add_unsigned(index * step)
        } else {
            from.checked_sub_unsigned(index * step)
        }
    };
    Ok(Value::from((0..=last).filter_map(away).map(Value::from).collect::<Vec<_>>()))
}

fn whole(value: &Value) -> Result<i64, Fail> {
    value.as_i64().map_err(|_| Fail::Argument("takes whole numbers of 64 bits"))
}

/// `bits.lsh`: lets through a shift of at most 1,024 bits.
pub(super) fn small_shift(args: &[Value]) -> Result<(), Fail> {
    match args {
        [_, bits] if bits.as_u64().is_ok_and(|bits| bits > SHIFT) => {
            Err(Fail::Limit("a shift of at most 1024 bits"))
        }
        [_, bits] if bits.as_u64().is_ok() => Ok(()),
        _ => Err(Fail::Argument("takes a number and a shift that is not negative")),
    }
}

/// `product`: lets through factors whose digits together are at most ten thousand.
pub(super) fn small_product(args: &[Value]) -> Result<(), Fail> {
    weigh::linear(args)?;
    let digits = |factor: &Value| if factor.as_i64().is_ok() { 20 } else { 320 };
    let total: usize = match args {
        [Value::Array(factors)] => factors.iter().map(digits).sum(),
        [Value::Set(factors)] => factors.iter().map(digits).sum(),
        _ => 0,
    };
    if total > DIGITS { Err(Fail::Limit("at most 500 factors")) } else { Ok(()) }
}
