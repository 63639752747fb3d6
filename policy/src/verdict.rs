//! What a policy answered, read strictly: a typo must not allow.
//!
//! The decision is `true`, `false` or an object whose members are all known here. Anything else is a denial that
//! names the member, as are an undefined answer, an error, a conflict, a late answer and a panic: each has its own
//! [`Cause`], so that each has its own code in the proxy.

mod decision;

use std::time::Duration;

use crate::decision::DECISION;
pub(crate) use decision::read;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Forward, under these obligations.
    Allow(Allowance),
    /// Refuse.
    Deny(Refusal),
}

/// A yes, and what the proxy owes the policy for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowance {
    /// Which of the route's credentials to use; none named means the route's only one.
    pub credential: Option<String>,
    /// No lease older than this may be injected.
    pub max_age: Option<Duration>,
    /// Access ends then, in Unix seconds.
    pub until: Option<u64>,
    /// Name of the rule that decided, for the record.
    pub rule: Option<String>,
    /// Why, in the policy's words, for the record.
    pub reason: Option<String>,
    /// Headers to set on the forwarded request, lower-case names; the proxy refuses those that are its own.
    pub set: Vec<(String, Vec<String>)>,
    /// Headers to remove from the forwarded request, lower-case names.
    pub remove: Vec<String>,
    /// Members the policy wants in the record.
    pub record: serde_json::Map<String, serde_json::Value>,
    /// Microseconds that the decision took.
    pub us: u64,
}

/// A no, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Which kind of no; the proxy has one code for each.
    pub cause: Cause,
    /// Name of the rule that decided, for the record.
    pub rule: Option<String>,
    /// Why, in the policy's words, for the record.
    pub reason: Option<String>,
    /// What the caller is told, where the policy says so; everything else stays in the record.
    pub deny: Option<DenyResponse>,
    /// Members the policy wants in the record.
    pub record: serde_json::Map<String, serde_json::Value>,
    /// Microseconds that the decision took.
    pub us: u64,
}

impl Refusal {
    pub(crate) fn because(cause: Cause) -> Self {
        Self { cause, rule: None, reason: None, deny: None, record: serde_json::Map::new(), us: 0 }
    }
}

/// The refusal as the policy wants the caller to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyResponse {
    /// 400 to 599; none means the code's own.
    pub status: Option<u16>,
    /// Response headers, lower-case names.
    pub headers: Vec<(String, Vec<String>)>,
    /// Response body, at most 64 KiB.
    pub body: Option<String>,
}

/// Why a request is refused by policy. Only the first is a decision; the others are decisions that did not come
/// about, and all of them refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The policy said no.
    #[error("the policy said no")]
    Policy,
    /// The entrypoint had no value.
    #[error("the decision is undefined")]
    Undefined,
    /// Evaluation failed: a builtin's error or a wrong type. The detail names file and line, never for the caller.
    #[error("evaluation failed: {detail}")]
    Error {
        /// The engine's message.
        detail: String,
    },
    /// Two rules gave different values for one name, or a comprehension for one key.
    #[error("the policy contradicts itself: {detail}")]
    Conflict {
        /// The engine's message.
        detail: String,
    },
    /// The fuse blew, or the answer came after it.
    #[error("no answer within {} ms", fuse.as_millis())]
    Late {
        /// The limit that was passed.
        fuse: Duration,
    },
    /// The engine panicked; it has been rebuilt.
    #[error("the engine panicked")]
    Panic,
    /// A builtin was asked for more than its cap.
    #[error("{builtin}: {limit}")]
    Oversize {
        /// Name of the builtin.
        builtin: &'static str,
        /// The cap, in words.
        limit: &'static str,
    },
    /// The input is nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    #[error("the input is nested {depth} deep")]
    Depth {
        /// How deep.
        depth: u8,
    },
    /// The decision has a member that is unknown, missing, of the wrong type, or out of bounds.
    #[error("decision member `{member}` {fault}{}", beside(member, *fault))]
    BadDecision {
        /// Path of the member, dots between; `decision` for the whole.
        member: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// The members that there are, behind one that is not known.
fn beside(member: &str, fault: Fault) -> String {
    let (above, kind) = member
        .split_once('.')
        .and_then(|(above, _)| Some((above, DECISION.member(above).ok()?)))
        .unwrap_or(("a decision", DECISION));
    let Some(members) = kind.members().filter(|_| fault == Fault::Unknown) else { return String::new() };
    let names: Vec<&str> = members.iter().map(|member| member.name).collect();
    format!(": {above} has {}", names.join(", "))
}

/// What is wrong with a member of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No such member.
    #[error("is not known")]
    Unknown,
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// Another type is wanted.
    #[error("must be {0}")]
    WrongType(&'static str),
    /// The value is outside its bounds.
    #[error("must be {0}")]
    OutOfBounds(&'static str),
    /// It makes no sense beside the value of `allow`.
    #[error("does not go with this value of `allow`")]
    Contradiction,
}
