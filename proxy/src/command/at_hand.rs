//! The policy that a command explains with: a folder or bundle, or the bundles of a configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use postern_policy::{Sources, Tests};

use super::{Exit, Failure};
use crate::authorize::load::{self, PolicyError};
use crate::authorize::service::Copy;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{BundleSource, Config};
use crate::fault::causes;

/// The rule that decides, where no configuration says otherwise.
pub(super) const ENTRYPOINT: &str = "data.postern.decision";
/// How long one question may take; a live decision has `policy.fuse`, but also a machine of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A policy that was read.
pub(super) struct AtHand {
    pub(super) sources: Sources,
    pub(super) entrypoint: String,
    /// Bundle name to revision; of paths that were named, path to revision.
    pub(super) revisions: BTreeMap<String, String>,
    /// Whether these are of paths, which have no names of bundles.
    unnamed: bool,
    /// Of each bundle that was read from the copy of a service's: which, and how old it is.
    pub(super) notes: Vec<String>,
}

impl AtHand {
    /// The policy at these paths together, or else that of the configuration.
    pub(super) fn read(paths: &[PathBuf], config: Option<&Config>) -> Result<Self, Failure> {
        let entrypoint = config.map_or(ENTRYPOINT, |config| &config.policy.entrypoint).to_owned();
        if !paths.is_empty() {
            let (sources, revisions) = Sources::read_each(paths, Tests::Left)
                .map_err(|error| Failure::Said(Exit::Configuration, error.to_string()))?;
            let named = paths.iter().map(|path| path.display().to_string());
            let revisions = named.zip(revisions).collect();
            return Ok(Self { sources, entrypoint, revisions, unnamed: true, notes: Vec::new() });
        }
        let config = config.ok_or_else(|| Failure::Said(Exit::Usage, "no policy is named".to_owned()))?;
        let (kept, notes) = kept(config)?;
        let loaded = load::load(&config.policy, kept).map_err(failed)?;
        if loaded.set.is_none() {
            let why = "a bundle of the policy comes from a service: name a copy of it with --policy";
            return Err(Failure::Said(Exit::Configuration, why.to_owned()));
        }
        let bundles = loaded.bundles.iter().map(|(name, sources)| (name.clone(), Sources::clone(sources)));
        let sources =
            Sources::together(bundles).map_err(|error| Failure::Said(Exit::Policy, error.to_string()))?;
        let revisions = BTreeMap::clone(&loaded.revisions);
        Ok(Self { sources, entrypoint, revisions, unnamed: false, notes })
    }

    /// Whether a record names these revisions: bundle name to revision.
    pub(super) fn is(&self, recorded: &BTreeMap<String, String>) -> bool {
        let sorted = |revisions: &BTreeMap<String, String>| {
            let mut all: Vec<String> = revisions.values().cloned().collect();
            all.sort();
            all
        };
        if self.unnamed { sorted(&self.revisions) == sorted(recorded) } else { self.revisions == *recorded }
    }
}

/// How a command ends without a policy.
fn failed(error: PolicyError) -> Failure {
    match error {
        PolicyError::Refused(error) => Failure::Refused(error),
        PolicyError::Source(_) | PolicyError::Key { .. } => {
            Failure::Said(Exit::Configuration, causes(&error))
        }
        _ => Failure::Said(Exit::Policy, causes(&error)),
    }
}

/// The copies that are kept of services' bundles, each verified as at a start, and a note of each.
fn kept(config: &Config) -> Result<(load::Bundles, Vec<String>), Failure> {
    let (mut bundles, mut notes) = (load::Bundles::new(), Vec::new());
    for (name, bundle) in &config.policy.bundles {
        let BundleSource::Service(service) = &bundle.source else { continue };
        let url = &service.endpoint.url;
        let held = Copy::of(&config.state, name, url).held(service.size).map_err(|error| {
            let why = format!("{}: name a copy of the bundle with --policy", causes(&error));
            Failure::Said(Exit::Configuration, why)
        })?;
        let Some(kept) = held else { continue };
        let file = kept.file.display().to_string();
        let sources = load::unpack(&kept.archive, &file, bundle.verify.as_ref(), None).map_err(failed)?;
        let written = kept.file.metadata().and_then(|found| found.modified());
        let age =
            written.ok().and_then(|at| SystemClock.now().wall.duration_since(at).ok()).unwrap_or_default();
        let (revision, age) = (sources.revision(), rounded(age));
        notes.push(format!(
            "bundle {name}: revision {revision}, the copy kept {age} ago; {url} was not asked"
        ));
        bundles.insert(name.clone(), sources);
    }
    Ok((bundles, notes))
}

/// A stretch of time in its largest unit.
fn rounded(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
