//! `.signatures.json`: that every file of a bundle is the one that somebody signed.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{self, Algorithm, Context};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::key::VerifyKey;
use super::{Files, Role, SIGNATURES, Wrong, canonical, hex, pattern};

/// Hashes that count unless others are named.
const STRONG: [&str; 5] = ["SHA-224", "SHA-256", "SHA-384", "SHA-512", "SHA-512-256"];

/// What is asked of a bundle's signature.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: BTreeMap<String, VerifyKey>,
    keyid: Option<String>,
    scope: Option<String>,
    exclude: Vec<String>,
    sha1: bool,
    since: Option<i64>,
}

/// Whether a bundle must be signed.
#[derive(Clone, Copy, Debug)]
pub enum Signed<'a> {
    /// Its signature is not looked at, as `opa eval` and `opa test` do not.
    Unchecked,
    /// Nothing is there to check a signature with: a bundle that has one is refused, as OPA refuses it.
    NoKey,
    /// By one of these keys; a bundle without a signature is refused.
    By(&'a Verifier),
}

impl Verifier {
    /// Keys by the names that a signature's `kid` may have.
    #[must_use]
    pub fn new(keys: BTreeMap<String, VerifyKey>) -> Self {
        Self { keys, keyid: None, scope: None, exclude: Vec::new(), sha1: false, since: None }
    }

    /// Only this key counts, whatever `kid` says.
    #[must_use]
    pub fn with_keyid(mut self, keyid: Option<String>) -> Self {
        self.keyid = keyid;
        self
    }

    /// What the signature must be for; without it what its key says, and else nothing.
    #[must_use]
    pub fn with_scope(mut self, scope: Option<String>) -> Self {
        self.scope = scope;
        self
    }

    /// Patterns (`*` and `?`, which stand for no slash) of files that are taken unsigned. Gives back the first that is
    /// none.
    pub fn with_excluded(mut self, patterns: Vec<String>) -> Result<Self, String> {
        if let Some(wrong) = patterns.iter().find(|text| !pattern::is_plain(text)) {
            return Err(wrong.clone());
        }
        self.exclude = patterns;
        Ok(self)
    }

    /// Whether files hashed with SHA-1 are taken; MD5 never is.
    #[must_use]
    pub fn with_sha1(mut self, taken: bool) -> Self {
        self.sha1 = taken;
        self
    }

    /// The signature must say when it was made (`iat`), not before this: Unix seconds.
    #[must_use]
    pub fn with_since(mut self, since: Option<i64>) -> Self {
        self.since = since;
        self
    }
}

#[derive(Default, Deserialize)]
struct Signatures {
    signatures: Option<Vec<String>>,
    plugin: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    files: Vec<SignedFile>,
    #[serde(default)]
    scope: String,
    /// Where the header names no key.
    keyid: Option<String>,
    /// When it was signed, in Unix seconds.
    iat: Option<i64>,
}

#[derive(Deserialize)]
struct SignedFile {
    name: String,
    hash: String,
    #[serde(default)]
    algorithm: String,
}

/// Checks a bundle's signature as is asked, and takes it out of the files. Gives when it was signed, where that is
/// checked and the signature says it.
pub(crate) fn check(files: &mut Files, signed: Signed<'_>) -> Result<Option<i64>, Wrong> {
    let wrong = |why: &str| Wrong::new(SIGNATURES, why);
    let bytes = files.remove(SIGNATURES);
    if matches!(signed, Signed::Unchecked) {
        return Ok(None);
    }
    let signatures: Option<Signatures> = match bytes {
        Some(bytes) => {
            Some(serde_json::from_slice(&bytes).map_err(|error| wrong(&format!("not JSON: {error}")))?)
        }
        None => None,
    };
    let present = signatures.filter(|found| found.signatures.is_some() || found.plugin.is_some());
    match (present, signed) {
        (None, Signed::By(_)) => Err(wrong("is missing: the bundle is not signed, and must be")),
        (Some(_), Signed::NoKey) => Err(wrong("signs the bundle, but no key is configured to check it with")),
        (Some(found), Signed::By(verifier)) => verifier.verify(files, &found),
        _ => Ok(None),
    }
}

