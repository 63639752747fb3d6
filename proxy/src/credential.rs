//! The short-lived credential that a grant names, as a lease.
//!
//! The keeper, on the control thread, owns every lease: it fetches, renews, revokes and journals.
//! A worker holds what it was given and checks the end on both clocks at each use; a miss asks
//! the keeper by message. No lease is used before it is journalled, and none past its end.

mod lease;

pub use lease::{Access, Lease, Material, Term};

use std::time::Duration;

use crate::fault::{Code, Coded, codes};
use crate::model::{CredentialName, ListenerName, SpiffeId, UpstreamName};

/// What a grant asks of the credential verb.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The credential that the decision names.
    pub name: &'a CredentialName,
    /// For whom.
    pub caller: &'a SpiffeId,
    /// Where the caller arrived.
    pub listener: &'a ListenerName,
    /// Where it will be sent, and nowhere else.
    pub upstream: &'a UpstreamName,
    /// Nothing issued longer ago than this may be used.
    pub max_age: Option<Duration>,
    /// When this access ends, Unix seconds.
    pub until: Option<u64>,
}

/// Why no credential could be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialError {
    /// The decision's `until` has passed.
    #[error("the decision's until has passed")]
    AccessOver,
    /// The passage holds no credential that could be replaced.
    #[error("there is no credential to replace")]
    NoneToReplace,
}

impl Coded for CredentialError {
    fn code(&self) -> &'static Code {
        match self {
            Self::AccessOver => codes::ACCESS_OVER,
            Self::NoneToReplace => codes::CREDENTIAL_REFUSED,
        }
    }
}

/// A worker's side: what it was given, and the way to the keeper.
pub struct Credentials {}

impl Credentials {
    /// What policy may know of the credentials that a route permits, for this caller.
    #[must_use]
    pub fn facts(
        &self,
        _caller: &SpiffeId,
        _listener: &ListenerName,
        _names: &[CredentialName],
    ) -> Vec<crate::model::CredentialFacts> {
        unimplemented!("being written")
    }

    /// A live access for what is wanted; asks the keeper when this worker holds none.
    pub async fn access(&self, _want: Want<'_>) -> Result<std::sync::Arc<Access>, CredentialError> {
        unimplemented!("being written")
    }

    /// The upstream refused this one: a fresh lease, at most one forced fetch per credential in 30 s whoever asks.
    pub async fn replace(
        &self,
        _refused: &Access,
        _want: Want<'_>,
    ) -> Result<std::sync::Arc<Access>, CredentialError> {
        unimplemented!("being written")
    }
}
