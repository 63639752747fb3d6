//! Where our SVIDs and the trust bundles come from: a Workload API or files. Runs on the control
//! thread for the life of the process and publishes what it was given, whole.

mod files;
mod workload_api;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::SharedClock;
use crate::config;
use crate::fault::{Code, Coded};
use crate::live::{Publisher, live};
use crate::model::{Secret, TrustDomain};

use super::Identities;
use super::bundle::{Anchors, RefusedAnchor, TrustBundles};
use super::error::IdentifyError;
use super::jwk::JwtKey;
use super::svid::{OwnSvid, OwnSvids};

/// How many changes may wait to be recorded.
const EVENTS: usize = 256;
/// The longest that fetching a token of ours may take.
const TOKEN_DEADLINE: Duration = Duration::from_secs(5);

/// Something that the source did, for a `reload` record.
#[derive(Debug)]
pub struct SourceEvent {
    /// What it did.
    pub what: SourceChange,
    /// The generation it published; none if what was held before still holds.
    pub generation: Option<u64>,
    /// Why, for a failure.
    pub code: Option<&'static Code>,
    /// In words: names and numbers, never key material.
    pub detail: String,
}

/// What an identity source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChange {
    /// Our SVIDs were replaced.
    Svids,
    /// The trust bundles were replaced.
    Bundles,
    /// What the source had given was taken back.
    Withdrawn,
    /// A certificate of a bundle is not fit to be an anchor and is not used.
    AnchorRefused,
    /// The source fails; said once until it answers again.
    Failing,
    /// The source answers again.
    Recovered,
    /// The source does not offer this and is not asked for it again.
    GivenUp,
}

/// Runs an identity source. Built and run on the control thread.
pub struct Source {
    from: config::IdentitySource,
    out: RefCell<Output>,
}

/// Gets JWT-SVIDs of our own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OwnTokens {
    from: TokensFrom,
}

#[derive(Clone, Debug)]
enum TokensFrom {
    WorkloadApi(Arc<str>),
    File(Option<Arc<PathBuf>>),
}

impl Source {
    /// The source that the configuration names, what it will publish, and what it will tell. Nothing
    /// is held until [`Source::run`] has been given it.
    #[must_use]
    pub fn new(
        identity: &config::Identity,
        clock: SharedClock,
    ) -> (Self, Identities, mpsc::Receiver<SourceEvent>) {
        let since = clock.now().wall;
        let (svids, own) = live(OwnSvids::default(), since);
        let (bundles, trusted) = live(TrustBundles::default(), since);
        let (events, told) = mpsc::channel(EVENTS);
        let out = Output {
            svids,
            bundles,
            anchors: BTreeMap::new(),
            keys: BTreeMap::new(),
            trust: identity.trust.clone(),
            events,
            clock,
        };
        let source = Self { from: identity.source.clone(), out: RefCell::new(out) };
        (source, Identities { svids: own, bundles: trusted }, told)
    }

    /// The way to JWT-SVIDs of our own.
    #[must_use]
    pub fn tokens(&self) -> OwnTokens {
        let from = match &self.from {
            config::IdentitySource::WorkloadApi(endpoint) => {
                TokensFrom::WorkloadApi(endpoint.as_str().into())
            }
            config::IdentitySource::Files { token, .. } => TokensFrom::File(token.clone().map(Arc::new)),
        };
        OwnTokens { from }
    }

    /// Publishes until it is dropped. Whatever fails is tried again, with growing pauses; what was
    /// published holds on, except where the source says that we are nobody.
    pub async fn run(self) {
        match &self.from {
            config::IdentitySource::WorkloadApi(endpoint) => workload_api::follow(endpoint, &self.out).await,
            files @ config::IdentitySource::Files { .. } => files::follow(files, &self.out).await,
        }
    }
}

