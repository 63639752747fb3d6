//! Follows the policy folder and the signal. A bad policy changes nothing but a metric and a record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::authorize::LoadedPolicy;
use crate::authorize::load::{self, PolicyError};
use crate::clock::SharedClock;
use crate::config;
use crate::fault::codes;
use crate::live::Publisher;
use crate::record::{Entry, Records, Reload};

/// How often the folder is looked at: names, sizes and times, not contents.
const LOOK: Duration = Duration::from_millis(500);
/// The folder may hold at most so many entries; more are not looked at, and the load refuses them.
const MOST: usize = 10_000;
/// And so many folders one inside the other: links may go round.
const DEEPEST: usize = 16;

/// What a folder looked like: enough to see that something changed, through symbolic links too.
type Look = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Replaces the policy whenever its folder changes or SIGHUP comes.
pub(super) struct PolicyReload {
    pub(super) config: config::Policy,
    pub(super) publisher: Publisher<LoadedPolicy>,
    pub(super) records: Records,
    pub(super) clock: SharedClock,
}

impl PolicyReload {
    /// Runs until its task is dropped.
    pub(super) async fn run(mut self) {
        let mut hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::error!(%error, "SIGHUP cannot be heard: file changes alone reload the policy"))
            .ok();
        let mut seen = self.look();
        loop {
            tokio::select! {
                () = told(&mut hangup) => self.reload().await,
                () = tokio::time::sleep(LOOK) => {
                    let now = self.look();
                    if now != seen {
                        seen = self.settled(now).await;
                        self.reload().await;
                    }
                }
            }
        }
    }

    /// Waits until two looks agree, so that a half-written folder is not judged; at most for ten looks.
    async fn settled(&self, mut last: Look) -> Look {
        for _ in 0..10 {
            tokio::time::sleep(LOOK / 4).await;
            let now = self.look();
            if now == last {
                break;
            }
            last = now;
        }
        last
    }

    async fn reload(&mut self) {
        let config = self.config.clone();
        // Compiling may take long; the control thread has leases to renew meanwhile.
        let loaded = tokio::task::spawn_blocking(move || load::load(&config)).await;
        let outcome = match loaded {
            Ok(Ok(policy)) => self.accept(policy),
            Ok(Err(error)) => Some(self.refuse(&error)),
            Err(panic) => Some(self.refuse_because(panic.to_string())),
        };
        if let Some(reload) = outcome {
            self.records.write(Entry::Reload(reload)).await;
        }
    }

    /// Publishes it, unless it is what serves already.
    fn accept(&mut self, policy: LoadedPolicy) -> Option<Reload> {
        if policy.revisions == self.publisher.current().value.revisions {
            return None;
        }
        let now = self.clock.now().wall;
        let revision = policy.revisions.values().next().cloned();
        let generation = self.publisher.publish(policy, now);
        tracing::info!(generation, revision, "policy replaced");
        Some(Reload {
            at: now,
            what: "policy",
            accepted: true,
            generation,
            revision,
            code: None,
            detail: String::new(),
        })
    }

    fn refuse(&self, error: &PolicyError) -> Reload {
        self.refuse_because(error.to_string())
    }

    fn refuse_because(&self, detail: String) -> Reload {
        let generation = self.publisher.current().generation;
        tracing::error!(
            code = codes::POLICY_REFUSED.id,
            generation,
            "policy refused, the old one serves on:\n{detail}"
        );
        let at = self.clock.now().wall;
        let code = Some(codes::POLICY_REFUSED.id);
        Reload { at, what: "policy", accepted: false, generation, revision: None, code, detail }
    }

    fn look(&self) -> Look {
        let mut look = Look::new();
        for folder in self.config.bundles.values() {
            look_into(folder, DEEPEST, &mut look);
        }
        look
    }
}

/// The next SIGHUP; never, where signals cannot be heard.
async fn told(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => {
            hangup.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn look_into(folder: &Path, deeper: usize, look: &mut Look) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if look.len() >= MOST || deeper == 0 {
            return;
        }
        // Follows links: Kubernetes swaps a whole folder by one.
        let Ok(found) = std::fs::metadata(entry.path()) else { continue };
        if found.is_dir() {
            look_into(&entry.path(), deeper - 1, look);
        } else {
            look.insert(entry.path(), (found.len(), found.modified().ok()));
        }
    }
}
