//! Exactly what the file said. The comments on these fields are the reference (`docs/reference/config.md`) and the
//! descriptions in `postern schema`; the values here are the defaults that both show.

mod bundles;
mod listeners;
mod sources;
mod upstreams;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bundles::{Bundle, Polling, Status, Verify, VerifyKey};
pub use listeners::{
    Accepts, Body, Callers, Certificate, CertificateFiles, EncodedSlash, Limits, Listener, Listens, OwnSvid,
    Protocol, Route, Unreadable, Way,
};
pub use sources::{Credential, Files, Identity, JwtLogin, Sharing, Vault, VaultLogin};
pub use upstreams::{Login, Tls, TlsMin, Upstream, UpstreamTimeouts};

/// A whole number and its unit: `20ms`, `5s`, `10m`, `2h`, `1d`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9]+(ms|s|m|h|d)$"))]
pub struct Duration(pub String);

/// A whole number and its unit: `512B`, `64KiB`, `1MiB`, `2GiB`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9]+(B|KiB|MiB|GiB)$"))]
pub struct Size(pub String);

/// A file or folder. A relative path begins at the folder of the configuration file.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct File(pub String);

/// Everything that `postern run` is told: one YAML file. Unknown keys are errors. What is named here (listeners,
/// routes, upstreams, credentials, vaults) appears under that name in policy input, records and metrics; a name is
/// 1 to 64 of `a-z 0-9 - _` and starts with a letter. Secrets come by reference, never inline.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Postern configuration", rename = "Configuration")]
pub struct Draft {
    /// The version of this file's shape: 1.
    pub version: u32,
    /// A folder of this sidecar alone, for what must survive a crash: the lease journal, the record sequence, the last good
    /// bundle of each service. Postern makes it where there is none, readable by its user alone. A folder that is there is taken,
    /// and closed to others, where it is empty or holds the empty file `lock`, which Postern leaves in its own; any other
    /// ends the start with `PST-OP-011`, untouched.
    pub state: File,
    /// Worker threads. One is enough for a sidecar.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub workers: u32,
    /// Shown to policy as `context.labels`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Who this sidecar is and whom it trusts.
    pub identity: Identity,
    /// The vaults that credentials come from, by name.
    #[serde(default)]
    pub vaults: BTreeMap<String, Vault>,
    /// The credentials that decisions may name, by name: a source and a lifetime, never how it is put in.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// The old systems, by name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Where policy comes from and how long it may think.
    pub policy: Policy,
    /// Where callers arrive, by name.
    pub listeners: BTreeMap<String, Listener>,
    /// Where records go.
    #[serde(default)]
    pub records: Records,
    /// For operators and their machines.
    #[serde(default)]
    pub admin: Admin,
    /// How long open requests may go on after a stop was asked for; then they are cut and all leases revoked, within
    /// what is left of it but at least 5 s.
    #[serde(default = "drain")]
    pub drain: Duration,
}

/// Where policy comes from and how long it may think.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The rule whose value is the decision.
    #[serde(default = "entrypoint")]
    pub entrypoint: String,
    /// Bundles of `*.rego` and data files, as OPA lays them out, under the names that records give with their revisions.
    /// Together they are one policy; each owns what the `roots` of its manifest say, and no two the same. They are
    /// watched, or asked for again: what does not compile is refused, and the bundle's old state serves on.
    pub bundles: BTreeMap<String, Bundle>,
    /// How long one decision may take, 1ms to 1s; what is late twice is a denial.
    #[serde(default = "fuse")]
    pub fuse: Duration,
    /// What becomes of the tests that bundles bring: rules `test_…`, in files `*_test.rego` and elsewhere.
    #[serde(default)]
    pub tests: OwnTests,
    /// A service that is told, as OPA tells it, what became of each bundle.
    pub status: Option<Status>,
}

/// What becomes of the tests that bundles bring.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnTests {
    /// A policy is loaded only when all of them pass; gate, tests and fuse together within 30 s.
    #[default]
    Run,
    /// They are not looked at.
    Skip,
}

/// Where records go.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Records {
    /// JSON lines are appended here; without it they go to standard output.
    pub file: Option<File>,
    /// What happens to requests while records cannot be written.
    pub when_full: WhenFull,
    /// How much is kept of the input that policy judged, so that `postern explain` can judge it again.
    pub input: RecordedInput,
}

/// How much is kept of the input that policy judged: what the policy reads of it, secrets masked.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordedInput {
    /// Of which requests.
    pub of: Recorded,
    /// What is kept as it is of that which is masked otherwise: values of headers, of query parameters, of the body and
    /// of a token's claims. Places below `input`, like `request.headers.x-tenant` or `request.body.value.amount`.
    pub show: Vec<String>,
    /// Most bytes of values, 1KiB to 64KiB; what is beyond is left out, and named.
    pub most: Size,
}

/// Of which requests the input is kept.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// Of none.
    None,
    /// Of those that policy refused.
    Refusals,
    /// Of all that policy judged.
    All,
}

/// What happens to requests while records cannot be written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// They are refused: nothing happens unrecorded.
    Refuse,
    /// They go on; what is missing is counted, and a `gap` record says how much.
    Count,
}

/// For operators and their machines.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// A Unix socket with health, metrics and state; only this user can open it.
    pub socket: Option<File>,
    /// `ip:port` for health and metrics alone. Whoever reaches it can read them, so 127.0.0.1 unless something
    /// outside must scrape it.
    pub metrics: Option<String>,
}

impl Default for Records {
    fn default() -> Self {
        Self { file: None, when_full: WhenFull::Refuse, input: RecordedInput::default() }
    }
}

impl Default for RecordedInput {
    fn default() -> Self {
        Self { of: Recorded::Refusals, show: Vec::new(), most: Size("8KiB".into()) }
    }
}

/// The schema of the configuration, generated from these types.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Draft)
}

fn one() -> u32 {
    1
}

fn drain() -> Duration {
    Duration("25s".into())
}

fn fuse() -> Duration {
    Duration("20ms".into())
}

fn entrypoint() -> String {
    "data.postern.decision".into()
}
