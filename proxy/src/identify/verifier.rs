use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::clock::{Expiry, Moment, SharedClock};
use crate::config::{Callers, ProofKind};
use crate::live::{Live, Versioned};
use crate::model::SpiffeId;

use super::bundle::{TrustBundles, VerifiedSvid};
use super::certificate::{Purpose, SvidError, key_digest, listed};
use super::peer::{Peer, Proof};
use super::tls::provider;

/// Verifies the caller of one handshake by the bundles that held when it began, and keeps what it
/// found: who it is, or the precise reason why nobody (rustls passes on neither).
pub(super) struct CallerVerifier {
    callers: Arc<Callers>,
    bundles: Arc<Versioned<TrustBundles>>,
    clock: SharedClock,
    found: OnceLock<Result<Arc<Peer>, SvidError>>,
}

impl CallerVerifier {
    pub(super) const fn new(
        callers: Arc<Callers>,
        bundles: Arc<Versioned<TrustBundles>>,
        clock: SharedClock,
    ) -> Self {
        Self { callers, bundles, clock, found: OnceLock::new() }
    }

    /// What the handshake found; nothing if no certificate was presented.
    pub(super) fn found(&self) -> Option<&Result<Arc<Peer>, SvidError>> {
        self.found.get()
    }

    fn identify(&self, chain: Vec<CertificateDer<'static>>) -> Result<Peer, SvidError> {
        let now = self.clock.now();
        let verified = self.bundles.value.verify(&chain, Purpose::Client, now.unix_seconds())?;
        Ok(verified.into_peer(chain, self.bundles.generation, now))
    }
}

impl VerifiedSvid {
    fn into_peer(self, chain: Vec<CertificateDer<'static>>, generation: u64, now: Moment) -> Peer {
        let end = std::time::UNIX_EPOCH + std::time::Duration::from_secs(self.ends);
        Peer {
            id: self.id,
            proof: Proof::X509 { serial: self.serial, anchor: self.anchor },
            expires: Expiry::at_wall(now, end),
            expires_at: self.ends,
            generation,
            chain: chain.into(),
        }
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn offer_client_auth(&self) -> bool {
        self.callers.any_of.contains(&ProofKind::X509Svid)
    }

    fn client_auth_mandatory(&self) -> bool {
        self.callers.any_of == [ProofKind::X509Svid]
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        let found = self.identify(chain).and_then(|peer| {
            listed(&self.callers.trust, &peer.id)?;
            Ok(Arc::new(peer))
        });
        match self.found.get_or_init(|| found) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(reason) => Err(Error::InvalidCertificate(reason.alert())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(rustls::PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for CallerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallerVerifier({:?})", self.found)
    }
}

/// What must hold of a server's certificate, other than chaining to roots.
pub(super) enum ServerProof {
    /// An X.509-SVID of exactly this id, by the bundle of its trust domain; names do not matter.
    SpiffeId { id: SpiffeId, bundles: Live<TrustBundles>, clock: SharedClock },
    /// This public key (SHA-256 of its `SubjectPublicKeyInfo`), whoever signed it and whatever else it says.
    Pin([u8; 32]),
}

impl ServerProof {
    fn prove(&self, chain: &[CertificateDer<'_>]) -> Result<(), SvidError> {
        match self {
            Self::SpiffeId { id, bundles, clock } => {
                let now = clock.now().unix_seconds();
                let verified = bundles.load().value.verify(chain, Purpose::Server, now)?;
                if verified.id == *id { Ok(()) } else { Err(SvidError::OtherId(verified.id)) }
            }
            Self::Pin(pin) => {
                let leaf = chain.first().ok_or(SvidError::NotX509)?;
                if key_digest(leaf)? == *pin { Ok(()) } else { Err(SvidError::OtherKey) }
            }
        }
    }
}

impl ServerCertVerifier for ServerProof {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        match self.prove(&chain) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(reason) => {
                tracing::debug!(%reason, "an upstream did not prove who it is");
                Err(Error::InvalidCertificate(reason.alert()))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for ServerProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpiffeId { id, .. } => write!(f, "ServerProof({id})"),
            Self::Pin(_) => f.write_str("ServerProof(pin)"),
        }
    }
}
