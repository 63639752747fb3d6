use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::authorize::LoadedPolicy;
use crate::authorize::service::Board;
use crate::clock::SharedClock;
use crate::config::{Config, ProofKind};
use crate::credential::Keeper;
use crate::identify::Identities;
use crate::live::{Live, Versioned};
use crate::record::metrics::Metrics;

/// What health is judged from: the live values, with their ages. Staleness is a state, not a log line.
pub struct Status {
    /// What serves.
    pub config: Live<Arc<Config>>,
    /// Our SVIDs and trust bundles.
    pub identities: Identities,
    /// The policy that judges.
    pub policy: Live<LoadedPolicy>,
    /// What became of each bundle.
    pub bundles: Board,
    /// Everything that is counted.
    pub metrics: Arc<Metrics>,
    /// What is leased.
    pub keeper: Keeper,
    /// Where ages are measured from.
    pub clock: SharedClock,
    /// No new connection is taken.
    pub draining: Cell<bool>,
}

/// The answer of `/ready`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether requests are taken: an SVID of its own, trust bundles, a policy, and no drain. Vaults and upstreams are not
    /// asked.
    pub ready: bool,
    /// What is missing, each with the code that a request would be refused with.
    pub missing: Vec<Missing>,
    /// Each live value.
    pub values: BTreeMap<&'static str, Value>,
}

/// Something without which no request is served.
#[derive(Debug, Serialize)]
pub struct Missing {
    what: &'static str,
    code: &'static str,
    hint: &'static str,
}

/// A live value as health shows it.
#[derive(Debug, Serialize)]
pub struct Value {
    /// How often it was replaced.
    pub generation: u64,
    /// Seconds since it was.
    pub age_s: u64,
    /// Its revision or identity, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Seconds until it ends by itself, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_in_s: Option<u64>,
}

impl Status {
    /// Whether requests are taken, and why not.
    #[must_use]
    pub fn report(&self) -> Report {
        use crate::fault::codes;
        let svids = self.identities.svids.load();
        let bundles = self.identities.bundles.load();
        let policy = self.policy.load();
        let now = self.clock.now();
        let ends = svids.value.expires_at().map(|end| end.saturating_sub(now.unix_seconds()));
        let mut missing = Vec::new();
        let mut lack = |what, code: &'static crate::fault::Code| {
            missing.push(Missing { what, code: code.id, hint: code.hint });
        };
        if self.draining.get() {
            lack("serving", codes::DRAINING);
        }
        if ends.is_none_or(|left| left == 0) {
            lack("svid", codes::NO_OWN_SVID);
        }
        if bundles.value.anchors().next().is_none() {
            lack("bundles", codes::NO_BUNDLE);
        }
        if self.takes_tokens() && bundles.value.jwt_keys().all(|(_, keys)| keys == 0) {
            lack("jwt bundles", codes::NO_BUNDLE);
        }
        if policy.value.set.is_none() {
            lack("policy", codes::POLICY_ABSENT);
        }
        let revisions: Vec<&str> = policy.value.revisions.values().map(String::as_str).collect();
        let id = svids.value.default_id().map(ToString::to_string);
        let values = BTreeMap::from([
            ("svid", Value { what: id, ends_in_s: ends, ..self.value(&svids) }),
            ("bundles", self.value(&bundles)),
            ("config", self.value(&self.config.load())),
            ("policy", Value { what: Some(revisions.join(" ")), ..self.value(&policy) }),
        ]);
        Report { ready: missing.is_empty(), missing, values }
    }

    /// Whether some listener's callers prove themselves by a token.
    fn takes_tokens(&self) -> bool {
        let config = &self.config.load().value;
        config.listeners.values().any(|listener| listener.callers.any_of.contains(&ProofKind::JwtSvid))
    }

    /// Metrics as Prometheus scrapes them, ages as of now.
    #[must_use]
    pub fn exposition(&self) -> Vec<u8> {
        for (what, value) in self.report().values {
            self.metrics.generation.with_label_values(&[what]).set(signed(value.generation));
            self.metrics.age.with_label_values(&[what]).set(signed(value.age_s));
        }
        let figures = self.keeper.figures();
        self.metrics.leases.set(signed(figures.leases));
        self.metrics.oldest_lease.set(signed(figures.oldest_age));
        self.metrics.leases_ending.set(signed(figures.ending + figures.leftovers));
        for (counter, total) in [
            (&self.metrics.vault_calls, figures.vault_calls),
            (&self.metrics.vault_failures, figures.vault_failures),
        ] {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.metrics.exposition()
    }

    /// What is configured and what serves, without any secret.
    #[must_use]
    pub fn state(&self) -> serde_json::Value {
        let config = &self.config.load().value;
        let listeners: BTreeMap<_, _> = config.listeners.values().map(|listener| {
            let routes: Vec<_> = listener.routes.iter().map(|route| {
                serde_json::json!({
                    "route": route.name, "host": route.host, "path": format!("/{}", route.segments.join("/")),
                    "upstream": route.upstream.name, "credentials": route.credentials,
                })
            }).collect();
            (listener.name.to_string(), serde_json::json!({ "bind": listener.bind, "protocol": listener.protocol, "routes": routes }))
        }).collect();
        serde_json::json!({ "health": self.report(), "listeners": listeners, "bundles": self.bundles.bundles(), "file": config.file })
    }

    fn value<T>(&self, live: &Versioned<T>) -> Value {
        let age = self.clock.now().wall.duration_since(live.since).unwrap_or_default();
        Value { generation: live.generation, age_s: age.as_secs(), what: None, ends_in_s: None }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
