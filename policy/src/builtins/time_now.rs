//! `time.now_ns()`: the time of the request, so that a decision hangs on its input alone.

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::NUMBER;
use super::{Fail, turn};

pub(super) const ROWS: &[Builtin] = &[Builtin::new("time.now_ns", &[], NUMBER, By::Ours(now_ns))];

/// Why what answers by `input.now` has no answer.
pub(super) const NO_TIME: Fail = Fail::Argument(
    "has no time to answer by: the input needs `now`, Unix seconds; in a test, the input of its `with`",
);

/// `input.now` in nanoseconds; the engine's own would read a clock of its own, which no test and no replay moves. A test
/// replaces it, as for OPA.
fn now_ns(_: &[Value]) -> Result<Value, Fail> {
    const REPLACED: Fail = Fail::Argument(
        "has no time to answer by: the input has no `now`; a test says `with time.now_ns as …`, in nanoseconds",
    );
    turn::now().ok_or(REPLACED).and_then(nanoseconds)
}

/// The same for what a test does not replace.
pub(super) fn now() -> Result<Value, Fail> {
    turn::now().ok_or(NO_TIME).and_then(nanoseconds)
}

fn nanoseconds(seconds: u64) -> Result<Value, Fail> {
    seconds.checked_mul(1_000_000_000).map(Value::from).ok_or(Fail::Limit("a time before the year 2554"))
}
