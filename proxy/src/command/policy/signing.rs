//! What `build` and `sign` share: the key, and what is said beside the files.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use postern_policy::{Algorithm, Signer, SigningKey};

use crate::clock::{Clock as _, SystemClock};
use crate::state::read_whole;

/// Largest key file or file of claims, in bytes.
pub(super) const LARGEST: u64 = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Signing {
    /// Name of the algorithm: RS, PS or ES with 256, 384 or 512; HS with a shared secret
    #[arg(long = "signing-alg", value_name = "NAME", default_value = "RS256", requires = "signing_key")]
    algorithm: Algorithm,
    /// JSON file of claims that are signed with the files, such as {"keyid": "ci", "scope": "read"}; `iat`, the time of
    /// signing, is now unless it says another
    #[arg(long, value_name = "FILE", requires = "signing_key")]
    claims_file: Option<PathBuf>,
    /// Name that the key is known by to whoever checks [default: the claims' keyid, or `default`]
    #[arg(long, value_name = "ID", requires = "signing_key")]
    verification_key_id: Option<String>,
    /// What the signature is for: whoever checks asks for exactly that [default: the claims' scope]
    #[arg(long, value_name = "SCOPE", requires = "signing_key")]
    scope: Option<String>,
}

/// A signer, and what its user should know.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) signer: Signer,
    pub(super) warnings: String,
}

/// What to say where a key does not fit the algorithm: one that it fits.
fn other(key: &[u8]) -> String {
    let fits = |name: &&str| name.parse().is_ok_and(|algorithm| SigningKey::new(key, algorithm).is_ok());
    let found = ["RS256", "ES256", "ES384", "ES512"].into_iter().find(fits);
    match found {
        Some(name) => format!("; this one signs with `--signing-alg {name}`"),
        None if key.starts_with(b"-----BEGIN") => String::new(),
        None => "; a shared secret signs with `--signing-alg HS256`".to_owned(),
    }
}

impl Signing {
    /// What `inspect` is told to check it: a shared secret is checked with itself.
    pub(super) fn checked_by(&self, key: &Path) -> String {
        let key =
            if self.algorithm.is_shared() { key.display().to_string() } else { "PUBLIC.pem".to_owned() };
        let scope = self.scope.as_ref().map(|scope| format!(" --scope {scope}")).unwrap_or_default();
        format!("--verification-key {key} --signing-alg {}{scope}", self.algorithm.name())
    }

    /// What `build` is told to sign with the same.
    pub(super) fn same(&self, key: &Path) -> String {
        let scope = self.scope.as_ref().map(|scope| format!(" --scope {scope}")).unwrap_or_default();
        let id = self.verification_key_id.as_ref().map(|id| format!(" --verification-key-id {id}"));
        let (name, id) = (self.algorithm.name(), id.unwrap_or_default());
        format!("--signing-key {} --signing-alg {name}{id}{scope}", key.display())
    }

    /// Reads the key. The error names the file, and nothing that stands in it.
    pub(super) fn signer(&self, key: &Path) -> Result<Ready, String> {
        let said = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let mut warnings = String::new();
        if self.algorithm.is_shared() {
            warnings = format!(
                "warning: {} signs with a secret that whoever checks holds too, and could sign with; RS, PS and ES do \
                 not\n",
                self.algorithm.name()
            );
        }
        let mode = File::open(key).and_then(|file| file.metadata()).map_err(|error| said(key, &error))?;
        if mode.permissions().mode() & 0o007 != 0 {
            let why = "warning: any user may read or change this key: `chmod 600` it";
            warnings.push_str(&(said(key, &why) + "\n"));
        }
        // Wiped when it is dropped.
        let bytes = read_whole(key, LARGEST).map_err(|error| said(key, &error))?;
        let signing = SigningKey::new(bytes.expose(), self.algorithm);
        let signing = signing.map_err(|why| said(key, &format!("{why}{}", other(bytes.expose()))))?;
        let mut signer = Signer::new(signing, SystemClock.now().unix_seconds());
        if let Some(file) = &self.claims_file {
            let claims = read_whole(file, LARGEST).map_err(|error| said(file, &error))?;
            signer = signer.with_claims(claims.expose()).map_err(|why| said(file, &why))?;
        }
        signer = signer.with_keyid(self.verification_key_id.as_deref()).with_scope(self.scope.as_deref());
        if signer.keyid().is_none() {
            signer = signer.with_keyid(Some("default"));
        }
        Ok(Ready { signer, warnings })
    }
}