impl OwnTokens {
    /// A JWT-SVID of ours for `audience`, fresh. Answers or fails within five seconds.
    pub async fn token(&self, audience: &str) -> Result<Secret<String>, IdentifyError> {
        let fetch = async {
            match &self.from {
                TokensFrom::WorkloadApi(endpoint) => workload_api::token(endpoint, audience).await,
                TokensFrom::File(file) => files::token(file.as_deref()).await,
            }
        };
        tokio::time::timeout(TOKEN_DEADLINE, fetch).await.unwrap_or(Err(IdentifyError::SourceLate))
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("from", &self.from).finish_non_exhaustive()
    }
}

/// What the source has to say, and to whom.
struct Output {
    svids: Publisher<OwnSvids>,
    bundles: Publisher<TrustBundles>,
    anchors: BTreeMap<TrustDomain, Arc<Anchors>>,
    keys: BTreeMap<TrustDomain, Arc<[JwtKey]>>,
    trust: Vec<TrustDomain>,
    events: mpsc::Sender<SourceEvent>,
    clock: SharedClock,
}

impl Output {
    /// The listed trust domain of that name: bundles of others are not even kept.
    fn listed(&self, name: &str) -> Option<TrustDomain> {
        self.trust.iter().find(|listed| listed.as_str() == name).cloned()
    }

    fn set_svids(&mut self, svids: Vec<OwnSvid>) {
        let next = OwnSvids::new(svids);
        let detail = match (next.default_id(), next.expires_at()) {
            (Some(id), Some(ends)) => format!("{id} until {ends}"),
            _ => "none".to_owned(),
        };
        let generation = self.svids.publish(next, self.clock.now().wall);
        self.tell(SourceChange::Svids, Some(generation), None, detail);
    }

    /// Anchors as the source lists them, DER, by listed trust domain; they replace all others.
    fn set_anchors(&mut self, given: BTreeMap<TrustDomain, Vec<Vec<u8>>>) {
        let now = self.clock.now().unix_seconds();
        let mut next = BTreeMap::new();
        let mut refused = Vec::new();
        for (domain, certificates) in given {
            let certificates = certificates.iter().map(Vec::as_slice);
            let (anchors, unfit) = Anchors::load(&domain, certificates, now);
            refused.extend(unfit);
            next.insert(domain, Arc::new(anchors));
        }
        if next != self.anchors {
            self.anchors = next;
            for anchor in &refused {
                self.tell_refused(anchor);
            }
            self.publish_bundles();
        }
    }

    /// Keys as the source lists them, by listed trust domain; they replace all others.
    fn set_keys(&mut self, next: BTreeMap<TrustDomain, Arc<[JwtKey]>>) {
        if next != self.keys {
            self.keys = next;
            self.publish_bundles();
        }
    }

    fn publish_bundles(&mut self) {
        let next = TrustBundles::new(self.anchors.clone(), self.keys.clone());
        let count = |(domain, number): (&TrustDomain, usize)| format!(" {domain}={number}");
        let anchors: String = next.anchors().map(count).collect();
        let keys: String = next.jwt_keys().map(count).collect();
        let generation = self.bundles.publish(next, self.clock.now().wall);
        self.tell(SourceChange::Bundles, Some(generation), None, format!("anchors{anchors}; jwt keys{keys}"));
    }

    fn tell_refused(&self, anchor: &RefusedAnchor) {
        let detail = format!("{}: {}", anchor.trust_domain, anchor.reason);
        self.tell(SourceChange::AnchorRefused, None, Some(anchor.reason.code()), detail);
    }

    fn tell_failure(&self, what: SourceChange, error: &IdentifyError) {
        self.tell(what, None, Some(error.code()), error.to_string());
    }

    fn tell(&self, what: SourceChange, generation: Option<u64>, code: Option<&'static Code>, detail: String) {
        // Whoever records this may be slow or gone; identities are renewed all the same.
        if let Err(unread) = self.events.try_send(SourceEvent { what, generation, code, detail }) {
            tracing::warn!(%unread, ?what, generation, "an event of the identity source found no reader");
        }
    }
}
