//! The text a policy is compiled from: Rego modules and data documents, with a revision that names exactly them.

mod paths;

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

pub use paths::Tests;
pub(crate) use paths::is_test;

use crate::bundle::manifest::Manifest;
use crate::bundle::roots::Roots;
use crate::bundle::signature::{self, Signed};
use crate::bundle::{
    self, Files, MANIFEST, MAX_ENTRIES, MAX_FOLDERS, MAX_INPUTS, Role, Wanted, Wrong, archive, folder,
};
use crate::problem::Problem;

/// Everything one policy is made of. Names are relative to the bundle, with `/` between.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub(crate) modules: Vec<Module>,
    pub(crate) data: Vec<DataFile>,
    /// Modules `*_test.rego`: no part of what decides, but run before it does.
    pub(crate) tests: Vec<Module>,
    /// Recorded inputs `inputs/*.json`: name and text.
    pub(crate) inputs: Vec<(String, String)>,
    /// What the bundle calls itself.
    manifest: Option<String>,
    /// What the bundle owns.
    pub(crate) roots: Roots,
    /// Members of its manifest that mean nothing.
    pub(crate) unknown: Vec<Problem>,
    /// Whether data was added to what the bundle holds.
    added: bool,
    /// When its signature was made, where one was checked.
    signed_at: Option<i64>,
    revision: String,
}

/// One Rego module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) text: String,
    /// Where its package may stand.
    pub(crate) roots: Roots,
}

/// One data document, and where it goes below `data`.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    /// JSON, whatever it was written in.
    pub(crate) text: String,
}

impl DataFile {
    fn new(path: &str, text: &str) -> Self {
        let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let name = path.iter().map(String::as_str).chain(["data.json"]).collect::<Vec<_>>().join("/");
        Self { name, path, text: text.to_owned() }
    }
}

/// Why a bundle could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A name or a file that is not UTF-8.
    #[error("{}: not UTF-8", path.display())]
    NotUtf8 {
        /// File or folder.
        path: PathBuf,
    },
    /// A file, or all files, above the limit.
    #[error("{}: larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Limit in bytes.
        limit: u64,
    },
    /// Too many files or too deep folders.
    #[error("{}: more than {MAX_ENTRIES} files or folders more than {MAX_FOLDERS} deep", path.display())]
    TooMany {
        /// Where the limit was passed.
        path: PathBuf,
    },
    /// A pipe, a socket or a device.
    #[error("{}: neither a file nor a folder", path.display())]
    NotAFile {
        /// Where it is.
        path: PathBuf,
    },
    /// A single file that is named as nothing that is read.
    #[error("{}: none of *.rego, *.json, *.tar.gz and *.tgz", path.display())]
    Unread {
        /// The file.
        path: PathBuf,
    },
    /// Something in the bundle that it may not hold, or not in this form.
    #[error("{from}: {entry}: {why}")]
    Entry {
        /// The bundle's folder, file or address.
        from: String,
        /// The entry in it.
        entry: String,
        /// What is wrong with it.
        why: String,
    },
    /// No Rego module at all: an empty or wrong folder.
    #[error("{from}: no .rego file here or below")]
    Empty {
        /// The bundle or bundles.
        from: String,
    },
    /// Tests of a policy that is not there.
    #[error(
        "{from}: no .rego file but tests, *_test.rego, here or below: the policy is to stand beside them"
    )]
    TestsAlone {
        /// The bundle or bundles.
        from: String,
    },
    /// Two bundles that own the same.
    #[error("bundles {one} and {other} both own {root}: name other roots in their manifests")]
    Overlap {
        /// Name of a bundle.
        one: String,
        /// Name of another.
        other: String,
        /// The path below `data` that both claim.
        root: String,
    },
}

impl SourceError {
    pub(crate) fn of(from: &str, wrong: Wrong) -> Self {
        Self::Entry { from: from.to_owned(), entry: wrong.entry, why: wrong.why }
    }

    /// No module of a policy is there; tests may be.
    fn without_policy(from: String, tests: bool) -> Self {
        if tests { Self::TestsAlone { from } } else { Self::Empty { from } }
    }
}

impl Sources {
    /// Reads a bundle, which is a folder or a gzipped tar, and laid out as OPA's are: every `*.rego`, of which
    /// `*_test.rego` are its tests; every `data.json` or `data.yaml`, which goes where its folder says; recorded
    /// inputs `inputs/*.json`; `.manifest` with revision and roots. Everything else in it is passed over. In a folder
    /// hidden names are passed over too, and links are followed; an archive may hold neither. `signed` says what
    /// becomes of its signature.
    pub fn read(path: &Path, signed: Signed<'_>) -> Result<Self, SourceError> {
        let wanted = if matches!(signed, Signed::By(_)) { Wanted::All } else { Wanted::Policy };
        let files = Self::files(path, wanted)?;
        let from = path.display().to_string();
        Self::of_files(files, signed).map_err(|wrong| SourceError::of(&from, wrong))
    }

