//! Replaces the policy or the whole configuration while requests run. What does not pass changes
//! nothing but a metric and a record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use postern_policy::Sources;

use super::material::Material;
use super::services::{Edit, Services, Unobtained};
use super::watch::{Changed, Watch};
use super::workers::Workers;
use super::{Parts, ServerError, Stop};
use crate::authorize::LoadedPolicy;
use crate::authorize::load::{self, Bundles, PolicyError, Reread};
use crate::authorize::service::{Board, Client, Copy, News};
use crate::config::{self, Bundle, BundleSource, Config, ConfigErrors};
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
    /// A configuration that waits for its new services.
    pub(super) edit: Option<Edit>,
    /// Why the configuration in the file was refused.
    pub(super) refused_edit: Option<String>,
    /// The bundles that services offer and that were refused, and why.
    pub(super) refused_bundles: BTreeMap<String, (Arc<Sources>, String)>,
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

/// What the loop has to do next.
enum Next {
    /// Look at what changed.
    Changed(Changed),
    /// Take over an edited configuration: what its new services gave, or why one did not.
    Edit(Result<Bundles, (String, Unobtained)>),
    /// Follow the files of another configuration.
    Replaced,
}

impl Reloader {
    /// Follows the files until told to stop; gives the error of a worker that ended by itself.
    pub(super) async fn follow(&mut self, config: &Config, stop: &mut Stop) -> Option<ServerError> {
        let mut watch = Watch::over(config);
        unless_told(stop, self.forget_copies()).await?;
        loop {
            let next = {
                let mut changing = std::pin::pin!(watch.changed());
                loop {
                    tokio::select! {
                        () = stop.told() => return None,
                        failed = self.workers.one_ended() => return Some(failed),
                        changed = &mut changing => break Next::Changed(changed),
                        begun = begun(&mut self.edit) => break Next::Edit(begun),
                        news = self.services.news() => {
                            if unless_told(stop, self.hear(news)).await? {
                                break Next::Replaced;
                            }
                        }
                    }
                }
            };
            match next {
                Next::Changed(changed) => unless_told(stop, self.reload(changed)).await?,
                Next::Edit(begun) => unless_told(stop, self.end_edit(begun)).await?,
                Next::Replaced => {}
            }
            watch.follow(&self.configs.current().value);
        }
    }

    /// Tries what changed, and records how that went.
    async fn reload(&mut self, changed: Changed) {
        if changed.config {
            self.refused_edit = None;
            self.begin_edit().await;
        }
        if changed.services {
            self.services.ask();
        }
        if changed.policy {
            let config = Arc::clone(&self.configs.current().value);
            self.services.verify_again(&config.policy);
            if let Err(refused) = self.replace_policy(&config).await {
                self.refused("policy", codes::POLICY_REFUSED, &refused).await;
            }
        }
    }

    /// Reads the configuration again and takes it over, at once or when its new services have given their bundles. What
    /// others bring goes on meanwhile.
    async fn begin_edit(&mut self) {
        match self.edited().await {
            Ok(Some(edit)) if edit.waits() => {
                tracing::info!("an edited configuration waits for the bundles of its new services");
                self.edit = Some(edit);
            }
            Ok(Some(edit)) => {
                let taken = self.replace_config(edit, Bundles::new()).await;
                self.settle_edit(taken).await;
            }
            Ok(None) => {}
            Err(refused) => self.settle_edit(Err(refused)).await,
        }
    }

    async fn end_edit(&mut self, begun: Result<Bundles, (String, Unobtained)>) {
        let Some(edit) = self.edit.take() else { return };
        let taken = match begun {
            Ok(begun) => self.replace_config(edit, begun).await,
            Err((name, error)) => Err(Refused::Unobtained(name, error)),
        };
        self.settle_edit(taken).await;
    }

