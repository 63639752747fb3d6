//! `crypto.x509.*`: certificates, requests and RSA keys in the shape that OPA gives them, which is Go's.
//!
//! Every member is there, since one that were missing would be undefined where OPA has a value. What has no place in
//! this shape here (constraints of names and of policies, keys other than RSA, P-256, P-384, P-521 and Ed25519, URIs
//! with anything to escape) is an error.

mod extensions;
mod names;
mod shape;
mod verify;

use aws_lc_rs::rsa::KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use regorus::Value;
use regorus::value::Object;
use x509_parser::asn1_rs::{FromDer as _, Integer, Sequence};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

use super::row::{Builtin, By};
use super::signatures::{ANY, LIST, OBJECT, TEXT};
use super::{Fail, at, text, weigh};

pub(super) use verify::{verified, verified_with};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("crypto.x509.parse_and_verify_certificates", &[TEXT], LIST, By::Added(verified)),
    Builtin::new(
        "crypto.x509.parse_and_verify_certificates_with_options",
        &[TEXT, OBJECT],
        LIST,
        By::Added(verified_with),
    ),
    Builtin::new("crypto.x509.parse_certificate_request", &[TEXT], OBJECT, By::Added(request)),
    Builtin::new("crypto.x509.parse_certificates", &[TEXT], LIST, By::Added(certificates)),
    Builtin::new("crypto.x509.parse_rsa_private_key", &[TEXT], OBJECT, By::Added(rsa_private_key)),
    Builtin::new(
        "internal.now.verify",
        &[ANY, ANY],
        ANY,
        By::Within(|args| at(args, verified), "crypto.x509.parse_and_verify_certificates"),
    ),
    Builtin::new(
        "internal.now.verify_with",
        &[ANY, ANY, ANY],
        ANY,
        By::Within(|args| at(args, verified_with), "crypto.x509.parse_and_verify_certificates_with_options"),
    ),
];

/// Longest text, in bytes.
const LONGEST: usize = 64 * 1024;
/// Most certificates in one text.
const MOST: usize = 16;

/// `crypto.x509.parse_certificates(text)`: of certificates in PEM, in PEM in base64, or in DER in base64.
fn certificates(args: &[Value]) -> Result<Value, Fail> {
    let [certificates] = args else { return Err(Fail::Argument("takes one text")) };
    let read = read(text(certificates)?)?;
    let shapes = read.iter().map(|der| shape::with_texts(&parsed(der)?));
    Ok(Value::from(shapes.collect::<Result<Vec<_>, Fail>>()?))
}

/// `crypto.x509.parse_certificate_request(text)`.
fn request(args: &[Value]) -> Result<Value, Fail> {
    const WANT: Fail = Fail::Argument("takes a certificate request in PEM, or in base64");
    let [request] = args else { return Err(WANT) };
    let mut blocks = blocks(text(request)?, "CERTIFICATE REQUEST")?.into_iter();
    let (Some(der), None) = (blocks.next(), blocks.next()) else { return Err(WANT) };
    match X509CertificationRequest::from_der(&der) {
        Ok(([], request)) => shape::request(&request, &der),
        _ => Err(WANT),
    }
}

/// `crypto.x509.parse_rsa_private_key(text)`: a key of PKCS#1 as a JWK.
fn rsa_private_key(args: &[Value]) -> Result<Value, Fail> {
    const WANT: Fail = Fail::Argument("takes an RSA PRIVATE KEY of 2048 to 8192 bits");
    let [key] = args else { return Err(WANT) };
    let key = text(key)?;
    // Of what is not PEM, OPA makes `null`.
    if !key.starts_with("-----BEGIN") {
        return Err(WANT);
    }
    let mut blocks = blocks(key, "RSA PRIVATE KEY")?.into_iter();
    let (Some(der), None) = (blocks.next(), blocks.next()) else { return Err(WANT) };
    // It is checked that its numbers belong together, which is dear for larger ones.
    if der.len() > 8 * 1024 || KeyPair::from_der(&der).is_err() {
        return Err(WANT);
    }
    let (_, sequence) = Sequence::from_der(&der).map_err(|_| WANT)?;
    let mut rest = sequence.content.as_ref();
    let mut jwk = Object::new();
    jwk.insert(Value::from("kty"), Value::from("RSA"));
    for name in ["", "n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let (after, number) = Integer::from_der(rest).map_err(|_| WANT)?;
        rest = after;
        let digits = number.as_ref().iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
        if !name.is_empty() {
            jwk.insert(Value::from(name), Value::from(URL_SAFE_NO_PAD.encode(digits)));
        }
    }
    Ok(jwk.into_value())
}

/// The certificates of a text, in DER.
fn read(certificates: &str) -> Result<Vec<Vec<u8>>, Fail> {
    let mut all = Vec::new();
    for block in blocks(certificates, "CERTIFICATE")? {
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let (after, certificate) = X509Certificate::from_der(rest).map_err(|_| MALFORMED)?;
            all.push(certificate.as_raw().to_vec());
            rest = after;
            if all.len() > MOST {
                return Err(Fail::Limit("at most 16 certificates"));
            }
        }
    }
    Ok(all)
}

const MALFORMED: Fail = Fail::Argument("takes certificates that can be read");

fn parsed(der: &[u8]) -> Result<X509Certificate<'_>, Fail> {
    X509Certificate::from_der(der).map(|(_, certificate)| certificate).map_err(|_| MALFORMED)
}

/// What stands in the blocks of PEM, which may be in base64 as a whole; else what is in base64.
fn blocks(written: &str, label: &'static str) -> Result<Vec<Vec<u8>>, Fail> {
    const PEM: &[u8] = b"-----BEGIN";
    if written.len() > LONGEST {
        return Err(Fail::Limit("a text of at most 64 KiB"));
    }
    weigh::pay(written.len())?;
    let mut bytes = written.as_bytes().to_vec();
    if !bytes.starts_with(PEM) {
        let digits: Vec<u8> = bytes.into_iter().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        bytes = STANDARD.decode(digits).map_err(|_| Fail::Argument("takes PEM or base64"))?;
        if !bytes.starts_with(PEM) {
            return Ok(vec![bytes]);
        }
    }
    let mut blocks = Vec::new();
    for pem in Pem::iter_from_buffer(&bytes) {
        match pem {
            Ok(pem) if pem.label == label => blocks.push(pem.contents),
            Ok(_) => return Err(Fail::Argument("takes blocks of PEM with the label of what it reads")),
            Err(_) => return Err(Fail::Argument("takes PEM that can be read")),
        }
    }
    if blocks.is_empty() { Err(Fail::Argument("takes PEM that can be read")) } else { Ok(blocks) }
}

/// An object of these members.
fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut object = Object::new();
    for (name, value) in members {
        object.insert(Value::from(name), value);
    }
    object.into_value()
}

/// A list, which Go calls `null` when there is nothing in it.
fn list(items: Vec<Value>) -> Value {
    if items.is_empty() { Value::Null } else { Value::from(items) }
}

fn base64(bytes: &[u8]) -> Value {
    Value::from(STANDARD.encode(bytes))
}
