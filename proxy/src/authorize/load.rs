//! Reads and compiles the policy's bundles. Each is read by itself; together they are one policy, which passes whole
//! or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern_policy::{
    ADMISSION, Deadline, LoadError, PolicySet, Signed, SourceError, Sources, Verifier, VerifyKey,
};
use zeroize::Zeroizing;

use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, BundleSource};
use crate::fault::{Code, Coded, codes};

/// Longest time for what one reading of bundles brings, however often they are tried, together and alone.
const ROUND: Duration = Duration::from_secs(90);
/// How far our clock and that of whoever signs may be apart, in seconds.
const CLOCKS_APART: i64 = 300;
/// As much of a key's file as is read, in bytes.
const MAX_KEY: u64 = 64 * 1024;

/// Bundles as they were read, by name.
pub type Bundles = BTreeMap<String, Arc<Sources>>;

/// A policy that passed the gate at load, and the revisions that records name.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What judges are made from; none, until every bundle of a service has arrived.
    pub set: Option<Arc<PolicySet>>,
    /// Bundle name to revision.
    pub revisions: Arc<BTreeMap<String, String>>,
    /// What it was made from: what a bundle falls back to when its next state is refused.
    pub bundles: Bundles,
}

/// Why a policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A bundle could not be read, or two do not go together.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It did not pass the gate or its own tests, or is above its fuse: each problem with file, line and what to write instead.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// A bundle of a service has not arrived yet, so that there is no policy.
    #[error("the bundle {0} has not arrived yet")]
    Missing(String),
    /// It was signed before another of its name that was taken already.
    #[error(
        "{from}: was signed at {signed}, before the one of {newest} that served already: to go back, sign it anew"
    )]
    Older {
        /// Where it comes from.
        from: String,
        /// When it was signed.
        signed: jiff::Timestamp,
        /// When the newest was.
        newest: jiff::Timestamp,
    },
    /// It was signed at a time that is still to come, and nothing later would be taken until then.
    #[error(
        "{from}: was signed at {signed}, which is still to come: check the clock where it is signed, and ours"
    )]
    Early {
        /// Where it comes from.
        from: String,
        /// When it was signed.
        signed: jiff::Timestamp,
    },
    /// A key that bundles are signed with cannot be read.
    #[error("{}, which `verify.keys` names: {why}", file.display())]
    Key {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Coded for PolicyError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Older { .. } => codes::BUNDLE_OLDER,
            _ => codes::POLICY_REFUSED,
        }
    }
}

/// Reads the configured files as they stand now and compiles them with what has `arrived` of services. Where
/// something has not, the policy is absent. May take long: not for a worker.
pub fn load(policy: &config::Policy, arrived: Bundles) -> Result<LoadedPolicy, PolicyError> {
    let mut bundles = arrived;
    for (name, bundle) in &policy.bundles {
        if let BundleSource::Path(path) = &bundle.source {
            bundles.insert(name.clone(), Arc::new(read(path, bundle.verify.as_ref())?));
        }
    }
    if missing(policy, &bundles).is_some() {
        return Ok(LoadedPolicy { set: None, revisions: revisions(&bundles), bundles });
    }
    compile(policy, bundles, &Deadline::after(ADMISSION))
}

/// Reads one bundle as it stands now, with the keys as they stand now.
fn read(path: &Path, verify: Option<&config::Verify>) -> Result<Sources, PolicyError> {
    let Some(verify) = verify else { return Ok(Sources::read(path, Signed::NoKey)?) };
    Ok(Sources::read(path, Signed::By(&verifier(verify)?))?)
}

