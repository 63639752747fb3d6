//! `numbers.range(a, b)`: capped, since two numbers choose how long the list is.

use regorus::Value;

use super::{Fail, turn};

/// Longest range.
const MOST: u64 = 10_000;
const LIMIT: &str = "at most 10000 numbers";

/// Whole numbers from `a` to `b`, both included, up or down.
pub(super) fn range(args: &[Value]) -> Result<Value, Fail> {
    let [from, to] = args else { return Err(Fail::Argument("takes two numbers")) };
    let (from, to) = (whole(from)?, whole(to)?);
    if from.abs_diff(to) >= MOST || !turn::spend(usize::try_from(from.abs_diff(to)).unwrap_or(usize::MAX)) {
        return Err(Fail::Limit(LIMIT));
    }
    let numbers: Vec<Value> = if from <= to {
        (from..=to).map(Value::from).collect()
    } else {
        (to..=from).rev().map(Value::from).collect()
    };
    Ok(Value::from(numbers))
}

fn whole(value: &Value) -> Result<i64, Fail> {
    value.as_i64().map_err(|_| Fail::Argument("takes whole numbers"))
}
