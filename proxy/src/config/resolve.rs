//! From what the file said to a [`Config`]. Every problem is noted and resolving goes on, so that all are reported
//! at once; a section with a problem resolves to nothing.

mod bundles;
mod credentials;
mod identity;
mod listeners;
mod routes;
mod upstreams;
mod vaults;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use postern_policy::{Keeping, Largest};

use super::draft::{self, Draft};
use super::problem::{Problems, Wrong};
use super::rules::Rule;
use super::tree::At;
use super::units::{self, UnitError};
use super::{Admin, Config, Listener, Policy, Recorded, RecordedInput, Records, WhenFull};
use crate::model::{ListenerName, NameError, SpiffeId, TrustDomain};

/// What the process was given beside the file.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// The configuration file.
    pub(super) file: PathBuf,
    /// `SPIFFE_ENDPOINT_SOCKET`.
    pub(super) endpoint: Option<String>,
    /// `SSL_CERT_FILE`.
    pub(super) roots: Option<PathBuf>,
}

/// Resolves the file; nothing, where a problem was noted.
pub(super) fn resolve(draft: &Draft, around: &Surroundings, problems: &mut Problems) -> Option<Config> {
    Resolver { draft, around, problems }.config()
}

/// Resolves one section.
pub(super) fn resolve_admin(draft: &Draft, around: &Surroundings, problems: &mut Problems) -> Option<Admin> {
    Resolver { draft, around, problems }.admin(&At::default().key("admin"))
}

/// The file, what surrounds it, and what is wrong with it so far.
struct Resolver<'a> {
    draft: &'a Draft,
    around: &'a Surroundings,
    problems: &'a mut Problems,
}

/// The most that any of the listeners lets through.
fn largest(listeners: &BTreeMap<ListenerName, Arc<Listener>>) -> Largest {
    let routes = listeners.values().flat_map(|listener| &listener.routes);
    Largest {
        head: listeners.values().map(|listener| listener.limits.head_size).max().unwrap_or_default(),
        headers: listeners.values().map(|listener| listener.limits.headers).max().unwrap_or_default(),
        body: routes.filter_map(|route| Some(route.inspect?.limit)).max().unwrap_or_default(),
    }
}

