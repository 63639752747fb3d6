use std::sync::Arc;
use std::time::Duration;

use crate::fault::{Code, Fault};
use crate::model::CredentialName;
use crate::record::DecisionFacts;

/// Permission, as a value. Its constructor is private to the verb that judges.
#[derive(Debug)]
pub struct Grant {
    pub(super) credential: Option<CredentialName>,
    pub(super) max_age: Option<Duration>,
    pub(super) until: Option<u64>,
    pub(super) headers: HeaderEdits,
    pub(super) generation: u64,
}

/// What a decision changes in the request's headers. Never Host, framing, identity or the place of the credential.
#[derive(Debug, Default)]
pub struct HeaderEdits {
    /// Replaced by these values.
    pub set: Vec<(http::HeaderName, Vec<http::HeaderValue>)>,
    /// Removed.
    pub remove: Vec<http::HeaderName>,
}

/// A decision against the request.
#[derive(Debug)]
pub struct Denial {
    /// Why, as one stable code.
    pub code: &'static Code,
    /// What policy said, for the record.
    pub decision: DecisionFacts,
    /// What policy wants the caller to be told: of a denial that it gave itself all of it, else only whom to ask.
    pub reply: Option<Reply>,
    /// Which policy said so.
    pub generation: u64,
}

/// What policy wants the caller to be told.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// HTTP status, 400 to 599.
    pub status: Option<u16>,
    /// Headers of the refusal.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// Text for the caller, beside code and record id.
    pub body: Option<String>,
    /// Whom the caller may ask: the policy's annotations name it.
    pub contact: Option<Arc<str>>,
}

impl Grant {
    /// The credential to put in, if the upstream takes one.
    #[must_use]
    pub const fn credential(&self) -> Option<&CredentialName> {
        self.credential.as_ref()
    }

    /// Nothing issued longer ago than this may be used.
    #[must_use]
    pub const fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// When the access ends, Unix seconds.
    #[must_use]
    pub const fn until(&self) -> Option<u64> {
        self.until
    }

    /// What the decision changes in the headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderEdits {
        &self.headers
    }

    /// Which policy said so.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}

impl Denial {
    /// The failure it is on the request path.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::of(self.code)
    }
}
