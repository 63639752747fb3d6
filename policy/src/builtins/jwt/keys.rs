//! Keys of tokens: out of PEM, a JWK or a set of them; and whether a signature is theirs.

use aws_lc_rs::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use aws_lc_rs::{constant_time, hmac};
use serde_json::Value as Json;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::super::Fail;

/// Most keys of one set.
const MOST: usize = 128;
/// Longest coordinate of a curve, in bytes.
const COORDINATE: usize = 66;

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Algorithm {
    family: Family,
    bits: Bits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Secret,
    Rsa,
    RsaPss,
    Ecdsa,
    Edwards,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bits {
    B256,
    B384,
    B512,
}

impl Algorithm {
    /// The algorithms that OPA knows.
    pub(super) fn named(name: &str) -> Option<Self> {
        if name == "EdDSA" {
            return Some(Self { family: Family::Edwards, bits: Bits::B512 });
        }
        let (family, bits) = name.split_at_checked(2)?;
        let family = match family {
            "HS" => Family::Secret,
            "RS" => Family::Rsa,
            "PS" => Family::RsaPss,
            "ES" => Family::Ecdsa,
            _ => return None,
        };
        let bits = match bits {
            "256" => Bits::B256,
            "384" => Bits::B384,
            "512" => Bits::B512,
            _ => return None,
        };
        Some(Self { family, bits })
    }

    pub(super) fn is_secret(self) -> bool {
        self.family == Family::Secret
    }

    pub(super) fn is_edwards(self) -> bool {
        self.family == Family::Edwards
    }

    /// For signing with a secret.
    pub(super) fn hmac(self) -> Option<hmac::Algorithm> {
        self.is_secret().then_some(match self.bits {
            Bits::B256 => hmac::HMAC_SHA256,
            Bits::B384 => hmac::HMAC_SHA384,
            Bits::B512 => hmac::HMAC_SHA512,
        })
    }

    /// For signing with an RSA key, where the same text always gets the same signature.
    pub(super) fn rsa(self) -> Option<&'static signature::RsaSignatureEncoding> {
        (self.family == Family::Rsa).then_some(match self.bits {
            Bits::B256 => &signature::RSA_PKCS1_SHA256,
            Bits::B384 => &signature::RSA_PKCS1_SHA384,
            Bits::B512 => &signature::RSA_PKCS1_SHA512,
        })
    }

    fn rsa_parameters(self) -> Option<&'static RsaParameters> {
        Some(match (self.family, self.bits) {
            (Family::Rsa, Bits::B256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Family::Rsa, Bits::B384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Family::Rsa, Bits::B512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Family::RsaPss, Bits::B256) => &signature::RSA_PSS_2048_8192_SHA256,
            (Family::RsaPss, Bits::B384) => &signature::RSA_PSS_2048_8192_SHA384,
            (Family::RsaPss, Bits::B512) => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return None,
        })
    }

    /// OPA takes any curve with any digest.
    fn ecdsa(self, curve: Curve) -> Option<&'static signature::EcdsaVerificationAlgorithm> {
        (self.family == Family::Ecdsa).then_some(match (curve, self.bits) {
            (Curve::P256, Bits::B256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Curve::P256, Bits::B384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Curve::P256, Bits::B512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Curve::P384, Bits::B256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Curve::P384, Bits::B384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Curve::P384, Bits::B512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Curve::P521, Bits::B256) => &signature::ECDSA_P521_SHA256_ASN1,
            (Curve::P521, Bits::B384) => &signature::ECDSA_P521_SHA384_ASN1,
            (Curve::P521, Bits::B512) => &signature::ECDSA_P521_SHA512_ASN1,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "P-256" | "1.2.840.10045.3.1.7" => Self::P256,
            "P-384" | "1.3.132.0.34" => Self::P384,
            "P-521" | "1.3.132.0.35" => Self::P521,
            _ => return None,
        })
    }

    const fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => COORDINATE,
        }
    }
}