impl Resolver<'_> {
    fn config(&mut self) -> Option<Config> {
        let root = At::default();
        if self.draft.version != 1 {
            self.problems.value(&root.key("version"), Wrong::Rule(Rule::Version(self.draft.version)));
        }
        let identity = self.identity(&root.key("identity"));
        let vaults = self.vaults(&root.key("vaults"));
        let credentials = self.credentials(&root.key("credentials"));
        let upstreams = self.upstreams(&root.key("upstreams"));
        let policy = self.policy(&root.key("policy"));
        let listeners = self.listeners(&root.key("listeners"), &upstreams);
        let largest = largest(&listeners);
        let admin = self.admin(&root.key("admin"));
        let drain = self.duration(&root.key("drain"), &self.draft.drain, ("1s", "1h"));
        Some(Config {
            file: self.around.file.clone(),
            state: self.file(&root.key("state"), &self.draft.state)?,
            workers: NonZeroUsize::new(self.draft.workers as usize)?,
            labels: self.draft.labels.clone(),
            identity: identity?,
            vaults,
            credentials,
            upstreams,
            policy: Policy { largest, ..policy? },
            listeners,
            records: self.records(&root.key("records"))?,
            admin: admin?,
            drain: drain?,
        })
    }

    fn policy(&mut self, at: &At) -> Option<Policy> {
        let policy = &self.draft.policy;
        let names = policy.entrypoint.strip_prefix("data.").unwrap_or_default();
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !names.split('.').all(is_name) {
            let entrypoint = policy.entrypoint.clone();
            self.problems.value(&at.key("entrypoint"), Wrong::Rule(Rule::Entrypoint(entrypoint)));
        }
        let mut bundles = BTreeMap::new();
        for (name, bundle) in &policy.bundles {
            let at = at.key("bundles").key(name);
            self.name::<crate::model::RouteName>(&at, name);
            if let Some(bundle) = self.bundle(&at, bundle) {
                bundles.insert(name.clone(), bundle);
            }
        }
        if policy.bundles.is_empty() {
            self.problems.rule(&at.key("bundles"), Rule::Empty);
        }
        let fuse = self.duration(&at.key("fuse"), &policy.fuse, ("1ms", "1s"))?;
        let tests = matches!(policy.tests, draft::OwnTests::Run);
        let status = match &policy.status {
            Some(status) => Some(Arc::new(self.status(&at.key("status"), status)?)),
            None => None,
        };
        let (entrypoint, largest) = (policy.entrypoint.clone(), Largest::default());
        Some(Policy { entrypoint, bundles, fuse, tests, largest, status })
    }

    fn records(&mut self, at: &At) -> Option<Records> {
        let records = &self.draft.records;
        let when_full = match records.when_full {
            draft::WhenFull::Refuse => WhenFull::Refuse,
            draft::WhenFull::Count => WhenFull::Count,
        };
        let file = self.file_if(&at.key("file"), records.file.as_ref());
        let input = self.recorded_input(&at.key("input"));
        Some(Records { file: file?, when_full, input: input? })
    }

    fn recorded_input(&mut self, at: &At) -> Option<RecordedInput> {
        let input = &self.draft.records.input;
        let of = match input.of {
            draft::Recorded::None => Recorded::None,
            draft::Recorded::Refusals => Recorded::Refusals,
            draft::Recorded::All => Recorded::All,
        };
        for (index, place) in input.show.iter().enumerate() {
            if !Keeping::is_place(place) {
                let wrong = Wrong::Rule(Rule::InputPlace(place.clone()));
                self.problems.value(&at.key("show").index(index), wrong);
            }
        }
        let most = self.size(&at.key("most"), &input.most, ("1KiB", "64KiB"))?;
        Some(RecordedInput { of, keeping: Keeping { show: input.show.clone(), most } })
    }

    fn admin(&mut self, at: &At) -> Option<Admin> {
        let admin = &self.draft.admin;
        let metrics = match &admin.metrics {
            Some(text) => Some(self.problems.unit(&at.key("metrics"), units::listen(text))?),
            None => None,
        };
        Some(Admin { socket: self.file_if(&at.key("socket"), admin.socket.as_ref())?, metrics })
    }

    /// A duration within bounds.
    fn duration(
        &mut self,
        at: &At,
        text: &draft::Duration,
        (least, most): (&'static str, &'static str),
    ) -> Option<Duration> {
        let duration = self.problems.unit(at, units::duration(&text.0))?;
        let within = units::duration(least).is_ok_and(|least| least <= duration)
            && units::duration(most).is_ok_and(|most| duration <= most);
        if !within {
            let range = UnitError::Range { text: text.0.clone(), least, most };
            self.problems.value(at, Wrong::Unit(range));
        }
        within.then_some(duration)
    }

    /// A size within bounds, in bytes.
    fn size(
        &mut self,
        at: &At,
        text: &draft::Size,
        (least, most): (&'static str, &'static str),
    ) -> Option<usize> {
        let size = self.problems.unit(at, units::size(&text.0))?;
        let within = units::size(least).is_ok_and(|least| least <= size)
            && units::size(most).is_ok_and(|most| size <= most);
        if !within {
            let range = UnitError::Range { text: text.0.clone(), least, most };
            self.problems.value(at, Wrong::Unit(range));
        }
        within.then_some(size)
    }

    /// A path; a relative one begins at the folder of the configuration file.
    fn file(&mut self, at: &At, file: &draft::File) -> Option<PathBuf> {
        self.text(at, &file.0)?;
        // A bare file name has an empty folder, which nothing can be asked of.
        let folder = self.around.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        Some(folder.join(&file.0))
    }

    /// A path that need not be there; the outer nothing says that it is wrong.
    #[expect(clippy::option_option, reason = "whether it was wrong, and whether it was there")]
    fn file_if(&mut self, at: &At, file: Option<&draft::File>) -> Option<Option<PathBuf>> {
        match file {
            Some(file) => self.file(at, file).map(Some),
            None => Some(None),
        }
    }

    /// A text that holds something printable.
    fn text(&mut self, at: &At, text: &str) -> Option<String> {
        let fits = !text.trim().is_empty() && !text.contains(char::is_control);
        if !fits {
            self.problems.value(at, Wrong::Rule(Rule::Unprintable));
        }
        fits.then(|| text.to_owned())
    }

    /// A key that names something.
    fn name<N: FromStr<Err = NameError>>(&mut self, at: &At, name: &str) -> Option<N> {
        name.parse().map_err(|wrong| self.problems.key(at, Wrong::Name(name.to_owned(), wrong))).ok()
    }

    /// A value that names one of `known`.
    fn one_of<'k, N: FromStr<Err = NameError>>(
        &mut self,
        at: &At,
        name: &str,
        kind: &'static str,
        known: impl Iterator<Item = &'k String>,
    ) -> Option<N> {
        let known: Vec<String> = known.cloned().collect();
        if known.iter().any(|known| known == name) {
            // A key that is no name has been noted where it stands.
            return name.parse().ok();
        }
        self.problems.value(at, Wrong::Unresolved { kind, name: name.to_owned(), known });
        None
    }

    fn spiffe_id(&mut self, at: &At, text: &str) -> Option<SpiffeId> {
        text.parse().map_err(|wrong| self.problems.value(at, Wrong::SpiffeId(text.to_owned(), wrong))).ok()
    }

    /// A list of trust domains: some, and none twice.
    fn trust(&mut self, at: &At, names: &[String]) -> Vec<TrustDomain> {
        if names.is_empty() {
            self.problems.rule(at, Rule::Empty);
        }
        self.no_twins(at, names);
        let mut domains = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match name.parse() {
                Ok(domain) => domains.push(domain),
                Err(wrong) => self.problems.value(&at.index(index), Wrong::SpiffeId(name.clone(), wrong)),
            }
        }
        domains
    }

    fn no_twins(&mut self, at: &At, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            if names.iter().take(index).any(|before| before == name) {
                self.problems.value(&at.index(index), Wrong::Rule(Rule::Twice(name.clone())));
            }
        }
    }
}
