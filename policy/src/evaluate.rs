//! One evaluation, fenced in: a fuse inside the engine, our own measure outside, a net for panics.

use std::fmt;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value};
use rustix::time::{ClockId, clock_gettime};

use crate::builtins::turn;
use crate::problem::Said;
use crate::verdict::Cause;

/// Steps of the engine between two looks at the clock. A step is well under a microsecond.
const CHECK_EVERY: NonZeroU32 = NonZeroU32::new(64).unwrap();

/// Most characters of the engine's message that are kept for the record.
const MAX_DETAIL: usize = 1_000;

/// An engine of one worker and the prepared one it can be replaced from.
pub(crate) struct Evaluator {
    prepared: Engine,
    engine: Engine,
    entrypoint: String,
    fuse: Duration,
}

impl Evaluator {
    pub(crate) fn new(prepared: &Engine, entrypoint: &str, fuse: Duration) -> Self {
        let mut prepared = prepared.clone();
        prepared
            .set_execution_timer_config(ExecutionTimerConfig { limit: fuse, check_interval: CHECK_EVERY });
        Self { engine: prepared.clone(), prepared, entrypoint: entrypoint.to_owned(), fuse }
    }

    /// The entrypoint's value for one input. `now` is what `time.now_ns` answers from.
    pub(crate) fn evaluate(&mut self, input: Value, now: Option<u64>) -> Result<Value, Cause> {
        let Self { engine, entrypoint, fuse, .. } = self;
        let outcome = fenced(*fuse, now, || {
            engine.set_input(input);
            let value = engine.eval_rule(entrypoint.clone());
            // None is left in what decides; an engine that stays would keep each.
            drop(engine.take_prints());
            value
        });
        if outcome.is_err() {
            // An evaluation that was cut short leaves its `with` and its scopes behind.
            self.engine = self.prepared.clone();
        }
        outcome
    }
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator")
            .field("entrypoint", &self.entrypoint)
            .field("fuse", &self.fuse)
            .finish_non_exhaustive()
    }
}

/// Sets the engine's own fuse.
pub(crate) fn arm(engine: &mut Engine, fuse: Duration) {
    engine.set_execution_timer_config(ExecutionTimerConfig { limit: fuse, check_interval: CHECK_EVERY });
}

/// Runs one evaluation and judges how it went, in the order of what weighs most: a cap that was hit counts even
/// where the engine swallowed the error, and a late answer is none.
pub(crate) fn fenced<T>(
    fuse: Duration,
    now: Option<u64>,
    run: impl FnOnce() -> anyhow::Result<T>,
) -> Result<T, Cause> {
    turn::begin(now);
    let watch = Stopwatch::start();
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let elapsed = watch.elapsed();
    let excess = turn::end();
    let Ok(outcome) = outcome else { return Err(Cause::Panic) };
    if let Some(excess) = excess {
        return Err(Cause::Oversize { builtin: excess.builtin, limit: excess.limit });
    }
    if elapsed > fuse {
        return Err(Cause::Late { fuse });
    }
    outcome.map_err(|error| cause(&error, fuse))
}

/// The engine tells its errors apart by words only; the tests beside this file hold the words down.
fn cause(error: &anyhow::Error, fuse: Duration) -> Cause {
    if let Some(LimitError::TimeLimitExceeded { .. }) = error.downcast_ref::<LimitError>() {
        return Cause::Late { fuse };
    }
    let message = error.to_string();
    let said = Said::of(&message);
    let detail: String = said.to_string().chars().take(MAX_DETAIL).collect();
    if said.is_conflict() { Cause::Conflict { detail } } else { Cause::Error { detail } }
}

/// Measures how long an evaluation took. Not a clock: nothing is valid or expired by it.
#[derive(Clone, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures a stretch of work; no decision reads the time from it"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The CPU time that this thread has used: what a decision costs, whatever else the machine does.
pub(crate) fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap_or(0), used.tv_nsec.try_into().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUSE: Duration = Duration::from_secs(1);

    #[test]
    fn a_panic_inside_is_a_cause_and_goes_no_further() {
        let outcome = fenced(FUSE, None, || -> anyhow::Result<()> { panic!("as the engine may") });
        assert_eq!(outcome, Err(Cause::Panic));
    }

    #[test]
    fn an_answer_after_the_fuse_is_late_although_it_is_an_answer() {
        let fuse = Duration::from_millis(1);
        let outcome = fenced(fuse, None, || {
            std::thread::sleep(fuse * 2);
            Ok(true)
        });
        assert_eq!(outcome, Err(Cause::Late { fuse }));
    }

    #[test]
    fn a_cap_that_was_hit_counts_although_the_engine_went_on() {
        let outcome = fenced(FUSE, None, || {
            turn::exceed("sprintf", "a width");
            Ok(true)
        });
        assert_eq!(outcome, Err(Cause::Oversize { builtin: "sprintf", limit: "a width" }));
        assert_eq!(fenced(FUSE, None, || Ok(true)), Ok(true));
    }
}
