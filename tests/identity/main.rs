//! Where identities come from, tried against the lab's authority and against files on disk.

mod bundle;
mod files;
mod lab_clients;
mod workload_api;

use std::sync::Arc;
use std::time::Duration;

use postern::clock::SystemClock;
use postern::config::{Identity, IdentitySource};
use postern::identify::{Identities, OwnTokens, Source, SourceChange, SourceEvent};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// The trust domain of the lab's authority.
const DOMAIN: &str = "lab.example";
/// Who this very test is to that authority.
const ID: &str = "spiffe://lab.example/test";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A source that runs while a test looks on.
struct Watched {
    identities: Identities,
    tokens: OwnTokens,
    told: mpsc::Receiver<SourceEvent>,
}

/// Runs the source beside `test`.
async fn watching(from: IdentitySource, trust: &[&str], test: impl AsyncFnOnce(Watched)) {
    let trust = trust.iter().map(|name| name.parse().unwrap()).collect();
    let (source, identities, told) = Source::new(&Identity { source: from, trust }, Arc::new(SystemClock));
    let tokens = source.tokens();
    tokio::select! {
        () = Box::pin(source.run()) => panic!("a source runs for ever"),
        () = Box::pin(test(Watched { identities, tokens, told })) => {}
    }
}

impl Watched {
    fn id(&self) -> Option<String> {
        self.identities.svids.load().value.default_id().map(ToString::to_string)
    }

    /// How many anchors are held, by trust domain.
    fn anchors(&self) -> Vec<(String, usize)> {
        let bundles = self.identities.bundles.load();
        bundles.value.anchors().map(|(domain, number)| (domain.to_string(), number)).collect()
    }

    fn jwt_keys(&self) -> usize {
        self.identities.bundles.load().value.jwt_keys().map(|(_, number)| number).sum()
    }

    /// Waits until it is told of `what`.
    async fn told(&mut self, what: SourceChange) -> SourceEvent {
        let search = async {
            loop {
                let event = self.told.recv().await.expect("it still runs");
                if event.what == what {
                    return event;
                }
            }
        };
        timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("never told of {what:?}"))
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, wait).await.expect("it came to pass in time");
    }
}
