use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::Resolver;
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::tree::At;
use crate::config::units::{self, UnitError};
use crate::config::{Vault, VaultLogin, draft};
use crate::model::VaultName;

/// Where Debian, Alpine, and the container bases made of them keep the roots of the system.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

impl Resolver<'_> {
    pub(super) fn vaults(&mut self, at: &At) -> BTreeMap<VaultName, Arc<Vault>> {
        let mut vaults = BTreeMap::new();
        for (name, vault) in &self.draft.vaults {
            if let Some(vault) = self.vault(&at.key(name), name, vault) {
                vaults.insert(vault.name.clone(), Arc::new(vault));
            }
        }
        vaults
    }

    fn vault(&mut self, at: &At, name: &str, vault: &draft::Vault) -> Option<Vault> {
        let name = self.name(at, name);
        let url = self.problems.unit(&at.key("url"), units::vault_url(&vault.url));
        let login = self.vault_login(&at.key("login"), &vault.login);
        let timeout = self.duration(&at.key("timeout"), &vault.timeout, ("100ms", "1m"));
        let spiffe_id = match &vault.spiffe_id {
            Some(id) => Some(self.spiffe_id(&at.key("spiffe_id"), id)?),
            None => None,
        };
        let namespace = match &vault.namespace {
            Some(text) => Some(self.text(&at.key("namespace"), text)?),
            None => None,
        };
        if vault.roots.is_some() && vault.spiffe_id.is_some() {
            self.problems.rule(at, Rule::Both("roots", "spiffe_id"));
        }
        let (tls, host, port) = url?;
        let roots = match (self.file_if(&at.key("roots"), vault.roots.as_ref())?, &spiffe_id) {
            (None, None) if tls => Some(self.system_roots()),
            (roots, _) => roots,
        };
        Some(Vault {
            name: name?,
            tls,
            host,
            port,
            roots,
            spiffe_id,
            namespace,
            login: login?,
            timeout: timeout?,
        })
    }

    /// The roots of whoever is not told which to take.
    pub(super) fn system_roots(&self) -> PathBuf {
        self.around.roots.clone().unwrap_or_else(|| PathBuf::from(SYSTEM_ROOTS))
    }

    fn vault_login(&mut self, at: &At, login: &draft::VaultLogin) -> Option<VaultLogin> {
        match login {
            draft::VaultLogin::TokenFile(file) => {
                self.file(&at.key("token_file"), file).map(VaultLogin::TokenFile)
            }
            draft::VaultLogin::Jwt(jwt) => {
                let at = at.key("jwt");
                let role = self.text(&at.key("role"), &jwt.role);
                let audience = self.text(&at.key("audience"), &jwt.audience);
                // A mount is one or more segments of a path, as the path of a credential is.
                let mount = units::vault_path(&format!("auth/{}", jwt.mount))
                    .map_err(|_| UnitError::VaultPath(jwt.mount.clone()));
                if let Err(wrong) = &mount {
                    self.problems.value(&at.key("mount"), Wrong::Unit(wrong.clone()));
                }
                mount.ok()?;
                Some(VaultLogin::Jwt { mount: jwt.mount.clone(), role: role?, audience: audience? })
            }
        }
    }
}