/// How the two numbers of an ECDSA signature may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halves {
    /// Each half of the signature, whatever its length; so `io.jwt.verify_es…`.
    Any,
    /// As long as the curve's numbers; so `io.jwt.decode_verify`.
    OfTheCurve,
}

/// What a signature is checked with.
pub(super) enum Key {
    Secret(Vec<u8>),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ecdsa { curve: Curve, point: Vec<u8> },
    Edwards(Vec<u8>),
}

/// A key with what its set says of it; empty where it says nothing.
pub(super) struct NamedKey {
    pub(super) alg: String,
    pub(super) kid: String,
    pub(super) key: Key,
}

impl Key {
    /// Whether the signature is this key's; no, when it is a key for another algorithm.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        signed: &str,
        signature: &[u8],
        halves: Halves,
    ) -> Result<bool, Fail> {
        let signed = signed.as_bytes();
        Ok(match self {
            Self::Secret(secret) => algorithm.hmac().is_some_and(|hmac| {
                let mac = hmac::sign(&hmac::Key::new(hmac, secret), signed);
                constant_time::verify_slices_are_equal(mac.as_ref(), signature).is_ok()
            }),
            Self::Rsa { modulus, exponent } => {
                let Some(parameters) = algorithm.rsa_parameters() else { return Ok(false) };
                if !(256..=1024).contains(&modulus.len()) {
                    return Err(Fail::Argument("takes RSA keys of 2048 to 8192 bits"));
                }
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, signed, signature).is_ok()
            }
            Self::Ecdsa { curve, point } => {
                let right = halves == Halves::Any || signature.len() == 2 * curve.coordinate();
                let parsed = algorithm.ecdsa(*curve).zip(asn1(signature)).filter(|_| right);
                parsed.is_some_and(|(algorithm, signature)| {
                    UnparsedPublicKey::new(algorithm, point).verify(signed, &signature).is_ok()
                })
            }
            Self::Edwards(key) => {
                algorithm.family == Family::Edwards
                    && UnparsedPublicKey::new(&signature::ED25519, key).verify(signed, signature).is_ok()
            }
        })
    }
}

/// The two halves of a signature as a sequence of two numbers; none when they are longer than any curve's.
fn asn1(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2)?;
    if s.len() > COORDINATE {
        return None;
    }
    let mut numbers = Vec::new();
    for number in [r, s] {
        let number = without_zeros(number);
        // A first bit that is set would make it negative.
        let sign = number.first().is_none_or(|first| first & 0x80 != 0);
        numbers.extend([2, u8::try_from(number.len() + usize::from(sign)).ok()?]);
        numbers.extend(sign.then_some(0));
        numbers.extend(number);
    }
    let length = u8::try_from(numbers.len()).ok()?;
    let mut sequence = vec![0x30];
    sequence.extend((length > 127).then_some(0x81));
    sequence.push(length);
    sequence.extend(numbers);
    Some(sequence)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The public keys of a certificate or public key in PEM, of a JWK or of a set of them.
pub(super) fn read(text: &str) -> Result<Vec<NamedKey>, Fail> {
    let Ok((rest, pem)) = x509_parser::pem::parse_x509_pem(text.as_bytes()) else { return jwks(text) };
    if !rest.is_empty() {
        return Err(Fail::Argument("takes one certificate or key and nothing after it"));
    }
    let key = match pem.label.as_str() {
        "CERTIFICATE" => {
            let (_, certificate) = x509_parser::parse_x509_certificate(&pem.contents)
                .map_err(|_| Fail::Argument("takes a certificate that can be read"))?;
            of_info(certificate.public_key())?
        }
        "PUBLIC KEY" => {
            let (_, info) = SubjectPublicKeyInfo::from_der(&pem.contents)
                .map_err(|_| Fail::Argument("takes a public key that can be read"))?;
            of_info(&info)?
        }
        _ => return Err(Fail::Argument("takes a CERTIFICATE or a PUBLIC KEY")),
    };
    Ok(vec![NamedKey { alg: String::new(), kid: String::new(), key }])
}

