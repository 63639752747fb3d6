//! Login by JWT-SVID.

use serde_json::Value;
use tokio::time::Instant;

use super::{
    JwtRole,
    answer::{Answer, Envelope},
    state::{State, random},
    token::Token,
};
use crate::jwt;

/// `auth/jwt/login {"role","jwt"}`. Whatever is wrong is a 400, as at Vault.
pub(super) fn log_in(state: &mut State, body: &Value, now: Instant) -> Answer {
    let text = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or_default();
    let (name, token) = (text("role"), text("jwt"));
    if name.is_empty() {
        return Answer::error(400, "missing role");
    }
    let Some(role) = state.jwt_roles.get(name) else {
        return Answer::error(400, &format!("role {name:?} could not be found"));
    };
    let subject = match subject_of(role, token, &state.jwks.borrow()) {
        Ok(subject) => subject,
        Err(refused) => return Answer::error(400, &refused),
    };
    let issued = Token {
        accessor: random(24),
        role: name.to_owned(),
        subject,
        allow: role.allow.clone(),
        ttl: role.ttl,
        issued: now,
        ends: now + role.ttl.min(role.max_ttl),
        max_end: now + role.max_ttl,
    };
    let token = format!("s.{}", random(24));
    let auth = issued.auth(&token, role.ttl.min(role.max_ttl));
    state.tokens.insert(token, issued);
    Envelope::new().auth(auth).answer(200)
}

fn subject_of(role: &JwtRole, token: &str, jwks: &str) -> Result<String, String> {
    let claims = jwt::verify(jwks, token, &role.audiences)
        .map_err(|refused| format!("error validating token: {refused}"))?;
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    if role.subject.as_deref().is_some_and(|bound| bound != subject) {
        return Err("error validating claims: sub claim does not match bound subject".into());
    }
    Ok(subject.to_owned())
}
