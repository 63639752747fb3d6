//! What one certificate says, read strictly: the rules of X509-SVID and RFC 5280 that chain
//! building leaves unchecked. Nothing here looks at a signature.

use std::fmt::Write;
use std::sync::Arc;

use rustls::CertificateError;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{BasicConstraints, ExtendedKeyUsage, GeneralName, KeyUsage, ParsedExtension};
use x509_parser::oid_registry as oids;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use crate::fault::{Code, Coded, codes};
use crate::model::{SpiffeId, SpiffeIdError, TrustDomain};

use super::oddity::Oddity;

/// Why a certificate is not an X.509-SVID, or not one that is trusted here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SvidError {
    /// The bytes are not one X.509 v3 certificate.
    #[error("not an X.509 v3 certificate")]
    NotX509,
    /// More certificates were sent than any chain has.
    #[error("{0} certificates were sent")]
    TooMany(usize),
    /// There is not exactly one URI among its names (X509-SVID 2).
    #[error("it has {0} URI names instead of one")]
    UriNames(usize),
    /// The URI is not a SPIFFE ID (X509-SVID 5.2).
    #[error("its URI is not a SPIFFE ID: {0}")]
    NotAnId(#[from] SpiffeIdError),
    /// The SPIFFE ID has no path, so that it names no workload (X509-SVID 3.1).
    #[error("its SPIFFE ID names a trust domain, not a workload")]
    NamesNoWorkload,
    /// The subject is empty and the names are not marked critical (RFC 5280 4.1.2.6).
    #[error("its subject is empty and its names are not critical")]
    NamesNotCritical,
    /// It is a CA's, which never authenticates (X509-SVID 4.1).
    #[error("it is a CA's")]
    IsCa,
    /// It may sign certificates or revocation lists (X509-SVID 4.3).
    #[error("it may sign certificates or revocation lists")]
    CanSign,
    /// It may not sign a handshake (X509-SVID 4.3).
    #[error("its key usage lacks digitalSignature")]
    NoDigitalSignature,
    /// It is for another purpose (X509-SVID 4.4).
    #[error("its extended key usage lacks {0}")]
    Purpose(&'static str),
    /// Its key is too weak or of a kind that is not accepted.
    #[error("its key is not accepted")]
    Key,
    /// Its serial number is zero, negative or longer than 20 bytes (RFC 5280 4.1.2.2).
    #[error("its serial number is not acceptable")]
    Serial,
    /// An extension is repeated, unreadable, misplaced, or critical and not understood.
    #[error("its extension {0} is not acceptable")]
    Extension(String),
    /// Its life has ended or has not begun.
    #[error("valid from {from} to {to}, and it is {now} (Unix seconds)")]
    NotNow {
        /// Unix seconds.
        from: u64,
        /// Unix seconds.
        to: u64,
        /// Unix seconds.
        now: u64,
    },
    /// An issuer is not marked as a CA, critically (RFC 5280 4.2.1.9).
    #[error("an issuer is not marked as a CA")]
    IssuerNotCa,
    /// An issuer may not sign certificates (X509-SVID 4.3).
    #[error("an issuer lacks keyCertSign")]
    IssuerCannotSign,
    /// An issuer has no name (RFC 5280 4.1.2.6).
    #[error("an issuer has no name")]
    IssuerNameless,
    /// An issuer's SPIFFE ID has a path or is of another trust domain (X509-SVID 3.2).
    #[error("an issuer has a SPIFFE ID that is not its trust domain's")]
    IssuerId,
    /// Its trust domain is not listed.
    #[error("trust domain '{0}' is not listed")]
    NotListed(String),
    /// We hold no X.509 bundle of its trust domain.
    #[error("no bundle is held for trust domain '{0}'")]
    NoBundle(String),
    /// No path leads to an anchor of its trust domain.
    #[error("no path to an anchor of its trust domain: {0}")]
    Untrusted(webpki::Error),
    /// It is not the one that was wanted.
    #[error("it proves {0}, which is not the one wanted")]
    OtherId(SpiffeId),
    /// Its public key is not the pinned one.
    #[error("its public key is not the pinned one")]
    OtherKey,
}

impl Coded for SvidError {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotNow { .. } => codes::SVID_EXPIRED,
            Self::NotListed(_) => codes::TRUST_DOMAIN_NOT_LISTED,
            Self::NoBundle(_) => codes::NO_BUNDLE,
            Self::Untrusted(_)
            | Self::IssuerNotCa
            | Self::IssuerCannotSign
            | Self::IssuerNameless
            | Self::IssuerId => codes::SVID_UNTRUSTED,
            Self::OtherId(_) | Self::OtherKey => codes::UPSTREAM_UNPROVEN,
            _ => codes::SVID_MALFORMED,
        }
    }
}