    /// The files of a folder or an archive; of a folder those that are wanted.
    pub(crate) fn files(path: &Path, wanted: Wanted) -> Result<Files, SourceError> {
        let kind =
            std::fs::metadata(path).map_err(|source| SourceError::Io { path: path.to_owned(), source })?;
        if kind.is_dir() {
            return folder::read(path, wanted);
        }
        if !kind.is_file() {
            return Err(SourceError::NotAFile { path: path.to_owned() });
        }
        let packed = folder::bytes(path, archive::MAX_PACKED)?;
        archive::unpack(&packed).map_err(|wrong| SourceError::of(&path.display().to_string(), wrong))
    }

    /// A bundle as it was downloaded, a gzipped tar; `from` names it in errors.
    pub fn from_archive(packed: &[u8], from: &str, signed: Signed<'_>) -> Result<Self, SourceError> {
        let read = archive::unpack(packed).and_then(|files| Self::of_files(files, signed));
        read.map_err(|wrong| SourceError::of(from, wrong))
    }

    /// Reads one bundle that is a whole policy, signed or not.
    pub fn read_folder(path: &Path) -> Result<Self, SourceError> {
        Self::together([(path.display().to_string(), Self::read(path, Signed::Unchecked)?)])
    }

    /// One policy of several bundles, each under its name. No two may own the same. Names of files begin with that
    /// of their bundle, where there is more than one.
    pub fn together(bundles: impl IntoIterator<Item = (String, Self)>) -> Result<Self, SourceError> {
        let mut bundles: Vec<(String, Self)> = bundles.into_iter().collect();
        for (index, (one, sources)) in bundles.iter().enumerate() {
            for (other, others) in bundles.iter().skip(index + 1) {
                if let Some(root) = sources.roots.shared_with(&others.roots) {
                    return Err(SourceError::Overlap { one: one.clone(), other: other.clone(), root });
                }
            }
        }
        if bundles.iter().all(|(_, sources)| sources.modules.is_empty()) {
            let names: Vec<&str> = bundles.iter().map(|(name, _)| name.as_str()).collect();
            let tests = bundles.iter().any(|(_, sources)| !sources.tests.is_empty());
            return Err(SourceError::without_policy(names.join(", "), tests));
        }
        if bundles.len() == 1
            && let Some((_, only)) = bundles.pop()
        {
            return Ok(only);
        }
        let mut all = Self::default();
        for (name, sources) in bundles {
            let below = |file: &str| format!("{name}/{file}");
            let named = |module: Module| Module { name: below(&module.name), ..module };
            all.modules.extend(sources.modules.into_iter().map(named));
            all.tests.extend(sources.tests.into_iter().map(named));
            all.inputs.extend(sources.inputs.into_iter().map(|(file, text)| (below(&file), text)));
            all.unknown.extend(sources.unknown.into_iter().map(|of| Problem { file: below(&of.file), ..of }));
            all.data
                .extend(sources.data.into_iter().map(|file| DataFile { name: below(&file.name), ..file }));
        }
        all.settle();
        Ok(all)
    }

