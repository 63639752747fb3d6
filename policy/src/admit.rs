//! What a policy has to pass before it decides. `policy check`, `policy build` and the load ask nothing else, so that
//! what one of them takes, the others take too.

use std::time::Duration;

use crate::compile::PolicySet;
use crate::deadline::Deadline;
use crate::fuse::{Largest, endure};
use crate::problem::LoadError;
use crate::sources::Sources;
use crate::trial::prove;

/// Longest time of one admission, all of it together.
pub const ADMISSION: Duration = Duration::from_secs(30);

/// What a policy is admitted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Full name of the rule that decides, `data.postern.decision`.
    pub entrypoint: String,
    /// The longest time of one decision.
    pub fuse: Duration,
    /// Whether the tests that it brings must pass.
    pub tests: bool,
    /// The largest request that is let through to it.
    pub largest: Largest,
}

/// A policy that may decide, and what it was judged by.
#[derive(Debug)]
pub struct Admitted {
    /// The policy.
    pub policy: PolicySet,
    /// How many of its tests passed.
    pub passed: usize,
    /// How many cases these had: a test without any is one.
    pub cases: usize,
    /// How many recorded inputs it brought; where there are none, it was judged by the largest requests.
    pub recorded: usize,
}

impl PolicySet {
    /// Admits a policy: it passes the gate, its own tests pass, and it stays within its fuse on its recorded inputs or
    /// else on the largest requests. All of it together ends by the deadline, and within [`ADMISSION`]. May take long:
    /// not for a worker.
    pub fn admit(sources: &Sources, terms: &Terms, deadline: &Deadline) -> Result<Admitted, LoadError> {
        let deadline = deadline.sooner(ADMISSION);
        let policy = Self::compile_by(sources, &terms.entrypoint, terms.fuse, &deadline)?;
        let (passed, cases) = if terms.tests { prove(sources, &deadline)? } else { (0, 0) };
        endure(&policy, sources, terms.largest, &deadline)?;
        Ok(Admitted { policy, passed, cases, recorded: sources.inputs.len() })
    }
}
