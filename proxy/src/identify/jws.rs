use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Map, Value};

use super::json;
use super::jwk::{Algorithm, JwtKey};
use super::jwt::TokenError;

/// Longer than any JWT-SVID is.
pub(super) const MAX_TOKEN: usize = 16 * 1024;
/// Longer than any key id is.
const MAX_KEY_ID: usize = 512;

/// A compact JWS taken apart, in the one way that its bytes allow (RFC 7515 7.1, JWT-SVID 2). Its
/// signature has not been looked at yet.
pub(super) struct Signed<'a> {
    algorithm: Algorithm,
    kid: String,
    pub(super) payload: Vec<u8>,
    message: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Signed<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong(token.len()));
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::NotCompact)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::NotCompact)?;
        let header = json::object(&decoded(header)?).ok_or(TokenError::NotCompact)?;
        let (algorithm, kid) = check_header(&header)?;
        Ok(Self {
            algorithm,
            kid: kid.to_owned(),
            payload: decoded(payload)?,
            message: message.as_bytes(),
            signature: decoded(signature)?,
        })
    }

    /// The key that it says signed it.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn check(&self, key: &JwtKey) -> Result<(), TokenError> {
        let good = key.verifies(self.algorithm, self.message, &self.signature);
        if good { Ok(()) } else { Err(TokenError::Signature) }
    }
}

/// Without padding, and canonical: no other text decodes to the same bytes.
fn decoded(text: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL.decode(text).map_err(|_| TokenError::NotCompact)
}

/// Exactly alg, kid and typ: nothing that points at a key, changes the encoding or demands to be understood.
fn check_header(header: &Map<String, Value>) -> Result<(Algorithm, &str), TokenError> {
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
    let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
    if header.get("typ").is_some_and(|typ| typ != "JWT" && typ != "JOSE") {
        return Err(TokenError::Type);
    }
    if header.keys().any(|name| !matches!(name.as_str(), "alg" | "kid" | "typ")) {
        return Err(TokenError::Header);
    }
    let kid = header.get("kid").and_then(Value::as_str).unwrap_or_default();
    if (1..=MAX_KEY_ID).contains(&kid.len()) { Ok((algorithm, kid)) } else { Err(TokenError::NoKeyId) }
}
