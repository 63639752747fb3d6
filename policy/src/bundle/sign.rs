//! Writes `.signatures.json`, as `opa sign` does.

use std::path::Path;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::signature::hashed;
use super::signing_key::SigningKey;
use super::{Files, SIGNATURES, Wanted, Wrong};
use crate::sources::{SourceError, Sources};

/// Signs bundles: a key, and what is said beside the files.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    claims: Map<String, Value>,
}

impl Signer {
    /// Signs with this key, and says that it is `now`, in Unix seconds (`iat`), for whoever refuses what was signed
    /// earlier than what it has.
    #[must_use]
    pub fn new(key: SigningKey, now: u64) -> Self {
        Self { key, claims: [("iat".to_owned(), now.into())].into_iter().collect() }
    }

    /// Says more: a JSON object such as `{"keyid": "ci", "scope": "read"}`, or `{"iat": 0}` for another time than now.
    /// The error says what it is instead.
    pub fn with_claims(mut self, text: &[u8]) -> Result<Self, String> {
        let claims: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| format!("not an object of JSON: {error}"))?;
        for name in ["keyid", "scope"] {
            if claims.get(name).is_some_and(|value| !value.is_string()) {
                return Err(format!("`{name}` is a text"));
            }
        }
        if claims.get("iat").is_some_and(|value| !value.is_i64()) {
            return Err("`iat` is a time in whole Unix seconds".to_owned());
        }
        if claims.contains_key("files") {
            return Err("`files` is what the signature itself says".to_owned());
        }
        self.claims.extend(claims);
        Ok(self)
    }

    /// The name that whoever checks knows the key by.
    #[must_use]
    pub fn with_keyid(self, keyid: Option<&str>) -> Self {
        self.with("keyid", keyid)
    }

    /// What the signature is for: who checks must ask for exactly that.
    #[must_use]
    pub fn with_scope(self, scope: Option<&str>) -> Self {
        self.with("scope", scope)
    }

    fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.claims.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The name of the key, where there is one.
    #[must_use]
    pub fn keyid(&self) -> Option<&str> {
        self.claims.get("keyid").and_then(Value::as_str)
    }

    /// The contents of `.signatures.json` for a bundle, a folder or an archive: every file of it is in it, whether it
    /// means something or not, under its name below the bundle's root.
    pub fn sign_bundle(&self, path: &Path) -> Result<Vec<u8>, SourceError> {
        let mut files = Sources::files(path, Wanted::All)?;
        files.remove(SIGNATURES);
        self.sign(&files).map_err(|wrong| SourceError::of(&path.display().to_string(), wrong))
    }

    pub(super) fn sign(&self, files: &Files) -> Result<Vec<u8>, Wrong> {
        let mut named = Vec::new();
        for (name, bytes) in files {
            let hash = hashed(name, bytes, &digest::SHA256)?;
            named.push(json!({"name": name, "hash": hash, "algorithm": "SHA-256"}));
        }
        let mut said = self.claims.clone();
        said.insert("files".to_owned(), named.into());
        let mut header = Map::new();
        header.insert("alg".to_owned(), self.key.algorithm.name().into());
        header.extend(self.keyid().map(|id| ("kid".to_owned(), id.into())));
        header.insert("typ".to_owned(), "JWT".into());
        let part =
            |members: Map<String, Value>| BASE64_URL_SAFE_NO_PAD.encode(Value::Object(members).to_string());
        let message = format!("{}.{}", part(header), part(said));
        let signature =
            self.key.sign(message.as_bytes()).ok_or_else(|| Wrong::new(SIGNATURES, "could not be signed"))?;
        let token = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(format!("{}\n", json!({"signatures": [token]})).into_bytes())
    }
}