impl SvidError {
    /// What the peer is told in its alert; the reason itself stays with us.
    pub(super) fn alert(&self) -> CertificateError {
        match self {
            Self::NotNow { .. } => CertificateError::Expired,
            Self::NotListed(_) | Self::OtherId(_) | Self::OtherKey => {
                CertificateError::ApplicationVerificationFailure
            }
            Self::Untrusted(webpki::Error::InvalidSignatureForPublicKey) => CertificateError::BadSignature,
            Self::Purpose(_) => CertificateError::InvalidPurpose,
            other if other.code() == codes::SVID_MALFORMED => CertificateError::BadEncoding,
            _ => CertificateError::UnknownIssuer,
        }
    }
}

/// What a certificate is presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// By a caller.
    Client,
    /// By an upstream, or by us.
    Server,
}

/// A span of life, Unix seconds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Validity {
    pub(super) const fn hold(self, now: u64) -> Result<(), SvidError> {
        if self.from <= now && now <= self.to {
            Ok(())
        } else {
            Err(SvidError::NotNow { from: self.from, to: self.to, now })
        }
    }
}

/// A certificate that may be an identity, as far as it alone can say (X509-SVID 5.2).
#[derive(Debug)]
pub(super) struct Leaf {
    id: Result<SpiffeId, SvidError>,
    /// Hexadecimal.
    pub(super) serial: Arc<str>,
    pub(super) validity: Validity,
    client: bool,
    server: bool,
    usage_critical: bool,
}

impl Leaf {
    pub(super) fn read(der: &[u8]) -> Result<Self, SvidError> {
        let certificate = parse(der)?;
        let extensions = Extensions::of(&certificate)?;
        if certificate.subject().as_raw().len() <= EMPTY_NAME && !extensions.names_critical {
            return Err(SvidError::NamesNotCritical);
        }
        if extensions.basic.is_some_and(|(_, basic)| basic.ca) {
            return Err(SvidError::IsCa);
        }
        if extensions.usage.is_some_and(|usage| usage.key_cert_sign() || usage.crl_sign()) {
            return Err(SvidError::CanSign);
        }
        if !extensions.usage.is_some_and(KeyUsage::digital_signature) {
            return Err(SvidError::NoDigitalSignature);
        }
        if extensions.name_constraints {
            return Err(SvidError::Extension(oids::OID_X509_EXT_NAME_CONSTRAINTS.to_id_string()));
        }
        accept_key(certificate.public_key())?;
        Ok(Self {
            id: extensions.workload_id(),
            serial: serial(&certificate)?,
            validity: validity(&certificate)?,
            client: extensions.purposes.is_none_or(|eku| eku.client_auth),
            server: extensions.purposes.is_none_or(|eku| eku.server_auth),
            usage_critical: extensions.usage_critical,
        })
    }

    /// Whom it names. A certificate of no workload may well be in order otherwise.
    pub(super) fn id(&self) -> Result<SpiffeId, SvidError> {
        self.id.clone()
    }

    /// Where it departs from the standard without being refused for it.
    pub(super) fn oddities(&self) -> impl Iterator<Item = Oddity> {
        let found = [
            (!self.usage_critical, Oddity::UsageNotCritical),
            (!self.client, Oddity::NoClientAuth),
            (!self.server, Oddity::NoServerAuth),
        ];
        found.into_iter().filter_map(|(is_so, oddity)| is_so.then_some(oddity))
    }