/// What is not as its signature says of it, whoever made that: a file with another hash or none, and one of the policy that
/// it does not name. A signature that cannot be read is told where it is checked.
pub(crate) fn stale(mut files: Files) -> Option<Wrong> {
    let found: Signatures = serde_json::from_slice(&files.remove(SIGNATURES)?).ok()?;
    let (_, said, _) = opened(found.signatures?.first()?).ok()?;
    let mut named: BTreeMap<String, SignedFile> =
        said.files.into_iter().map(|file| (file.name.clone(), file)).collect();
    let anybody = Verifier::new(BTreeMap::new()).with_sha1(true);
    for (name, bytes) in &files {
        let decides = matches!(Role::of(name), Role::Module | Role::Json | Role::Yaml | Role::Manifest);
        let wrong = match named.remove(name) {
            Some(signed) => anybody.check_file(&signed, bytes).err(),
            // Others may be left out by `verify.exclude_files`.
            None => decides.then(|| Wrong::new(name.as_str(), absent(name, &named))),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    named.into_keys().next().map(gone)
}

fn gone(name: String) -> Wrong {
    Wrong::new(name, "is in the signature and not in the bundle")
}

/// Why a file is not signed: `opa sign --bundle DIR` names each with the folder before it.
fn absent<T>(name: &str, named: &BTreeMap<String, T>) -> String {
    let below = |other: &&String| other.strip_suffix(name).is_some_and(|folder| folder.ends_with('/'));
    match named.keys().find(below) {
        Some(other) => format!(
            "is not in the signature, which has `{}`: files are named below the bundle by `opa sign --bundle .` in \
             its folder, and by `postern policy sign`",
            shown(other)
        ),
        None => "is not in the signature".to_owned(),
    }
}

impl Verifier {
    fn verify(&self, files: &Files, found: &Signatures) -> Result<Option<i64>, Wrong> {
        let wrong = |why: &str| Wrong::new(SIGNATURES, why);
        if found.plugin.as_deref().is_some_and(|plugin| !matches!(plugin, "" | "_default")) {
            return Err(wrong("names a plugin that is not known"));
        }
        let [token] = found.signatures.as_deref().unwrap_or_default() else {
            return Err(wrong("holds none or several signatures, where one is needed"));
        };
        let payload = self.payload(token).map_err(|why| wrong(&why))?;
        let mut named = BTreeMap::new();
        for file in payload.files {
            if let Some(twice) = named.insert(file.name.clone(), file) {
                return Err(Wrong::new(twice.name, "is signed twice"));
            }
        }
        for (name, bytes) in files {
            let signed = named.remove(name);
            if self.exclude.iter().any(|excluded| pattern::matches(excluded, name, false)) {
                continue;
            }
            let signed = signed.ok_or_else(|| Wrong::new(name.as_str(), absent(name, &named)))?;
            self.check_file(&signed, bytes)?;
        }
        match named.into_keys().next() {
            Some(missing) => Err(gone(missing)),
            None => Ok(payload.iat),
        }
    }

    /// What was signed, once it is known that it was.
    fn payload(&self, token: &str) -> Result<Payload, String> {
        let (head, said, signature) = opened(token)?;
        if head.crit.is_some() {
            return Err("has critical extensions, of which none is known".to_owned());
        }
        let id = named([&self.keyid, &head.kid, &said.keyid]).ok_or("names no key")?;
        let key = self
            .keys
            .get(&id)
            .ok_or_else(|| format!("is by the key `{}`, which is not configured", shown(&id)))?;
        if head.alg != key.algorithm.name() {
            let (alg, wanted) = (shown(&head.alg), key.algorithm.name());
            return Err(format!("is made with {alg}, where the key `{id}` is for {wanted}"));
        }
        let message = token.rsplit_once('.').map_or("", |(message, _)| message);
        if !key.verifies(message.as_bytes(), &signature) {
            return Err(format!("is not a signature by the key `{id}`"));
        }
        let scope = self.scope.as_deref().or(key.scope.as_deref()).unwrap_or_default();
        if said.scope != scope {
            return Err(format!("is for the scope `{}`, where `{scope}` is asked for", shown(&said.scope)));
        }
        if let Some(since) = self.since {
            let at = said.iat.ok_or(
                "does not say when it was made (`iat`), which is asked for: `postern policy sign` writes it",
            )?;
            if at < since {
                return Err(format!("was made at {at} (Unix seconds), before {since}: sign the bundle anew"));
            }
        }
        Ok(said)
    }

    fn check_file(&self, signed: &SignedFile, bytes: &[u8]) -> Result<(), Wrong> {
        let name = signed.name.as_str();
        let algorithm = match signed.algorithm.as_str() {
            "SHA-224" => &digest::SHA224,
            "SHA-256" => &digest::SHA256,
            "SHA-384" => &digest::SHA384,
            "SHA-512" => &digest::SHA512,
            "SHA-512-256" => &digest::SHA512_256,
            "SHA-1" if self.sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            other => {
                let why =
                    format!("is hashed with `{}`, which is none of {}", shown(other), STRONG.join(", "));
                return Err(Wrong::new(name, why));
            }
        };
        if hashed(name, bytes, algorithm)?.eq_ignore_ascii_case(&signed.hash) {
            return Ok(());
        }
        Err(Wrong::new(name, "is not the file that was signed: another hash"))
    }
}

/// What stands for a file in a signature: the hash of its bytes or, of a structured file, of its value.
pub(super) fn hashed(name: &str, bytes: &[u8], algorithm: &'static Algorithm) -> Result<String, Wrong> {
    let mut context = Context::new(algorithm);
    let role = Role::of(name.rsplit('/').next().unwrap_or(name));
    if matches!(role, Role::Json | Role::Yaml | Role::Manifest) {
        let text = str::from_utf8(bytes).map_err(|_| Wrong::new(name, "not UTF-8"))?;
        canonical::hash(name, text, role, &mut context)?;
    } else {
        context.update(bytes);
    }
    Ok(hex(context.finish().as_ref()))
}

/// The parts of a compact JWS.
fn opened(token: &str) -> Result<(Header, Payload, Vec<u8>), String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { return Err("holds no compact JWS".to_owned()) };
    let decode =
        |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| format!("not base64url: {error}"));
    let not_json = |error: serde_json::Error| format!("holds a JWS of another kind: {error}");
    let header = serde_json::from_slice(&decode(header)?).map_err(not_json)?;
    let payload = serde_json::from_slice(&decode(payload)?).map_err(not_json)?;
    Ok((header, payload, decode(signature)?))
}

