//! The private keys that bundles are signed with.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, RsaEncoding, RsaKeyPair};

use super::key::{Algorithm, pem};

/// One private key or shared secret, for one algorithm. What it was read from is its caller's to wipe.
pub struct SigningKey {
    pub(super) algorithm: Algorithm,
    material: Material,
}

enum Material {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
    Secret(Box<hmac::Key>),
}

/// How an algorithm signs.
enum Way {
    Rsa(&'static dyn RsaEncoding),
    Ecdsa(&'static EcdsaSigningAlgorithm),
    Secret,
}

fn way(algorithm: Algorithm) -> Way {
    match algorithm.name() {
        "RS256" => Way::Rsa(&signature::RSA_PKCS1_SHA256),
        "RS384" => Way::Rsa(&signature::RSA_PKCS1_SHA384),
        "RS512" => Way::Rsa(&signature::RSA_PKCS1_SHA512),
        "PS256" => Way::Rsa(&signature::RSA_PSS_SHA256),
        "PS384" => Way::Rsa(&signature::RSA_PSS_SHA384),
        "PS512" => Way::Rsa(&signature::RSA_PSS_SHA512),
        "ES256" => Way::Ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        "ES384" => Way::Ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        "ES512" => Way::Ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => Way::Secret,
    }
}

impl SigningKey {
    /// A private key in PEM: PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC1 (`EC PRIVATE KEY`), RSA of
    /// 2048 to 8192 bits; or the bytes of a shared secret for `HS…`, every one of them, as `opa` takes them. The error
    /// says what stands there instead, and nothing of the key.
    pub fn new(bytes: &[u8], algorithm: Algorithm) -> Result<Self, String> {
        let way = way(algorithm);
        if matches!(way, Way::Secret) {
            if bytes.len() < 16 {
                return Err("a shared secret has at least 16 bytes".to_owned());
            }
            let material = Material::Secret(Box::new(hmac::Key::new(algorithm.secret(), bytes)));
            return Ok(Self { algorithm, material });
        }
        // Parameters of a curve may stand before its key.
        let mut others = Vec::new();
        for (label, der) in pem(bytes) {
            let material = match (&way, label.as_str()) {
                (Way::Rsa(encoding), "PRIVATE KEY") => {
                    RsaKeyPair::from_pkcs8(&der).ok().map(|key| (key, *encoding))
                }
                (Way::Rsa(encoding), "RSA PRIVATE KEY") => {
                    RsaKeyPair::from_der(&der).ok().map(|key| (key, *encoding))
                }
                (Way::Ecdsa(curve), "PRIVATE KEY" | "EC PRIVATE KEY") => {
                    let key =
                        EcdsaKeyPair::from_private_key_der(curve, &der).map_err(|_| unfit(algorithm))?;
                    return Ok(Self { algorithm, material: Material::Ecdsa(Box::new(key)) });
                }
                (_, "ENCRYPTED PRIVATE KEY") => {
                    return Err("the key is encrypted: decrypt it first, `openssl pkey -in KEY -out PLAIN`"
                        .to_owned());
                }
                _ => {
                    others.push(label);
                    continue;
                }
            };
            let (key, encoding) = material.ok_or_else(|| unfit(algorithm))?;
            return Ok(Self { algorithm, material: Material::Rsa(Box::new(key), encoding) });
        }
        Err(match others.as_slice() {
            [] => "no PEM block stands here".to_owned(),
            others => {
                format!(
                    "`{}` stands here, where {} needs a private key",
                    others.join("`, `"),
                    algorithm.name()
                )
            }
        })
    }

    /// The signature of a message, as a JWS has it (RFC 7518, 3).
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Material::Ecdsa(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Material::Secret(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

fn unfit(algorithm: Algorithm) -> String {
    let wanted = match algorithm.name() {
        "ES256" => "a key on the curve P-256",
        "ES384" => "a key on the curve P-384",
        "ES512" => "a key on the curve P-521",
        _ => "an RSA key of 2048 to 8192 bits",
    };
    format!("the key does not fit: {} needs {wanted}", algorithm.name())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
