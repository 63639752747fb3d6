use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::SingleCertAndKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::SharedClock;
use crate::config::{Callers, Listener, ListenerCertificate};

use super::Identities;
use super::error::IdentifyError;
use super::peer::Peer;
use super::pem::certified_key;
use super::svid::PresentSvid;
use super::tls::{Time, provider};
use super::verifier::CallerVerifier;

/// Answers the TLS handshakes of one listener: TLS 1.3 alone, never resumed, so that every
/// connection is verified by the bundles of its own moment.
pub struct Handshaker {
    callers: Arc<Callers>,
    alpn: Vec<Vec<u8>>,
    certificate: Arc<dyn ResolvesServerCert>,
    needs_svid: bool,
    identities: Identities,
    clock: SharedClock,
    deadline: Duration,
}

/// A caller's connection after its handshake.
pub struct Identified {
    /// What is spoken from here on is private.
    pub stream: TlsStream<TcpStream>,
    /// What both sides agreed to speak.
    pub alpn: Alpn,
    /// Who it is; nobody yet where a token may still prove it.
    pub peer: Option<Arc<Peer>>,
}

/// What was agreed on by ALPN (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// `http/1.1`, or nothing.
    Http1,
    /// `h2`
    Http2,
}

impl Handshaker {
    /// Prepares the handshakes of a listener; reads its certificate, if it has one in files.
    pub fn new(
        listener: &Listener,
        identities: &Identities,
        clock: SharedClock,
    ) -> Result<Self, IdentifyError> {
        let certificate: Arc<dyn ResolvesServerCert> = match &listener.certificate {
            ListenerCertificate::Svid => {
                Arc::new(PresentSvid::new(identities.svids.clone(), Arc::clone(&clock)))
            }
            ListenerCertificate::Files { chain, key } => {
                Arc::new(SingleCertAndKey::from(certified_key(chain, key)?))
            }
        };
        let alpn: &[&[u8]] = if listener.protocol == "http" { &[b"h2", b"http/1.1"] } else { &[] };
        Ok(Self {
            callers: Arc::new(listener.callers.clone()),
            alpn: alpn.iter().map(|name| name.to_vec()).collect(),
            certificate,
            needs_svid: matches!(listener.certificate, ListenerCertificate::Svid),
            identities: identities.clone(),
            clock,
            deadline: listener.limits.handshake,
        })
    }

    /// Shakes hands within the listener's deadline. A caller that is refused is told by a TLS
    /// alert; the precise reason is in the error alone.
    pub async fn handshake(&self, stream: TcpStream) -> Result<Identified, IdentifyError> {
        if self.needs_svid && !self.identities.svids.load().value.are_live(self.clock.now().unix_seconds()) {
            return Err(IdentifyError::NoOwnSvid);
        }
        let verifier = Arc::new(CallerVerifier::new(
            Arc::clone(&self.callers),
            self.identities.bundles.load_full(),
            Arc::clone(&self.clock),
        ));
        let acceptor = TlsAcceptor::from(Arc::new(self.config(Arc::clone(&verifier))?));
        let stream = match tokio::time::timeout(self.deadline, acceptor.accept(stream)).await {
            Err(_) => return Err(IdentifyError::Late),
            Ok(Err(error)) => return Err(refusal(&verifier, error)),
            Ok(Ok(stream)) => stream,
        };
        let peer = match verifier.found() {
            Some(Ok(peer)) => Some(Arc::clone(peer)),
            Some(Err(reason)) => return Err(reason.clone().into()),
            None => None,
        };
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Identified { stream, alpn: if h2 { Alpn::Http2 } else { Alpn::Http1 }, peer })
    }

    /// One configuration for one handshake: its verifier keeps what that handshake found.
    fn config(&self, verifier: Arc<CallerVerifier>) -> Result<ServerConfig, rustls::Error> {
        let time = Arc::new(Time(Arc::clone(&self.clock)));
        let mut config = ServerConfig::builder_with_details(Arc::clone(provider()), time)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&self.certificate));
        config.alpn_protocols.clone_from(&self.alpn);
        // A resumed session would skip the verifier: there is none, ever.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

impl fmt::Debug for Handshaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshaker").field("callers", &self.callers).finish_non_exhaustive()
    }
}

fn refusal(verifier: &CallerVerifier, error: io::Error) -> IdentifyError {
    if let Some(Err(reason)) = verifier.found() {
        return reason.clone().into();
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::NoCertificatesPresented) => IdentifyError::NoCertificate,
        Some(error) => IdentifyError::Tls(error.clone()),
        None => IdentifyError::Closed(error),
    }
}

#[cfg(test)]
mod tests;
