//! Who is on the other end, proven; and who we are.
//!
//! A handshake gives a [`Peer`] or an [`IdentifyError`]. Only this module can make a `Peer`, and
//! only out of verified bytes. Our own SVIDs and the trust bundles come from a source that runs
//! on the control thread and publishes them whole.

mod bundle;
mod certificate;
mod error;
mod handshake;
mod json;
mod jwk;
mod jws;
mod jwt;
#[cfg(test)]
pub(crate) mod mint;
mod oddity;
mod peer;
pub mod pem;
mod source;
#[cfg(test)]
mod suites;
mod svid;
mod tls;
mod upstream;
mod verifier;
mod watch;

pub use bundle::{Anchors, RefusedAnchor, TrustBundles};
pub use certificate::SvidError;
pub use error::{FileProblem, IdentifyError};
pub use handshake::{Alpn, Handshaker, Identified};
pub(crate) use jwt::supposed as supposed_by_token;
pub use jwt::{TokenError, TokenVerifier, agree};
pub use peer::{Peer, Proof};
pub use source::{OwnTokens, Source, SourceChange, SourceEvent};
pub use svid::{OwnSvid, OwnSvids};
pub use upstream::{server_name, upstream_tls};
pub use watch::{Ending, Watch};

use crate::live::Live;

/// The reading ends of what an identity source publishes.
#[derive(Clone, Debug)]
pub struct Identities {
    /// The SVIDs issued to us.
    pub svids: Live<OwnSvids>,
    /// The trust bundles we hold, per trust domain.
    pub bundles: Live<TrustBundles>,
}
