//! What can be read: key-value secrets (version 2), dynamic accounts, accounts with rotating passwords.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use super::{
    answer::{Answer, Envelope, seconds_to, timestamp},
    lease::Lease,
    state::{State, password, random},
};

/// One version of a key-value secret.
pub(super) struct Version {
    data: Value,
    created: String,
    /// Empty while it is not deleted.
    deleted: String,
}

impl Version {
    pub(super) fn new(data: Value) -> Self {
        Self { data, created: wall_clock(), deleted: String::new() }
    }

    pub(super) fn delete(&mut self) {
        self.data = Value::Null;
        self.deleted = wall_clock();
    }
}

fn wall_clock() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// A deleted version is a 404 with the shape of a success.
pub(super) fn key_value(state: &State, path: &str, query: &str) -> Answer {
    let Some(versions) = state.secrets.get(path) else { return Answer::nothing() };
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("version="));
    let number = match asked.map(str::parse).transpose() {
        Ok(None | Some(0)) => versions.len(),
        Ok(Some(number)) => number,
        Err(_) => return Answer::error(400, "error converting input for field \"version\""),
    };
    let Some(version) = number.checked_sub(1).and_then(|index| versions.get(index)) else {
        return Answer::nothing();
    };
    let data = json!({
        "data": version.data,
        "metadata": {
            "created_time": version.created,
            "custom_metadata": null,
            "deletion_time": version.deleted,
            "destroyed": false,
            "version": number,
        },
    });
    Envelope::new().data(data).answer(if version.deleted.is_empty() { 200 } else { 404 })
}

/// Adds an account and leases it to the token that asks.
pub(super) fn dynamic_account(state: &mut State, role: &str, token: &str, now: Instant) -> Answer {
    let Some(lives) = state.database_roles.get(role).copied() else { return unknown_role(role) };
    let (user, password) = (format!("v-jwt-{role}-{}", random(20)), password());
    let id = format!("database/creds/{role}/{}", random(24));
    let ttl = lives.ttl.min(lives.max_ttl);
    let lease = Lease {
        user: user.clone(),
        token: token.to_owned(),
        ttl: lives.ttl,
        issued: now,
        ends: now + ttl,
        max_end: now + lives.max_ttl,
        renewed: None,
        renewals: 0,
    };
    state.accounts.put(&user, &password);
    state.leases.insert(id.clone(), lease);
    Envelope::new().lease(&id, ttl).data(json!({ "password": password, "username": user })).answer(200)
}

pub(super) fn static_account(state: &State, role: &str, now: Instant) -> Answer {
    let Some(found) = state.static_roles.get(role) else { return unknown_role(role) };
    let data = json!({
        "last_vault_rotation": timestamp(found.rotated, now),
        "password": found.password,
        "rotation_period": found.period.as_secs(),
        "ttl": seconds_to(found.rotated + found.period, now),
        "username": found.user,
    });
    Envelope::new().data(data).answer(200)
}

fn unknown_role(role: &str) -> Answer {
    Answer::error(400, &format!("1 error occurred:\n\t* unknown role: {role}\n\n"))
}