    async fn settle_edit(&mut self, taken: Result<(), Refused>) {
        match taken {
            Ok(()) => {
                self.refused_edit = None;
                self.accepted("config", self.configs.current().generation, None, String::new()).await;
            }
            Err(refused) => {
                // What is tried again because a bundle arrived is told where it fails otherwise.
                let why = refused.to_string();
                if self.refused_edit.as_ref() != Some(&why) {
                    self.refused("config", codes::CONFIG_REFUSED, &refused).await;
                }
                self.refused_edit = Some(why);
            }
        }
    }

    /// The configuration as it stands now; nothing where it is what serves, or what is on its way already.
    async fn edited(&mut self) -> Result<Option<Edit>, Refused> {
        let serving = Arc::clone(&self.configs.current().value);
        let file = serving.file.clone();
        // Reading may take long; the control thread has leases to renew meanwhile.
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        if let (Some(edit), Ok(Ok((next, material)))) = (&self.edit, &read)
            && (&edit.next, &edit.material) == (next, material)
        {
            return Ok(None);
        }
        self.edit = None;
        let (next, material) = read??;
        if *next == *serving && material == self.material {
            return Ok(None);
        }
        let fixed = serving.needs_restart_for(&next);
        if !fixed.is_empty() {
            return Err(Refused::NeedsRestart(fixed));
        }
        let bundles = &self.policies.current().value.bundles;
        Ok(Some(Edit::begin((next, material), &serving.policy, bundles, &self.client)))
    }

