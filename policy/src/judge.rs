//! One judge per worker: facts in, verdict out, whatever the policy does.

use std::sync::Arc;

use crate::compile::PolicySet;
use crate::document::MAX_DEPTH;
use crate::evaluate::{Evaluator, Stopwatch, cpu_time};
use crate::input::{Facts, Leaf, LeafId};
use crate::verdict::{self, Cause, Refusal, Verdict};

/// Answers the requests of one worker with one policy. A new policy is a new judge.
#[derive(Debug)]
pub struct Judge {
    policy: Arc<PolicySet>,
    evaluator: Evaluator,
    /// Whether an answer was late: from then on the CPU time of each is measured, which costs a system call.
    was_late: bool,
}

impl Judge {
    /// A judge with its own engine; costs a few microseconds, since the compiled policy is shared.
    #[must_use]
    pub fn new(policy: Arc<PolicySet>) -> Self {
        let evaluator = policy.evaluator();
        Self { policy, evaluator, was_late: false }
    }

    /// The policy this judge answers with.
    #[must_use]
    pub fn policy(&self) -> &Arc<PolicySet> {
        &self.policy
    }

    /// Answers one request. Never waits, never panics, and takes little longer than twice the policy's fuse: a late
    /// answer is asked for once more, if it is the first or the machine set the thread aside. `&mut` and single leaves
    /// leave room for a memo of earlier answers.
    pub fn judge(&mut self, facts: &impl Facts) -> Verdict {
        let watch = Stopwatch::start();
        let mut verdict = match self.value(facts) {
            Ok(verdict) => verdict,
            Err(cause) => Verdict::Deny(Refusal::because(cause)),
        };
        let us = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
        match &mut verdict {
            Verdict::Allow(allowance) => allowance.us = us,
            Verdict::Deny(refusal) => refusal.us = us,
        }
        verdict
    }

    fn value(&mut self, facts: &impl Facts) -> Result<Verdict, Cause> {
        let document = facts.document();
        if document.depth() > MAX_DEPTH {
            return Err(Cause::Depth { depth: document.depth() });
        }
        let now = match facts.leaf(LeafId::Now) {
            Leaf::Number(seconds) => Some(seconds),
            _ => None,
        };
        let input = document.into_value();
        let before = self.was_late.then(cpu_time);
        let mut outcome = self.evaluator.evaluate(input.clone(), now);
        if matches!(outcome, Err(Cause::Late { .. })) {
            self.was_late = true;
            // The engine's fuse counts wall time, and the machine may have set this thread aside for longer than
            // that. A policy that is slow would be late again, and hold the worker up for twice as long.
            let slow = before.is_some_and(|before| cpu_time().saturating_sub(before) >= self.policy.fuse());
            if !slow {
                outcome = self.evaluator.evaluate(input, now);
            }
        }
        let value = outcome?;
        Ok(verdict::read(&value))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::input::Recorded;
    use crate::sources::Sources;

    #[test]
    fn a_slow_policy_is_not_asked_twice_for_each_request() {
        let slow = "package postern

default decision := false

decision if {
	xs := numbers.range(1, 9000)
	some a in xs
	some b in xs
	a + b < 0
}
";
        let fuse = Duration::from_millis(40);
        let sources = Sources::from_modules([("main.rego", slow)], []);
        let policy = PolicySet::compile(&sources, "data.postern.decision", fuse).unwrap();
        let mut judge = Judge::new(Arc::new(policy));
        let request = Recorded::parse("{}").unwrap();
        let mut took = || {
            let before = cpu_time();
            let verdict = judge.judge(&request);
            assert!(
                matches!(verdict, Verdict::Deny(Refusal { cause: Cause::Late { .. }, .. })),
                "{verdict:?}"
            );
            cpu_time().saturating_sub(before)
        };
        // A thread that is set aside is asked again: not every one tells.
        let once = |took: Duration| took >= fuse && took < fuse * 3 / 2;
        assert!((0..200).any(|_| once(took())));
    }
}