/// Reads a bundle as it was downloaded, with the keys as they stand now; `from` names it in errors. `newest` is when
/// the newest that was taken so far was signed. May take long.
pub fn unpack(
    archive: &[u8],
    from: &str,
    verify: Option<&config::Verify>,
    newest: Option<i64>,
) -> Result<Arc<Sources>, PolicyError> {
    let Some(verify) = verify else {
        return Ok(Arc::new(Sources::from_archive(archive, from, Signed::NoKey)?));
    };
    let sources = Sources::from_archive(archive, from, Signed::By(&verifier(verify)?))?;
    if verify.since.is_some() {
        if let Some(error) = newest.and_then(|newest| older(&sources, from, newest)) {
            return Err(error);
        }
        let now = i64::try_from(SystemClock.now().unix_seconds()).unwrap_or(i64::MAX);
        let signed = sources.signed_at().unwrap_or(i64::MIN);
        if signed > now.saturating_add(CLOCKS_APART) {
            return Err(PolicyError::Early { from: from.to_owned(), signed: shown(signed) });
        }
    }
    Ok(Arc::new(sources))
}

/// A bundle without which there is no policy.
fn missing<'p>(policy: &'p config::Policy, bundles: &Bundles) -> Option<&'p String> {
    policy.bundles.keys().find(|name| !bundles.contains_key(*name))
}

fn verifier(verify: &config::Verify) -> Result<Verifier, PolicyError> {
    let mut keys = BTreeMap::new();
    for (id, key) in &verify.keys {
        keys.insert(id.clone(), verify_key(key)?);
    }
    let verifier = Verifier::new(keys).with_keyid(verify.keyid.clone()).with_scope(verify.scope.clone());
    // The configuration has no pattern that is none.
    let verifier = verifier.with_since(verify.since);
    let excluded = verifier.with_sha1(verify.sha1).with_excluded(verify.exclude_files.clone());
    excluded
        .map_err(|pattern| PolicyError::Key { file: PathBuf::new(), why: format!("{pattern}: no pattern") })
}

/// A key that bundles are signed with, as its file stands now.
pub fn verify_key(key: &config::VerifyKey) -> Result<VerifyKey, PolicyError> {
    let wrong = |why: String| PolicyError::Key { file: key.file.clone(), why };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(&key.file).map_err(|error| wrong(error.to_string()))?;
    file.take(MAX_KEY).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    VerifyKey::new(&bytes, key.algorithm, key.scope.clone()).map_err(wrong)
}

/// What became of the bundles when they were read again.
#[derive(Debug, Default)]
pub struct Reread {
    /// The policy that serves from now on, where anything is new.
    pub policy: Option<LoadedPolicy>,
    /// Bundles of which it has the new state.
    pub accepted: Vec<String>,
    /// Bundles that keep the state they had, and why.
    pub refused: Vec<(String, PolicyError)>,
}

/// Reads every file again, beside what has `arrived` of services and does not serve yet. A bundle that cannot be
/// read, or with which the policy does not pass, keeps the state that it has in `serving`; the others move on without
/// it. What waits for others that have not arrived is neither accepted nor refused.
#[must_use]
pub fn reread(policy: &config::Policy, serving: &Bundles, arrived: &Bundles) -> Reread {
    reread_within(ROUND, policy, serving, arrived)
}

fn reread_within(round: Duration, policy: &config::Policy, serving: &Bundles, arrived: &Bundles) -> Reread {
    let mut outcome = Reread::default();
    let mut changed = arrived.clone();
    for (name, bundle) in &policy.bundles {
        let BundleSource::Path(path) = &bundle.source else { continue };
        match read(path, bundle.verify.as_ref()) {
            Err(error) => outcome.refused.push((name.clone(), error)),
            Ok(sources) => {
                changed.insert(name.clone(), Arc::new(sources));
            }
        }
    }
    take_over(round, policy, serving, changed, &mut outcome);
    outcome
}

/// The same without looking at files: takes over what has arrived.
#[must_use]
pub fn take(policy: &config::Policy, serving: &Bundles, arrived: &Bundles) -> Reread {
    let mut outcome = Reread::default();
    take_over(ROUND, policy, serving, arrived.clone(), &mut outcome);
    outcome
}

fn take_over(
    round: Duration,
    policy: &config::Policy,
    serving: &Bundles,
    mut changed: Bundles,
    outcome: &mut Reread,
) {
    changed.retain(|name, sources| serving.get(name).is_none_or(|before| !before.is_same(sources)));
    // What waited may be behind by now.
    changed.retain(|name, sources| match behind(policy, serving, name, sources) {
        None => true,
        Some(error) => {
            outcome.refused.push((name.clone(), error));
            false
        }
    });
    let mut all = serving.clone();
    all.extend(changed.clone());
    if !changed.is_empty() && missing(policy, &all).is_none() {
        adopt(policy, serving, changed, &Deadline::after(round), outcome);
    }
}

