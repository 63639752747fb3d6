//! The keys that bundles are signed with, as an operator names them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// How a bundle is signed. A secret that both sides share (`HS…`) counts only where it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm(Name);

type Name = &'static str;

/// Every algorithm OPA signs with.
const ALGORITHMS: [Name; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384",
    "HS512",
];

impl Algorithm {
    /// All names.
    pub const NAMES: &'static [&'static str] = &ALGORITHMS;

    /// As the header of a signature names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    fn verifier(self) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match self.0 {
            "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
            "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
            "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
            "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
            "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
            "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
            "ES256" => &signature::ECDSA_P256_SHA256_FIXED,
            "ES384" => &signature::ECDSA_P384_SHA384_FIXED,
            "ES512" => &signature::ECDSA_P521_SHA512_FIXED,
            _ => return None,
        })
    }

    /// Whether who checks holds the same secret as who signs.
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.verifier().is_none()
    }

    pub(super) fn secret(self) -> hmac::Algorithm {
        match self.0 {
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = ALGORITHMS.into_iter().find(|known| *known == name);
        known.map(Self).ok_or_else(|| format!("`{name}` is none of {}", ALGORITHMS.join(", ")))
    }
}

/// One key, for one algorithm.
#[derive(Clone)]
pub struct VerifyKey {
    pub(super) algorithm: Algorithm,
    /// What a signature by it must be for, where the bundle's own settings do not say.
    pub(super) scope: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    /// `SubjectPublicKeyInfo` or, for RSA, `RSAPublicKey`.
    Public(Vec<u8>),
    Secret(Box<hmac::Key>),
}

impl VerifyKey {
    /// A public key in PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`), or the bytes of a shared secret for `HS…`, every one of
    /// them, as `opa` takes them. The error says what stands there instead.
    pub fn new(bytes: &[u8], algorithm: Algorithm, scope: Option<String>) -> Result<Self, String> {
        if algorithm.verifier().is_none() {
            if bytes.len() < 16 {
                return Err("a shared secret has at least 16 bytes".to_owned());
            }
            let material = Material::Secret(Box::new(hmac::Key::new(algorithm.secret(), bytes)));
            return Ok(Self { algorithm, scope, material });
        }
        let (label, der) = pem(bytes).next().ok_or("no PEM block stands here")?;
        let fits = match label.as_str() {
            "PUBLIC KEY" => true,
            "RSA PUBLIC KEY" => matches!(algorithm.name().as_bytes().first(), Some(b'R' | b'P')),
            _ => false,
        };
        if !fits {
            return Err(format!("`{label}` stands here, where {} needs a `PUBLIC KEY`", algorithm.name()));
        }
        Ok(Self { algorithm, scope, material: Material::Public(der.to_vec()) })
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match (&self.material, self.algorithm.verifier()) {
            (Material::Public(der), Some(algorithm)) => {
                UnparsedPublicKey::new(algorithm, der).verify(message, signature).is_ok()
            }
            (Material::Secret(key), None) => hmac::verify(key, message, signature).is_ok(),
            _ => false,
        }
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyKey")
            .field("algorithm", &self.algorithm)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The blocks of a PEM text: the label and the bytes of each, which are wiped when they are dropped.
pub(super) fn pem(bytes: &[u8]) -> impl Iterator<Item = (String, Zeroizing<Vec<u8>>)> {
    let mut rest = str::from_utf8(bytes).unwrap_or_default();
    std::iter::from_fn(move || {
        let (label, after) = rest.split_once("-----BEGIN ")?.1.split_once("-----")?;
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        rest = after;
        // Room from the start, so that no growing copy is left behind unwiped.
        let mut text = Zeroizing::new(String::with_capacity(body.len()));
        text.extend(body.split_whitespace());
        Some((label.to_owned(), Zeroizing::new(BASE64_STANDARD.decode(text.as_bytes()).ok()?)))
    })
}
