//! The configuration, fully parsed. Holding a [`Config`] means that it is valid: every name
//! resolves, every unit is a type, every default has been filled in.
//!
//! [`load`] goes from the text to a tree with places, compares that with the shape of [`draft`], and
//! resolves it; every problem is reported at once. The keys, with their defaults, are in
//! `docs/reference/config.md`.

pub mod draft;
mod later;
mod load;
mod problem;
pub mod reference;
mod resolve;
mod rules;
mod shape;
#[cfg(test)]
mod tests;
mod tree;
mod units;

pub(crate) use load::around_policy;
pub use load::{Lines, load, load_admin, load_at_rest};
pub use problem::{ConfigErrors, Problem, Wrong};
pub use rules::Rule;
pub use units::UnitError;
pub(crate) use units::{duration_argument, time, without_user};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use postern_policy::{Largest, Terms};

use crate::model::{
    CredentialName, Direction, ListenerName, Mode, RouteName, SpiffeId, TrustDomain, UpstreamName, VaultName,
};

/// Everything that `postern run` was told.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Lease journal, record sequence: what must survive a crash.
    pub state: PathBuf,
    /// Worker threads; 1 by default, for this is a sidecar.
    pub workers: NonZeroUsize,
    /// Shown to policy as `context.labels`.
    pub labels: BTreeMap<String, String>,
    /// Who we are and whom we trust.
    pub identity: Identity,
    /// The vaults that credentials come from.
    pub vaults: BTreeMap<VaultName, Arc<Vault>>,
    /// The credentials that decisions may name.
    pub credentials: BTreeMap<CredentialName, Arc<Credential>>,
    /// The old systems.
    pub upstreams: BTreeMap<UpstreamName, Arc<Upstream>>,
    /// Where policy comes from and how long it may think.
    pub policy: Policy,
    /// Where callers arrive.
    pub listeners: BTreeMap<ListenerName, Arc<Listener>>,
    /// Where records go.
    pub records: Records,
    /// For operators.
    pub admin: Admin,
    /// How long open requests may go on once told to stop.
    pub drain: Duration,
}

/// Who we are and whom we trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where SVIDs and bundles come from.
    pub source: IdentitySource,
    /// Trust domains whose members may be known here; never implied.
    pub trust: Vec<TrustDomain>,
}

/// Where SVIDs and bundles come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A SPIFFE Workload API: `unix:///path` or `tcp://ip:port`.
    WorkloadApi(String),
    /// Files that something else rotates: PEM.
    Files {
        /// Chain, leaf first.
        svid: PathBuf,
        /// PKCS#8 key of the leaf.
        key: PathBuf,
        /// Anchors of our own trust domain.
        bundle: PathBuf,
        /// A JWK set that verifies JWT-SVIDs of our own trust domain, if those are accepted.
        jwt_bundle: Option<PathBuf>,
        /// A JWT-SVID of our own, for the vault login.
        token: Option<PathBuf>,
    },
}

/// A Vault or OpenBao server.
#[derive(Debug, PartialEq, Eq)]
pub struct Vault {
    /// The configured name.
    pub name: VaultName,
    /// `https` or, on loopback only, `http`.
    pub tls: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Roots that its certificate must chain to, PEM file; none means that its SPIFFE ID is checked or the URL is http.
    pub roots: Option<PathBuf>,
    /// The SPIFFE ID its certificate must carry, instead of roots.
    pub spiffe_id: Option<SpiffeId>,
    /// `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// How we log in.
    pub login: VaultLogin,
    /// The longest any one call may take.
    pub timeout: Duration,
}

/// How we log in to a vault.
#[derive(Debug, PartialEq, Eq)]
pub enum VaultLogin {
    /// `auth/MOUNT/login` with a JWT-SVID of ours.
    Jwt {
        /// Where the method is mounted; `jwt` by default.
        mount: String,
        /// The role of the vault's.
        role: String,
        /// The audience our JWT-SVID is fetched for; `vault` by default.
        audience: String,
    },
    /// A token that something else keeps fresh in a file.
    TokenFile(PathBuf),
}

/// A named source and lifetime; never how it is put in.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    /// The configured name.
    pub name: CredentialName,
    /// Where it comes from.
    pub source: CredentialSource,
    /// Who shares one lease.
    pub lease_per: LeasePer,
    /// A lease that nobody used for so long is returned.
    pub idle: Duration,
    /// How many leases may be held at a time.
    pub most: NonZeroUsize,
    /// Upstreams it may be sent to; empty: any upstream of a route that names it.
    pub only_to: Vec<UpstreamName>,
}

/// Where a credential comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// A path of a vault, read as it stands: a constant, never built from caller data.
    Vault {
        /// Which vault.
        vault: VaultName,
        /// For example `database/creds/app` or `secret/data/app`.
        read: String,
    },
    /// A JSON file that something else keeps fresh: `{"username", "password"}` or `{"token"}`.
    File(PathBuf),
}

/// Who shares one lease of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeasePer {
    /// Each caller has its own: an account per caller.
    Caller,
    /// All callers of a listener share one.
    Listener,
}