/// Why a service's bundle is refused beside what serves under its name, where `verify.since` asks for that.
#[must_use]
pub fn behind(
    policy: &config::Policy,
    serving: &Bundles,
    name: &str,
    sources: &Sources,
) -> Option<PolicyError> {
    let bundle = policy.bundles.get(name)?;
    let BundleSource::Service(service) = &bundle.source else { return None };
    bundle.verify.as_ref()?.since?;
    let newest = serving.get(name)?.signed_at()?;
    older(sources, &service.endpoint.url, newest)
}

fn older(sources: &Sources, from: &str, newest: i64) -> Option<PolicyError> {
    let signed = sources.signed_at().unwrap_or(i64::MIN);
    (signed < newest).then(|| PolicyError::Older {
        from: from.to_owned(),
        signed: shown(signed),
        newest: shown(newest),
    })
}

fn shown(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX)
}

/// Takes over all that changed at once, and where that does not pass, each by itself for as long as one does, and the
/// round's time is not over.
fn adopt(
    policy: &config::Policy,
    serving: &Bundles,
    mut changed: Bundles,
    deadline: &Deadline,
    outcome: &mut Reread,
) {
    let mut bundles = serving.clone();
    bundles.extend(changed.clone());
    match compile(policy, bundles, deadline) {
        Ok(loaded) => {
            outcome.accepted = changed.into_keys().collect();
            outcome.policy = Some(loaded);
            return;
        }
        // Where none serves yet, there is nothing that a part of them could be added to.
        Err(error) if changed.len() == 1 || missing(policy, serving).is_some() => {
            outcome.refused.extend(changed.into_keys().zip([error]));
            return;
        }
        Err(_) => {}
    }
    let mut bundles = serving.clone();
    loop {
        let (before, mut errors) = (changed.len(), Vec::new());
        changed.retain(|name, sources| {
            let mut with = bundles.clone();
            with.insert(name.clone(), Arc::clone(sources));
            match compile(policy, with, deadline) {
                Err(error) => errors.push((name.clone(), error)),
                Ok(loaded) => {
                    bundles.clone_from(&loaded.bundles);
                    outcome.policy = Some(loaded);
                    outcome.accepted.push(name.clone());
                }
            }
            bundles.get(name).is_none_or(|taken| !Arc::ptr_eq(taken, sources))
        });
        // Once the time is over, a try would say no more than that.
        if changed.is_empty() || changed.len() == before || deadline.is_over() {
            outcome.refused.extend(errors);
            return;
        }
    }
}

/// The policy of sources that are all of it.
pub fn alone(sources: &Sources, policy: &config::Policy) -> Result<Arc<PolicySet>, LoadError> {
    PolicySet::compile(sources, &policy.entrypoint, policy.fuse).map(Arc::new)
}

fn compile(
    policy: &config::Policy,
    bundles: Bundles,
    deadline: &Deadline,
) -> Result<LoadedPolicy, PolicyError> {
    if let Some(name) = missing(policy, &bundles) {
        return Err(PolicyError::Missing(name.clone()));
    }
    let all = bundles.iter().map(|(name, sources)| (name.clone(), Sources::clone(sources)));
    let sources = Sources::together(all)?;
    let set = PolicySet::admit(&sources, &policy.terms(), deadline)?.policy;
    for warning in set.warnings() {
        tracing::warn!("the policy is loaded, with a warning:\n{warning}");
    }
    Ok(LoadedPolicy { set: Some(Arc::new(set)), revisions: revisions(&bundles), bundles })
}

fn revisions(bundles: &Bundles) -> Arc<BTreeMap<String, String>> {
    Arc::new(bundles.iter().map(|(name, sources)| (name.clone(), sources.revision().to_owned())).collect())
}

#[cfg(test)]
mod tests;
