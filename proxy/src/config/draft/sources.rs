use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, File};

/// Who this sidecar is and whom it trusts. Its own SVIDs and the bundles come from a Workload API or from files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The SPIFFE Workload API: `unix:///path` or `tcp://ip:port`. Without it and without `files`, the environment
    /// variable `SPIFFE_ENDPOINT_SOCKET` says where it is.
    pub workload_api: Option<String>,
    /// Instead of a Workload API: files that something else rotates.
    pub files: Option<Files>,
    /// Trust domains whose members may be known here, as names without scheme; at least one, never implied.
    pub trust: Vec<String>,
}

/// Files that something else rotates, in PEM.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The X.509-SVID and what follows it, leaf first.
    pub svid: File,
    /// The leaf's private key, PKCS#8.
    pub key: File,
    /// The anchors of our own trust domain.
    pub bundle: File,
    /// A JWK set for JWT-SVIDs of our own trust domain; needed where a listener accepts `jwt_svid`.
    pub jwt_bundle: Option<File>,
    /// A JWT-SVID of our own; needed where a vault's login is `jwt`.
    pub token: Option<File>,
}

/// A Vault or OpenBao server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// `https://host:port`; `http://` on this machine only.
    pub url: String,
    /// How we log in to it.
    pub login: VaultLogin,
    /// Roots its certificate must chain to, PEM. Without it and without `spiffe_id`: the file that the environment
    /// variable `SSL_CERT_FILE` names, or `/etc/ssl/certs/ca-certificates.crt`.
    pub roots: Option<File>,
    /// Instead of roots: the SPIFFE ID that its certificate must carry.
    pub spiffe_id: Option<String>,
    /// The namespace all calls are made in (`X-Vault-Namespace`).
    pub namespace: Option<String>,
    /// The longest that any one call may take, 100ms to 1m.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,
}

/// How we log in to a vault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VaultLogin {
    /// With a JWT-SVID of ours, at `auth/MOUNT/login`.
    Jwt(JwtLogin),
    /// With the token in this file, which something else keeps fresh.
    TokenFile(File),
}

/// With a JWT-SVID of ours, at `auth/MOUNT/login`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtLogin {
    /// The vault's role for this sidecar.
    pub role: String,
    /// The audience our JWT-SVID is fetched for: the role's `bound_audiences`.
    #[serde(default = "vault")]
    pub audience: String,
    /// Where the vault mounts the method.
    #[serde(default = "jwt")]
    pub mount: String,
}

/// A named source and lifetime. From a vault (`vault` and `read`) or from a file (`file`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// The vault it comes from, by its name under `vaults`.
    pub vault: Option<String>,
    /// The path read there, as it stands: `database/creds/app`, `secret/data/app`. A constant, never built from what
    /// a caller sent.
    pub read: Option<String>,
    /// Instead of a vault: a JSON file that something else keeps fresh, `{"username", "password"}` or `{"token"}`.
    pub file: Option<File>,
    /// Who shares one lease.
    #[serde(default)]
    pub lease_per: Sharing,
    /// A lease that nobody used for so long is returned, 1s to 1d.
    #[serde(default = "five_minutes")]
    pub idle: Duration,
    /// How many leases may be held at a time; further callers are refused with a code of its own.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 100_000))]
    pub most: u32,
    /// Upstreams it may be sent to, by name; without it, the upstream of any route that names it.
    #[serde(default)]
    pub only_to: Vec<String>,
}

/// Who shares one lease of a credential.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Each caller has its own: an account per caller.
    #[default]
    Caller,
    /// All callers of a listener share one.
    Listener,
}

fn ten_seconds() -> Duration {
    Duration("10s".into())
}

fn five_minutes() -> Duration {
    Duration("5m".into())
}

fn hundred() -> u32 {
    100
}

fn vault() -> String {
    "vault".into()
}

fn jwt() -> String {
    "jwt".into()
}
