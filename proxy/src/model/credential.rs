use std::fmt;

use serde::{Serialize, Serializer};

use super::CredentialName;

/// What policy may know of a credential that a route permits: never the secret.
#[derive(Clone, Debug)]
pub struct CredentialFacts {
    /// The configured name.
    pub name: CredentialName,
    /// Whether this caller could be served from a lease that is already held.
    pub state: CredentialState,
}

/// The state of a credential for one caller, before the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// No lease is held; the decision would fetch one.
    None,
    /// A live lease is held.
    Live {
        /// When the vault issued it, Unix seconds.
        issued_at: u64,
        /// When it ends, Unix seconds.
        expires_at: u64,
        /// How many callers have used it.
        callers: u32,
    },
}

/// Tells leases apart without saying what they hold: the key of upstream pools.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A lease id as it may be shown: a keyed hash, for lease ids are bearer-like (they renew and revoke).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaseRef(pub std::sync::Arc<str>);

impl fmt::Display for LeaseRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for LeaseRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
