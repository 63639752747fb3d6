//! Reads and compiles a policy folder. What does not pass is refused whole; the caller keeps what it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use postern_policy::{LoadError, PolicySet, SourceError, Sources};

use crate::config;
use crate::fault::{Code, Coded, codes};

/// A policy that passed the gate at load, and the revisions that records name.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What judges are made from.
    pub set: Arc<PolicySet>,
    /// Bundle name to revision.
    pub revisions: Arc<BTreeMap<String, String>>,
    /// Of the text itself: a manifest may name two texts alike.
    pub digest: String,
}

/// Why a policy was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The folder could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It did not pass the gate: each problem with file, line and what to write instead.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// No bundle is configured.
    #[error("no policy bundle is configured")]
    NoBundle,
}

impl Coded for PolicyError {
    fn code(&self) -> &'static Code {
        codes::POLICY_REFUSED
    }
}

/// Reads the configured folder as it stands now and compiles it. May take long: not for a worker.
pub fn load(policy: &config::Policy) -> Result<LoadedPolicy, PolicyError> {
    let (name, folder) = policy.bundles.first_key_value().ok_or(PolicyError::NoBundle)?;
    let sources = Sources::read_folder(folder)?;
    let set = PolicySet::compile(&sources, &policy.entrypoint, policy.fuse)?;
    let revisions = BTreeMap::from([(name.clone(), set.revision().to_owned())]);
    Ok(LoadedPolicy { set: Arc::new(set), revisions: Arc::new(revisions), digest: sources.digest() })
}
