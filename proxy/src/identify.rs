//! Who is on the other end, proven; and who we are.
//!
//! A handshake gives a [`Peer`] or an [`IdentifyError`]. Only this module can make a `Peer`, and
//! only out of verified bytes. Our own SVIDs and the trust bundles come from a source that runs
//! on the control thread and publishes them whole.

mod peer;

pub use peer::{Peer, Proof};

use crate::fault::{Code, Coded, codes};
use crate::live::Live;

/// The reading ends of what an identity source publishes.
#[derive(Clone, Debug)]
pub struct Identities {
    /// The SVIDs issued to us.
    pub svids: Live<OwnSvids>,
    /// The trust bundles we hold, per trust domain.
    pub bundles: Live<TrustBundles>,
}

/// Every X.509-SVID that was issued to us.
#[derive(Debug, Default)]
pub struct OwnSvids {}

impl OwnSvids {
    /// Our own SPIFFE ID: that of the first SVID the Workload API lists.
    #[must_use]
    pub const fn default_id(&self) -> Option<&crate::model::SpiffeId> {
        None
    }
}

/// Trust bundles by trust domain.
#[derive(Debug, Default)]
pub struct TrustBundles {}

/// Why a caller was not identified.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// Nothing was presented.
    #[error("no client certificate")]
    NoCertificate,
}

impl Coded for IdentifyError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NoCertificate => codes::NO_CLIENT_CERTIFICATE,
        }
    }
}