/// The old system.
#[derive(Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The configured name.
    pub name: UpstreamName,
    /// Where it is.
    pub address: UpstreamAddress,
    /// How it proves itself; none: clear text.
    pub tls: Option<UpstreamTls>,
    /// How it wants to be logged in to; none: it takes no credential.
    pub login: Option<Login>,
    /// Deadlines.
    pub timeouts: UpstreamTimeouts,
    /// How many connections may be open to it, per worker.
    pub connections: NonZeroUsize,
    /// Whether HTTP/2 is spoken to it (needed for gRPC); declared, never guessed.
    pub http2: bool,
    /// Whether and how far its responses are searched for the injected secret.
    pub scrub: bool,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// `host:port`.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(PathBuf),
}

/// How an upstream proves itself before any credential is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// What must hold of its certificate.
    pub proof: UpstreamProof,
    /// The name it is asked for and must be valid for; the address's host by default.
    pub server_name: Option<String>,
    /// The lowest version spoken: 1.2 by default, for old systems mostly speak that.
    pub min: TlsVersion,
    /// Whether our own SVID is presented.
    pub present_svid: bool,
}

/// What must hold of an upstream's certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum UpstreamProof {
    /// It chains to these roots (PEM file) and is valid for the server name.
    Roots(PathBuf),
    /// It is an X.509-SVID with exactly this id.
    SpiffeId(SpiffeId),
    /// SHA-256 of its public key (`SubjectPublicKeyInfo`), whoever signed it.
    Pin([u8; 32]),
}

/// A TLS version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2
    V12,
    /// TLS 1.3
    V13,
}

/// How an upstream wants to be logged in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// `Authorization: Basic`.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// A header of its own.
    Header(http::HeaderName),
}

/// Deadlines towards an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// Until it is connected and proven.
    pub connect: Duration,
    /// Until the head of its response is read.
    pub response: Duration,
    /// How long a kept connection may stand unused.
    pub idle: Duration,
}

/// Where policy comes from and how long it may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `data.postern.decision` by default.
    pub entrypoint: String,
    /// By name.
    pub bundles: BTreeMap<String, Bundle>,
    /// How long one decision may take.
    pub fuse: Duration,
    /// Whether the tests that bundles bring must pass.
    pub tests: bool,
    /// The largest request that the listeners let through.
    pub largest: Largest,
    /// Who is told what became of bundles.
    pub status: Option<Arc<Endpoint>>,
}

impl Policy {
    /// What a policy is admitted by.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let Self { fuse, tests, largest, .. } = *self;
        Terms { entrypoint: self.entrypoint.clone(), fuse, tests, largest }
    }
}

/// A bundle of policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Where it comes from.
    pub source: BundleSource,
    /// Who must have signed it.
    pub verify: Option<Verify>,
}

/// Where a bundle comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleSource {
    /// A folder or an archive.
    Path(PathBuf),
    /// A service, which is asked for it again and again.
    Service(Arc<BundleService>),
}

/// A service of bundles, and how often it is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct BundleService {
    /// The service.
    pub endpoint: Endpoint,
    /// It is asked again after at least so long.
    pub min: Duration,
    /// And at most so long.
    pub max: Duration,
    /// How long it may wait for something new before it answers.
    pub long: Option<Duration>,
    /// The largest archive, in bytes.
    pub size: usize,
}

/// One address of an HTTP service, and what it and we prove to each other.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As it is written in messages.
    pub url: String,
    /// How it proves itself; none: clear text on this machine.
    pub tls: Option<UpstreamTls>,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Begins with a slash.
    pub path: String,
    /// Holds a bearer token, read for each request.
    pub token_file: Option<PathBuf>,
    /// The longest that one exchange may take.
    pub timeout: Duration,
}

/// Who must have signed a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// By key id.
    pub keys: BTreeMap<String, VerifyKey>,
    /// The only one that counts.
    pub keyid: Option<String>,
    /// What the signature must be for.
    pub scope: Option<String>,
    /// Patterns of files that are taken unsigned.
    pub exclude_files: Vec<String>,
    /// Whether SHA-1 is taken.
    pub sha1: bool,
    /// When it must have been signed at the earliest, in Unix seconds; none is taken then that was signed before the
    /// one that served last.
    pub since: Option<i64>,
}

/// A key that signs bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyKey {
    /// PEM, or a shared secret.
    pub file: PathBuf,
    /// What it signs with.
    pub algorithm: postern_policy::Algorithm,
    /// What a signature by it must be for.
    pub scope: Option<String>,
}

/// Where callers arrive.
#[derive(Debug, PartialEq, Eq)]
pub struct Listener {
    /// The configured name.
    pub name: ListenerName,
    /// Where it listens.
    pub bind: SocketAddr,
    /// What is spoken; declared, never guessed.
    pub protocol: String,
    /// Which way it faces.
    pub direction: Direction,
    /// What it presents to callers.
    pub certificate: ListenerCertificate,
    /// Who may call and how they prove it.
    pub callers: Callers,
    /// What a denial does.
    pub mode: Mode,
    /// Longest path first, so that the first that fits is the one.
    pub routes: Vec<Arc<Route>>,
    /// Limits.
    pub limits: Limits,
}

