use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::Resolver;
use crate::config::rules::Rule;
use crate::config::tree::At;
use crate::config::{Credential, CredentialSource, LeasePer, draft, units};
use crate::model::CredentialName;

impl Resolver<'_> {
    pub(super) fn credentials(&mut self, at: &At) -> BTreeMap<CredentialName, Arc<Credential>> {
        let mut credentials = BTreeMap::new();
        for (name, credential) in &self.draft.credentials {
            if let Some(credential) = self.credential(&at.key(name), name, credential) {
                credentials.insert(credential.name.clone(), Arc::new(credential));
            }
        }
        credentials
    }

    fn credential(&mut self, at: &At, name: &str, credential: &draft::Credential) -> Option<Credential> {
        let name = self.name(at, name);
        let source = self.source(at, credential);
        let idle = self.duration(&at.key("idle"), &credential.idle, ("1s", "1d"));
        let draft = self.draft;
        self.no_twins(&at.key("only_to"), &credential.only_to);
        let mut only_to = Vec::new();
        for (index, upstream) in credential.only_to.iter().enumerate() {
            let at = at.key("only_to").index(index);
            only_to.extend(self.one_of(&at, upstream, "upstream", draft.upstreams.keys()));
        }
        let lease_per = match credential.lease_per {
            draft::Sharing::Caller => LeasePer::Caller,
            draft::Sharing::Listener => LeasePer::Listener,
        };
        // A name that resolves to nothing must not widen "only to these" to "to any".
        let complete = only_to.len() == credential.only_to.len();
        Some(Credential {
            name: name?,
            source: source?,
            lease_per,
            idle: idle?,
            most: NonZeroUsize::new(credential.most as usize)?,
            only_to: complete.then_some(only_to)?,
        })
    }

    fn source(&mut self, at: &At, credential: &draft::Credential) -> Option<CredentialSource> {
        let draft = self.draft;
        match (&credential.vault, &credential.read, &credential.file) {
            (Some(_), _, Some(_)) => self.problems.rule(at, Rule::Both("vault", "file")),
            (None, Some(_), Some(_)) => self.problems.rule(at, Rule::Both("read", "file")),
            (None, None, Some(file)) => {
                return self.file(&at.key("file"), file).map(CredentialSource::File);
            }
            (Some(vault), Some(read), None) => {
                let vault = self.one_of(&at.key("vault"), vault, "vault", draft.vaults.keys());
                let read = self.problems.unit(&at.key("read"), units::vault_path(read));
                return Some(CredentialSource::Vault { vault: vault?, read: read? });
            }
            _ => self.problems.rule(at, Rule::OneOf("`vault` with `read`, or `file`,")),
        }
        None
    }
}
