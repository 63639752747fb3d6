use std::rc::Rc;
use std::time::Duration;

use super::{CredentialSource, Issue, material};
use crate::LocalBoxFuture;
use crate::credential::CredentialError;
use crate::credential::vault::{Data, Grip, Vault, VaultError};
use crate::pace;

/// How long a secret without any end of its own is trusted after it was read: in an outage it goes on for so long.
const STATIC_LIFE: Duration = Duration::from_mins(5);
/// How often such a secret is read again.
const STATIC_REFRESH: Duration = Duration::from_mins(1);
/// A lease longer than this is taken for this: what we do not come back to is not kept.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// One constant path of a vault: kv version 1 and 2, the database engine's dynamic and static
/// accounts, and any other path that answers with `username` and `password`, or `token`.
pub(super) struct FromVault {
    vault: Rc<Vault>,
    path: String,
}

impl FromVault {
    pub(super) fn new(vault: &Rc<Vault>, path: &str) -> Self {
        Self { vault: Rc::clone(vault), path: path.trim_matches('/').to_owned() }
    }

    async fn read(&self) -> Result<Issue, CredentialError> {
        let (envelope, session) = self.vault.read(&self.path).await.map_err(CredentialError::vault)?;
        let life = Duration::from_secs(envelope.lease_duration).min(LONGEST);
        let grip = envelope.lease_id.map(|lease_id| Grip {
            vault: Rc::clone(&self.vault),
            lease_id,
            session,
            renewable: envelope.renewable,
        });
        let data = envelope.data.map(|data| match data.inner {
            Some(inner) => *inner,
            None => data,
        });
        let issued = data.ok_or(VaultError::Answer("has no data")).and_then(|data| issue(data, life, grip));
        issued.map_err(CredentialError::vault)
    }
}

impl CredentialSource for FromVault {
    fn issue(&self) -> LocalBoxFuture<'_, Result<Issue, CredentialError>> {
        Box::pin(self.read())
    }
}

fn issue(data: Data, life: Duration, grip: Option<Grip>) -> Result<Issue, VaultError> {
    let ttl = data.ttl.map(Duration::from_secs);
    let Some(material) = material(data.username, data.password, data.token) else {
        return Err(VaultError::Answer("holds neither a username with a password nor a token"));
    };
    Ok(match (grip, ttl) {
        (Some(grip), _) => Issue { material, life, refresh: pace::ahead(life), grip: Some(grip) },
        // An account whose password the vault rotates: the answer says for how long this one holds.
        (None, Some(ttl)) => {
            let life = ttl.clamp(Duration::from_secs(1), LONGEST);
            Issue { material, life, refresh: pace::around(STATIC_REFRESH.min(life)), grip: None }
        }
        (None, None) => {
            Issue { material, life: STATIC_LIFE, refresh: pace::around(STATIC_REFRESH), grip: None }
        }
    })
}
