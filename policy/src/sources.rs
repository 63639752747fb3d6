//! The text a policy is compiled from: Rego modules and data documents, with a revision that names exactly them.

mod paths;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

pub use paths::Tests;

/// Most files one policy may have.
const MAX_FILES: usize = 4_096;
/// Deepest folder below the policy's own.
const MAX_FOLDERS: usize = 16;
/// Largest data document, in bytes; a Rego module's limit is the gate's.
const MAX_DATA: u64 = 32 * 1024 * 1024;
/// Largest Rego module that is read at all, in bytes.
const MAX_MODULE: u64 = 1024 * 1024;

/// Everything one policy is made of. Names are relative to the folder, with `/` between.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub(crate) modules: Vec<Module>,
    pub(crate) data: Vec<DataFile>,
    /// What the bundle calls itself.
    manifest: Option<String>,
    /// Whether data was added to what the bundle holds.
    added: bool,
    revision: String,
}

/// One Rego module.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// One data document, and where it goes below `data`.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    pub(crate) text: String,
}

impl DataFile {
    fn new(path: &str, text: &str) -> Self {
        let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self { name: label(&path, "data.json"), path, text: text.to_owned() }
    }
}

/// Why a policy folder could not be read.
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
    /// A file above its limit.
    #[error("{}: larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Limit in bytes.
        limit: u64,
    },
    /// Too many files or too deep folders.
    #[error("{}: more than {MAX_FILES} files or folders more than {MAX_FOLDERS} deep", path.display())]
    TooMany {
        /// Where the limit was passed.
        path: PathBuf,
    },
    /// YAML data would be ignored in silence.
    #[error("{}: data is read from data.json only; convert it to JSON", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
    },
    /// A pipe, a socket or a device.
    #[error("{}: neither a file nor a folder", path.display())]
    NotAFile {
        /// Where it is.
        path: PathBuf,
    },
    /// A bundle manifest that cannot be read.
    #[error("{}: {detail}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// No Rego module at all: an empty or wrong folder.
    #[error("{}: no .rego file here or below", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

impl Sources {
    /// Reads a folder as an OPA bundle is laid out: every `*.rego` except `*_test.rego`, and every `data.json`,
    /// which goes where its folder says. Hidden names are skipped but for `.manifest`, whose `revision` is taken;
    /// without one the revision is a digest of names and contents.
    pub fn read_folder(path: &Path) -> Result<Self, SourceError> {
        let mut sources = Self::default();
        sources.read_below(path, &mut Vec::new())?;
        if sources.modules.is_empty() {
            return Err(SourceError::Empty { path: path.to_owned() });
        }
        sources.manifest = read_manifest(&path.join(".manifest"))?;
        sources.settle();
        Ok(sources)
    }

    /// Sources that are already in memory: (name, text) of each module, and (path below `data`, JSON text) of each
    /// document, where the path's members are separated by `/` and an empty path is `data` itself.
    #[must_use]
    pub fn from_modules<'a>(
        modules: impl IntoIterator<Item = (&'a str, &'a str)>,
        data: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let modules = modules.into_iter().map(|(name, text)| Module { name: name.into(), text: text.into() });
        let data = data.into_iter().map(|(path, text)| DataFile::new(path, text));
        let mut sources = Self { modules: modules.collect(), data: data.collect(), ..Self::default() };
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

    fn read_below(&mut self, folder: &Path, below: &mut Vec<String>) -> Result<(), SourceError> {
        if below.len() > MAX_FOLDERS {
            return Err(SourceError::TooMany { path: folder.to_owned() });
        }
        let io = |source| SourceError::Io { path: folder.to_owned(), source };
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| SourceError::NotUtf8 { path: path.clone() })?.to_owned();
            // A mounted volume keeps older states under names that begin with a dot.
            if name.starts_with('.') {
                continue;
            }
            // Follows links: a mounted volume is made of them.
            let kind =
                std::fs::metadata(&path).map_err(|source| SourceError::Io { path: path.clone(), source })?;
            if kind.is_dir() {
                below.push(name);
                self.read_below(&path, below)?;
                below.pop();
            } else if kind.is_file() {
                self.read_file(&path, &name, below)?;
            } else {
                // Opening a pipe waits for whoever writes into it.
                return Err(SourceError::NotAFile { path });
            }
        }
        Ok(())
    }

    fn read_file(&mut self, path: &Path, name: &str, below: &[String]) -> Result<(), SourceError> {
        if self.modules.len() + self.data.len() >= MAX_FILES {
            return Err(SourceError::TooMany { path: path.to_owned() });
        }
        let label = label(below, name);
        if name == "data.json" {
            self.data.push(DataFile { name: label, path: below.to_vec(), text: read_text(path, MAX_DATA)? });
        } else if name == "data.yaml" || name == "data.yml" {
            return Err(SourceError::Yaml { path: path.to_owned() });
        } else if path.extension().is_some_and(|end| end == "rego") && !name.ends_with("_test.rego") {
            self.modules.push(Module { name: label, text: read_text(path, MAX_MODULE)? });
        }
        Ok(())
    }

    /// Orders the files, so that the folder's own order changes nothing, and fixes the revision.
    fn settle(&mut self) {
        self.modules.sort_by(|a, b| a.name.cmp(&b.name));
        self.data.sort_by(|a, b| a.name.cmp(&b.name));
        self.revision = match &self.manifest {
            None => self.digest(),
            Some(revision) if self.added => format!("{revision}+{}", self.digest()),
            Some(revision) => revision.clone(),
        };
    }

    /// The first 12 hex digits of a SHA-256 over all that was read: other text, another digest, whatever
    /// the manifest calls it.
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
        let mut hex = String::with_capacity(12);
        for byte in context.finish().as_ref().iter().take(6) {
            let written = write!(hex, "{byte:02x}");
            debug_assert!(written.is_ok(), "writing to a String");
        }
        hex
    }
}

