//! `crypto.sha1`, `crypto.sha256` and `crypto.hmac.*`: digests in hexadecimal.

use aws_lc_rs::{constant_time, digest, hmac};
use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("crypto.hmac.equal", &[TEXT, TEXT], BOOL, By::Added(equal)),
    Builtin::new("crypto.hmac.sha1", &[TEXT, TEXT], TEXT, By::Added(hmac_sha1)),
    Builtin::new("crypto.hmac.sha256", &[TEXT, TEXT], TEXT, By::Added(hmac_sha256)),
    Builtin::new("crypto.hmac.sha512", &[TEXT, TEXT], TEXT, By::Added(hmac_sha512)),
    Builtin::new("crypto.sha1", &[TEXT], TEXT, By::Added(sha1)),
    Builtin::new("crypto.sha256", &[TEXT], TEXT, By::Added(sha256)),
];

/// `crypto.sha1(text)`; for comparing with old values, not for new ones.
fn sha1(args: &[Value]) -> Result<Value, Fail> {
    digested(&digest::SHA1_FOR_LEGACY_USE_ONLY, args)
}

/// `crypto.sha256(text)`.
fn sha256(args: &[Value]) -> Result<Value, Fail> {
    digested(&digest::SHA256, args)
}

/// `crypto.hmac.sha1(text, key)`.
fn hmac_sha1(args: &[Value]) -> Result<Value, Fail> {
    keyed(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, args)
}

/// `crypto.hmac.sha256(text, key)`.
fn hmac_sha256(args: &[Value]) -> Result<Value, Fail> {
    keyed(hmac::HMAC_SHA256, args)
}

/// `crypto.hmac.sha512(text, key)`.
fn hmac_sha512(args: &[Value]) -> Result<Value, Fail> {
    keyed(hmac::HMAC_SHA512, args)
}

/// `crypto.hmac.equal(one, other)`: takes as long wherever they differ.
fn equal(args: &[Value]) -> Result<Value, Fail> {
    let [one, other] = args else { return Err(Fail::Argument("takes two texts")) };
    weigh::linear(args)?;
    let same = constant_time::verify_slices_are_equal(text(one)?.as_bytes(), text(other)?.as_bytes()).is_ok();
    Ok(Value::Bool(same))
}

fn digested(algorithm: &'static digest::Algorithm, args: &[Value]) -> Result<Value, Fail> {
    let [value] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    Ok(hex(digest::digest(algorithm, text(value)?.as_bytes()).as_ref()))
}

fn keyed(algorithm: hmac::Algorithm, args: &[Value]) -> Result<Value, Fail> {
    let [value, key] = args else { return Err(Fail::Argument("takes a text and a key")) };
    weigh::linear(args)?;
    let key = hmac::Key::new(algorithm, text(key)?.as_bytes());
    Ok(hex(hmac::sign(&key, text(value)?.as_bytes()).as_ref()))
}

/// Bytes as lower-case hexadecimal digits, as a value.
pub(super) fn hex(bytes: &[u8]) -> Value {
    Value::from(digits(bytes))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn digits(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
