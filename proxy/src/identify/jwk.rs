use std::sync::Arc;

use aws_lc_rs::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Map, Value};

use super::json;

/// The nine algorithms of JWT-SVID 2.1, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

/// A key that verifies JWT-SVIDs of one trust domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JwtKey {
    pub(super) kid: Arc<str>,
    /// The only algorithm it may be used with, if it says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point, and the algorithm that its curve is bound to (RFC 7518 3.4).
    Point(Algorithm, Vec<u8>),
}

impl Algorithm {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::Es512 => return None,
        })
    }
}

impl JwtKey {
    /// Every usable key of a JWK Set. What is for another use, of an unknown kind, or unusable is
    /// left out (Trust Domain and Bundle 4.2); a missing `use` is what agents send. Nothing if it is no JWK Set.
    pub(super) fn set(jwks: &[u8]) -> Option<Vec<Self>> {
        let document = json::object(jwks)?;
        let keys = document.get("keys")?.as_array()?;
        let mut usable: Vec<Self> = Vec::new();
        for key in keys.iter().filter_map(Value::as_object).filter_map(Self::of) {
            // Two keys of one name: neither can be meant by it.
            match usable.iter().position(|held| held.kid == key.kid) {
                Some(at) if usable.get(at) != Some(&key) => drop(usable.remove(at)),
                Some(_) => {}
                None => usable.push(key),
            }
        }
        Some(usable)
    }

    /// One key, if it is usable.
    pub(super) fn from_json(jwk: &[u8]) -> Option<Self> {
        Self::of(&json::object(jwk)?)
    }

    fn of(jwk: &Map<String, Value>) -> Option<Self> {
        if jwk.get("use").is_some_and(|used| used != "jwt-svid") || !may_verify(jwk) {
            return None;
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let only = match jwk.get("alg") {
            None => None,
            Some(alg) => Some(Algorithm::named(alg.as_str()?)?),
        };
        let material = match text("kty")? {
            "RSA" => Material::rsa(text("n")?, text("e")?)?,
            "EC" => Material::point(text("crv")?, text("x")?, text("y")?)?,
            _ => return None,
        };
        Some(Self { kid: text("kid").filter(|kid| !kid.is_empty())?.into(), only, material })
    }

    /// Whether `signature` is this key's over `message`, by an algorithm that fits the key (RFC 7518 3).
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if self.only.is_some_and(|only| only != algorithm) {
            return false;
        }
        match (&self.material, algorithm.rsa()) {
            (Material::Rsa { n, e }, Some(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Material::Point(bound, point), None) if *bound == algorithm => {
                let scheme = match algorithm {
                    Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
                    Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
                    _ => &signature::ECDSA_P256_SHA256_FIXED,
                };
                UnparsedPublicKey::new(scheme, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

impl Material {
    /// 2048 to 8192 bits, each number without leading zeros (RFC 7518 6.3.1).
    fn rsa(n: &str, e: &str) -> Option<Self> {
        let (n, e) = (BASE64URL.decode(n).ok()?, BASE64URL.decode(e).ok()?);
        let canonical = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
        let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
        let fits = canonical(&n) && canonical(&e) && (2048..=8192).contains(&bits);
        fits.then_some(Self::Rsa { n, e })
    }

    fn point(curve: &str, x: &str, y: &str) -> Option<Self> {
        let (algorithm, width) = match curve {
            "P-256" => (Algorithm::Es256, 32),
            "P-384" => (Algorithm::Es384, 48),
            "P-521" => (Algorithm::Es512, 66),
            _ => return None,
        };
        let (x, y) = (BASE64URL.decode(x).ok()?, BASE64URL.decode(y).ok()?);
        let fits = x.len() == width && y.len() == width;
        fits.then(|| Self::Point(algorithm, [&[4], x.as_slice(), y.as_slice()].concat()))
    }
}

fn may_verify(jwk: &Map<String, Value>) -> bool {
    match jwk.get("key_ops") {
        None => true,
        Some(operations) => {
            operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"))
        }
    }
}
