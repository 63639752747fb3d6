//! Bundles of policy, and who must have signed them.

use std::collections::BTreeMap;

use super::{At, Resolver, draft};
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::{Bundle, Verify, VerifyKey};

impl Resolver<'_> {
    pub(super) fn bundle(&mut self, at: &At, bundle: &draft::Bundle) -> Option<Bundle> {
        let path = self.file(&at.key("path"), &bundle.path);
        let verify = bundle.verify.as_ref().map(|verify| self.verify(&at.key("verify"), verify));
        Some(Bundle { path: path?, verify })
    }

    fn verify(&mut self, at: &At, verify: &draft::Verify) -> Verify {
        if verify.keys.is_empty() {
            self.problems.rule(&at.key("keys"), Rule::Empty);
        }
        let mut keys = BTreeMap::new();
        for (id, key) in &verify.keys {
            let at = at.key("keys").key(id);
            let file = self.file(&at.key("file"), &key.file);
            let algorithm = key.algorithm.parse();
            if algorithm.is_err() {
                let allowed = postern_policy::Algorithm::NAMES.iter().map(ToString::to_string).collect();
                let wrong = Wrong::Value { value: key.algorithm.clone(), allowed };
                self.problems.value(&at.key("algorithm"), wrong);
            }
            if let (Some(file), Ok(algorithm)) = (file, algorithm) {
                keys.insert(id.clone(), VerifyKey { file, algorithm, scope: key.scope.clone() });
            }
        }
        if let Some(keyid) = verify.keyid.as_ref().filter(|id| !verify.keys.contains_key(*id)) {
            let known = verify.keys.keys().cloned().collect();
            let wrong = Wrong::Unresolved { kind: "key", name: keyid.clone(), known };
            self.problems.value(&at.key("keyid"), wrong);
        }
        for (index, pattern) in verify.exclude_files.iter().enumerate() {
            if pattern.is_empty() || pattern.contains(['[', ']', '{', '}', '\\']) {
                self.problems.value(
                    &at.key("exclude_files").index(index),
                    Wrong::Rule(Rule::Pattern(pattern.clone())),
                );
            }
        }
        Verify {
            keys,
            keyid: verify.keyid.clone(),
            scope: verify.scope.clone(),
            exclude_files: verify.exclude_files.clone(),
            sha1: verify.sha1,
        }
    }
}
