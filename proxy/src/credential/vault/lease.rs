use std::rc::Rc;
use std::time::Duration;

use super::Vault;
use super::error::VaultError;
use super::login::Session;
use crate::model::Secret;

/// Our hold on one lease of a vault: what renews and revokes it.
pub(crate) struct Grip {
    pub(crate) vault: Rc<Vault>,
    pub(crate) lease_id: Secret<String>,
    /// The login it was taken under, and ends with.
    pub(crate) session: Rc<Session>,
    pub(crate) renewable: bool,
}

/// What a vault says of a lease that is to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Looked up after its end, and not found.
    LookedUp,
    /// The vault said that it revoked it, and we may not look it up.
    Revoked,
}

impl Proof {
    /// As records show it.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::LookedUp => "vault:lookup:gone",
            Self::Revoked => "vault:revoked",
        }
    }
}

impl Grip {
    /// Asks for `increment` more, and says how much was granted, counted from the call; `None` when the lease is gone.
    pub(crate) async fn renew(&self, increment: Duration) -> Result<Option<Duration>, VaultError> {
        let body =
            serde_json::json!({ "lease_id": self.lease_id.expose(), "increment": increment.as_secs() });
        match self.vault.call(Vault::errand("sys/leases/renew", Some(body.to_string()))).await {
            Ok((envelope, _)) => Ok(Some(Duration::from_secs(envelope.lease_duration))),
            Err(VaultError::Refused { status: 400, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Vault {
    /// Revokes a lease and sees to it that it is gone, with the account it stands for.
    pub(crate) async fn end_lease(&self, lease_id: &Secret<String>) -> Result<Proof, VaultError> {
        // Synchronous: otherwise the lease is gone while the account is still being dropped.
        let body = serde_json::json!({ "lease_id": lease_id.expose(), "sync": true });
        match self.call(Self::errand("sys/leases/revoke", Some(body.to_string()))).await {
            // 400: it is gone already; the look-up shows whether that is so.
            Ok(_) | Err(VaultError::Refused { status: 400, .. }) => {}
            Err(error) => return Err(error),
        }
        match self.lease_is_gone(lease_id).await {
            Ok(true) => Ok(Proof::LookedUp),
            Ok(false) => Err(VaultError::Answer("shows the lease alive after its revocation")),
            Err(VaultError::Denied(_)) => Ok(Proof::Revoked),
            Err(error) => Err(error),
        }
    }

    /// Whether the vault no longer has it.
    pub(crate) async fn lease_is_gone(&self, lease_id: &Secret<String>) -> Result<bool, VaultError> {
        let body = serde_json::json!({ "lease_id": lease_id.expose() });
        match self.call(Self::errand("sys/leases/lookup", Some(body.to_string()))).await {
            Ok(_) => Ok(false),
            Err(VaultError::Refused { status: 400, .. } | VaultError::Missing(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Revokes a login of an earlier run by its accessor, with every lease it took. `false`: we may not.
    pub(crate) async fn end_login(&self, accessor: &str) -> Result<bool, VaultError> {
        let body = serde_json::json!({ "accessor": accessor });
        match self.call(Self::errand("auth/token/revoke-accessor", Some(body.to_string()))).await {
            // 400: no such accessor, so the token is gone already.
            Ok(_) | Err(VaultError::Refused { status: 400, .. } | VaultError::Missing(_)) => Ok(true),
            Err(VaultError::Denied(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
