//! Ranges, shifts and products: a few digits choose how large they come out.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{ANY, BOOL, LIST, NULL, NUMBER, TEXT};
use super::{Fail, engines, weigh};
use crate::document::exact::{in_full, keeps_numbers};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("array.slice", &[LIST, NUMBER, NUMBER], LIST, By::Guard(small_places)),
    Builtin::new("bits.and", &[NUMBER, NUMBER], NUMBER, By::Ours(|args| bits("bits.and", args))),
    Builtin::new("bits.lsh", &[NUMBER, NUMBER], NUMBER, By::Ours(shift)),
    Builtin::new("bits.negate", &[NUMBER], NUMBER, By::Ours(|args| bits("bits.negate", args))),
    Builtin::new("bits.or", &[NUMBER, NUMBER], NUMBER, By::Ours(|args| bits("bits.or", args))),
    Builtin::new("bits.rsh", &[NUMBER, NUMBER], NUMBER, By::Ours(|args| bits("bits.rsh", args))),
    Builtin::new("bits.xor", &[NUMBER, NUMBER], NUMBER, By::Ours(|args| bits("bits.xor", args))),
    Builtin::new("ceil", &[NUMBER], NUMBER, By::Guard(not_nearly_zero)),
    Builtin::new("floor", &[NUMBER], NUMBER, By::Guard(not_nearly_zero)),
    Builtin::new("format_int", &[NUMBER, NUMBER], TEXT, By::Ours(format_int)),
    Builtin::new("json.unmarshal", &[TEXT], ANY, By::Ours(unmarshal)),
    Builtin::new("numbers.range", &[NUMBER, NUMBER], LIST, By::Ours(range)),
    Builtin::new("numbers.range_step", &[NUMBER, NUMBER, NUMBER], LIST, By::Ours(range_step)),
    Builtin::new("round", &[NUMBER], NUMBER, By::Guard(of_64_bits)),
    Builtin::new("substring", &[TEXT, NUMBER, NUMBER], TEXT, By::Guard(small_places)),
    Builtin::new("to_number", &[NULL.or(BOOL).or(NUMBER).or(TEXT)], NUMBER, By::Ours(to_number)),
];

/// Of numbers that are read, one that would be kept as another.
pub(super) const LONGER: &str = "takes numbers of at most 17 digits, and whole ones of 64 bits; one that is longer, or larger than 1.8e308, stays text";

/// Longest range.
const MOST: u64 = 10_000;
/// Largest shift to the left.
const SHIFT: u64 = 1_024;

/// `numbers.range(a, b)`: whole numbers from `a` to `b`, both included, up or down.
fn range(args: &[Value]) -> Result<Value, Fail> {
    let [from, to] = args else { return Err(Fail::Argument("takes two whole numbers")) };
    steps(whole(from)?, whole(to)?, 1)
}

/// `numbers.range_step(a, b, step)`: the same in steps; the engine's loses its way with large numbers.
fn range_step(args: &[Value]) -> Result<Value, Fail> {
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

/// `bits.*`: of whole numbers, however they are written. The engine knows `1.0` for none.
fn bits(name: &str, args: &[Value]) -> Result<Value, Fail> {
    let whole: Vec<Value> = args.iter().map(written_whole).collect();
    engines(name, &whole).ok_or(Fail::Argument("takes whole numbers"))
}

fn written_whole(value: &Value) -> Value {
    value.as_i64().map_or_else(|_| value.clone(), Value::from)
}

/// `bits.lsh`: of at most 1,024 bits.
fn shift(args: &[Value]) -> Result<Value, Fail> {
    match args {
        [_, bits] if bits.as_u64().is_ok_and(|bits| bits > SHIFT) => {
            Err(Fail::Limit("a shift of at most 1024 bits"))
        }
        [_, by] if by.as_u64().is_ok() => bits("bits.lsh", args),
        _ => Err(Fail::Argument("takes a number and a shift that is not negative")),
    }
}

/// `floor` and `ceil`: lets through what OPA rounds rightly.
fn not_nearly_zero(args: &[Value]) -> Result<(), Fail> {
    match args {
        [value] if value.as_f64().is_ok_and(|value| value > -1.0 && value < 0.0) => {
            Err(Fail::Argument("takes no fraction between -1 and 0, which OPA rounds up to 0 or 1"))
        }
        [Value::Number(number)] if number.as_i64().is_none() && number.is_integer() => {
            let long = number
                .as_big()
                .is_some_and(|number| number.bits() - number.trailing_zeros().unwrap_or(0) > 64);
            if long {
                Err(Fail::Argument("takes no whole number of more than 64 bits, which OPA rounds to another"))
            } else {
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// `round`: lets through what OPA rounds rightly.
fn of_64_bits(args: &[Value]) -> Result<(), Fail> {
    match args {
        [Value::Number(number)] if number.is_integer() && number.as_i64().is_none() => {
            Err(Fail::Argument("takes no whole number of more than 63 bits, which OPA rounds to another"))
        }
        _ => Ok(()),
    }
}

/// `format_int`: of a fraction between -1 and 0 the engine writes `-0`.
fn format_int(args: &[Value]) -> Result<Value, Fail> {
    let nearly_zero = |value: &Value| value.as_f64().is_ok_and(|value| value > -1.0 && value < 0.0);
    let args: Vec<Value> =
        args.iter().map(|arg| if nearly_zero(arg) { Value::from(0) } else { arg.clone() }).collect();
    engines("format_int", &args).ok_or(Fail::Argument("takes a number and the base 2, 8, 10 or 16"))
}

/// `substring` and `array.slice`: the engine takes places beyond 64 bits, where OPA fails.
fn small_places(args: &[Value]) -> Result<(), Fail> {
    weigh::linear(args)?;
    let (_, places) = args.split_first().ok_or(Fail::Argument("takes a value and places"))?;
    places.iter().try_for_each(|place| whole(place).map(drop))
}

/// `to_number`: the engine reads past the blanks around a number, and has large whole ones as doubles.
fn to_number(args: &[Value]) -> Result<Value, Fail> {
    let blank = |text: &str| text.trim().len() < text.len();
    if args.iter().any(|arg| arg.as_string().is_ok_and(|text| blank(text))) {
        return Err(Fail::Argument("takes a number without blanks around it"));
    }
    kept(args)?;
    let number = engines("to_number", args)
        .ok_or(Fail::Argument("takes null, true, false, or a number as JSON has it"))?;
    // One that is no text is as it was computed.
    Ok(if matches!(args, [Value::String(_)]) { in_full(number) } else { number })
}

/// `json.unmarshal`: the engine has large whole numbers as doubles.
fn unmarshal(args: &[Value]) -> Result<Value, Fail> {
    kept(args)?;
    engines("json.unmarshal", args).map(in_full).ok_or(Fail::Argument("takes JSON"))
}

/// `to_number` and `json.unmarshal`: the engine keeps a number that is too long as another.
fn kept(args: &[Value]) -> Result<(), Fail> {
    weigh::linear(args)?;
    let kept = args.iter().all(|arg| arg.as_string().map_or(true, |text| keeps_numbers(text.as_bytes())));
    if kept { Ok(()) } else { Err(Fail::Argument(LONGER)) }
}