/// What a listener presents to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerCertificate {
    /// Our own X.509-SVID.
    Svid,
    /// A certificate for callers that do not know SPIFFE: PEM files.
    Files {
        /// Chain, leaf first.
        chain: PathBuf,
        /// Key of the leaf.
        key: PathBuf,
    },
}

/// Who may call and how they prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// Any one of these suffices; where several are presented they must name the same id.
    pub any_of: Vec<ProofKind>,
    /// The audience that a JWT-SVID must name, and name alone.
    pub audience: Option<String>,
    /// Trust domains accepted here; a subset of `identity.trust`.
    pub trust: Vec<TrustDomain>,
    /// The longest life (exp minus iat, or minus now without iat) of an accepted JWT-SVID.
    pub max_token_life: Duration,
}

/// A way of proving who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// A client certificate in the TLS handshake.
    X509Svid,
    /// A bearer token.
    JwtSvid,
}

/// A listener's host and whole leading path segments, to one upstream.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The configured name.
    pub name: RouteName,
    /// Lower case, without port; none: any.
    pub host: Option<String>,
    /// Leading segments that must be equal; empty: any path.
    pub segments: Vec<String>,
    /// Where it leads.
    pub upstream: Arc<Upstream>,
    /// What a decision may name.
    pub credentials: Vec<CredentialName>,
    /// Whether `%2F` is kept inside its segment instead of refused.
    pub encoded_slash: EncodedSlash,
    /// How much of a JSON body policy sees.
    pub inspect: Option<BodyInspection>,
}

/// What becomes of an encoded slash in a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncodedSlash {
    /// The request is refused.
    #[default]
    Refuse,
    /// It stays as it is, inside its segment.
    Keep,
}

/// How much of a body policy sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyInspection {
    /// Larger bodies are `too_large`.
    pub limit: usize,
    /// Whether `too_large` and `malformed` are put to policy instead of being denied.
    pub tolerate: bool,
}

/// What one listener bears, over all workers where it counts, per connection where it times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections, per worker.
    pub connections: usize,
    /// Handshakes in flight, per worker.
    pub handshakes: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a request head may take.
    pub head: Duration,
    /// Bytes of a request head.
    pub head_size: usize,
    /// Number of headers.
    pub headers: usize,
    /// How long a body, stream or idle connection may stand still.
    pub idle: Duration,
    /// How old a connection may get.
    pub age: Duration,
    /// Streams at a time on one HTTP/2 connection.
    pub streams: u32,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// JSON lines are appended here; none: standard output.
    pub file: Option<PathBuf>,
    /// What happens to requests when records cannot be written.
    pub when_full: WhenFull,
    /// What is kept of the input that policy judged.
    pub input: RecordedInput,
}

/// What records keep of the input that policy judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedInput {
    /// Of which requests.
    pub of: Recorded,
    /// How much of it.
    pub keeping: postern_policy::Keeping,
}

/// Of which requests the input is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Of none.
    None,
    /// Of those that policy refused.
    Refusals,
    /// Of all that policy judged.
    All,
}

/// What happens to requests when records cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// They are refused.
    Refuse,
    /// They go on; what is missing is counted and a `gap` record says so.
    Count,
}

/// For operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// Unix socket with health, metrics and state.
    pub socket: Option<PathBuf>,
    /// Loopback address for health and metrics alone.
    pub metrics: Option<SocketAddr>,
}

type Same = fn(&Config, &Config) -> bool;

/// The sections that cannot be replaced while running, and how to compare each.
const FIXED: [(&str, Same); 7] = [
    ("state", |one, other| one.state == other.state),
    ("workers", |one, other| one.workers == other.workers),
    ("identity", |one, other| one.identity == other.identity),
    ("vaults", |one, other| one.vaults == other.vaults),
    ("credentials", |one, other| one.credentials == other.credentials),
    ("records", |one, other| one.records == other.records),
    ("admin", |one, other| one.admin == other.admin),
];

impl Config {
    /// The sections in which `next` differs although they cannot be replaced while running:
    /// leases, records and identity outlive a reload.
    #[must_use]
    pub fn needs_restart_for(&self, next: &Self) -> Vec<&'static str> {
        FIXED.into_iter().filter(|(_, same)| !same(self, next)).map(|(section, _)| section).collect()
    }
}

impl Listener {
    /// The route for a request: its host must be equal, its leading segments too; the longest wins.
    #[must_use]
    pub fn route<S: AsRef<str>>(&self, host: &str, segments: &[S]) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.fits(host, segments))
    }
}

impl Route {
    fn fits<S: AsRef<str>>(&self, host: &str, segments: &[S]) -> bool {
        self.host.as_deref().is_none_or(|wanted| wanted == host)
            && segments.len() >= self.segments.len()
            && self.segments.iter().zip(segments).all(|(wanted, given)| wanted == given.as_ref())
    }
}
