//! Reads the file: its text, its tree, its shape, its meaning. Each step needs the one before; within a step all
//! problems are collected.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::draft::{self, Draft};
use super::problem::{ConfigErrors, Problem, Problems, Wrong};
use super::resolve::{Surroundings, resolve, resolve_admin};
use super::shape;
use super::tree::{self, At, Node, Place};
use super::{Admin, Config};

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 1 << 20;
/// A Workload API that nobody asks.
const NOWHERE: &str = "unix:///none";

/// The section `admin` of the configuration alone, for who asks a running Postern: what that one takes from its
/// environment need not be in ours.
pub fn load_admin(file: &Path) -> Result<Admin, ConfigErrors> {
    let text = read(file).map_err(|wrong| of_file(file, wrong))?;
    let (tree, draft) = draft_of(file, &text)?;
    let mut problems = Problems::default();
    let around = Surroundings { file: file.to_owned(), ..Surroundings::default() };
    resolve_admin(&draft, &around, &mut problems).ok_or_else(|| problems.report(file, &text, &tree))
}

/// Reads, parses and resolves the configuration. Without `identity.workload_api` the environment variable
/// `SPIFFE_ENDPOINT_SOCKET` is asked; `SSL_CERT_FILE` moves the roots of vaults that name none.
pub fn load(file: &Path) -> Result<Config, ConfigErrors> {
    let text = read(file).map_err(|wrong| of_file(file, wrong))?;
    let around = Surroundings {
        file: file.to_owned(),
        endpoint: std::env::var("SPIFFE_ENDPOINT_SOCKET").ok().filter(|value| !value.is_empty()),
        roots: std::env::var_os("SSL_CERT_FILE").map(PathBuf::from),
    };
    parse(&text, &around)
}

/// The same for who only reads it, and asks nobody: of the environment nothing counts, and where SVIDs come from need not
/// be said.
pub fn load_at_rest(file: &Path) -> Result<Config, ConfigErrors> {
    let text = read(file).map_err(|wrong| of_file(file, wrong))?;
    let around = Surroundings { file: file.to_owned(), endpoint: Some(NOWHERE.to_owned()), roots: None };
    parse(&text, &around)
}

/// A configuration around a policy alone: one route that takes every request and inspects its body, and no credential.
/// Callers are those of one trust domain, by certificate, or by a token for one audience.
pub(crate) fn around_policy(entrypoint: &str, domain: &str, audience: &str) -> Result<Config, ConfigErrors> {
    let text = serde_json::json!({
        "version": 1,
        "state": "state",
        "identity": {"workload_api": NOWHERE, "trust": [domain]},
        "upstreams": {"any": {"address": "127.0.0.1:9"}},
        "policy": {"entrypoint": entrypoint, "bundles": {"any": {"path": "any"}}},
        "listeners": {"any": {
            "bind": "127.0.0.1:9443",
            "protocol": "http",
            "callers": {"any_of": ["x509_svid", "jwt_svid"], "audience": audience},
            "routes": {"any": {"path": "/", "upstream": "any", "body": {"inspect": "1MiB"}}},
        }},
    });
    let around = Surroundings { file: PathBuf::from("(no configuration)"), ..Surroundings::default() };
    parse(&text.to_string(), &around)
}

fn read(file: &Path) -> Result<String, Wrong> {
    let mut text = String::new();
    let opened = File::open(file).map_err(Wrong::Unreadable)?;
    opened.take(MAX_SIZE + 1).read_to_string(&mut text).map_err(Wrong::Unreadable)?;
    if text.len() as u64 > MAX_SIZE { Err(Wrong::TooLarge) } else { Ok(text) }
}

/// Parses and resolves the text of a configuration.
pub(super) fn parse(text: &str, around: &Surroundings) -> Result<Config, ConfigErrors> {
    let file = &around.file;
    let (tree, draft) = draft_of(file, text)?;
    let mut problems = Problems::default();
    match resolve(&draft, around, &mut problems) {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems.report(file, text, &tree)),
    }
}

/// What stands in the file, of the right shape.
fn draft_of(file: &Path, text: &str) -> Result<(Node, Draft), ConfigErrors> {
    let tree = Node::parse(text).map_err(|error| of_yaml(file, text, &error))?;
    let mut problems = Problems::default();
    shape::compare(&tree, draft::schema().as_value(), &mut problems);
    if !problems.is_empty() {
        return Err(problems.report(file, text, &tree));
    }
    // The shape was compared already: what serde still refuses is refused by its own words.
    let draft = serde_saphyr::from_str_with_options(text, tree::options())
        .map_err(|error| of_yaml(file, text, &error))?;
    Ok((tree, draft))
}

/// Where the keys of a configuration stand.
#[derive(Debug)]
pub struct Lines(Option<Node>);

impl Lines {
    /// Those of a file; of one that cannot be read, none.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        Self(read(file).ok().and_then(|text| Node::parse(&text).ok()))
    }

    /// The line, counted from 1, of a key such as `listeners.front.bind`, or of the nearest section around it.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        let at = key.split('.').fold(At::default(), |at, step| at.key(step));
        self.0.as_ref()?.find(&at).0.map(|place| place.line)
    }
}

fn of_file(file: &Path, wrong: Wrong) -> ConfigErrors {
    ConfigErrors { file: file.to_owned(), problems: vec![Problem::of_file(wrong)] }
}

fn of_yaml(file: &Path, text: &str, error: &serde_saphyr::Error) -> ConfigErrors {
    let error = error.without_snippet();
    let wrong = match error {
        serde_saphyr::Error::DuplicateMappingKey { .. } => {
            Wrong::Yaml("this key stands here twice".to_owned())
        }
        _ => Wrong::Yaml(error.to_string()),
    };
    match error.location() {
        Some(location) => {
            let problem = Problem::at(String::new(), Place::from(location), wrong, text);
            ConfigErrors { file: file.to_owned(), problems: vec![problem] }
        }
        None => of_file(file, wrong),
    }
}
