//! Builds an archive out of folders: the same files give the same bytes, whoever builds and whenever.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value};
use tar::{Builder, Header};

use super::manifest::Manifest;
use super::pattern::Pattern;
use super::sign::Signer;
use super::{Files, MANIFEST, Role, SIGNATURES, Wanted, Wrong, archive, folder};
use crate::admit::{Admitted, Terms};
use crate::compile::PolicySet;
use crate::deadline::Deadline;
use crate::problem::{LoadError, Problem};
use crate::sources::{SourceError, Sources};

/// The files of a bundle that is being built.
#[derive(Debug)]
pub struct Draft {
    files: Files,
    /// Where each was read.
    read_at: BTreeMap<String, PathBuf>,
    /// All that it is made of, for messages.
    from: String,
}

/// Why a bundle is not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It cannot be read, or holds what no bundle may hold.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It would not be loaded, a test in it fails, or it is above its fuse.
    #[error(transparent)]
    Refused(#[from] LoadError),
}

impl Draft {
    /// Reads what means something of folders and archives, each a bundle's root, and single files; tests too. A name
    /// is left out where one of its parts matches one of the patterns.
    pub fn read(paths: &[impl AsRef<Path>], ignore: &[Pattern]) -> Result<Self, SourceError> {
        let from: Vec<String> = paths.iter().map(|path| path.as_ref().display().to_string()).collect();
        let mut draft = Self { files: Files::new(), read_at: BTreeMap::new(), from: from.join(", ") };
        for path in paths {
            draft.add(path.as_ref(), ignore)?;
        }
        Ok(draft)
    }

    fn add(&mut self, path: &Path, ignore: &[Pattern]) -> Result<(), SourceError> {
        for (name, bytes) in read(path)? {
            let role = Role::of(&name);
            // An older signature is not that of what is built.
            let passed_over = matches!(role, Role::Other | Role::Signatures);
            if passed_over || (role != Role::Manifest && Pattern::any(ignore, &name)) {
                continue;
            }
            if let Role::Unsupported(why) = role {
                return Err(SourceError::of(&path.display().to_string(), Wrong::new(name, why)));
            }
            let place = if path.is_dir() { path.join(&name) } else { path.to_owned() };
            if let Some(other) = self.read_at.insert(name.clone(), place) {
                let why = format!("stands in {} too: a bundle has one file of a name", other.display());
                return Err(SourceError::of(&path.display().to_string(), Wrong::new(name, why)));
            }
            self.files.insert(name, bytes);
        }
        Ok(())
    }

    /// Writes the manifest: revision and roots as they are given here, and else as the bundle's own says.
    pub fn describe(&mut self, revision: Option<&str>, roots: &[String]) -> Result<(), SourceError> {
        let own: Map<String, Value> = match self.files.get(MANIFEST) {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| self.wrong(Wrong::new(MANIFEST, format!("not a manifest: {error}"))))?,
            None => Map::new(),
        };
        let given = [
            ("revision", revision.map(Value::from), Value::from("")),
            ("roots", (!roots.is_empty()).then(|| Value::from(roots)), Value::from(vec![""])),
            ("rego_version", None, Value::from(1)),
        ];
        let mut manifest = Map::new();
        for (name, given, otherwise) in given {
            let value = given.or_else(|| own.get(name).cloned()).unwrap_or(otherwise);
            manifest.insert(name.to_owned(), value);
        }
        for (name, value) in own {
            manifest.entry(name).or_insert(value);
        }
        let bytes = format!("{}\n", Value::Object(manifest)).into_bytes();
        Manifest::parse(&bytes).map_err(|wrong| self.wrong(wrong))?;
        self.files.insert(MANIFEST.to_owned(), bytes);
        Ok(())
    }

    /// Admits it as a load would. Tests stand under the roots too: OPA would not load the bundle otherwise. Problems
    /// name the files where they were read, and so do the warnings, which stand last.
    pub fn check(
        &self,
        terms: &Terms,
        deadline: &Deadline,
    ) -> Result<(Sources, Admitted, Vec<Problem>), BuildError> {
        let mut sources = Sources::unsigned(self.files.clone()).map_err(|wrong| self.wrong(wrong))?;
        let roots = sources.roots.clone();
        for test in &mut sources.tests {
            test.roots = roots.clone();
        }
        let sources = Sources::together([(self.from.clone(), sources)])?;
        let admitted = PolicySet::admit(&sources, terms, deadline)
            .map_err(|LoadError { problems }| LoadError { problems: self.placed(problems) })?;
        // The manifest is not written as its author wrote it.
        let doubts = sources.doubts().into_iter().map(|doubt| {
            let elsewhere = doubt.file == MANIFEST;
            if elsewhere { Problem { line: 0, column: 0, excerpt: String::new(), ..doubt } } else { doubt }
        });
        let warnings = admitted.policy.warnings().iter().cloned().chain(doubts).collect();
        let warnings = self.placed(warnings);
        Ok((sources, admitted, warnings))
    }

    /// Adds the signature of all that stands in it by now.
    pub fn sign(&mut self, signer: &Signer) -> Result<(), SourceError> {
        let signatures = signer.sign(&self.files).map_err(|wrong| self.wrong(wrong))?;
        self.files.insert(SIGNATURES.to_owned(), signatures);
        Ok(())
    }

    /// The archive. It is read back as at load: what could not be read there is not built.
    pub fn pack(&self) -> Result<Vec<u8>, SourceError> {
        let packed =
            pack(&self.files).map_err(|error| self.wrong(Wrong::new("archive", error.to_string())))?;
        match archive::unpack(&packed) {
            Ok(files) if files == self.files => Ok(packed),
            Ok(_) => Err(self.wrong(Wrong::new("archive", "does not read as it was written"))),
            Err(wrong) => Err(self.wrong(wrong)),
        }
    }

    /// The names of its files, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    fn wrong(&self, wrong: Wrong) -> SourceError {
        SourceError::of(&self.from, wrong)
    }

    fn placed(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        for problem in &mut problems {
            if let Some(place) = self.read_at.get(&problem.file) {
                problem.file = place.display().to_string();
            }
        }
        problems
    }
}

fn read(path: &Path) -> Result<Files, SourceError> {
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match Role::of(name) {
        Role::Other if is_file && path.extension().is_none_or(|end| end != "gz") => {
            Err(SourceError::Unread { path: path.to_owned() })
        }
        role if is_file && role != Role::Other => {
            Ok([(name.to_owned(), folder::bytes(path, role.most())?)].into())
        }
        _ => Sources::files(path, Wanted::Policy),
    }
}

/// Sorted entries that say nothing of when, where and by whom.
fn pack(files: &Files) -> io::Result<Vec<u8>> {
    // 255: of no operating system (RFC 1952, 2.3.1).
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        tar.append_data(&mut header, name, bytes.as_slice())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

#[cfg(test)]
mod tests;