    pub(super) const fn serve(&self, purpose: Purpose) -> Result<(), SvidError> {
        match purpose {
            Purpose::Client if !self.client => Err(SvidError::Purpose("clientAuth")),
            Purpose::Server if !self.server => Err(SvidError::Purpose("serverAuth")),
            _ => Ok(()),
        }
    }
}

/// A certificate that may issue others: an intermediate or an anchor.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) validity: Validity,
    /// `sha256:` and the hash of its public key.
    pub(super) key_id: Arc<str>,
}

impl Issuer {
    /// Reads and refuses what must not issue in `trust_domain` (X509-SVID 3.2, 4.1, 4.3; RFC 5280 4.1.2, 4.2.1).
    pub(super) fn read(der: &[u8], trust_domain: &str) -> Result<Self, SvidError> {
        let certificate = parse(der)?;
        let extensions = Extensions::of(&certificate)?;
        if !extensions.basic.is_some_and(|(critical, basic)| critical && basic.ca) {
            return Err(SvidError::IssuerNotCa);
        }
        if !extensions.usage.is_some_and(KeyUsage::key_cert_sign) {
            return Err(SvidError::IssuerCannotSign);
        }
        if certificate.subject().as_raw().len() <= EMPTY_NAME {
            return Err(SvidError::IssuerNameless);
        }
        extensions.issue_for(trust_domain)?;
        accept_key(certificate.public_key())?;
        serial(&certificate)?;
        Ok(Self { validity: validity(&certificate)?, key_id: key_id(certificate.public_key()) })
    }
}

/// SHA-256 of the public key (`SubjectPublicKeyInfo`) of any certificate.
pub(super) fn key_digest(der: &[u8]) -> Result<[u8; 32], SvidError> {
    Ok(sha256(parse(der)?.public_key().raw))
}

/// An empty `SEQUENCE`.
const EMPTY_NAME: usize = 2;

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, SvidError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) if certificate.version() == X509Version::V3 => Ok(certificate),
        _ => Err(SvidError::NotX509),
    }
}

/// The extensions that matter, each at most once and readable.
#[derive(Default)]
struct Extensions<'a> {
    /// With whether it is critical.
    basic: Option<(bool, &'a BasicConstraints)>,
    usage: Option<&'a KeyUsage>,
    usage_critical: bool,
    purposes: Option<&'a ExtendedKeyUsage<'a>>,
    names: Option<&'a [GeneralName<'a>]>,
    names_critical: bool,
    name_constraints: bool,
}

impl<'a> Extensions<'a> {
    fn of(certificate: &'a X509Certificate<'a>) -> Result<Self, SvidError> {
        let mut found = Self::default();
        for extension in certificate.extensions() {
            let acceptable = match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(basic) => {
                    found.basic.replace((extension.critical, basic)).is_none()
                }
                ParsedExtension::KeyUsage(usage) => {
                    found.usage_critical = extension.critical;
                    found.usage.replace(usage).is_none()
                }
                ParsedExtension::ExtendedKeyUsage(eku) => found.purposes.replace(eku).is_none(),
                ParsedExtension::SubjectAlternativeName(names) => {
                    found.names_critical = extension.critical;
                    found.names.replace(&names.general_names).is_none()
                }
                // Must be critical (RFC 5280 4.2.1.10): chain building enforces them.
                ParsedExtension::NameConstraints(_) => {
                    extension.critical && !std::mem::replace(&mut found.name_constraints, true)
                }
                // The first two must be critical (RFC 5280 4.2.1.11, 4.2.1.14), and nobody here enforces them.
                ParsedExtension::PolicyConstraints(_)
                | ParsedExtension::InhibitAnyPolicy(_)
                | ParsedExtension::ParseError { .. } => false,
                // What else there is adds nothing; but what is critical must be understood (RFC 5280 4.2).
                _ => !extension.critical,
            };
            if !acceptable {
                return Err(SvidError::Extension(extension.oid.to_id_string()));
            }
        }
        Ok(found)
    }

    fn uris(&self) -> Result<Vec<&'a str>, SvidError> {
        let mut uris = Vec::new();
        for name in self.names.unwrap_or_default() {
            match name {
                GeneralName::URI(uri) => uris.push(*uri),
                GeneralName::Invalid(..) => {
                    return Err(SvidError::Extension(oids::OID_X509_EXT_SUBJECT_ALT_NAME.to_id_string()));
                }
                _ => {}
            }
        }
        Ok(uris)
    }

    /// The one SPIFFE ID, which must name a workload; other kinds of names carry no identity.
    fn workload_id(&self) -> Result<SpiffeId, SvidError> {
        let [uri] = self.uris()?[..] else { return Err(SvidError::UriNames(self.uris()?.len())) };
        let id: SpiffeId = uri.parse()?;
        if id.names_a_workload() { Ok(id) } else { Err(SvidError::NamesNoWorkload) }
    }

    /// An issuer needs no SPIFFE ID; one that it has is its trust domain's own (X509-SVID 3.2).
    fn issue_for(&self, trust_domain: &str) -> Result<(), SvidError> {
        let id: SpiffeId = match self.uris()?[..] {
            [] => return Ok(()),
            [uri] => uri.parse().map_err(|_| SvidError::IssuerId)?,
            _ => return Err(SvidError::IssuerId),
        };
        let its_own = !id.names_a_workload() && id.trust_domain() == trust_domain;
        if its_own { Ok(()) } else { Err(SvidError::IssuerId) }
    }
}

