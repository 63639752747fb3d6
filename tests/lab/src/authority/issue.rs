//! What the authority signs with, and what it signs.

use std::{io, path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, string::Ia5String,
};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::AuthorityError;

/// How far a certificate's life begins in the past, so that a clock a little behind accepts it.
const BACKDATE: Duration = Duration::from_secs(10);
const CA_LIFE: Duration = Duration::from_hours(24);
const ORGANISATION: &str = "Postern lab, not for production";

/// An X.509-SVID with its key.
#[derive(Debug)]
pub struct X509Svid {
    /// The leaf, DER. There are no intermediates.
    pub certificate: Vec<u8>,
    /// PKCS#8 DER.
    pub key: Vec<u8>,
    certificate_pem: String,
    key_pem: String,
}

impl X509Svid {
    /// Puts `svid.pem` and `key.pem` into `folder`, for clients that read files.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("svid.pem"), &self.certificate_pem)?;
        std::fs::write(folder.join("key.pem"), &self.key_pem)
    }

    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

/// A signing certificate: P-256, self-signed, carrying its trust domain's id.
pub(super) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(super) fn create(trust_domain: &str) -> Result<Self, AuthorityError> {
        let mut params = unnamed(CA_LIFE);
        params.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))?];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    pub(super) fn der(&self) -> &[u8] {
        self.0.der()
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Whatever `params` say, with a new P-256 key.
    pub(super) fn sign(&self, params: &CertificateParams) -> Result<X509Svid, AuthorityError> {
        let key = KeyPair::generate()?;
        Ok(X509Svid::new(&params.signed_by(&key, &self.0)?, &key))
    }
}

/// The parameters of an SVID for `id` as the standard wants it, for a test to spoil one by one before
/// [`Authority::sign`](super::Authority::sign).
pub fn leaf(id: &str, ttl: Duration) -> Result<CertificateParams, AuthorityError> {
    let mut params = unnamed(ttl);
    params.subject_alt_names = vec![uri(id)?];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn unnamed(life: Duration) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now - BACKDATE;
    params.not_after = now + life;
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
    params
}

fn uri(text: &str) -> Result<SanType, AuthorityError> {
    Ok(SanType::URI(Ia5String::try_from(text)?))
}

/// A key that signs JWT-SVIDs with ES256.
pub(super) struct JwtKey {
    key: KeyPair,
    kid: String,
}

impl JwtKey {
    pub(super) fn create() -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key_raw());
        let kid = BASE64URL.encode(digest.as_ref());
        Ok(Self { key, kid })
    }

    /// The key as an entry of a JWT bundle.
    pub(super) fn jwk(&self) -> Value {
        // 0x04, then the two coordinates.
        let point = self.key.public_key_raw().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        json!({
            "use": "jwt-svid", "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": self.kid,
            "x": BASE64URL.encode(x), "y": BASE64URL.encode(y),
        })
    }

    pub(super) fn public_pem(&self) -> String {
        self.key.public_key_pem()
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String, AuthorityError> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(self.key.serialized_der());
        Ok(jsonwebtoken::encode(&header, claims, &key)?)
    }

    pub(super) fn issue(
        &self,
        id: &str,
        audience: &[String],
        ttl: Duration,
    ) -> Result<String, AuthorityError> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let expires = now.saturating_add_unsigned(ttl.as_secs());
        self.sign(&json!({ "sub": id, "aud": audience, "iat": now, "exp": expires }))
    }
}
