use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::fault::{Code, Coded, codes};

/// Why a vault gave no answer that could be used. Never holds more of an answer than the words of its `errors`.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No connection.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The certificate roots cannot be used, so that no server could be proven.
    #[error("the roots in {} cannot be used", .0.display())]
    Roots(PathBuf),
    /// Nothing says how the server would prove itself.
    #[error("neither roots nor a SPIFFE ID say how the vault proves itself")]
    Unproven,
    /// The host is not a name that a certificate could carry.
    #[error("{0:?} is not a host name")]
    Host(String),
    /// The path of a credential does not make a URL.
    #[error("{0:?} is not a path")]
    Path(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The connection broke or did not speak HTTP.
    #[error("the exchange broke off")]
    Exchange(#[source] hyper::Error),
    /// The answer is larger than any that is meant for us.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// Sealed, not initialised, standing by, redirecting, or failing: it may be well later.
    #[error("status {status}: {words}")]
    NotReady {
        /// What it answered.
        status: u16,
        /// Its own words.
        words: String,
    },
    /// It limits the rate.
    #[error("status 429: {words}")]
    Busy {
        /// How long it wants to be left alone, if it says so.
        retry_after: Option<Duration>,
        /// Its own words.
        words: String,
    },
    /// Our token is good and may not do this.
    #[error("status 403: {0}")]
    Denied(String),
    /// There is nothing there.
    #[error("status 404: {0}")]
    Missing(String),
    /// It refused what was asked.
    #[error("status {status}: {words}")]
    Refused {
        /// What it answered.
        status: u16,
        /// Its own words.
        words: String,
    },
    /// A success whose content is not what was expected.
    #[error("the answer {0}")]
    Answer(&'static str),
    /// No JWT-SVID of ours could be had for the login.
    #[error("no JWT-SVID for the login")]
    NoSvid(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The token's file cannot be used.
    #[error("the token file {} cannot be used", path.display())]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It refused our login, or the token that we were given.
    #[error("the login was refused")]
    Login(#[source] Box<VaultError>),
    /// The login could not be journalled, so that after a crash nobody would know of it.
    #[error("the login could not be journalled")]
    Journal(#[source] crate::credential::journal::JournalError),
    /// The journal names a vault that is no longer configured.
    #[error("vault {0} is no longer configured")]
    NotConfigured(String),
    /// It failed a moment ago and is left alone for a while.
    #[error("left alone since it failed")]
    Resting(#[source] std::sync::Arc<VaultError>),
}

impl VaultError {
    /// Whether the vault as a whole is in trouble, not just this one call.
    pub(in crate::credential) fn is_outage(&self) -> bool {
        use VaultError as E;
        matches!(
            self,
            E::Connect(_)
                | E::Late(_)
                | E::Exchange(_)
                | E::NotReady { .. }
                | E::Busy { .. }
                | E::NoSvid(_)
                | E::TokenFile { .. }
                | E::Login(_)
                | E::Resting(_)
        )
    }

    /// How long the vault wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Login(cause) => cause.retry_after(),
            _ => None,
        }
    }
}

impl Coded for VaultError {
    fn code(&self) -> &'static Code {
        use VaultError as E;
        match self {
            E::Connect(_)
            | E::Roots(_)
            | E::Unproven
            | E::Host(_)
            | E::Late(_)
            | E::Exchange(_)
            | E::NotConfigured(_) => codes::VAULT_UNREACHABLE,
            E::NotReady { .. } => codes::VAULT_SEALED,
            E::Busy { .. } => codes::VAULT_BUSY,
            E::Denied(_) => codes::VAULT_DENIED,
            E::Missing(_) | E::Path(_) => codes::CREDENTIAL_MISSING,
            E::Refused { .. } | E::TooLarge(_) | E::Answer(_) => codes::VAULT_ANSWER,
            E::Login(cause) if cause.is_outage() => cause.code(),
            E::Login(_) | E::NoSvid(_) | E::TokenFile { .. } => codes::VAULT_LOGIN,
            E::Journal(_) => codes::JOURNAL_FAILED,
            E::Resting(cause) => cause.code(),
        }
    }
}
