//! `.manifest`: what a bundle calls itself, what it owns, and in which Rego its modules are written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::roots::Roots;
use super::{MANIFEST, Wrong, pattern};
use crate::document::plain;
use crate::nearest::nearest;
use crate::problem::Problem;

/// What we heed of it. Members that nobody knows are passed over, as OPA does, and told by who checks.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Manifest {
    revision: Option<String>,
    roots: Option<Vec<String>>,
    rego_version: Option<i64>,
    file_rego_versions: Option<BTreeMap<String, i64>>,
    wasm: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(skip)]
    unknown: Vec<String>,
}

/// The members of [`Manifest`].
const MEMBERS: [&str; 5] = ["revision", "roots", "rego_version", "file_rego_versions", "wasm"];

/// What OPA heeds of it, and we do not.
const THEIRS: &str = "metadata";

impl Manifest {
    /// Members that mean nothing to anybody, of the manifest in these bytes.
    pub(crate) fn unknown(&self, bytes: &[u8]) -> Vec<Problem> {
        let text = String::from_utf8_lossy(bytes);
        let problem = |name: &String| {
            let (line, column) = plain::member(&text, name).unwrap_or((1, 1));
            let meant = nearest(name, &MEMBERS).map(|meant| format!("`{meant}`; or "));
            let instead = format!("{}the same below `metadata`", meant.unwrap_or_default());
            Problem::of(MANIFEST, name, "is no member of a manifest, and is passed over", instead)
                .at(line, column, &text)
        };
        self.unknown.iter().map(problem).collect()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Wrong> {
        let wrong = |why: String| Wrong::new(MANIFEST, why);
        let not_json = |error: serde_json::Error| wrong(format!("not a manifest: {error}"));
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(bytes).map_err(not_json)?;
        // OPA takes `Roots` for `roots`; what it would heed must not be passed over.
        if let Some(member) = members
            .keys()
            .find(|member| MEMBERS.iter().any(|known| known.eq_ignore_ascii_case(member) && known != member))
        {
            return Err(wrong(format!("`{member}` is written in small letters")));
        }
        let mut manifest: Self = serde_json::from_slice(bytes).map_err(not_json)?;
        let unknown = |name: &String| !MEMBERS.contains(&name.as_str()) && name != THEIRS;
        manifest.unknown = members.into_iter().map(|(name, _)| name).filter(unknown).collect();
        if manifest.wasm.as_ref().is_some_and(|wasm| !wasm.is_empty()) {
            return Err(wrong("names compiled modules: build the bundle for Rego, `-t rego`".to_owned()));
        }
        // It stands in every record.
        match &manifest.revision {
            Some(revision) if revision.len() > 128 || revision.chars().any(char::is_control) => {
                Err(wrong("revision: at most 128 printable characters".to_owned()))
            }
            _ => Ok(manifest),
        }
    }

    pub(crate) fn revision(&self) -> Option<&str> {
        self.revision.as_deref().filter(|revision| !revision.is_empty())
    }

    pub(crate) fn roots(&self) -> Result<Roots, Wrong> {
        match &self.roots {
            None => Ok(Roots::everything()),
            Some(roots) => Roots::new(roots).map_err(|why| Wrong::new(MANIFEST, why)),
        }
    }

    /// Refuses a module that is not said to be Rego v1: the engine would read it in another sense, or not at all.
    pub(crate) fn check_rego(&self, module: &str) -> Result<(), Wrong> {
        let mut version = self.rego_version.unwrap_or(1);
        for (pattern, said) in self.file_rego_versions.iter().flatten() {
            if !pattern::is_plain(pattern) {
                let why = format!("file_rego_versions: `{pattern}` has more than `*` and `?` to match with");
                return Err(Wrong::new(MANIFEST, why));
            }
            // The first in the order of the names counts.
            if pattern::matches(pattern, &format!("/{module}"), true) {
                version = *said;
                break;
            }
        }
        let why = match version {
            1 => return Ok(()),
            0 => "is Rego v0 by the manifest: rewrite it in v1, `opa fmt --v0-v1`".to_owned(),
            _ => format!("is Rego {version} by the manifest, where there are 0 and 1: say 1"),
        };
        Err(Wrong::new(module, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Manifest, Wrong> {
        Manifest::parse(text.as_bytes())
    }

    #[test]
    fn unknown_members_are_passed_over_and_known_ones_in_other_letters_are_not() {
        let manifest = parse(r#"{"revision": "r1", "metadata": {"a": 1}, "built_by": "ci"}"#).unwrap();

        assert_eq!(manifest.revision(), Some("r1"));
        assert!(parse(r#"{"Roots": ["a"]}"#).unwrap_err().why.contains("`Roots`"));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"roots": "a"}"#,
            r#"{"revision": 1}"#,
            r#"{"revision": "a"} x"#,
            r#"{"revision": "a\n"}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(r#"{"wasm": [{"entrypoint": "a/b", "module": "/policy.wasm"}]}"#).is_err());
        assert!(parse(r#"{"wasm": []}"#).is_ok());
    }

    #[test]
    fn a_module_is_v1_unless_the_manifest_or_its_own_entry_says_otherwise() {
        let v0 = parse(r#"{"rego_version": 0, "file_rego_versions": {"/new/*": 1}}"#).unwrap();
        assert!(v0.check_rego("new/deep/a.rego").is_ok());
        assert!(v0.check_rego("old/a.rego").unwrap_err().why.contains("Rego v0"));

        let v2 = parse(r#"{"rego_version": 2}"#).unwrap().check_rego("a.rego").unwrap_err().why;
        assert!(v2.contains("there are 0 and 1") && !v2.contains("opa fmt"), "{v2}");

        let v1 = parse(r#"{"file_rego_versions": {"/old?.rego": 0}}"#).unwrap();
        assert!(v1.check_rego("a.rego").is_ok());
        assert!(v1.check_rego("old1.rego").is_err());

        let pattern = parse(r#"{"file_rego_versions": {"/{a,b}.rego": 1}}"#).unwrap();
        assert_eq!(pattern.check_rego("a.rego").unwrap_err().entry, ".manifest");
    }
}