/// The first that is no empty word.
fn named(ids: [&Option<String>; 3]) -> Option<String> {
    ids.into_iter().flatten().find(|id| !id.is_empty()).cloned()
}

/// What a signature says of itself.
#[derive(Debug, Serialize)]
pub struct SignedBy {
    /// Id of the key.
    pub key: Option<String>,
    /// As its header names it.
    pub algorithm: String,
    /// What it is for.
    pub scope: String,
    /// How many files it covers.
    pub files: usize,
    /// When it was made, in Unix seconds, where it says so.
    pub signed_at: Option<i64>,
}

/// What the signature claims, unchecked; nothing where there is none.
pub(super) fn claimed(bytes: &[u8]) -> Result<Option<SignedBy>, Wrong> {
    let wrong = |why: String| Wrong::new(SIGNATURES, why);
    let found: Signatures =
        serde_json::from_slice(bytes).map_err(|error| wrong(format!("not JSON: {error}")))?;
    let Some(token) = found.signatures.and_then(|list| list.into_iter().next()) else { return Ok(None) };
    let (head, said, _) = opened(&token).map_err(wrong)?;
    let key = named([&None, &head.kid, &said.keyid]);
    let (files, signed_at) = (said.files.len(), said.iat);
    Ok(Some(SignedBy { key, algorithm: head.alg, scope: said.scope, files, signed_at }))
}

/// A word of the signature's, for a message.
fn shown(word: &str) -> String {
    word.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests;
