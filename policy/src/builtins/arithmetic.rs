//! `+`, `-`, `*`, `/`, `sum` and `product`: of whole numbers as the engine has them, exact; of fractions as OPA has them,
//! with 64 bits.

use regorus::Value;

use super::fraction::Fraction;
use super::row::{Builtin, By};
use super::signatures::{ANY, LISTS, NUMBER};
use super::{Fail, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("internal.div", &[ANY, ANY], NUMBER, By::Within(|args| two(Op::Div, args), "/")).said("/"),
    Builtin::new("internal.minus", &[ANY, ANY], ANY, By::Within(minus, "-")).said("-"),
    Builtin::new("internal.mul", &[ANY, ANY], NUMBER, By::Within(|args| two(Op::Mul, args), "*")).said("*"),
    Builtin::new("internal.plus", &[ANY, ANY], NUMBER, By::Within(|args| two(Op::Plus, args), "+")).said("+"),
    Builtin::new("product", &[LISTS], NUMBER, By::Ours(product)),
    Builtin::new("sum", &[LISTS], NUMBER, By::Ours(sum)),
];

/// Most decimal digits that the factors of a product have together; and as many bits.
const DIGITS: usize = 10_000;
const BITS: u64 = 33_220;

#[derive(Clone, Copy)]
enum Op {
    Plus,
    Minus,
    Mul,
    Div,
}

fn two(op: Op, args: &[Value]) -> Result<Value, Fail> {
    match args {
        [one, other] => compute(op, one, other),
        _ => Err(Fail::Argument("takes two numbers")),
    }
}

/// Of two sets, those of the first that are not in the second.
fn minus(args: &[Value]) -> Result<Value, Fail> {
    let [Value::Set(one), Value::Set(other)] = args else { return two(Op::Minus, args) };
    weigh::linear(args)?;
    Ok(Value::from(
        one.iter().filter(|item| !other.contains(item)).cloned().collect::<std::collections::BTreeSet<_>>(),
    ))
}

fn compute(op: Op, one: &Value, other: &Value) -> Result<Value, Fail> {
    let (Value::Number(a), Value::Number(b)) = (one, other) else {
        return Err(Fail::Argument("takes two numbers"));
    };
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64())
        && let Some(whole) = whole(op, a.into(), b.into())
    {
        return Ok(i64::try_from(whole).map_or_else(|_| Value::from(whole), Value::from));
    }
    // Beyond 64 bits whole numbers are exact too.
    if a.is_integer() && b.is_integer() {
        let exact = match op {
            Op::Plus => Some(a.add(b)),
            Op::Minus => Some(a.sub(b)),
            Op::Mul if bits(one) + bits(other) > BITS => {
                return Err(Fail::Limit("whole numbers of at most 10000 digits"));
            }
            Op::Mul => Some(a.mul(b)),
            Op::Div => None,
        };
        if let Some(exact) = exact {
            return exact.map(Value::from).map_err(|_| BEYOND);
        }
    }
    let (a, b) = (fraction(one)?, fraction(other)?);
    let found = match op {
        Op::Plus => a.plus(b),
        Op::Minus => a.minus(b),
        Op::Mul => a.times(b),
        Op::Div => a.divided_by(b).ok_or(Fail::Argument("divide by zero"))?,
    };
    kept(found)
}

/// Of a whole number.
fn bits(number: &Value) -> u64 {
    let Value::Number(number) = number else { return 0 };
    number.as_big().map_or(0, |number| number.bits())
}

const BEYOND: Fail = Fail::Argument("comes to a number beyond those that are kept, of 2.3e-308 to 1.8e308");

/// None where it is no whole number of 128 bits.
fn whole(op: Op, a: i128, b: i128) -> Option<i128> {
    match op {
        Op::Plus => a.checked_add(b),
        Op::Minus => a.checked_sub(b),
        Op::Mul => a.checked_mul(b),
        Op::Div => (a.checked_rem(b)? == 0).then_some(a / b),
    }
}

fn fraction(value: &Value) -> Result<Fraction, Fail> {
    let Value::Number(number) = value else { return Err(Fail::Argument("takes numbers")) };
    if let Some(whole) = number.as_i128() {
        return Ok(Fraction::whole(whole));
    }
    if number.is_integer()
        && let Some(long) = number.as_big()
    {
        return Ok(Fraction::long(!number.is_positive(), &long.to_u64_digits().1));
    }
    value.as_f64().map(Fraction::of).map_err(|_| BEYOND)
}

fn kept(found: Fraction) -> Result<Value, Fail> {
    match found.as_whole() {
        Some(whole) => Ok(i64::try_from(whole).map_or_else(|_| Value::from(whole), Value::from)),
        None => found.kept().map(Value::from).ok_or(BEYOND),
    }
}

/// The members, in OPA's order; and whether all are whole, which the engine computes.
fn numbers(args: &[Value]) -> Result<(Vec<&Value>, bool), Fail> {
    weigh::linear(args)?;
    let items: Vec<&Value> = match args {
        [Value::Array(items)] => items.iter().collect(),
        [Value::Set(items)] => items.iter_sorted().collect(),
        _ => return Err(Fail::Argument("takes an array or a set")),
    };
    let mut whole = true;
    for item in &items {
        let Value::Number(number) = item else { return Err(Fail::Argument("takes numbers alone")) };
        whole &= number.is_integer();
    }
    Ok((items, whole))
}

/// Rounded to 64 bits each time.
fn sum(args: &[Value]) -> Result<Value, Fail> {
    let (items, whole) = numbers(args)?;
    if whole {
        return items.iter().try_fold(Value::from(0), |sum, item| compute(Op::Plus, &sum, item));
    }
    let sum = items.iter().try_fold(Fraction::whole(0), |sum, item| Ok(sum.plus(fraction(item)?)));
    kept(sum?)
}

/// Of factors whose digits together are at most ten thousand. Of fractions OPA rounds it to 53 bits each time.
fn product(args: &[Value]) -> Result<Value, Fail> {
    let (items, whole) = numbers(args)?;
    let digits = |factor: &&Value| if factor.as_i64().is_ok() { 20 } else { 320 };
    if items.iter().map(digits).sum::<usize>() > DIGITS {
        return Err(Fail::Limit("at most 500 factors"));
    }
    if whole {
        return items.iter().try_fold(Value::from(1), |product, item| compute(Op::Mul, &product, item));
    }
    let product = items.iter().try_fold(1.0, |product, item| Ok(fraction(item)?.times_double(product)));
    let product: f64 = product?;
    if !product.is_finite() {
        return Err(BEYOND);
    }
    let exact = Value::from(product);
    Ok(exact.as_i128().map_or(exact, Value::from))
}
