//! The vocabulary that every layer speaks. Plain values; nothing here waits, reads or writes.

mod credential;
mod ids;
mod names;
mod secret;
mod spiffe_id;

pub use credential::{CredentialFacts, CredentialState, Fingerprint, LeaseRef};
pub use ids::{AccessId, DecisionId, NotAnId, RecordId, random_name};
pub use names::{CredentialName, ListenerName, NameError, RouteName, UpstreamName, VaultName};
pub use secret::Secret;
pub use spiffe_id::{SpiffeId, SpiffeIdError, TrustDomain};

use serde::{Deserialize, Serialize};

/// Which way a listener faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Callers are remote workloads; the upstream is the old service beside us.
    #[default]
    Inbound,
    /// The caller is a local process; the upstream is remote.
    Outbound,
}

/// What a listener does with a denial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Policy decides and is obeyed.
    #[default]
    Enforce,
}
