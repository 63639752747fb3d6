//! Bundles of policy, and who must have signed them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{At, Resolver, draft, units};
use crate::config::problem::Wrong;
use crate::config::rules::Rule;
use crate::config::{
    Bundle, BundleService, BundleSource, Endpoint, TlsVersion, UpstreamProof, UpstreamTls, Verify, VerifyKey,
};

impl Resolver<'_> {
    pub(super) fn bundle(&mut self, at: &At, bundle: &draft::Bundle) -> Option<Bundle> {
        let source = match (&bundle.path, &bundle.url) {
            (Some(path), None) => self.only_a_path(at, bundle, path),
            (None, Some(url)) => self.service(at, bundle, url),
            _ => {
                self.problems.rule(at, Rule::OneOf("`path` and `url`"));
                None
            }
        };
        let verify = bundle.verify.as_ref().map(|verify| self.verify(&at.key("verify"), verify));
        Some(Bundle { source: source?, verify })
    }

    /// A path has none of what belongs to a service.
    fn only_a_path(&mut self, at: &At, bundle: &draft::Bundle, path: &draft::File) -> Option<BundleSource> {
        for (key, is_there) in [
            ("tls", bundle.tls.is_some()),
            ("token_file", bundle.token_file.is_some()),
            ("polling", bundle.polling.is_some()),
            ("timeout", bundle.timeout.is_some()),
            ("size", bundle.size.is_some()),
        ] {
            if is_there {
                self.problems.rule(&at.key(key), Rule::Useless(key, "without `url`"));
            }
        }
        self.file(&at.key("path"), path).map(BundleSource::Path)
    }

    fn service(&mut self, at: &At, bundle: &draft::Bundle, url: &str) -> Option<BundleSource> {
        let proofs = (bundle.tls.as_ref(), bundle.token_file.as_ref());
        let thirty = draft::Duration("30s".into());
        let timeout = bundle.timeout.as_ref().unwrap_or(&thirty);
        let timeout = self.duration(&at.key("timeout"), timeout, ("100ms", "1h"));
        let endpoint = self.endpoint(at, url, proofs, timeout);
        let most = draft::Size("64MiB".into());
        let size = self.size(&at.key("size"), bundle.size.as_ref().unwrap_or(&most), ("1KiB", "64MiB"));
        let (default, at) = (draft::Polling::default(), at.key("polling"));
        let polling = bundle.polling.as_ref().unwrap_or(&default);
        let min = self.duration(&at.key("min"), &polling.min, ("10ms", "1d"));
        let max = self.duration(&at.key("max"), &polling.max, ("10ms", "1d"));
        let long = match &polling.long {
            Some(long) => Some(self.duration(&at.key("long"), long, ("1s", "1h"))?),
            None => None,
        };
        let (min, max) = (min?, max?);
        if min > max {
            self.problems.rule(&at, Rule::Order("min", "max"));
        }
        Some(BundleSource::Service(Arc::new(BundleService {
            endpoint: endpoint?,
            min,
            max,
            long,
            size: size?,
        })))
    }

    pub(super) fn status(&mut self, at: &At, status: &draft::Status) -> Option<Endpoint> {
        let partition = match &status.partition {
            Some(partition) => {
                Some(self.name::<crate::model::RouteName>(&at.key("partition"), partition)?.to_string())
            }
            None => None,
        };
        let timeout = self.duration(&at.key("timeout"), &status.timeout, ("100ms", "1m"));
        let proofs = (status.tls.as_ref(), status.token_file.as_ref());
        let base = self.endpoint(at, &status.url, proofs, timeout)?;
        let below = partition.map(|partition| format!("/{partition}")).unwrap_or_default();
        let path = format!("{}/status{below}", base.path.trim_end_matches('/'));
        Some(Endpoint { path, ..base })
    }

    fn endpoint(
        &mut self,
        at: &At,
        url: &str,
        (tls, token_file): (Option<&draft::Tls>, Option<&draft::File>),
        timeout: Option<Duration>,
    ) -> Option<Endpoint> {
        let parts = self.problems.unit(&at.key("url"), units::service_url(url));
        let proof = tls.map(|tls| self.tls(&at.key("tls"), tls, None));
        let token_file = self.file_if(&at.key("token_file"), token_file);
        let (is_tls, host, port, path) = parts?;
        let tls = match (is_tls, proof) {
            (true, Some(tls)) => Some(tls?),
            (true, None) => Some(UpstreamTls {
                proof: UpstreamProof::Roots(self.system_roots()),
                server_name: None,
                min: TlsVersion::V12,
                present_svid: false,
            }),
            (false, Some(_)) => {
                self.problems.rule(&at.key("tls"), Rule::Useless("tls", "over http://"));
                None
            }
            (false, None) => None,
        };
        let (url, timeout) = (url.to_owned(), timeout?);
        Some(Endpoint { url, tls, host, port, path, token_file: token_file?, timeout })
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
        let since = verify
            .since
            .as_deref()
            .and_then(|since| self.problems.unit(&at.key("since"), units::time(since)));
        Verify {
            keys,
            since,
            keyid: verify.keyid.clone(),
            scope: verify.scope.clone(),
            exclude_files: verify.exclude_files.clone(),
            sha1: verify.sha1,
        }
    }
}
