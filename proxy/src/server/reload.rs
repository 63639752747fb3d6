//! Replaces the policy or the whole configuration while requests run. What does not pass changes
//! nothing but a metric and a record.

use std::path::Path;
use std::sync::Arc;

use super::material::Material;
use super::services::{self, Services, Unobtained};
use super::watch::{Changed, Watch};
use super::workers::Workers;
use super::{Parts, ServerError, Stop};
use crate::authorize::LoadedPolicy;
use crate::authorize::load::{self, Bundles, PolicyError, Reread};
use crate::authorize::service::{Board, Client, News};
use crate::config::{self, Config, ConfigErrors};
use crate::fault::{Code, Coded as _, causes, codes};
use crate::identify::IdentifyError;
use crate::live::Publisher;
use crate::record::{Entry, Reload};

/// Owns what a reload replaces.
pub(super) struct Reloader {
    pub(super) configs: Publisher<Arc<Config>>,
    pub(super) policies: Publisher<LoadedPolicy>,
    pub(super) material: Material,
    pub(super) workers: Workers,
    pub(super) services: Services,
    /// The way to services.
    pub(super) client: Client,
    /// What became of each bundle.
    pub(super) board: Board,
    pub(super) parts: Parts,
}

/// Why a new configuration does not serve.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error("these sections cannot be replaced while running, restart for them: {}", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    #[error(transparent)]
    Material(#[from] IdentifyError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("bundle {0}: {1}")]
    Bundle(String, #[source] PolicyError),
    #[error("bundle {0}: {1}")]
    Unobtained(String, #[source] Unobtained),
    #[error(transparent)]
    Start(#[from] ServerError),
    #[error("loading it ended by a fault of ours")]
    Fault(#[from] tokio::task::JoinError),
}

impl Reloader {
    /// Follows the files until told to stop; gives the error of a worker that ended by itself.
    pub(super) async fn follow(&mut self, config: &Config, stop: &mut Stop) -> Option<ServerError> {
        let mut watch = Watch::over(config);
        loop {
            let changed = {
                let mut changing = std::pin::pin!(watch.changed());
                loop {
                    tokio::select! {
                        () = stop.told() => return None,
                        failed = self.workers.one_ended() => return Some(failed),
                        changed = &mut changing => break changed,
                        news = self.services.news() => unless_told(stop, self.hear(news)).await?,
                    }
                }
            };
            let serving = unless_told(stop, self.reload(changed)).await?;
            watch.follow(&serving);
        }
    }

    /// Tries what changed, records how that went, and gives the configuration that serves then.
    async fn reload(&mut self, changed: Changed) -> Arc<Config> {
        if changed.config {
            match self.replace_config().await {
                Ok(true) => {
                    self.accepted("config", self.configs.current().generation, None, String::new()).await;
                }
                Ok(false) => {}
                Err(refused) => self.refused("config", codes::CONFIG_REFUSED, &refused).await,
            }
        }
        if changed.services {
            self.services.ask();
        }
        if changed.policy {
            let config = Arc::clone(&self.configs.current().value);
            if let Err(refused) = self.replace_policy(&config).await {
                self.refused("policy", codes::POLICY_REFUSED, &refused).await;
            }
        }
        Arc::clone(&self.configs.current().value)
    }

    /// New workers listen before the old ones stop; those finish what is open, within the drain's deadline.
    /// False where nothing is different.
    async fn replace_config(&mut self) -> Result<bool, Refused> {
        let serving = Arc::clone(&self.configs.current().value);
        let file = serving.file.clone();
        // Reading and compiling may take long; the control thread has leases to renew meanwhile.
        let (next, material) = tokio::task::spawn_blocking(move || read(&file)).await??;
        if *next == *serving && material == self.material {
            return Ok(false);
        }
        let fixed = serving.needs_restart_for(&next);
        if !fixed.is_empty() {
            return Err(Refused::NeedsRestart(fixed));
        }
        let policy = if next.policy == serving.policy {
            None
        } else {
            let bundles = self.policies.current().value.bundles.clone();
            let begun = services::begin(&next.policy, (&serving.policy, &bundles), &self.client).await;
            let begun = begun.map_err(|(name, error)| Refused::Unobtained(name, error))?;
            Some(compile(&next.policy, begun).await?)
        };
        let generation = self.configs.current().generation + 1;
        let workers = Workers::start(&next, generation, &self.parts, Some(&self.workers))?;
        let now = self.parts.clock.now().wall;
        if let Some(policy) = policy {
            stand(&self.board, &policy);
            self.policies.publish(policy, now);
            self.services =
                Services::follow(&next, &self.client, &self.board, &self.policies.current().value.bundles);
        }
        let before = std::mem::replace(&mut self.workers, workers);
        self.material = material;
        self.configs.publish(next, now);
        tokio::task::spawn_local(before.drain(serving.drain));
        Ok(true)
    }

    /// Takes over what changed; a bundle that is refused keeps its old state. A record tells of each.
    async fn replace_policy(&mut self, config: &Config) -> Result<(), Refused> {
        let (policy, serving) = (config.policy.clone(), self.policies.current().value.bundles.clone());
        let arrived = self.services.arrived();
        // Reading and compiling may take long; the control thread has leases to renew meanwhile.
        let reread = move || load::reread(&policy, &serving, &arrived);
        let reread = tokio::task::spawn_blocking(reread).await?;
        self.settle(config, reread).await;
        Ok(())
    }

    /// What a bundle service brought, or failed to.
    async fn hear(&mut self, news: News) {
        let config = Arc::clone(&self.configs.current().value);
        match news {
            News::Withdrawn(name) => self.services.withdraw(&name),
            News::Failed { name, code, why } => self.failed(&config, &name, code, &why).await,
            News::Arrived(arrival) => {
                self.services.keep(arrival);
                let (policy, arrived) = (config.policy.clone(), self.services.arrived());
                let serving = self.policies.current().value.bundles.clone();
                let take = move || load::take(&policy, &serving, &arrived);
                match tokio::task::spawn_blocking(take).await {
                    Ok(taken) => self.settle(&config, taken).await,
                    Err(fault) => self.refused("policy", codes::POLICY_REFUSED, &fault.into()).await,
                }
            }
        }
    }

    /// Publishes what passed, and records what became of each bundle.
    async fn settle(&mut self, config: &Config, mut reread: Reread) {
        if let Some(policy) = reread.policy.take() {
            let revisions = Arc::clone(&policy.revisions);
            if self.policies.current().value.set.is_none() {
                // The first that is whole: what waited in folders serves from now on too.
                stand(&self.board, &policy);
            } else {
                let revision = |name| revisions.get(name).map_or("", String::as_str);
                reread.accepted.iter().for_each(|name| self.board.activated(name, revision(name)));
            }
            let before = self.policies.current().value.bundles.clone();
            let generation = self.policies.publish(policy, self.parts.clock.now().wall);
            for name in &reread.accepted {
                let what = if self.services.is_kept(name) {
                    "the copy that was kept"
                } else if went_back(name, &before, &self.policies.current().value.bundles) {
                    "signed before the one that it replaces"
                } else {
                    ""
                };
                let detail = told(config, name, what);
                self.accepted("policy", generation, revisions.get(name).cloned(), detail).await;
            }
        }
        for taken in self.services.settle(&reread, &self.policies.current().value.bundles) {
            let name = taken.name.clone();
            if !reread.accepted.contains(&name) {
                self.board.same(&name);
            }
            if let Err(error) = taken.keep().await {
                let why = causes(&error);
                self.board.refused(&name, error.code(), &why);
                self.failed(config, &name, error.code(), &why).await;
            }
        }
        let several = config.policy.bundles.len() > 1;
        for (name, error) in reread.refused {
            self.board.unfit(&name, &error);
            let refused = if several { Refused::Bundle(name, error) } else { error.into() };
            self.refused("policy", codes::POLICY_REFUSED, &refused).await;
        }
    }

    /// Something about one bundle went wrong that does not touch what serves.
    async fn failed(&self, config: &Config, name: &str, code: &'static Code, why: &str) {
        tracing::warn!(bundle = name, code = code.id, "{why}");
        let generation = self.policies.current().generation;
        self.record("policy", generation, None, Some(code.id), told(config, name, why)).await;
    }

    async fn accepted(&self, what: &'static str, generation: u64, revision: Option<String>, detail: String) {
        tracing::info!(what, generation, revision, detail, "replaced");
        self.record(what, generation, revision, None, detail).await;
    }

    async fn refused(&self, what: &'static str, code: &'static Code, refused: &Refused) {
        let generation = match what {
            "config" => self.configs.current().generation,
            _ => self.policies.current().generation,
        };
        tracing::error!(what, code = code.id, generation, "refused, the old one serves on:\n{refused}");
        self.record(what, generation, None, Some(code.id), refused.to_string()).await;
    }

    async fn record(
        &self,
        what: &'static str,
        generation: u64,
        revision: Option<String>,
        code: Option<&'static str>,
        detail: String,
    ) {
        let at = self.parts.clock.now().wall;
        let reload = Reload { at, what, accepted: code.is_none(), generation, revision, code, detail };
        self.parts.records.write(Entry::Reload(reload)).await;
    }
}

/// What comes of it; nothing, where the process is told to stop meanwhile: judging a bundle, or asking a service for
/// one, may take longer than whoever stops us waits. As much as can be done without waiting is done first.
async fn unless_told<T>(stop: &mut Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = stop.told() => None,
    }
}

/// The configuration, and the certificates that it names, tried.
fn read(file: &Path) -> Result<(Arc<Config>, Material), Refused> {
    let config = config::load(file)?;
    let material = Material::of(&config)?;
    Ok((Arc::new(config), material))
}

/// What serves from the start, or with a new configuration.
pub(super) fn stand(board: &Board, policy: &LoadedPolicy) {
    if policy.set.is_some() {
        policy.revisions.iter().for_each(|(name, revision)| board.activated(name, revision));
    }
}

/// Whether a bundle was signed before the one that served under its name.
fn went_back(name: &str, before: &Bundles, now: &Bundles) -> bool {
    let signed_at = |bundles: &Bundles| bundles.get(name).and_then(|sources| sources.signed_at());
    signed_at(now).zip(signed_at(before)).is_some_and(|(now, before)| now < before)
}

/// Which bundle it is about; with one bundle there is nothing to tell apart.
fn told(config: &Config, name: &str, what: &str) -> String {
    match (config.policy.bundles.len() > 1, what) {
        (false, what) => what.to_owned(),
        (true, "") => format!("bundle {name}"),
        (true, what) => format!("bundle {name}: {what}"),
    }
}

/// Reads and compiles on another thread.
async fn compile(policy: &config::Policy, begun: Bundles) -> Result<LoadedPolicy, Refused> {
    let policy = policy.clone();
    Ok(tokio::task::spawn_blocking(move || load::load(&policy, begun)).await??)
}
