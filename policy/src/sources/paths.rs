//! What an author names on a command line: folders and single files, with the tests or without.

use std::path::Path;

use super::{Module, SourceError, Sources, read_text};
use crate::bundle::pattern::Pattern;
use crate::bundle::roots::Roots;
use crate::bundle::signature::Signed;
use crate::bundle::{MAX_DATA, MAX_TEXT, Role};
use crate::problem::Problem;

/// Where the files `*_test.rego` of a bundle go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// Beside the policy, as at load.
    Left,
    /// Into it, for the verb that runs them.
    Read,
}

impl Sources {
    /// Reads folders and archives (`*.tar.gz`, `*.tgz`) as [`read`](Self::read) does, and single files: `*.rego`, and `*.json`
    /// as data of its own. Names are the paths as they were given, so that a problem can be clicked on; the revision
    /// of one bundle is still the one it has at load, wherever it is read from.
    pub fn read_paths(paths: &[impl AsRef<Path>], tests: Tests) -> Result<Self, SourceError> {
        Self::read_each(paths, tests).map(|(all, _)| all)
    }

    /// The same, with the revision that each path has by itself.
    pub fn read_each(paths: &[impl AsRef<Path>], tests: Tests) -> Result<(Self, Vec<String>), SourceError> {
        let mut all = Self::default();
        let mut empty = None;
        let mut revisions = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let io = |source| SourceError::Io { path: path.to_owned(), source };
            let kind = std::fs::metadata(path).map_err(io)?;
            if kind.is_dir() {
                let mut folder = Self::read(path, Signed::Unchecked)?;
                if folder.modules.is_empty() {
                    let tests = !folder.tests.is_empty();
                    empty = Some(SourceError::without_policy(path.display().to_string(), tests));
                    // A folder of tests alone is none of a policy, but something to run.
                    if tests {
                        folder.data.clear();
                    }
                }
                revisions.push(folder.revision.clone());
                all.join(folder, path);
            } else if kind.is_file() {
                revisions.push(all.read_one(path)?);
            } else {
                return Err(SourceError::NotAFile { path: path.to_owned() });
            }
        }
        if tests == Tests::Read {
            all.modules.append(&mut all.tests);
        }
        match empty {
            Some(error) if all.modules.is_empty() => Err(error),
            _ => {
                all.settle();
                // Where names begin with the path, the digest would say another revision than records do.
                if let [revision] = revisions.as_slice()
                    && tests == Tests::Left
                {
                    all.revision.clone_from(revision);
                }
                Ok((all, revisions))
            }
        }
    }

    /// Leaves out files and folders that match a pattern, where they stand below the paths that all was read from.
    #[must_use]
    pub fn ignoring(mut self, patterns: &[Pattern], paths: &[impl AsRef<Path>]) -> Self {
        if patterns.is_empty() {
            return self;
        }
        let kept = |name: &str| !Pattern::any_below(patterns, name, paths);
        self.modules.retain(|module| kept(&module.name));
        self.tests.retain(|module| kept(&module.name));
        self.data.retain(|file| kept(&file.name));
        self.settle();
        self
    }

    /// Adds a module that stands in no file.
    #[must_use]
    pub(crate) fn with_module(mut self, name: &str, text: &str) -> Self {
        self.modules.push(Module {
            name: name.to_owned(),
            text: text.to_owned(),
            roots: Roots::everything(),
        });
        self
    }

    /// Names of the modules, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|module| module.name.as_str())
    }

    fn join(&mut self, folder: Self, path: &Path) {
        let named = |name: &str| shown(&path.join(name));
        let below = |module: Module| Module { name: named(&module.name), ..module };
        self.modules.extend(folder.modules.into_iter().map(below));
        self.tests.extend(folder.tests.into_iter().map(below));
        self.inputs.extend(folder.inputs.into_iter().map(|(name, text)| (named(&name), text)));
        self.data.extend(folder.data.into_iter().map(|mut file| {
            file.name = named(&file.name);
            file
        }));
        let unknown = folder.unknown.into_iter().map(|of| Problem { file: named(&of.file), ..of });
        self.unknown.extend(unknown);
        self.manifest = self.manifest.take().or(folder.manifest);
    }

    /// Gives the revision of the file by itself.
    fn read_one(&mut self, path: &Path) -> Result<String, SourceError> {
        let name = shown(path);
        let mut one = Self::default();
        match path.extension().and_then(|end| end.to_str()) {
            Some("json") => {
                let text = read_text(path, MAX_DATA)?;
                one.data.push(super::DataFile { name, path: Vec::new(), text });
            }
            Some("rego") => {
                let text = read_text(path, MAX_TEXT)?;
                one.modules.push(Module { name, text, roots: Roots::default() });
            }
            Some("gz" | "tgz") => {
                let bundle = Self::read(path, Signed::Unchecked)?;
                let revision = bundle.revision.clone();
                self.join(bundle, path);
                return Ok(revision);
            }
            _ => return Err(SourceError::Unread { path: path.to_owned() }),
        }
        one.settle();
        self.modules.append(&mut one.modules);
        self.data.append(&mut one.data);
        Ok(one.revision)
    }
}

/// Whether a module of this name holds tests and nothing that decides.
pub(crate) fn is_test(name: &str) -> bool {
    Role::of(name) == Role::Test
}

fn shown(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_are_read_together_under_the_names_they_were_given() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("p/main.rego", "package a"),
            ("p/main_test.rego", "package a"),
            ("p/teams/data.json", "{}"),
            ("t/deep/other_test.rego", "package b"),
            ("more.json", "{}"),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let named = |name: &str| folder.path().join(name);
        let paths = [named("p"), named("t"), named("more.json")];

        let live = Sources::read_paths(&paths, Tests::Left).unwrap();
        let tested = Sources::read_paths(&paths, Tests::Read).unwrap();

        assert_eq!(live.names().collect::<Vec<_>>(), [named("p/main.rego").to_str().unwrap()]);
        assert_eq!(tested.names().count(), 3);
        assert!(live.data.iter().any(|file| file.path == ["teams"]), "{:?}", live.data);
        assert_eq!(live.data.len(), 2);
        std::fs::create_dir(named("d")).unwrap();
        std::fs::write(named("d/data.json"), "{\"a\": 1}").unwrap();
        let (both, revisions) = Sources::read_each(&[named("p"), named("d")], Tests::Left).unwrap();
        assert_eq!((both.data.len(), revisions.len()), (2, 2), "data alone beside a policy");
        let alone = Sources::read_paths(&[named("p")], Tests::Left).unwrap();
        assert_eq!(revisions[0], alone.revision());
        let nothing = Sources::read_paths(&[named("t")], Tests::Left);
        assert!(matches!(nothing, Err(SourceError::TestsAlone { .. })));
        assert!(matches!(Sources::read_folder(&named("t")), Err(SourceError::TestsAlone { .. })));
        assert!(matches!(Sources::read_folder(&named("d")), Err(SourceError::Empty { .. })));
        assert_eq!(Sources::read_paths(&[named("t")], Tests::Read).unwrap().names().count(), 1);
    }

    #[test]
    fn a_file_of_another_kind_is_refused_with_the_kinds_there_are() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.txt", "data.yaml", "rego"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "{}").unwrap();
            let refused = Sources::read_paths(&[&path], Tests::Left).unwrap_err().to_string();
            assert_eq!(refused, format!("{}: none of *.rego, *.json, *.tar.gz and *.tgz", path.display()));
        }
        let null = Sources::read_paths(&["/dev/null"], Tests::Left);
        assert!(matches!(null, Err(SourceError::NotAFile { .. })), "{null:?}");
    }
}
