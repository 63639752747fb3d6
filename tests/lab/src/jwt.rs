//! Checks a JWT-SVID against a JWT bundle, for the authority's `ValidateJWTSVID` and the vault's login. Plain
//! on purpose: the proxy's own, strict check is not shared with what tests it.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Map, Value};

/// The claims of a token that verified.
pub type Claims = Map<String, Value>;

/// Why a token was refused.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// The bundle is not a JWK Set.
    #[error("the JWT bundle is malformed: {0}")]
    Bundle(serde_json::Error),
    /// The header names no `kid`, or none of the bundle's.
    #[error("no key of the bundle has the token's kid")]
    UnknownKey,
    /// Malformed, badly signed, expired, or for someone else.
    #[error(transparent)]
    Refused(#[from] jsonwebtoken::errors::Error),
}

/// Verifies `token` by `jwks`, a JWK Set as text; it must be for one of `audiences`.
pub fn verify(jwks: &str, token: &str, audiences: &[String]) -> Result<Claims, JwtError> {
    let keys: JwkSet = serde_json::from_str(jwks).map_err(JwtError::Bundle)?;
    let kid = jsonwebtoken::decode_header(token)?.kid.ok_or(JwtError::UnknownKey)?;
    let key = DecodingKey::from_jwk(keys.find(&kid).ok_or(JwtError::UnknownKey)?)?;
    let mut rules = Validation::new(Algorithm::ES256);
    rules.leeway = 0;
    rules.validate_nbf = true;
    rules.set_audience(audiences);
    rules.set_required_spec_claims(&["exp", "sub", "aud"]);
    Ok(jsonwebtoken::decode::<Claims>(token, &key, &rules)?.claims)
}
