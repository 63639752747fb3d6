//! `time.now_ns()`: the time of the request, so that a decision hangs on its input alone.

use regorus::Value;

use super::{Fail, turn};

/// `input.now` in nanoseconds; the engine's own would read a clock of its own, which no test and no replay moves.
pub(super) fn now_ns(_: &[Value]) -> Result<Value, Fail> {
    let seconds = turn::now().ok_or(Fail::Argument("input.now is not a number"))?;
    seconds.checked_mul(1_000_000_000).map(Value::from).ok_or(Fail::Limit("a time before the year 2554"))
}
