use std::path::PathBuf;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::config::{Config, ListenerCertificate, UpstreamProof};
use crate::identify::{IdentifyError, pem};

/// The certificates that listeners present and that upstreams are proven by, as far as they come
/// from files: tried before workers are built of them, and compared after, for they are replaced
/// under their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Material {
    /// The keys belong to these: one that changes alone would not fit.
    chains: Vec<Vec<CertificateDer<'static>>>,
    roots: Vec<Vec<TrustAnchor<'static>>>,
}

impl Material {
    /// Reads and tries all of it; waits for the disk.
    pub(super) fn of(config: &Config) -> Result<Self, IdentifyError> {
        let mut material = Self { chains: Vec::new(), roots: Vec::new() };
        for listener in config.listeners.values() {
            if let ListenerCertificate::Files { chain, key } = &listener.certificate {
                material.chains.push(pem::certified_key(chain, key)?.cert);
            }
        }
        for upstream in config.upstreams.values() {
            if let Some(UpstreamProof::Roots(file)) = upstream.tls.as_ref().map(|tls| &tls.proof) {
                material.roots.push(pem::roots(file)?.roots);
            }
        }
        Ok(material)
    }
}

/// The files that it is read from.
pub(super) fn files(config: &Config) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for listener in config.listeners.values() {
        if let ListenerCertificate::Files { chain, key } = &listener.certificate {
            files.extend([chain.clone(), key.clone()]);
        }
    }
    for upstream in config.upstreams.values() {
        if let Some(UpstreamProof::Roots(file)) = upstream.tls.as_ref().map(|tls| &tls.proof) {
            files.push(file.clone());
        }
    }
    files
}
