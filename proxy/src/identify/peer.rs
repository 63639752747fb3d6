use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use crate::clock::{Expiry, Moment};
use crate::config::{Callers, ProofKind};
use crate::model::SpiffeId;
use crate::record::CallerFacts;

use super::certificate::listed;
use super::error::IdentifyError;

/// Who is on the other end, and what proves it. Made only by this module, from verified bytes.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(super) id: SpiffeId,
    pub(super) proof: Proof,
    pub(super) expires: Expiry,
    pub(super) expires_at: u64,
    pub(super) generation: u64,
    /// Leaf first, to be verified again when its bundle changes; empty for a token.
    pub(super) chain: Arc<[CertificateDer<'static>]>,
}

/// What proves an identity.
#[derive(Clone, Debug)]
pub enum Proof {
    /// An X.509-SVID in the TLS handshake.
    X509 {
        /// Serial number, hexadecimal.
        serial: Arc<str>,
        /// `sha256:` and the hash of the anchor's public key, hexadecimal.
        anchor: Arc<str>,
    },
    /// A JWT-SVID in the request.
    Jwt {
        /// The key that signed it.
        key: Arc<str>,
        /// The audience it is for.
        audience: Arc<str>,
    },
}

impl Peer {
    /// Somebody whom nobody has seen, as by an X.509-SVID of an hour: for commands that say what would become of a
    /// request. There is no connection that it could be the peer of.
    pub(crate) fn supposed(id: SpiffeId, now: Moment) -> Arc<Self> {
        let life = Duration::from_hours(1);
        Arc::new(Self {
            id,
            proof: Proof::X509 { serial: "00".into(), anchor: "sha256:00".into() },
            expires: Expiry::after(now, life),
            expires_at: now.unix_seconds() + life.as_secs(),
            generation: 0,
            chain: Arc::new([]),
        })
    }

    /// The same, where a listener with these callers would let it in by its certificate.
    pub(crate) fn supposed_among(
        id: SpiffeId,
        callers: &Callers,
        now: Moment,
    ) -> Result<Arc<Self>, IdentifyError> {
        if !callers.any_of.contains(&ProofKind::X509Svid) {
            return Err(IdentifyError::NoToken);
        }
        listed(&callers.trust, &id)?;
        Ok(Self::supposed(id, now))
    }

    /// The SPIFFE ID.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// What proves it.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// When the proof ends, on both clocks.
    #[must_use]
    pub const fn expires(&self) -> Expiry {
        self.expires
    }

    /// When the proof ends, Unix seconds.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// The generation of the trust bundles that proved it.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// As records show it.
    #[must_use]
    pub fn facts(&self) -> CallerFacts {
        let (proof, serial) = match &self.proof {
            Proof::X509 { serial, .. } => ("x509_svid", Some(Arc::clone(serial))),
            Proof::Jwt { .. } => ("jwt_svid", None),
        };
        CallerFacts { id: self.id.clone(), proof, serial, expires_at: self.expires_at }
    }
}
