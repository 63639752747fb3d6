//! Tokens: what they may do, how long they live.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    answer::{Answer, Envelope, increment, renewed, seconds_to, timestamp},
    state::State,
};

/// What every token may do, as by Vault's `default` policy.
const DEFAULT_PATHS: [&str; 5] = [
    "auth/token/lookup-self",
    "auth/token/renew-self",
    "auth/token/revoke-self",
    "sys/leases/lookup",
    "sys/leases/renew",
];

/// A token that came of a login.
pub(super) struct Token {
    pub(super) accessor: String,
    pub(super) role: String,
    pub(super) subject: String,
    pub(super) allow: Vec<String>,
    pub(super) ttl: Duration,
    pub(super) issued: Instant,
    pub(super) ends: Instant,
    pub(super) max_end: Instant,
}

impl Token {
    pub(super) fn may(&self, path: &str) -> bool {
        DEFAULT_PATHS.contains(&path)
            || self.allow.iter().any(|allowed| match allowed.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == allowed,
            })
    }

    /// The `auth` member of a login's and a renewal's answer.
    pub(super) fn auth(&self, token: &str, lasts: Duration) -> Value {
        json!({
            "client_token": token,
            "accessor": self.accessor,
            "policies": ["default", self.role],
            "token_policies": ["default", self.role],
            "metadata": { "role": self.role },
            "lease_duration": lasts.as_secs(),
            "renewable": true,
            "entity_id": "",
            "token_type": "service",
            "orphan": true,
            "mfa_requirement": null,
            "num_uses": 0,
        })
    }
}

pub(super) fn lookup_self(state: &State, token: &str, now: Instant) -> Answer {
    let data = match state.tokens.get(token) {
        Some(found) => json!({
            "accessor": found.accessor,
            "creation_ttl": found.ttl.as_secs(),
            "display_name": format!("jwt-{}", found.subject),
            "expire_time": timestamp(found.ends, now),
            "explicit_max_ttl": 0,
            "id": token,
            "issue_time": timestamp(found.issued, now),
            "meta": { "role": found.role },
            "num_uses": 0,
            "orphan": true,
            "path": "auth/jwt/login",
            "policies": ["default", found.role],
            "renewable": true,
            "ttl": seconds_to(found.ends, now),
            "type": "service",
        }),
        // The root token.
        None => json!({
            "creation_ttl": 0, "display_name": "root", "expire_time": null, "explicit_max_ttl": 0, "id": token,
            "meta": null, "num_uses": 0, "orphan": true, "path": "auth/token/root", "policies": ["root"],
            "ttl": 0, "type": "service",
        }),
    };
    Envelope::new().data(data).answer(200)
}

pub(super) fn renew_self(state: &mut State, token: &str, body: &Value, now: Instant) -> Answer {
    let wanted = match increment(body) {
        Ok(wanted) => wanted,
        Err(refused) => return refused,
    };
    let Some(found) = state.tokens.get_mut(token) else {
        return Answer::error(400, "lease is not renewable");
    };
    let (ends, granted, warning) = renewed(wanted.unwrap_or(found.ttl), found.max_end, now);
    found.ends = ends;
    Envelope::new().auth(found.auth(token, granted)).warning(warning).answer(200)
}

pub(super) fn revoke_self(state: &mut State, token: &str) -> Answer {
    state.end_token(token);
    Answer::no_content()
}

/// An accessor that is not known is answered 200 with a warning, as `OpenBao` does.
pub(super) fn revoke_accessor(state: &mut State, body: &Value) -> Answer {
    let accessor = body["accessor"].as_str().unwrap_or_default();
    let named = state.tokens.iter().find(|(_, token)| token.accessor == accessor).map(|(id, _)| id.clone());
    match named {
        Some(token) => revoke_self(state, &token),
        None => Envelope::new().warning(Some("No token found with this accessor".to_owned())).answer(200),
    }
}
