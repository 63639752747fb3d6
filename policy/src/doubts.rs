//! What passes here as it does in OPA and was probably not meant: told by the verbs that check, and by no load.

use std::fs;
use std::path::Path;

use crate::bundle::pattern::Pattern;
use crate::bundle::{MAX_ENTRIES, MAX_FOLDERS, Role, SIGNATURES, Wanted, Wrong, signature};
use crate::document::plain;
use crate::problem::Problem;
use crate::sources::Sources;

impl Sources {
    /// Of data a name that stands twice in one object, of which the last counts; members of manifests that mean nothing.
    #[must_use]
    pub fn doubts(&self) -> Vec<Problem> {
        let twice = self.data.iter().filter_map(|file| {
            let (name, line, column) = plain::twice(&file.text)?;
            let why = "stands twice in this object, and the last one counts";
            let instead = "one of them; a list for several values";
            Some(Problem::of(&file.name, &format!("\"{name}\""), why, instead).at(line, column, &file.text))
        });
        self.unknown.iter().cloned().chain(twice).collect()
    }
}

/// A file that is not read and that its author may take for one that is.
struct Unread {
    path: String,
    /// Its name in the bundle.
    label: String,
    /// Whether that begins with a dot somewhere.
    hidden: bool,
}

/// Files below these folders that look like data and are not read, for they are called otherwise, and those that OPA reads
/// although their names begin with a dot. What OPA reads schemas from is none.
#[must_use]
pub fn misnamed(paths: &[impl AsRef<Path>], ignored: &[Pattern]) -> Vec<Problem> {
    let mut names = Vec::new();
    for path in paths.iter().map(AsRef::as_ref).filter(|path| path.is_dir()) {
        let Ok(root) = fs::canonicalize(path) else { continue };
        let mut entries = 0;
        below(path, &root, "", 0, &mut entries, &mut names);
    }
    names.retain(|one| ignored.is_empty() || !Pattern::any_below(ignored, &one.path, paths));
    let problem = |Unread { path, label, hidden }| {
        if hidden {
            let why = "is not read, for a name in its path begins with a dot: OPA reads it";
            let last = label.rsplit('/').next().unwrap_or_default();
            let instead = format!("names without a dot before them, or --ignore {last}");
            return Problem::of(&path, &label, why, instead);
        }
        let (folder, last) =
            label.rsplit_once('/').map_or(("", label.as_str()), |(folder, last)| (folder, last));
        let slash = if folder.is_empty() { "" } else { "/" };
        let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
        let instead = format!(
            "`{folder}{slash}data.json`, or `{folder}{slash}{stem}/data.json` for a name of its own; or --ignore {last}"
        );
        Problem::of(
            &path,
            last,
            "is not read: files of data are called data.json, data.yaml or data.yml",
            instead,
        )
    };
    names.into_iter().map(problem).collect()
}

/// Of bundles among these paths those whose `.signatures.json` is of other files than they hold.
#[must_use]
pub fn signed_otherwise(paths: &[impl AsRef<Path>]) -> Vec<Problem> {
    let stale = |path: &Path| {
        let packed = path.extension().is_some_and(|end| end == "gz" || end == "tgz");
        if !packed && !path.join(SIGNATURES).is_file() {
            return None;
        }
        let Wrong { entry, why } = signature::stale(Sources::files(path, Wanted::All).ok()?)?;
        let why = format!("is not of these files, and whoever checks it refuses the bundle: {entry} {why}");
        let instead = "`postern policy sign`, or no .signatures.json";
        Some(Problem::of(&path.display().to_string(), SIGNATURES, why, instead))
    };
    paths.iter().filter_map(|path| stale(path.as_ref())).collect()
}

/// Looks into hidden folders too, but for what a mounted volume and git keep in them. What cannot be read, and what is too
/// much, is told by who reads it; a link that leads out of the folder is not followed for what nobody reads.
fn below(
    folder: &Path,
    root: &Path,
    label: &str,
    depth: usize,
    entries: &mut usize,
    names: &mut Vec<Unread>,
) {
    let Ok(found) = fs::read_dir(folder) else { return };
    let left = MAX_ENTRIES.saturating_sub(*entries);
    let mut found: Vec<_> = found.flatten().take(left).map(|entry| entry.path()).collect();
    *entries += found.len();
    found.sort();
    for path in found {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let label = if label.is_empty() { name.to_owned() } else { format!("{label}/{name}") };
        let hidden = label.split('/').any(|name| name.starts_with('.'));
        let data = [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
        let inside =
            || !path.is_symlink() || fs::canonicalize(&path).is_ok_and(|path| path.starts_with(root));
        if name.starts_with("..") || name == ".git" || !inside() {
            continue;
        }
        if path.is_dir() && name != "schemas" && depth < MAX_FOLDERS {
            below(&path, root, &label, depth + 1, entries, names);
            continue;
        }
        let unread = match Role::of(&label) {
            Role::Module | Role::Test | Role::Json | Role::Yaml => hidden,
            Role::Other => data && !hidden,
            _ => false,
        };
        if unread && path.is_file() {
            names.push(Unread { path: path.display().to_string(), label, hidden });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::signature::Signed;

    #[test]
    fn what_was_probably_not_meant_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("main.rego", "package a\n"),
            (
                ".manifest",
                "{\"roots\": [\"a\", \"roles\"],\n \"revison\": \"r1\", \"metadata\": {\"revision\": 1}}",
            ),
            ("roles/data.json", "{\n  \"a\": {\"x\": 1},\n  \"b\": {\"x\": 1,\n    \"x\": 2}\n}"),
            ("roles/rolls.json", "{}"),
            ("drafts/old.yaml", "a: 1"),
            ("inputs/one.json", "{}"),
            ("schemas/input.json", "{}"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let sources = Sources::read(folder.path(), Signed::Unchecked).unwrap();
        let doubts = sources.doubts();
        let said: Vec<_> =
            doubts.iter().map(|of| (of.file.as_str(), of.line, of.construct.as_str())).collect();
        assert_eq!(said, [(".manifest", 2, "revison"), ("roles/data.json", 4, "\"x\"")]);
        assert!(doubts[0].instead.contains("`revision`"), "{}", doubts[0]);
        let misnamed = misnamed(&[folder.path()], &["old.yaml".parse().unwrap()]);
        assert_eq!(misnamed.len(), 1, "{misnamed:?}");
        for name in [".new.rego", ".old/main.rego", "..data/main.rego", ".git/a.rego", ".old/some.json"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "package a\n").unwrap();
        }
        let hidden = super::misnamed(&[folder.path()], &["old.yaml".parse().unwrap()]);
        let hidden: Vec<_> = hidden.iter().map(|of| of.construct.as_str()).collect();
        assert_eq!(hidden, [".new.rego", ".old/main.rego", "rolls.json"]);
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("other.json"), "{}").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("round")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("roles"), folder.path().join("again")).unwrap();
        let linked = super::misnamed(&[folder.path()], &[]);
        let out = |of: &Problem| of.file.contains("/out/");
        assert!(!linked.iter().any(out) && linked.len() <= MAX_ENTRIES, "{}", linked.len());
        assert!(misnamed[0].file.ends_with("roles/rolls.json"), "{}", misnamed[0]);
        assert!(misnamed[0].instead.contains("`roles/rolls/data.json`"), "{}", misnamed[0]);
    }
}
