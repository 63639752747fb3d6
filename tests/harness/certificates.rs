//! Certificates for old servers that are known by a host name, minted for each test.

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use std::fs;
use std::path::{Path, PathBuf};

/// An authority for host names.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// What a server takes, and what its clients trust, as PEM files.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority.
    pub roots: PathBuf,
    /// The digest of the server's public key: `sha256:…`.
    pub pin: String,
}

impl Authority {
    /// A new authority with a new key.
    #[must_use]
    pub fn new() -> Self {
        let mut asked = CertificateParams::default();
        asked.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        asked.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        asked.distinguished_name.push(DnType::CommonName, "an authority for one test");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = asked.self_signed(&key).expect("it signs itself").pem();
        Self { issuer: Issuer::new(asked, key), certificate }
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// Mints a certificate for host names and addresses and writes it, its key and the authority below `folder`.
    #[must_use]
    pub fn server(&self, folder: &Path, names: &[&str]) -> ServerFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut asked = CertificateParams::new(names).expect("the names are names");
        asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        asked.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key can be made");
        let minted = asked.signed_by(&key, &self.issuer).expect("the authority signs");
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("a certificate can be written");
            path
        };
        ServerFiles {
            certificate: write("server.pem", &minted.pem()),
            key: write("server.key", &key.serialize_pem()),
            roots: write("roots.pem", &self.certificate),
            pin: pin(&key),
        }
    }
}

fn pin(key: &KeyPair) -> String {
    let digest = digest(&SHA256, &key.subject_public_key_info());
    digest.as_ref().iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
