//! The accounts of the old service: what the vault adds to and the service logs in with.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::held;

/// A table of user names and passwords, shared by all clones.
#[derive(Clone, Default)]
pub struct Accounts(Arc<Mutex<BTreeMap<String, Account>>>);

struct Account {
    password: String,
    logins: u64,
}

impl Accounts {
    /// No accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account, or gives an existing one another password and forgets its logins.
    pub fn put(&self, user: &str, password: &str) {
        let account = Account { password: password.to_owned(), logins: 0 };
        held(&self.0).insert(user.to_owned(), account);
    }

    /// Removes an account; whether there was one.
    #[expect(clippy::must_use_candidate, reason = "most callers only want it gone")]
    pub fn remove(&self, user: &str) -> bool {
        held(&self.0).remove(user).is_some()
    }

    /// Whether the password is this account's; counted when it is.
    #[must_use]
    pub fn log_in(&self, user: &str, password: &str) -> bool {
        let mut accounts = held(&self.0);
        let account = accounts.get_mut(user).filter(|account| account.password == password);
        account.map(|account| account.logins += 1).is_some()
    }

    /// The names of all accounts, sorted.
    #[must_use]
    pub fn users(&self) -> Vec<String> {
        held(&self.0).keys().cloned().collect()
    }

    /// How often this account logged in; zero when there is none.
    #[must_use]
    pub fn logins(&self, user: &str) -> u64 {
        held(&self.0).get(user).map_or(0, |account| account.logins)
    }

    /// The password of an account, for tests that search for it where it must not be.
    #[must_use]
    pub fn password(&self, user: &str) -> Option<String> {
        held(&self.0).get(user).map(|account| account.password.clone())
    }
}
