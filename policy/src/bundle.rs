//! A bundle as OPA lays it out: a folder or a gzipped tar of Rego modules, data documents, a manifest and signatures.
//!
//! Reading gives files in memory; nothing of a bundle is ever written anywhere under a name that it chose.

pub(crate) mod archive;
pub(crate) mod build;
pub(crate) mod canonical;
pub(crate) mod folder;
pub(crate) mod inspect;
pub(crate) mod key;
pub(crate) mod manifest;
pub(crate) mod pattern;
pub(crate) mod roots;
pub(crate) mod sign;
pub(crate) mod signature;
pub(crate) mod signing_key;
pub(crate) mod yaml;

use std::collections::BTreeMap;

use crate::document::exact::{is_kept, keeps_numbers};
use crate::document::{DocumentError, MAX_DATA_VALUES, plain, within};

/// Most entries of one bundle, folders among them.
pub(crate) const MAX_ENTRIES: usize = 8_192;
/// Deepest folder of a bundle.
pub(crate) const MAX_FOLDERS: usize = 16;
/// Longest name of an entry, in bytes.
pub(crate) const MAX_NAME: usize = 512;
/// Largest data document, in bytes.
pub(crate) const MAX_DATA: u64 = 32 * 1024 * 1024;
/// Largest Rego module, manifest or list of signatures, in bytes.
pub(crate) const MAX_TEXT: u64 = 1024 * 1024;
/// Most bytes of all files of one bundle.
pub(crate) const MAX_TOTAL: u64 = 128 * 1024 * 1024;

/// Most recorded inputs of one bundle.
pub(crate) const MAX_INPUTS: usize = 200;

/// What describes the bundle.
pub(crate) const MANIFEST: &str = ".manifest";
/// What signs it.
pub(crate) const SIGNATURES: &str = ".signatures.json";

/// The files of a bundle: names relative to its root, with `/` between, and their bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Which files of a folder are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that mean something at load, tests among them.
    Policy,
    /// Every one, for the signature that covers them.
    All,
}

/// Something that a bundle may not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry}: {why}")]
pub(crate) struct Wrong {
    /// The entry's name, as far as it can be shown.
    pub(crate) entry: String,
    /// What is wrong with it.
    pub(crate) why: String,
}

impl Wrong {
    pub(crate) fn new(entry: impl Into<String>, why: impl Into<String>) -> Self {
        Self { entry: entry.into(), why: why.into() }
    }
}

/// What a file means, by its last name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Module,
    /// A module of tests: no part of what decides.
    Test,
    Json,
    Yaml,
    /// A recorded input, which OPA ignores.
    Input,
    Manifest,
    Signatures,
    /// What OPA would heed and we do not.
    Unsupported(&'static str),
    /// What OPA ignores.
    Other,
}

impl Role {
    /// Exactly OPA's names: another JSON or YAML file is no data.
    pub(crate) fn of(name: &str) -> Self {
        let last = name.rsplit('/').next().unwrap_or(name);
        // As it is written: OPA knows no `.REGO`.
        let is_module = last.rsplit_once('.').is_some_and(|(_, end)| end == "rego");
        match last {
            "data.json" => Self::Json,
            "data.yaml" | "data.yml" => Self::Yaml,
            SIGNATURES if name == SIGNATURES => Self::Signatures,
            SIGNATURES => Self::Unsupported("signatures stand at the bundle's root"),
            "patch.json" => Self::Unsupported("a delta bundle, which changes another: build a whole one"),
            _ if name == MANIFEST => Self::Manifest,
            _ if last.ends_with(".manifest.pb") => Self::Unsupported("build it with a manifest in JSON"),
            _ if last.ends_with(".manifest") => Self::Unsupported("the manifest stands at the bundle's root"),
            _ if last.ends_with("_test.rego") => Self::Test,
            _ if is_module => Self::Module,
            _ if is_input(name) => Self::Input,
            _ => Self::Other,
        }
    }

