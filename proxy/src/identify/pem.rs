//! Files that hold certificates and keys, and what is wrong with them.

use std::path::Path;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::model::Secret;
use crate::state::{read_bounded, read_whole};

use super::error::{FileProblem, IdentifyError};
use super::jwk::JwtKey;
use super::svid::{OwnSvid, UnfitSvid};
use super::tls::provider;

/// Larger than any file of certificates or keys.
const LARGEST: u64 = 1 << 20;

/// Reads a file whole; waits for the disk.
pub(super) fn read(path: &Path) -> Result<Secret<Vec<u8>>, IdentifyError> {
    read_whole(path, LARGEST).map_err(|error| IdentifyError::file(path, error))
}

/// Reads a file whole, on another thread.
pub(super) async fn read_apart(path: &Path) -> Result<Secret<Vec<u8>>, IdentifyError> {
    read_bounded(path, LARGEST).await.map_err(|error| IdentifyError::file(path, error))
}

/// The certificates of a PEM file: at least one.
pub(super) fn certificates(pem: &Secret<Vec<u8>>) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
    let certificates = CertificateDer::pem_slice_iter(pem.expose()).collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() { Err(FileProblem::Empty) } else { Ok(certificates) }
}

/// The private key of a PEM file.
pub(super) fn private_key(pem: &Secret<Vec<u8>>) -> Result<PrivateKeyDer<'static>, FileProblem> {
    Ok(PrivateKeyDer::from_pem_slice(pem.expose())?)
}

/// A chain and the key that belongs to it.
pub fn certified_key(chain: &Path, key: &Path) -> Result<CertifiedKey, IdentifyError> {
    let certificates = certificates(&read(chain)?).map_err(|problem| IdentifyError::file(chain, problem))?;
    let private = private_key(&read(key)?).map_err(|problem| IdentifyError::file(key, problem))?;
    CertifiedKey::from_der(certificates, private, provider()).map_err(|e| IdentifyError::file(key, e))
}

/// The roots that a file lists; every one of them must be usable.
pub fn roots(file: &Path) -> Result<RootCertStore, IdentifyError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(&read(file)?).map_err(|problem| IdentifyError::file(file, problem))? {
        roots.add(root).map_err(|error| IdentifyError::file(file, error))?;
    }
    Ok(roots)
}

/// What a file is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A chain of certificates.
    Certificates,
    /// A private key.
    Key,
    /// Roots that a server is proven by.
    Roots,
    /// A JWK Set.
    Jwks,
    /// Something that is not for us to understand.
    Anything,
}

/// Whether a file can be read and holds that.
pub fn look(path: &Path, holds: Holds) -> Result<(), IdentifyError> {
    let bytes = read(path)?;
    let found = match holds {
        _ if bytes.expose().is_empty() => Err(FileProblem::Nothing),
        Holds::Certificates => certificates(&bytes).map(drop),
        Holds::Key => private_key(&bytes).map(drop),
        Holds::Roots => return roots(path).map(drop),
        Holds::Jwks => JwtKey::set(bytes.expose()).map(drop).ok_or(FileProblem::NotAJwkSet),
        Holds::Anything => Ok(()),
    };
    found.map_err(|problem| IdentifyError::file(path, problem))
}

/// An X.509-SVID of ours and its key.
pub fn own_svid(svid: &Path, key: &Path) -> Result<OwnSvid, IdentifyError> {
    fitting(svid, &read(svid)?, key, &read(key)?)
}

/// The same, of files that have been read.
pub(super) fn fitting(
    svid: &Path,
    chain: &Secret<Vec<u8>>,
    key: &Path,
    private: &Secret<Vec<u8>>,
) -> Result<OwnSvid, IdentifyError> {
    let chain = certificates(chain).map_err(|problem| IdentifyError::file(svid, problem))?;
    let private = private_key(private).map_err(|problem| IdentifyError::file(key, problem))?;
    OwnSvid::new(chain, private).map_err(|unfit| match unfit {
        UnfitSvid::Svid(reason) => IdentifyError::file(svid, reason),
        UnfitSvid::Key(error) => IdentifyError::file(key, error),
    })
}
