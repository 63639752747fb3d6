use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::client::BUNDLES;
use crate::fault::{Code, Coded, codes};
use crate::identify::IdentifyError;

/// Why a service gave no bundle. Never holds a token, nor what the service's answer held.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// What the service is proven by cannot be read.
    #[error("its tls cannot be used")]
    Tls(#[source] IdentifyError),
    /// Our token cannot be read.
    #[error("the token file {} cannot be used", file.display())]
    Token {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// No connection, or the other end did not prove itself.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The connection broke, ended too early, or did not speak HTTP.
    #[error("the exchange broke off")]
    Exchange(#[source] hyper::Error),
    /// It took too long.
    #[error("no whole answer within {0:?}")]
    Late(Duration),
    /// It knows us too little.
    #[error("status {0}")]
    Denied(u16),
    /// It sends us elsewhere.
    #[error(
        "status {status}, a redirect to {to}, which is not followed: name that address as `url` if it is meant"
    )]
    Redirect {
        /// What it answered.
        status: u16,
        /// Where to, shortened.
        to: String,
    },
    /// Any other status but 200 and 304.
    #[error("status {0}")]
    Status(u16),
    /// It says that nothing is new, but was not told what we have.
    #[error("status 304, although it was not told of any bundle")]
    NothingToKeep,
    /// The answer says of itself that it is no archive.
    #[error("an answer of `{0}`: a bundle is `application/gzip`, `application/octet-stream` or `{BUNDLES}`")]
    ContentType(String),
    /// An answer without a body.
    #[error("an empty answer, which is no bundle")]
    Empty,
    /// A larger archive than is downloaded.
    #[error("an answer of more than {0} bytes: `size` bounds it")]
    TooLarge(usize),
    /// A fault of ours.
    #[error("asking ended by a fault of ours")]
    Fault,
}

impl ServiceError {
    /// The status that it came with.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Denied(status) | Self::Status(status) | Self::Redirect { status, .. } => Some(*status),
            Self::NothingToKeep => Some(304),
            Self::ContentType(_) | Self::Empty | Self::TooLarge(_) => Some(200),
            _ => None,
        }
    }
}

impl Coded for ServiceError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Tls(_) | Self::Connect(_) | Self::Exchange(_) | Self::Late(_) | Self::Fault => {
                codes::SERVICE_UNREACHABLE
            }
            Self::Token { .. } | Self::Denied(_) => codes::SERVICE_DENIED,
            Self::Redirect { .. }
            | Self::Status(_)
            | Self::NothingToKeep
            | Self::ContentType(_)
            | Self::Empty
            | Self::TooLarge(_) => codes::SERVICE_ANSWER,
        }
    }
}