/// P-256, P-384, P-521, Ed25519, and RSA from 2048 to 8192 bits in whole bytes.
fn accept_key(key: &SubjectPublicKeyInfo<'_>) -> Result<(), SvidError> {
    let accepted = match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let modulus = rsa.modulus.iter().position(|byte| *byte != 0);
            let modulus = modulus.and_then(|at| rsa.modulus.get(at..)).unwrap_or_default();
            let whole = modulus.first().is_some_and(|first| first.leading_zeros() == 0);
            whole && (256..=1024).contains(&modulus.len())
        }
        Ok(PublicKey::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            curve.is_some_and(|curve| {
                [oids::OID_EC_P256, oids::OID_NIST_EC_P384, oids::OID_NIST_EC_P521].contains(&curve)
            })
        }
        Ok(_) => key.algorithm.algorithm == oids::OID_SIG_ED25519,
        Err(_) => false,
    };
    if accepted { Ok(()) } else { Err(SvidError::Key) }
}

fn serial(certificate: &X509Certificate<'_>) -> Result<Arc<str>, SvidError> {
    let raw = certificate.raw_serial();
    let positive = raw.first().is_some_and(|first| first.leading_zeros() > 0);
    // Twenty bytes of number; a leading zero that only keeps it positive is not counted against it.
    let digits = raw.strip_prefix(&[0]).unwrap_or(raw);
    if !positive || digits.is_empty() || digits.len() > 20 || digits.iter().all(|byte| *byte == 0) {
        return Err(SvidError::Serial);
    }
    Ok(hex(digits).into())
}

fn validity(certificate: &X509Certificate<'_>) -> Result<Validity, SvidError> {
    let span = certificate.validity();
    let seconds = |time: i64| u64::try_from(time).map_err(|_| SvidError::NotX509);
    Ok(Validity { from: seconds(span.not_before.timestamp())?, to: seconds(span.not_after.timestamp())? })
}

fn key_id(key: &SubjectPublicKeyInfo<'_>) -> Arc<str> {
    format!("sha256:{}", hex(&sha256(key.raw))).into()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = [0; 32];
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

impl From<&SvidError> for CertificateError {
    fn from(error: &SvidError) -> Self {
        error.alert()
    }
}

/// The trust domain as a listed one, if it is listed.
pub(super) fn listed<'a>(trust: &'a [TrustDomain], id: &SpiffeId) -> Result<&'a TrustDomain, SvidError> {
    trust
        .iter()
        .find(|listed| listed.as_str() == id.trust_domain())
        .ok_or_else(|| SvidError::NotListed(id.trust_domain().to_owned()))
}
