//! The short-lived credential that a grant names, as a lease.
//!
//! The keeper, on the control thread, owns every lease: it fetches, renews, revokes and journals.
//! A worker holds what it was given and checks the end on both clocks at each use; a miss asks
//! the keeper by message. No lease is used before it is journalled, and none past its end.

mod figures;
mod journal;
mod keeper;
mod lease;
mod source;
mod vault;
mod worker;

pub use figures::{Figures, Reading};
pub use journal::{JournalError, JournalOpenError, standing_in};
pub use keeper::{Drained, Keeper, KeeperError, Setup};
pub use lease::{Access, Lease, Material, Term};
pub use source::FileError;
pub use vault::{OwnSvid, SvidError, VaultError};
pub use worker::Credentials;

use std::sync::Arc;
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

/// Why no credential could be had. Cheap to clone: one failed fetch answers all who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialError {
    /// The vault gave none.
    #[error("from the vault")]
    Vault(#[source] Arc<VaultError>),
    /// The file gave none.
    #[error("from the file")]
    File(#[source] Arc<FileError>),
    /// It could not be journalled, and so is not used.
    #[error("before its use")]
    Journal(#[source] JournalError),
    /// `most` are held already.
    #[error("{0} leases are held already")]
    TooMany(usize),
    /// Nobody may take a further access: so many are open.
    #[error("{0} accesses are open already")]
    TooManyAccesses(usize),
    /// What was given out ended before it could be used.
    #[error("the lease ended before it could be used")]
    Ended,
    /// The source gives nothing as young as the decision demands.
    #[error("nothing as young as the decision's max_age could be had")]
    TooOld,
    /// The decision's `until` has passed.
    #[error("the decision's until has passed")]
    AccessOver,
    /// The upstream refused it, and no other may be fetched yet, or there is no other.
    #[error("the upstream refused the credential, and there is no other yet")]
    Refused,
    /// `only_to` does not list the upstream.
    #[error("only_to does not list the upstream {0}")]
    NotForUpstream(UpstreamName),
    /// The configuration has no such credential.
    #[error("no credential {0} is configured")]
    Unknown(CredentialName),
    /// The keeper did not answer in time; what it fetches is there for the next request.
    #[error("no answer from the keeper within {0:?}")]
    Late(Duration),
    /// We are shutting down.
    #[error("leases are being returned")]
    Draining,
    /// The passage holds no credential that could be replaced.
    #[error("there is no credential to replace")]
    NoneToReplace,
}

impl CredentialError {
    fn vault(error: VaultError) -> Self {
        Self::Vault(Arc::new(error))
    }

    fn file(error: FileError) -> Self {
        Self::File(Arc::new(error))
    }
}

impl Coded for CredentialError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Vault(error) => error.code(),
            Self::File(_) => codes::SOURCE_FILE,
            Self::Journal(_) => codes::JOURNAL_FAILED,
            Self::TooMany(_) | Self::TooManyAccesses(_) => codes::TOO_MANY_LEASES,
            Self::Ended => codes::LEASE_ENDED,
            Self::TooOld => codes::LEASE_TOO_OLD,
            Self::AccessOver => codes::ACCESS_OVER,
            Self::Refused | Self::NoneToReplace => codes::CREDENTIAL_REFUSED,
            Self::NotForUpstream(_) => codes::LEASE_NOT_FOR_UPSTREAM,
            Self::Unknown(_) => codes::CREDENTIAL_NOT_PERMITTED,
            Self::Late(_) => codes::CREDENTIAL_TIMEOUT,
            Self::Draining => codes::DRAINING,
        }
    }
}
