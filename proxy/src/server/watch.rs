//! Tells when the configuration's file, a certificate it names or a policy bundle changed, or SIGHUP came.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::look::{Look, note, over};
use super::material;
use crate::config::{Bundle, BundleSource, Config};

/// How often files are looked at: names, sizes and times, not contents.
const LOOK: Duration = Duration::from_millis(500);
/// What may have changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    pub(super) config: bool,
    pub(super) policy: bool,
    /// What services offer: nobody can see that from here.
    pub(super) services: bool,
}

/// Looks at the files that the configuration names.
pub(super) struct Watch {
    /// The configuration and the certificates that it names.
    files: Vec<PathBuf>,
    bundles: Vec<PathBuf>,
    config: Look,
    policy: Look,
    hangup: Option<Signal>,
}

impl Watch {
    pub(super) fn over(config: &Config) -> Self {
        let hangup = signal(SignalKind::hangup())
            .inspect_err(|error| tracing::error!(%error, "SIGHUP cannot be heard: file changes alone reload"))
            .ok();
        let bundles = bundles(config);
        let files = files(config);
        let mut watch = Self { files, bundles, config: Look::new(), policy: Look::new(), hangup };
        (watch.config, watch.policy) = watch.look();
        watch
    }

    /// Goes on with the files and bundles of the configuration that serves now.
    pub(super) fn follow(&mut self, config: &Config) {
        let files = files(config);
        if files != self.files {
            self.files = files;
            self.config = self.look().0;
        }
        let bundles = bundles(config);
        if bundles != self.bundles {
            self.bundles = bundles;
            self.policy = self.look().1;
        }
    }

    /// The next change, once two looks agree on it; SIGHUP counts as a change of everything. Safe to drop.
    pub(super) async fn changed(&mut self) -> Changed {
        loop {
            tokio::select! {
                () = told(&mut self.hangup) => {
                    return Changed { config: true, policy: true, services: true };
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.look();
            if now == (self.config.clone(), self.policy.clone()) {
                continue;
            }
            let (config, policy) = self.settled(now).await;
            let (config_changed, policy_changed) = (config != self.config, policy != self.policy);
            let changed = Changed { config: config_changed, policy: policy_changed, services: false };
            (self.config, self.policy) = (config, policy);
            return changed;
        }
    }

    /// Waits until two looks agree, so that a half-written folder is not judged; at most for ten looks.
    async fn settled(&self, mut last: (Look, Look)) -> (Look, Look) {
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

    fn look(&self) -> (Look, Look) {
        let mut policy = Look::new();
        for bundle in &self.bundles {
            over(bundle, &mut policy);
        }
        let mut config = Look::new();
        self.files.iter().for_each(|file| note(file, &mut config));
        (config, policy)
    }
}

fn files(config: &Config) -> Vec<PathBuf> {
    [vec![config.file.clone()], material::files(config)].concat()
}

/// Everything that policy is read from: bundles, and the keys that sign them.
fn bundles(config: &Config) -> Vec<PathBuf> {
    let keys = |bundle: &Bundle| {
        let keys = bundle.verify.iter().flat_map(|verify| verify.keys.values());
        keys.map(|key| key.file.clone()).collect::<Vec<_>>()
    };
    let bundles = config.policy.bundles.values();
    let path = |bundle: &Bundle| match &bundle.source {
        BundleSource::Path(path) => vec![path.clone()],
        // What a service serves is followed by whoever asks it.
        BundleSource::Service(_) => Vec::new(),
    };
    bundles.flat_map(|bundle| [path(bundle), keys(bundle)].concat()).collect()
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