    /// The largest file that may have this role, in bytes.
    pub(crate) const fn most(self) -> u64 {
        match self {
            Self::Module | Self::Test | Self::Input | Self::Manifest | Self::Signatures => MAX_TEXT,
            _ => MAX_DATA,
        }
    }
}

/// A file `inputs/*.json` at the bundle's root.
fn is_input(name: &str) -> bool {
    let file = name.strip_prefix("inputs/").filter(|file| !file.contains('/'));
    file.and_then(|file| file.rsplit_once('.')).is_some_and(|(_, end)| end == "json")
}

/// Hex digits, in small letters.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A structured file's value: what OPA hashes, and what becomes data.
pub(crate) fn document(name: &str, text: &str, role: Role) -> Result<serde_json::Value, Wrong> {
    let json = || {
        within(text, MAX_DATA_VALUES).map_err(|error| error.to_string())?;
        if !keeps_numbers(text.as_bytes()) {
            return Err(DocumentError::Inexact.to_string());
        }
        plain::parse(text).map_err(|error| format!("not JSON: {error}"))
    };
    let read = match role {
        // Every JSON is YAML, and OPA reads it as JSON then, with all its digits.
        Role::Yaml if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() => yaml::read(text)
            .and_then(|value| if kept(&value) { Ok(value) } else { Err(DocumentError::Inexact.to_string()) }),
        _ => json(),
    };
    read.map_err(|why| Wrong::new(name, why))
}

/// Whether the numbers are what OPA makes of them: its reader of YAML too keeps fractions and large numbers in 64 bits,
/// but then writes each as short as it can.
fn kept(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => {
            !number.is_f64() || number.as_f64().is_some_and(|number| is_kept(&format!("{number:e}")))
        }
        serde_json::Value::Array(items) => items.iter().all(kept),
        serde_json::Value::Object(members) => members.values().all(kept),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_with_too_many_values_is_refused_before_it_is_parsed() {
        let wide = format!("[{}", "0,".repeat(MAX_DATA_VALUES));
        for role in [Role::Json, Role::Yaml] {
            let why = document("data", &wide, role).unwrap_err().why;
            assert!(why.contains("too many values") || why.contains("Nodes"), "{why}");
        }
    }

    #[test]
    fn numbers_of_yaml_are_those_that_opa_makes_of_them() {
        // As `opa eval --bundle` 1.22.2 prints them.
        for (text, opas) in [
            ("a: 1e300\nb: \"123456789012345678\"", 1e300),
            ("a: 0.123456789012345678901", 0.123_456_789_012_345_68),
            ("a: 9007199254740993.0", 9_007_199_254_740_992.0),
            ("a: 123456789012345678901", 123_456_789_012_345_680_000.0),
            ("a: 1e-400", 0.0),
        ] {
            assert_eq!(document("data", text, Role::Yaml).unwrap()["a"].as_f64(), Some(opas), "{text}");
        }
        let json = r#"{"v": 0.123456789012345678901}"#;
        for lost in [json, r#"{"w": 1e-400}"#, "a: 1.2345678901234567e18", "a: 1e400"] {
            assert!(document("data", lost, Role::Yaml).is_err(), "{lost}");
        }
    }

    #[test]
    fn only_opas_own_names_mean_something() {
        for (name, role) in [
            ("data.json", Role::Json),
            ("a/b/data.yaml", Role::Yaml),
            ("roles.json", Role::Other),
            ("inputs/noon.json", Role::Input),
            ("inputs/data.json", Role::Json),
            ("inputs/a/noon.json", Role::Other),
            ("a/inputs/noon.json", Role::Other),
            ("mydata.json", Role::Other),
            ("a.rego", Role::Module),
            ("a_test.rego", Role::Test),
            ("policy.wasm", Role::Other),
            (".manifest", Role::Manifest),
            (".signatures.json", Role::Signatures),
            ("signatures.json", Role::Other),
        ] {
            assert_eq!(Role::of(name), role, "{name}");
        }
        for name in ["patch.json", "a/.manifest", "a/.signatures.json", "x.manifest", ".manifest.pb"] {
            assert!(matches!(Role::of(name), Role::Unsupported(_)), "{name}");
        }
    }
}
