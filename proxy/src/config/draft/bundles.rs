use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, File, Size, Tls};

/// A bundle of policy: from a folder or file (`path`) or from a service (`url`, and what belongs to it).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// A folder, or an archive that `opa build` made: `bundle.tar.gz`.
    pub path: Option<File>,
    /// Where a service serves the archive: `https://host:port/bundles/main.tar.gz`; `http://` on this machine only. It is
    /// asked as OPA asks, and no redirect is followed.
    pub url: Option<String>,
    /// How the service proves itself, and whether our SVID is presented to it; without it, by the roots of the system.
    pub tls: Option<Tls>,
    /// A bearer token for the service, which something else keeps fresh in this file: it is read for each request.
    pub token_file: Option<File>,
    /// How often the service is asked.
    pub polling: Option<Polling>,
    /// The longest that one download may take, the wait of a long poll aside, 100ms to 1h; without it 30s.
    pub timeout: Option<Duration>,
    /// The largest archive that is downloaded, 1KiB to 64MiB; without it 64MiB.
    pub size: Option<Size>,
    /// Who must have signed it. With this an unsigned bundle is refused, and without it a signed one.
    pub verify: Option<Verify>,
}

/// How often a bundle service is asked.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Polling {
    /// It is asked again after a random time between this, 10ms to 1d,
    pub min: Duration,
    /// and this. It is also the longest pause after failures, which begin with 100ms.
    pub max: Duration,
    /// How long the service may wait for something new before it answers, whole seconds up to 1h. It counts where the
    /// service can do that: where it answers with `Content-Type: application/vnd.openpolicyagent.bundles`.
    pub long: Option<Duration>,
}

/// A service that is told, as OPA tells it, what became of each bundle.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The service, without `/status`, which is added: `https://host:port`; `http://` on this machine only.
    pub url: String,
    /// What follows `/status`: the report goes to `/status/PARTITION`.
    pub partition: Option<String>,
    /// How the service proves itself, and whether our SVID is presented to it; without it, by the roots of the system.
    pub tls: Option<Tls>,
    /// A bearer token for the service, which something else keeps fresh in this file: it is read for each request.
    pub token_file: Option<File>,
    /// The longest that one report may take, 100ms to 1m.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

/// Who must have signed a bundle, and what for; as OPA has it in `keys` and `signing`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The keys that count, by the `kid` of the signature.
    pub keys: BTreeMap<String, VerifyKey>,
    /// The one of them that counts whatever the signature's `kid` says.
    pub keyid: Option<String>,
    /// What the signature must be for; without it what its key says, and else nothing.
    pub scope: Option<String>,
    /// Files that are taken unsigned: patterns of `*` and `?`, which stand for no slash.
    #[serde(default)]
    pub exclude_files: Vec<String>,
    /// Whether files may be hashed with SHA-1. MD5 is never taken.
    #[serde(default)]
    pub sha1: bool,
    /// When it must have been signed at the earliest, such as `2026-11-22T00:00:00Z`: against old bundles that were signed
    /// well. The signature must say when it was made (`iat`), and a bundle of a service not be signed before the one
    /// that served last. To go back, sign the old one anew.
    pub since: Option<String>,
}

/// A key that signs bundles.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyKey {
    /// The public key, PEM; for HS256 to HS512 the shared secret, every byte of it. It is read with the bundle.
    pub file: File,
    /// RS, PS, ES or HS with 256, 384 or 512. A shared secret counts only where it is named here.
    #[serde(default = "rs256")]
    pub algorithm: String,
    /// What a signature by it must be for.
    pub scope: Option<String>,
}

impl Default for Polling {
    fn default() -> Self {
        Self { min: Duration("60s".into()), max: Duration("120s".into()), long: None }
    }
}

fn ten_seconds() -> Duration {
    Duration("10s".into())
}

fn rs256() -> String {
    "RS256".into()
}
