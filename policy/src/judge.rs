//! One judge per worker: facts in, verdict out, whatever the policy does.

use std::sync::Arc;

use crate::compile::PolicySet;
use crate::document::MAX_DEPTH;
use crate::evaluate::{Evaluator, Stopwatch};
use crate::input::{Facts, Leaf, LeafId};
use crate::verdict::{self, Cause, Refusal, Verdict};

/// Answers the requests of one worker with one policy. A new policy is a new judge.
#[derive(Debug)]
pub struct Judge {
    policy: Arc<PolicySet>,
    evaluator: Evaluator,
}

impl Judge {
    /// A judge with its own engine; costs a few microseconds, since the compiled policy is shared.
    #[must_use]
    pub fn new(policy: Arc<PolicySet>) -> Self {
        let evaluator = policy.evaluator();
        Self { policy, evaluator }
    }

    /// The policy this judge answers with.
    #[must_use]
    pub fn policy(&self) -> &Arc<PolicySet> {
        &self.policy
    }

    /// Answers one request. Never waits, never panics, and takes little longer than twice the policy's fuse: a late
    /// answer is asked for once more. `&mut` and single leaves leave room for a memo of earlier answers.
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
        let value = match self.evaluator.evaluate(input.clone(), now) {
            // The engine's fuse counts wall time, and the machine may have set this thread aside for longer than
            // that. A policy that is slow is late again.
            Err(Cause::Late { .. }) => self.evaluator.evaluate(input, now)?,
            outcome => outcome?,
        };
        Ok(verdict::read(&value))
    }
}
