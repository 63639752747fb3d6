//! Reads and compiles the policy's bundles. Each is read by itself; together they are one policy, which passes whole
//! or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use postern_policy::{LoadError, PolicySet, Signed, SourceError, Sources, Verifier, VerifyKey, prove};
use zeroize::Zeroizing;

use crate::config;
use crate::fault::{Code, Coded, codes};

/// As much of a key's file as is read, in bytes.
const MAX_KEY: u64 = 64 * 1024;

/// Bundles as they were read, by name.
pub type Bundles = BTreeMap<String, Arc<Sources>>;

/// A policy that passed the gate at load, and the revisions that records name.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What judges are made from.
    pub set: Arc<PolicySet>,
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
    /// It did not pass the gate or its own tests: each problem with file, line and what to write instead.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// A key that bundles are signed with cannot be read.
    #[error("{}: {why}", file.display())]
    Key {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Coded for PolicyError {
    fn code(&self) -> &'static Code {
        codes::POLICY_REFUSED
    }
}

/// Reads the configured bundles as they stand now and compiles them. May take long: not for a worker.
pub fn load(policy: &config::Policy) -> Result<LoadedPolicy, PolicyError> {
    let mut bundles = Bundles::new();
    for (name, bundle) in &policy.bundles {
        bundles.insert(name.clone(), Arc::new(read(bundle)?));
    }
    compile(policy, bundles)
}

/// Reads one bundle as it stands now, with the keys as they stand now.
fn read(bundle: &config::Bundle) -> Result<Sources, PolicyError> {
    let Some(verify) = &bundle.verify else { return Ok(Sources::read(&bundle.path, Signed::NoKey)?) };
    Ok(Sources::read(&bundle.path, Signed::By(&verifier(verify)?))?)
}

fn verifier(verify: &config::Verify) -> Result<Verifier, PolicyError> {
    let mut keys = BTreeMap::new();
    for (id, key) in &verify.keys {
        let wrong = |why: String| PolicyError::Key { file: key.file.clone(), why };
        let mut bytes = Zeroizing::new(Vec::new());
        let file = File::open(&key.file).map_err(|error| wrong(error.to_string()))?;
        file.take(MAX_KEY).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
        keys.insert(id.clone(), VerifyKey::new(&bytes, key.algorithm, key.scope.clone()).map_err(wrong)?);
    }
    let verifier = Verifier::new(keys).with_keyid(verify.keyid.clone()).with_scope(verify.scope.clone());
    // The configuration has no pattern that is none.
    let excluded = verifier.with_sha1(verify.sha1).with_excluded(verify.exclude_files.clone());
    excluded
        .map_err(|pattern| PolicyError::Key { file: PathBuf::new(), why: format!("{pattern}: no pattern") })
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

/// Reads every bundle again. One that cannot be read, or with which the policy does not pass, keeps the state that it
/// has in `serving`; the others move on without it.
#[must_use]
pub fn reread(policy: &config::Policy, serving: &Bundles) -> Reread {
    let mut outcome = Reread::default();
    let mut changed = Bundles::new();
    for (name, bundle) in &policy.bundles {
        match read(bundle) {
            Err(error) => outcome.refused.push((name.clone(), error)),
            Ok(sources) if serving.get(name).is_some_and(|before| before.is_same(&sources)) => {}
            Ok(sources) => {
                changed.insert(name.clone(), Arc::new(sources));
            }
        }
    }
    if !changed.is_empty() {
        adopt(policy, serving, changed, &mut outcome);
    }
    outcome
}

/// Takes over all that changed at once, and where that does not pass, each by itself for as long as one does.
fn adopt(policy: &config::Policy, serving: &Bundles, mut changed: Bundles, outcome: &mut Reread) {
    let mut bundles = serving.clone();
    bundles.extend(changed.clone());
    match compile(policy, bundles) {
        Ok(loaded) => {
            outcome.accepted = changed.into_keys().collect();
            outcome.policy = Some(loaded);
            return;
        }
        Err(error) if changed.len() == 1 => {
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
            match compile(policy, with) {
                Err(error) => errors.push((name.clone(), error)),
                Ok(loaded) => {
                    bundles.clone_from(&loaded.bundles);
                    outcome.policy = Some(loaded);
                    outcome.accepted.push(name.clone());
                }
            }
            bundles.get(name).is_none_or(|taken| !Arc::ptr_eq(taken, sources))
        });
        if changed.is_empty() || changed.len() == before {
            outcome.refused.extend(errors);
            return;
        }
    }
}

fn compile(policy: &config::Policy, bundles: Bundles) -> Result<LoadedPolicy, PolicyError> {
    let all = bundles.iter().map(|(name, sources)| (name.clone(), Sources::clone(sources)));
    let sources = Sources::together(all)?;
    let set = PolicySet::compile(&sources, &policy.entrypoint, policy.fuse)?;
    if policy.tests {
        prove(&sources)?;
    }
    let revisions = bundles.iter().map(|(name, sources)| (name.clone(), sources.revision().to_owned()));
    Ok(LoadedPolicy { set: Arc::new(set), revisions: Arc::new(revisions.collect()), bundles })
}

#[cfg(test)]
mod tests;