fn label(below: &[String], name: &str) -> String {
    let mut label = below.join("/");
    if !label.is_empty() {
        label.push('/');
    }
    label + name
}

fn read_text(path: &Path, limit: u64) -> Result<String, SourceError> {
    use std::io::Read as _;
    let io = |source| SourceError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    // Read through a limit: the size that the system reports may change while we read.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit });
    }
    String::from_utf8(bytes).map_err(|_| SourceError::NotUtf8 { path: path.to_owned() })
}

fn read_manifest(path: &Path) -> Result<Option<String>, SourceError> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        revision: Option<String>,
    }
    if !path.exists() {
        return Ok(None);
    }
    if !path.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned() });
    }
    let bad = |detail: String| SourceError::Manifest { path: path.to_owned(), detail };
    let text = read_text(path, MAX_MODULE)?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    match manifest.revision {
        // It stands in every record.
        Some(revision) if revision.len() > 128 || revision.chars().any(char::is_control) => {
            Err(bad("revision: at most 128 printable characters".to_owned()))
        }
        revision => Ok(revision.filter(|revision| !revision.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_gives_modules_and_data_where_its_folders_say() {
        let folder = folder(&[
            ("main.rego", "package a"),
            ("main_test.rego", "package a"),
            ("teams/data.json", "{}"),
            ("teams/notes.json", "{}"),
            (".hidden/old.rego", "package b"),
            ("lib/roles.rego", "package c"),
        ]);

        let sources = Sources::read_folder(folder.path()).unwrap();

        let names: Vec<&str> = sources.modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["lib/roles.rego", "main.rego"]);
        assert_eq!(sources.data.len(), 1);
        assert_eq!(sources.data[0].path, ["teams"]);
    }

    #[test]
    fn the_revision_is_the_manifests_or_hangs_on_every_name_and_byte() {
        let one = Sources::from_modules([("a.rego", "package a")], []);
        let renamed = Sources::from_modules([("b.rego", "package a")], []);
        let with_data = Sources::from_modules([("a.rego", "package a")], [("", "{}")]);
        assert_eq!(one.revision().len(), 12);
        assert_ne!(one.revision(), renamed.revision());
        assert_ne!(one.revision(), with_data.revision());

        let folder =
            folder(&[("a.rego", "package a"), (".manifest", r#"{"revision": "r42", "roots": [""]}"#)]);
        assert_eq!(Sources::read_folder(folder.path()).unwrap().revision(), "r42");
    }

    #[test]
    fn data_that_is_added_changes_the_revision_but_not_the_bundles_name() {
        let folder = folder(&[("a.rego", "package a"), (".manifest", r#"{"revision": "r42"}"#)]);
        let bundle = Sources::read_folder(folder.path()).unwrap();

        let one = bundle.clone().with_data("context/freeze", "true");
        let other = bundle.with_data("context/freeze", "false");

        assert!(one.revision().starts_with("r42+") && other.revision().starts_with("r42+"));
        assert_ne!(one.revision(), other.revision());
        assert_eq!(one.data[0].path, ["context", "freeze"]);
    }

    #[test]
    fn what_would_be_ignored_or_cut_is_refused() {
        let yaml = folder(&[("a.rego", "package a"), ("data.yaml", "a: 1")]);
        let large = folder(&[("a.rego", &" ".repeat(1024 * 1024 + 1))]);
        let empty = folder(&[("readme.md", "")]);

        assert!(matches!(Sources::read_folder(yaml.path()), Err(SourceError::Yaml { .. })));
        assert!(matches!(Sources::read_folder(large.path()), Err(SourceError::TooLarge { .. })));
        assert!(matches!(Sources::read_folder(empty.path()), Err(SourceError::Empty { .. })));
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        for name in ["b.rego", ".manifest"] {
            let folder = folder(&[("a.rego", "package a")]);
            let _socket = std::os::unix::net::UnixListener::bind(folder.path().join(name)).unwrap();
            assert!(
                matches!(Sources::read_folder(folder.path()), Err(SourceError::NotAFile { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn another_text_has_another_digest_under_the_same_name() {
        let named = |text: &str| {
            let folder = folder(&[("a.rego", text), (".manifest", r#"{"revision": "r42"}"#)]);
            Sources::read_folder(folder.path()).unwrap()
        };
        let (one, other) = (named("package a"), named("package a\n\nx := 1"));
        assert_eq!(one.revision(), other.revision());
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn a_folder_linked_into_itself_ends() {
        let folder = folder(&[("a.rego", "package a")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();

        assert!(matches!(Sources::read_folder(folder.path()), Err(SourceError::TooMany { .. })));
    }
}
