use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::SharedClock;
use crate::live::Live;
use crate::model::SpiffeId;

use super::certificate::{Leaf, SvidError};
use super::oddity;
use super::tls::provider;

/// Every X.509-SVID that was issued to us, in the order in which the source lists them.
#[derive(Debug, Default)]
pub struct OwnSvids {
    svids: Vec<OwnSvid>,
}

/// One X.509-SVID of ours, with its key.
pub struct OwnSvid {
    id: SpiffeId,
    ends: u64,
    key: Arc<CertifiedKey>,
}

/// Why what we were given is not an SVID of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnfitSvid {
    #[error(transparent)]
    Svid(#[from] SvidError),
    #[error(transparent)]
    Key(#[from] rustls::Error),
}

impl OwnSvids {
    pub(super) const fn new(svids: Vec<OwnSvid>) -> Self {
        Self { svids }
    }

    /// Our own SPIFFE ID: that of the first SVID the source lists (Workload API 5.2.1).
    #[must_use]
    pub fn default_id(&self) -> Option<&SpiffeId> {
        self.svids.first().map(|svid| &svid.id)
    }

    /// When our default SVID ends, Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.svids.first().map(|svid| svid.ends)
    }

    /// Whether our default SVID holds at `now` (Unix seconds): without one, no handshake can be answered.
    #[must_use]
    pub fn are_live(&self, now: u64) -> bool {
        self.live(now).is_some()
    }

    fn live(&self, now: u64) -> Option<&Arc<CertifiedKey>> {
        self.svids.first().filter(|svid| now <= svid.ends).map(|svid| &svid.key)
    }
}

impl OwnSvid {
    /// A chain (leaf first) and the key of its leaf. Our own leaf is held to the rules for callers (X509-SVID 4).
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, UnfitSvid> {
        let leaf = Leaf::read(chain.first().ok_or(SvidError::NotX509)?)?;
        let key = Arc::new(CertifiedKey::from_der(chain, key, provider())?);
        let id = leaf.id()?;
        oddity::tell(&id, leaf.oddities());
        Ok(Self { id, ends: leaf.validity.to, key })
    }

    /// For a test that plays a hostile caller.
    #[cfg(test)]
    pub(super) fn unchecked(id: &str, key: CertifiedKey) -> Self {
        Self { id: id.parse().unwrap(), ends: u64::MAX, key: Arc::new(key) }
    }

    pub(super) const fn id(&self) -> &SpiffeId {
        &self.id
    }
}

impl fmt::Debug for OwnSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} until {}", self.id, self.ends)
    }
}

/// Presents our newest SVID at each handshake, inbound and outbound: a rotation needs no new TLS
/// configuration. One that has ended is not presented.
pub(super) struct PresentSvid {
    svids: Live<OwnSvids>,
    clock: SharedClock,
}

impl PresentSvid {
    pub(super) const fn new(svids: Live<OwnSvids>, clock: SharedClock) -> Self {
        Self { svids, clock }
    }

    fn newest(&self) -> Option<Arc<CertifiedKey>> {
        self.svids.load().value.live(self.clock.now().unix_seconds()).map(Arc::clone)
    }
}

impl ResolvesServerCert for PresentSvid {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.newest()
    }
}

impl ResolvesClientCert for PresentSvid {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.newest()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for PresentSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresentSvid({:?})", self.svids)
    }
}
