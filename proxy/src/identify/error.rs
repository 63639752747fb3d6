use std::io;
use std::path::PathBuf;

use crate::fault::{Code, Coded, codes};
use crate::model::SpiffeId;

use super::certificate::SvidError;
use super::jwt::TokenError;

/// Why somebody was not identified, or why we could not identify ourselves.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// Nothing was presented where a certificate is demanded.
    #[error("no client certificate")]
    NoCertificate,
    /// A certificate was presented and refused.
    #[error("X.509-SVID refused: {0}")]
    Svid(#[from] SvidError),
    /// Nothing was presented where a token is demanded.
    #[error("no JWT-SVID")]
    NoToken,
    /// A token was presented and refused.
    #[error("JWT-SVID refused: {0}")]
    Token(#[from] TokenError),
    /// Certificate and token name different identities.
    #[error("the certificate names {certificate}, the token {token}")]
    Differ {
        /// Named by the certificate.
        certificate: SpiffeId,
        /// Named by the token.
        token: SpiffeId,
    },
    /// The handshake took longer than `limits.handshake`.
    #[error("the handshake was not finished in time")]
    Late,
    /// The caller went away during the handshake.
    #[error("closed during the handshake: {0}")]
    Closed(#[source] io::Error),
    /// The handshake failed for a reason of TLS's own.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// We hold no live SVID to present.
    #[error("this sidecar holds no live SVID")]
    NoOwnSvid,
    /// The proof on an open connection has ended.
    #[error("the proof ended while the connection was open")]
    ExpiredOpen,
    /// The bundle no longer verifies the chain of an open connection.
    #[error("no longer verified by the trust bundle: {0}")]
    NoLongerTrusted(#[source] SvidError),
    /// The key that signed the token of an open connection is no longer in the bundle.
    #[error("the key that signed the token is no longer in the bundle")]
    KeyWithdrawn,
    /// A file could not be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// The Workload API failed.
    #[error("Workload API: {0}")]
    WorkloadApi(#[source] Box<spiffe::WorkloadApiError>),
    /// The identity source did not answer in time.
    #[error("the identity source did not answer in time")]
    SourceLate,
    /// An SVID that was issued to us is none.
    #[error("the SVID issued to us is unusable: {0}")]
    OwnSvid(#[source] SvidError),
    /// A name that a server was to prove is no name.
    #[error("'{0}' is not a host name or address")]
    ServerName(String),
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// There is nothing in it.
    #[error("is empty")]
    Nothing,
    /// It is not PEM of what is expected.
    #[error("not the expected PEM: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// It holds no certificate.
    #[error("holds no certificate")]
    Empty,
    /// It does not fit what else was read.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// The certificate is not an SVID.
    #[error("not an X.509-SVID: {0}")]
    Svid(#[from] SvidError),
    /// It is not a JWK Set.
    #[error("not a JWK Set")]
    NotAJwkSet,
    /// It is not one line of text.
    #[error("not a token")]
    NotAToken,
    /// No file for this was configured.
    #[error("not configured")]
    NotConfigured,
}

impl IdentifyError {
    pub(super) fn file(path: impl Into<PathBuf>, problem: impl Into<FileProblem>) -> Self {
        Self::File { path: path.into(), problem: problem.into() }
    }
}

impl From<spiffe::WorkloadApiError> for IdentifyError {
    fn from(error: spiffe::WorkloadApiError) -> Self {
        Self::WorkloadApi(Box::new(error))
    }
}

impl Coded for IdentifyError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NoCertificate => codes::NO_CLIENT_CERTIFICATE,
            Self::Svid(error) => error.code(),
            Self::NoToken => codes::NO_TOKEN,
            Self::Token(error) => error.code(),
            Self::Differ { .. } => codes::IDENTITIES_DIFFER,
            Self::Late => codes::HANDSHAKE_TIMEOUT,
            Self::Closed(_) => codes::CLOSED_EARLY,
            Self::Tls(_) => codes::TLS_FAILED,
            Self::NoOwnSvid => codes::NO_OWN_SVID,
            Self::ExpiredOpen => codes::PEER_EXPIRED_OPEN,
            Self::NoLongerTrusted(_) | Self::KeyWithdrawn => codes::BUNDLE_CHANGED,
            Self::File { .. } => codes::IDENTITY_FILE,
            Self::WorkloadApi(error) if denied(error) => codes::SOURCE_DENIED,
            Self::WorkloadApi(error) if matches!(**error, spiffe::WorkloadApiError::Transport(_)) => {
                codes::SOURCE_UNREACHABLE
            }
            Self::SourceLate => codes::SOURCE_UNREACHABLE,
            Self::WorkloadApi(_) | Self::OwnSvid(_) => codes::SOURCE_MALFORMED,
            Self::ServerName(_) => codes::CONFIG_REFUSED,
        }
    }
}

/// Whether the Workload API says that we are nobody (Workload API 5.2.1).
pub(super) const fn denied(error: &spiffe::WorkloadApiError) -> bool {
    matches!(
        error,
        spiffe::WorkloadApiError::PermissionDenied(_) | spiffe::WorkloadApiError::NoIdentityIssued
    )
}