    /// New workers listen before the old ones stop; those finish what is open, within the drain's deadline.
    async fn replace_config(&mut self, edit: Edit, begun: Bundles) -> Result<(), Refused> {
        let Edit { next, material, .. } = edit;
        let serving = Arc::clone(&self.configs.current().value);
        let policy = if next.policy == serving.policy {
            None
        } else {
            Some(self.edited_policy(&next.policy, &serving.policy, begun).await?)
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
        self.forget_copies().await;
        Ok(())
    }

    /// The policy of an edited configuration: what its new services gave, and of the others what serves, or what they
    /// brought that could not serve before the edit.
    async fn edited_policy(
        &self,
        next: &config::Policy,
        before: &config::Policy,
        begun: Bundles,
    ) -> Result<LoadedPolicy, Refused> {
        let serving = &self.policies.current().value.bundles;
        // What serves may have moved on while the new ones were asked.
        if let Some(error) = begun.iter().find_map(|(name, new)| load::behind(next, serving, name, new)) {
            return Err(error.into());
        }
        let is_service = |name: &str, bundle: &Bundle| {
            matches!(bundle.source, BundleSource::Service(_)) && before.bundles.get(name) == Some(bundle)
        };
        let same: Vec<_> = next.bundles.iter().filter(|(name, bundle)| is_service(name, bundle)).collect();
        let of = |bundles: &Bundles| -> Bundles {
            let held = same.iter().filter_map(|(name, _)| bundles.get_key_value(*name));
            held.map(|(name, sources)| (name.clone(), Arc::clone(sources))).collect()
        };
        let mut beside = begun;
        beside.extend(of(serving));
        let mut arrived = of(&self.services.arrived());
        arrived.retain(|name, new| load::behind(next, serving, name, new).is_none());
        if !arrived.is_empty() {
            let mut with = beside.clone();
            with.extend(arrived);
            if let Ok(policy) = compile(next, with).await {
                return Ok(policy);
            }
        }
        compile(next, beside).await
    }

    /// Removes the copies of bundles that no service has any more.
    async fn forget_copies(&self) {
        let config = Arc::clone(&self.configs.current().value);
        let of = Arc::clone(&config);
        let forget = move || {
            let services = of.policy.bundles.iter();
            let services = services.filter(|(_, bundle)| matches!(bundle.source, BundleSource::Service(_)));
            Copy::forget_others(&of.state, &services.map(|(name, _)| name).collect::<Vec<_>>())
        };
        // A fault of ours is told by its panic.
        for (name, error) in tokio::task::spawn_blocking(forget).await.unwrap_or_default() {
            self.failed(&config, &name, error.code(), &causes(&error)).await;
        }
    }

    /// Takes over what changed; a bundle that is refused keeps its old state. A record tells of each.
    async fn replace_policy(&mut self, config: &Config) -> Result<(), Refused> {
        let (policy, serving) = (config.policy.clone(), self.policies.current().value.bundles.clone());
        let arrived = self.services.arrived();
        // Reading and compiling may take long; the control thread has leases to renew meanwhile.
        let reread = move || load::reread(&policy, &serving, &arrived);
        let reread = tokio::task::spawn_blocking(reread).await?;
        // Who changed something is told what is wrong, also once more.
        self.refused_bundles.clear();
        self.settle(config, reread).await;
        Ok(())
    }

    /// What a bundle service brought, or failed to. True where the configuration is another then.
    async fn hear(&mut self, news: News) -> bool {
        let config = Arc::clone(&self.configs.current().value);
        match news {
            News::Withdrawn(name) => {
                self.refused_bundles.remove(&name);
                self.services.withdraw(&name);
            }
            News::Failed { name, code, why } => self.failed(&config, &name, code, &why).await,
            News::Arrived(arrival) => {
                self.services.keep(arrival);
                let (policy, arrived) = (config.policy.clone(), self.services.arrived());
                let serving = self.policies.current().value.bundles.clone();
                let take = move || load::take(&policy, &serving, &arrived);
                match tokio::task::spawn_blocking(take).await {
                    Ok(taken) => {
                        let refused = !taken.refused.is_empty();
                        self.settle(&config, taken).await;
                        // An edit that was refused may be what this bundle needs, and the edit the bundle.
                        if refused && self.refused_edit.is_some() {
                            self.begin_edit().await;
                        }
                    }
                    Err(fault) => self.refused("policy", codes::POLICY_REFUSED, &fault.into()).await,
                }
            }
        }
        !Arc::ptr_eq(&config, &self.configs.current().value)
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
        self.refused_bundles.retain(|name, _| reread.refused.iter().any(|(refused, _)| refused == name));
        for taken in self.services.settle(&reread, &self.policies.current().value.bundles) {
            let (name, copy) = (taken.name.clone(), taken.copy.clone());
            let unkept = taken.keep().await.err().map(|error| (error.code(), causes(&error)));
            let is_new = copy.fails_anew(unkept.as_ref().map(|(_, why)| why.clone()));
            if !reread.accepted.contains(&name) {
                self.board.same(&name);
            }
            if let Some((code, why)) = unkept {
                self.board.unkept(&name, code, &why);
                if is_new {
                    self.failed(config, &name, code, &why).await;
                }
            }
        }
        let several = config.policy.bundles.len() > 1;
        for (name, error) in reread.refused {
            self.board.unfit(&name, &error);
            let is_told = self.is_told(&name, &error);
            let refused = if several { Refused::Bundle(name, error) } else { error.into() };
            if !is_told {
                self.refused("policy", codes::POLICY_REFUSED, &refused).await;
            }
        }
    }

    /// Whether the same bundle was refused for the same before: what is refused is asked for again at each poll.
    fn is_told(&mut self, name: &str, error: &PolicyError) -> bool {
        let Some(offered) = self.services.arrived().remove(name) else { return false };
        let why = error.to_string();
        let before = self.refused_bundles.insert(name.to_owned(), (Arc::clone(&offered), why.clone()));
        before.is_some_and(|(sources, said)| sources.is_same(&offered) && said == why)
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

/// What the new services of an edited configuration gave; never, where none waits. Safe to drop.
async fn begun(edit: &mut Option<Edit>) -> Result<Bundles, (String, Unobtained)> {
    match edit {
        Some(edit) => edit.begun().await,
        None => std::future::pending().await,
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
