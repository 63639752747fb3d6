//! Everything the vault knows, and how it ends.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::{DatabaseRole, JwtRole, lease::Lease, secrets::Version, token::Token};
use crate::Accounts;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) struct State {
    pub(super) jwks: watch::Receiver<String>,
    pub(super) accounts: Accounts,
    pub(super) jwt_roles: BTreeMap<String, JwtRole>,
    pub(super) database_roles: BTreeMap<String, DatabaseRole>,
    pub(super) static_roles: BTreeMap<String, StaticRole>,
    pub(super) secrets: BTreeMap<String, Vec<Version>>,
    /// By the token itself; without the root token.
    pub(super) tokens: BTreeMap<String, Token>,
    /// By lease id.
    pub(super) leases: BTreeMap<String, Lease>,
    root: String,
}

/// An account whose password the vault changes every `period`.
pub(super) struct StaticRole {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) period: Duration,
    pub(super) rotated: Instant,
}

impl State {
    pub(super) fn new(jwks: watch::Receiver<String>, accounts: Accounts) -> Self {
        Self {
            jwks,
            accounts,
            jwt_roles: BTreeMap::new(),
            database_roles: BTreeMap::new(),
            static_roles: BTreeMap::new(),
            secrets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            leases: BTreeMap::new(),
            root: format!("s.{}", random(24)),
        }
    }

    pub(super) fn root_token(&self) -> &str {
        &self.root
    }

    /// Ends what has reached its end and rotates what is due; called before each answer and when something
    /// falls due.
    pub(super) fn advance(&mut self, now: Instant) {
        let over = |ends: Instant| ends <= now;
        let tokens: Vec<_> = ids(self.tokens.iter().filter(|(_, token)| over(token.ends)));
        for token in &tokens {
            self.end_token(token);
        }
        let leases: Vec<_> = ids(self.leases.iter().filter(|(_, lease)| over(lease.ends)));
        for lease in leases {
            self.end_lease(&lease);
        }
        for role in self.static_roles.values_mut().filter(|role| over(role.rotated + role.period)) {
            role.rotate(&self.accounts, now);
        }
    }

    /// When [`State::advance`] has something to do next.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let tokens = self.tokens.values().map(|token| token.ends);
        let leases = self.leases.values().map(|lease| lease.ends);
        let roles = self.static_roles.values().map(|role| role.rotated + role.period);
        tokens.chain(leases).chain(roles).min()
    }

    /// Ends a lease and removes its account; whether there was one.
    pub(super) fn end_lease(&mut self, id: &str) -> bool {
        let Some(lease) = self.leases.remove(id) else { return false };
        self.accounts.remove(&lease.user);
        true
    }

    /// Ends a token and every lease it created.
    pub(super) fn end_token(&mut self, token: &str) {
        self.tokens.remove(token);
        for lease in ids(self.leases.iter().filter(|(_, lease)| lease.token == token)) {
            self.end_lease(&lease);
        }
    }

    pub(super) fn end_all_tokens(&mut self) {
        let tokens: Vec<_> = self.tokens.keys().cloned().collect();
        for token in &tokens {
            self.end_token(token);
        }
    }

    pub(super) fn put_static_role(&mut self, name: &str, user: &str, period: Duration, now: Instant) {
        let mut role = StaticRole { user: user.to_owned(), password: String::new(), period, rotated: now };
        role.rotate(&self.accounts, now);
        self.static_roles.insert(name.to_owned(), role);
    }

    pub(super) fn put_secret(&mut self, path: &str, data: Value) {
        self.secrets.entry(path.to_owned()).or_default().push(Version::new(data));
    }

    pub(super) fn delete_secret(&mut self, path: &str) {
        if let Some(version) = self.secrets.get_mut(path).and_then(|versions| versions.last_mut()) {
            version.delete();
        }
    }
}

impl StaticRole {
    fn rotate(&mut self, accounts: &Accounts, now: Instant) {
        self.password = password();
        self.rotated = now;
        accounts.put(&self.user, &self.password);
    }
}

fn ids<'a, T: 'a>(found: impl Iterator<Item = (&'a String, &'a T)>) -> Vec<String> {
    found.map(|(id, _)| id.clone()).collect()
}

/// Twenty characters with a dash, as Vault makes them.
pub(super) fn password() -> String {
    format!("{}-{}", random(3), random(16))
}

/// So many letters and digits.
#[expect(clippy::expect_used, reason = "on a machine without randomness the lab cannot run")]
pub(super) fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
        .map(|c| char::from(*c))
        .collect()
}
