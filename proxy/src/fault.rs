//! What can go wrong, said once: a code that is the same string in the refusal's body, the
//! record, the metric and the reference; who has to act; and what to do next.
//!
//! Each verb has its own small error enum; [`Fault`] is what the request path carries. The caller
//! is told the code and its summary; the operator gets the cause and the hint.

pub mod codes;

use std::error::Error;
use std::fmt;

/// One row of the table of failures.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `PST-`, two letters for the stage, a number. Never reused, never renumbered.
    pub id: &'static str,
    /// The verb in which it happens.
    pub stage: Stage,
    /// Who has to act.
    pub owner: Owner,
    /// What an HTTP caller is answered.
    pub status: u16,
    /// What the caller is told: nothing of ours.
    pub summary: &'static str,
    /// What the operator does next.
    pub hint: &'static str,
}

/// Where on the path a failure happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before anybody was identified.
    Accept,
    /// While the caller was identified.
    Identify,
    /// While the request was read or judged.
    Authorize,
    /// While the credential was fetched.
    Credential,
    /// While the upstream was reached or answered.
    Forward,
    /// While the record was kept.
    Record,
    /// Outside any request: start, reload, drain.
    Operate,
}

/// Who has to act on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever sent the request.
    Caller,
    /// Whoever runs this sidecar, its policy or its vault.
    Operator,
    /// Whoever runs the old system.
    Upstream,
    /// Us.
    Postern,
}

/// An error that has its row in the table.
pub trait Coded {
    /// The row.
    fn code(&self) -> &'static Code;
}

/// A failure on the request path: its code, and the cause that only the operator sees.
pub struct Fault {
    code: &'static Code,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A failure that the code alone describes.
    #[must_use]
    pub const fn of(code: &'static Code) -> Self {
        Self { code, cause: None }
    }

    /// The row of the table.
    #[must_use]
    pub const fn code(&self) -> &'static Code {
        self.code
    }

    /// The chain of causes in one line, for the log of the operator.
    #[must_use]
    pub fn causes(&self) -> String {
        self.cause.as_ref().map_or_else(String::new, |cause| causes(&**cause))
    }
}

/// An error and what caused it, in one line.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        // An error that shows its cause itself is not shown twice.
        if !line.ends_with(&said) {
            line.push_str(": ");
            line.push_str(&said);
        }
        next = cause.source();
    }
    line
}

impl<E: Coded + Error + Send + Sync + 'static> From<E> for Fault {
    fn from(error: E) -> Self {
        Self { code: error.code(), cause: Some(Box::new(error)) }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.id, self.causes())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.id, self.code.summary)
    }
}
