//! The policy that a command explains with: a folder or bundle, or the bundles of a configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use postern_policy::{Sources, Tests};

use super::Exit;
use crate::authorize::load::{self, PolicyError};
use crate::config::Config;

/// The rule that decides, where no configuration says otherwise.
pub(super) const ENTRYPOINT: &str = "data.postern.decision";
/// How long one question may take; a live decision has `policy.fuse`, but also a machine of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A policy that was read.
pub(super) struct AtHand {
    pub(super) sources: Sources,
    pub(super) entrypoint: String,
    /// Bundle name to revision; of a path that was named, one revision under no name.
    pub(super) revisions: BTreeMap<String, String>,
}

impl AtHand {
    /// The policy at `path`, or else that of the configuration; or how a command ends without it, and why.
    pub(super) fn read(path: Option<&Path>, config: Option<&Config>) -> Result<Self, (Exit, String)> {
        let entrypoint = config.map_or(ENTRYPOINT, |config| &config.policy.entrypoint).to_owned();
        if let Some(path) = path {
            let sources = Sources::read_paths(&[path], Tests::Left)
                .map_err(|error| (Exit::Configuration, error.to_string()))?;
            let revisions = BTreeMap::from([(String::new(), sources.revision().to_owned())]);
            return Ok(Self { sources, entrypoint, revisions });
        }
        let config = config.ok_or_else(|| (Exit::Usage, "no policy is named".to_owned()))?;
        let loaded = load::load(&config.policy, load::Bundles::new()).map_err(|error| {
            let unread = matches!(error, PolicyError::Source(_) | PolicyError::Key { .. });
            (if unread { Exit::Configuration } else { Exit::Policy }, error.to_string())
        })?;
        if loaded.set.is_none() {
            let why = "a bundle of the policy comes from a service: name a copy of it with --policy";
            return Err((Exit::Configuration, why.to_owned()));
        }
        let bundles = loaded.bundles.iter().map(|(name, sources)| (name.clone(), Sources::clone(sources)));
        let sources = Sources::together(bundles).map_err(|error| (Exit::Policy, error.to_string()))?;
        Ok(Self { sources, entrypoint, revisions: BTreeMap::clone(&loaded.revisions) })
    }

    /// Whether a record names these revisions: bundle name to revision.
    pub(super) fn is(&self, recorded: &BTreeMap<String, String>) -> bool {
        match self.revisions.get("") {
            Some(only) => recorded.len() == 1 && recorded.values().all(|revision| revision == only),
            None => self.revisions == *recorded,
        }
    }
}
