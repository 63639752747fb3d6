//! Where credentials come from. A new source is one file here, its variant of
//! [`config::CredentialSource`], and one line in [`open`].

mod file;
mod vault;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

pub use file::FileError;

use super::vault::{Grip, Vault};
use super::{CredentialError, Material};
use crate::LocalBoxFuture;
use crate::config;
use crate::model::{Secret, VaultName};

/// The longest user name, password or token.
const MAX_PART: usize = 8 * 1024;

/// Gives out one credential.
pub(super) trait CredentialSource {
    /// Issues it once more.
    fn issue(&self) -> LocalBoxFuture<'_, Result<Issue, CredentialError>>;
}

/// What a source gave.
pub(super) struct Issue {
    pub(super) material: Material,
    /// How long it may be used, counted from before it was asked for.
    pub(super) life: Duration,
    /// When to ask again, counted likewise.
    pub(super) refresh: Duration,
    /// What renews and revokes it; none where nothing was leased: then the same material may be given again.
    pub(super) grip: Option<Grip>,
}

/// The source that a credential's configuration names; none if it names a vault that is not there.
pub(super) fn open(
    source: &config::CredentialSource,
    vaults: &BTreeMap<VaultName, Rc<Vault>>,
) -> Option<Rc<dyn CredentialSource>> {
    Some(match source {
        config::CredentialSource::Vault { vault, read } => {
            Rc::new(vault::FromVault::new(vaults.get(vault)?, read))
        }
        config::CredentialSource::File(path) => Rc::new(file::FromFile::new(path)),
    })
}

/// What was read, if it can be put into a protocol: one account or one token, of a sane size, without control characters.
fn material(
    username: Option<Secret<String>>,
    password: Option<Secret<String>>,
    token: Option<Secret<String>>,
) -> Option<Material> {
    let material = match (username, password, token) {
        (Some(username), Some(password), _) => {
            Material::Password { username: username.expose().clone(), password }
        }
        (None, None, Some(token)) => Material::Token(token),
        _ => return None,
    };
    let plain = |text: &str| (1..=MAX_PART).contains(&text.len()) && !text.chars().any(char::is_control);
    let usable = match &material {
        Material::Token(token) => plain(token.expose()),
        Material::Password { username, password } => plain(username) && plain(password.expose()),
    };
    usable.then_some(material)
}