fn of_info(info: &SubjectPublicKeyInfo<'_>) -> Result<Key, Fail> {
    const WANT: Fail = Fail::Argument("takes a key of RSA, P-256, P-384, P-521 or Ed25519");
    let data = info.subject_public_key.data.as_ref();
    // Ed25519, by its number.
    if info.algorithm.algorithm.to_id_string() == "1.3.101.112" {
        return Ok(Key::Edwards(data.to_vec()));
    }
    match info.parsed().map_err(|_| WANT)? {
        PublicKey::RSA(key) => Ok(Key::Rsa {
            modulus: without_zeros(key.modulus).to_vec(),
            exponent: without_zeros(key.exponent).to_vec(),
        }),
        PublicKey::EC(point) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            let curve = curve.and_then(|curve| Curve::named(&curve.to_id_string())).ok_or(WANT)?;
            Ok(Key::Ecdsa { curve, point: point.data().to_vec() })
        }
        _ => Err(WANT),
    }
}

fn jwks(text: &str) -> Result<Vec<NamedKey>, Fail> {
    let json: Json =
        serde_json::from_str(text).map_err(|_| Fail::Argument("takes a key in PEM or as a JWK"))?;
    let single = std::slice::from_ref(&json);
    let keys = json.get("keys").map_or(Some(single), |keys| keys.as_array().map(Vec::as_slice));
    let keys = keys.ok_or(Fail::Argument("takes a set of keys as a list"))?;
    if keys.len() > MOST {
        return Err(Fail::Limit("at most 128 keys in a set"));
    }
    let read = keys.iter().map(|key| Ok((member(key, "alg"), member(key, "kid"), jwk(key)?)));
    let read = read.collect::<Result<Vec<_>, Fail>>()?;
    let known = read.into_iter().filter(|(alg, _, _)| alg.is_empty() || Algorithm::named(alg).is_some());
    Ok(known.map(|(alg, kid, key)| NamedKey { alg, kid, key }).collect())
}

fn jwk(key: &Json) -> Result<Key, Fail> {
    let kind = member(key, "kty");
    if kind == "oct" {
        return Ok(Key::Secret(bytes(key, "k")?));
    }
    if key.get("d").is_some() {
        return Err(Fail::Argument("takes public keys, not private ones"));
    }
    match (kind.as_str(), member(key, "crv").as_str()) {
        ("RSA", _) => Ok(Key::Rsa {
            modulus: without_zeros(&bytes(key, "n")?).to_vec(),
            exponent: without_zeros(&bytes(key, "e")?).to_vec(),
        }),
        ("EC", curve) => {
            let curve = Curve::named(curve).ok_or(Fail::Argument("takes the curves P-256, P-384, P-521"))?;
            let mut point = vec![4];
            for name in ["x", "y"] {
                let number = bytes(key, name)?;
                let number = without_zeros(&number);
                let missing = curve.coordinate().checked_sub(number.len());
                let missing = missing.ok_or(Fail::Argument("takes a point of its curve"))?;
                point.extend(std::iter::repeat_n(0, missing));
                point.extend(number);
            }
            Ok(Key::Ecdsa { curve, point })
        }
        ("OKP", "Ed25519") => Ok(Key::Edwards(bytes(key, "x")?)),
        _ => Err(Fail::Argument("takes keys of the types RSA, EC, oct and OKP with Ed25519")),
    }
}

fn member(key: &Json, name: &str) -> String {
    key.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// A member of a key that is a number or a secret in base64url.
pub(super) fn bytes(key: &Json, name: &str) -> Result<Vec<u8>, Fail> {
    match key.get(name).and_then(Json::as_str) {
        Some(text) => super::decoded(text),
        None => Err(Fail::Argument("takes a key with all its members")),
    }
}
