//! May this caller do this? Rego decides, in process; the answer is a [`Grant`] or a [`Denial`].
//!
//! Only this module can make a grant, and without one nothing is forwarded. The judge answers in
//! place: its fuse is what keeps a policy from holding a worker up.

mod facts;
mod grant;
pub mod load;
mod recent;
mod request;
pub mod service;
mod verdict;

pub use facts::Surroundings;
pub(crate) use facts::is_hidden;
pub use grant::{Denial, Grant, HeaderEdits, Reply};
pub use load::LoadedPolicy;
pub use request::{Action, BodyFacts, HttpAction, Request};
pub(crate) use verdict::{code, permitted};

use std::cell::RefCell;
use std::sync::Arc;

use postern_policy::{Document, Facts, Judge, Leaf, LeafId, Verdict};
use serde_json::value::RawValue;

use crate::clock::SharedClock;
use crate::config::{Recorded, RecordedInput};
use crate::fault::Code;
use crate::live::{Live, Versioned};
use crate::model::CredentialName;
use crate::record::DecisionFacts;

/// A worker's judge. It follows the live policy: a new generation brings a new engine.
pub struct Authorizer {
    policy: Live<LoadedPolicy>,
    bench: RefCell<Option<Sitting>>,
    parts: facts::Parts,
    keeps: RecordedInput,
    clock: SharedClock,
}

/// What would become of a request.
pub(crate) struct Supposition {
    /// Why it would be denied; none where it would be granted.
    pub(crate) code: Option<&'static Code>,
    /// The credential that it would be given.
    pub(crate) credential: Option<CredentialName>,
    /// What policy would say of it.
    pub(crate) decision: DecisionFacts,
}

/// An input that was made by hand.
struct Supposed<'a> {
    input: &'a Document,
    now: u64,
}

impl Facts for Supposed<'_> {
    fn leaf(&self, id: LeafId) -> Leaf<'_> {
        if id == LeafId::Now { Leaf::Number(self.now) } else { Leaf::Composite }
    }

    fn document(&self) -> Document {
        self.input.clone()
    }
}

/// The judge of one generation of the policy.
struct Sitting {
    policy: Arc<Versioned<LoadedPolicy>>,
    /// None where the policy has not arrived.
    judge: Option<Judge>,
}

impl Authorizer {
    /// A judge that follows `policy`; `surroundings` are what every input says of this sidecar, and `keeps` is what
    /// records keep of it.
    #[must_use]
    pub fn new(
        policy: Live<LoadedPolicy>,
        surroundings: Surroundings,
        keeps: RecordedInput,
        clock: SharedClock,
    ) -> Self {
        Self { policy, bench: RefCell::new(None), parts: facts::Parts::new(surroundings), keeps, clock }
    }

    /// Judges one request: total, and never longer than the fuse allows by much. What policy said, for the record,
    /// stands beside the grant or in the denial.
    pub fn judge(&self, request: &Request<'_>) -> Result<(Grant, DecisionFacts), Box<Denial>> {
        let now = self.clock.now().unix_seconds();
        self.judge_by(request, &facts::Asked { request, parts: &self.parts, now })
    }

    /// What would become of an input that is not quite the request's: for commands that say so. It grants nothing.
    pub(crate) fn judge_supposed(&self, request: &Request<'_>, input: &Document, now: u64) -> Supposition {
        match self.judge_by(request, &Supposed { input, now }) {
            Ok((grant, decision)) => {
                Supposition { code: None, credential: grant.credential().cloned(), decision }
            }
            Err(denial) => {
                Supposition { code: Some(denial.code), credential: None, decision: denial.decision }
            }
        }
    }

    fn judge_by(
        &self,
        request: &Request<'_>,
        asked: &impl Facts,
    ) -> Result<(Grant, DecisionFacts), Box<Denial>> {
        let mut bench = self.bench.borrow_mut();
        let sitting = self.sitting(&mut bench);
        let Some(judge) = &mut sitting.judge else {
            return Err(Box::new(verdict::absent(&sitting.policy)));
        };
        let mut judged = match judge.judge(asked) {
            Verdict::Allow(allowance) => verdict::grant(allowance, request, &sitting.policy),
            Verdict::Deny(refusal) => Err(Box::new(verdict::denial(refusal, &sitting.policy))),
        };
        if let (Err(denial), Some(contact)) = (&mut judged, judge.policy().contact()) {
            denial.reply.get_or_insert_default().contact = Some(Arc::clone(contact));
        }
        match &mut judged {
            Ok((_, decision)) if self.keeps.of == Recorded::All => {
                decision.input = self.kept(asked, judge);
            }
            Err(denial) if self.keeps.of != Recorded::None => {
                denial.decision.input = self.kept(asked, judge);
            }
            _ => {}
        }
        judged
    }

    /// What policy would see of a request.
    #[must_use]
    pub fn input(&self, request: &Request<'_>, now: u64) -> Document {
        facts::Asked { request, parts: &self.parts, now }.document()
    }

    /// What the record keeps of the input. It is built once more: what is allowed and not kept pays nothing for it.
    fn kept(&self, asked: &impl Facts, judge: &Judge) -> Option<Arc<RawValue>> {
        let kept = asked.document().keep(judge.policy().leaves(), &self.keeps.keeping);
        serde_json::value::to_raw_value(&kept).ok().map(Arc::from)
    }

    fn sitting<'b>(&self, bench: &'b mut Option<Sitting>) -> &'b mut Sitting {
        let current = self.policy.load();
        if bench.as_ref().is_some_and(|sitting| sitting.policy.generation != current.generation) {
            *bench = None;
        }
        bench.get_or_insert_with(|| Sitting {
            policy: Arc::clone(&current),
            judge: current.value.set.clone().map(Judge::new),
        })
    }
}