    /// Sources that are already in memory: (name, text) of each module, and (path below `data`, JSON text) of each
    /// document, where the path's members are separated by `/` and an empty path is `data` itself.
    #[must_use]
    pub fn from_modules<'a>(
        modules: impl IntoIterator<Item = (&'a str, &'a str)>,
        data: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let module = |(name, text): (&str, &str)| Module {
            name: name.into(),
            text: text.into(),
            roots: Roots::everything(),
        };
        let data = data.into_iter().map(|(path, text)| DataFile::new(path, text));
        let modules = modules.into_iter().map(module).collect();
        let mut sources = Self { modules, data: data.collect(), ..Self::default() };
        sources.settle();
        sources
    }

    /// Adds a data document, `context/freeze` for `data.context.freeze`; the revision names it too.
    #[must_use]
    pub fn with_data(mut self, path: &str, json: &str) -> Self {
        self.data.push(DataFile::new(path, json));
        self.added = true;
        self.settle();
        self
    }

    /// Names this policy in records: the manifest's revision, or the first 12 hex digits of a SHA-256.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// When it was signed, in Unix seconds: where the signature was checked and says it.
    #[must_use]
    pub const fn signed_at(&self) -> Option<i64> {
        self.signed_at
    }

    /// Whether both say the same under the same name, and were signed at the same time: what is signed anew is new, for
    /// nothing that was signed before it counts from then on.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.revision == other.revision
            && self.signed_at == other.signed_at
            && self.roots == other.roots
            && self.tests == other.tests
            && self.inputs == other.inputs
            && self.digest() == other.digest()
    }

    /// The policy and its tests as one, for running them.
    #[must_use]
    pub(crate) fn with_tests(&self) -> Self {
        let mut all = self.clone();
        all.modules.append(&mut all.tests);
        all.settle();
        all
    }

    /// Takes what means something out of a bundle's files.
    fn of_files(mut files: Files, signed: Signed<'_>) -> Result<Self, Wrong> {
        let signed_at = signature::check(&mut files, signed)?;
        Ok(Self { signed_at, ..Self::unsigned(files)? })
    }

    pub(crate) fn unsigned(mut files: Files) -> Result<Self, Wrong> {
        let (manifest, unknown) = match files.remove(MANIFEST) {
            Some(bytes) => {
                let manifest = Manifest::parse(&bytes)?;
                let unknown = manifest.unknown(&bytes);
                (manifest, unknown)
            }
            None => (Manifest::default(), Vec::new()),
        };
        let (roots, revision) = (manifest.roots()?, manifest.revision().map(str::to_owned));
        let mut sources = Self { roots, manifest: revision, unknown, ..Self::default() };
        for (name, bytes) in files {
            let role = Role::of(&name);
            if let Role::Unsupported(instead) = role {
                return Err(Wrong::new(name, format!("is not read: {instead}")));
            }
            if !matches!(role, Role::Module | Role::Test | Role::Input | Role::Json | Role::Yaml) {
                continue;
            }
            // OPA loads it, under another name.
            if name.split('/').any(|part| part.starts_with('.')) {
                return Err(Wrong::new(name, "has a hidden name, which no module or data may have"));
            }
            let text = String::from_utf8(bytes).map_err(|_| Wrong::new(name.as_str(), "not UTF-8"))?;
            match role {
                Role::Module => {
                    manifest.check_rego(&name)?;
                    sources.modules.push(Module { name, text, roots: sources.roots.clone() });
                }
                Role::Test => {
                    manifest.check_rego(&name)?;
                    // Tests define nothing that lives on, so that they may have packages of their own.
                    sources.tests.push(Module { name, text, roots: Roots::everything() });
                }
                Role::Input if sources.inputs.len() >= MAX_INPUTS => {
                    return Err(Wrong::new(name, format!("more than {MAX_INPUTS} recorded inputs")));
                }
                Role::Input => sources.inputs.push((name, text)),
                _ => sources.data.push(sources.document(name, text, role)?),
            }
        }
        sources.settle();
        Ok(sources)
    }

    /// A data document, where its folder says and only under the bundle's roots.
    fn document(&self, name: String, text: String, role: Role) -> Result<DataFile, Wrong> {
        let mut path: Vec<String> = name.split('/').map(str::to_owned).collect();
        path.pop();
        if role == Role::Json && self.roots == Roots::everything() {
            return Ok(DataFile { name, path, text });
        }
        let value = bundle::document(&name, &text, role)?;
        if let Some(outside) = self.roots.outside(&mut path, &value) {
            let why = format!(
                "holds data at {outside}, outside the bundle's roots ({}); instead: a folder below one of them, or \
                 \"{}\" among the `roots` of the bundle's `.manifest`",
                self.roots,
                outside.trim_start_matches('/')
            );
            return Err(Wrong::new(name, why));
        }
        Ok(DataFile { name, path, text: if role == Role::Json { text } else { value.to_string() } })
    }

    /// Orders the files, so that the folder's own order changes nothing, and fixes the revision.
    fn settle(&mut self) {
        self.modules.sort_by(|a, b| a.name.cmp(&b.name));
        self.tests.sort_by(|a, b| a.name.cmp(&b.name));
        self.data.sort_by(|a, b| a.name.cmp(&b.name));
        self.revision = match &self.manifest {
            None => self.digest(),
            Some(revision) if self.added => format!("{revision}+{}", self.digest()),
            Some(revision) => revision.clone(),
        };
    }

    /// The first 12 hex digits of a SHA-256 over all that decides: other text, another digest, whatever
    /// the manifest calls it. Tests decide nothing.
    #[must_use]
    pub fn digest(&self) -> String {
        let modules = self.modules.iter().map(|module| (&module.name, &module.text));
        let data = self.data.iter().map(|file| (&file.name, &file.text));
        let mut context = digest::Context::new(&digest::SHA256);
        for (name, text) in modules.chain(data) {
            // Lengths first, so that no two lists of files run together to the same bytes.
            for part in [name, text] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        bundle::hex(context.finish().as_ref().get(..6).unwrap_or_default())
    }
}

fn read_text(path: &Path, limit: u64) -> Result<String, SourceError> {
    String::from_utf8(folder::bytes(path, limit)?).map_err(|_| SourceError::NotUtf8 { path: path.to_owned() })
}

#[cfg(test)]
mod tests;
