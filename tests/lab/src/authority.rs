//! A development SPIFFE authority: issuer, attestor and Workload API in one. **Not for production**: its keys
//! live in memory and whoever holds the handle may mint anything.

use std::{
    collections::BTreeMap,
    io,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use rcgen::{CertificateParams, SanType};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{held, part::Part};
use attest::{Digest, Workload};
use issue::{Ca, JwtKey};

mod attest;
mod issue;
mod mend;
mod proto;
mod workload_api;

pub use issue::{X509Svid, leaf};

/// An authority of one trust domain, serving the Workload API on a Unix socket until it is dropped.
///
/// It attests every call anew and has no entries at first: nobody gets an SVID before [`Authority::admit`].
pub struct Authority {
    shared: Arc<Shared>,
    socket: PathBuf,
    part: Part,
}

/// Which program, run by whom, is which workload. All three must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The SPIFFE ID it is given.
    pub id: String,
    uid: u32,
    path: PathBuf,
    sha256: Digest,
    dns: Option<String>,
}

impl Entry {
    /// The program now at `path` (an absolute path, links resolved) run by our own user.
    pub fn for_program(id: &str, path: &Path) -> Result<Self, AuthorityError> {
        let unreadable = |source| AuthorityError::Program { path: path.to_owned(), source };
        let path = path.canonicalize().map_err(unreadable)?;
        let sha256 = attest::digest_of(&path).map_err(unreadable)?;
        Ok(Self { id: id.to_owned(), uid: rustix::process::getuid().as_raw(), path, sha256, dns: None })
    }

    /// Puts a DNS name into its X.509-SVIDs, for clients that check names; identity stays the SPIFFE ID.
    #[must_use]
    pub fn with_dns(self, name: &str) -> Self {
        Self { dns: Some(name.to_owned()), ..self }
    }

    /// The program's digest, lower-case hex.
    #[must_use]
    pub fn sha256(&self) -> String {
        use std::fmt::Write;
        self.sha256.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            write!(hex, "{byte:02x}").unwrap_or_default();
            hex
        })
    }

    fn matches(&self, workload: &Workload) -> bool {
        self.uid == workload.uid && self.path == workload.path && self.sha256 == workload.sha256
    }
}

/// A foreign trust domain's public keys, to be handed to our workloads as federated bundles.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// Concatenated DER.
    pub x509: Vec<u8>,
    /// A JWK Set of `jwt-svid` keys.
    pub jwks: String,
}

/// Why the authority could not do as told.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The socket could not be served.
    #[error("the Workload API cannot be served at {path}: {source}")]
    Socket {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program to be admitted could not be read.
    #[error("cannot read the program {path}: {source}")]
    Program {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A token could not be signed.
    #[error("cannot sign a token: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
}

impl Authority {
    /// A new authority for `trust_domain`, serving at `socket`, SVIDs living for an hour (X.509) and five
    /// minutes (JWT).
    pub fn start(trust_domain: &str, socket: &Path) -> Result<Self, AuthorityError> {
        let state = State {
            entries: Vec::new(),
            x509_ttl: Duration::from_hours(1),
            jwt_ttl: Duration::from_mins(5),
            signing: Keys::create(trust_domain)?,
            trusted: Vec::new(),
            foreign: BTreeMap::new(),
        };
        let authority = Self {
            shared: Arc::new(Shared {
                trust_domain: trust_domain.to_owned(),
                jwks: watch::Sender::new(state.jwks()),
                state: Mutex::new(state),
                revision: watch::Sender::new(0),
            }),
            socket: socket.to_owned(),
            part: Part::default(),
        };
        authority.serve()?;
        Ok(authority)
    }

    /// What `SPIFFE_ENDPOINT_SOCKET` is to say.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The name of the trust domain, without `spiffe://`.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.shared.trust_domain
    }

    /// From now on what `entry` describes is a workload. Open streams hear of it at once.
    pub fn admit(&self, entry: Entry) {
        self.shared.change(|state| state.entries.push(entry));
    }

    /// Takes back every entry with this id; streams left without any end with `PERMISSION_DENIED`.
    pub fn dismiss(&self, id: &str) {
        self.shared.change(|state| state.entries.retain(|entry| entry.id != id));
    }

    /// How long X.509-SVIDs live from now on, in whole seconds; a stream renews at half of it.
    pub fn set_x509_ttl(&self, ttl: Duration) {
        self.shared.change(|state| state.x509_ttl = ttl);
    }

    /// How long JWT-SVIDs live from now on, in whole seconds.
    pub fn set_jwt_ttl(&self, ttl: Duration) {
        self.shared.change(|state| state.jwt_ttl = ttl);
    }

    /// New signing keys, X.509 and JWT. The old ones sign nothing more but stay in the bundles until
    /// [`Authority::retire`].
    pub fn rotate(&self) -> Result<(), AuthorityError> {
        let new = Keys::create(self.trust_domain())?;
        self.shared.change(|state| {
            let old = std::mem::replace(&mut state.signing, new);
            state.trusted.insert(0, old);
        });
        Ok(())
    }

    /// Only the newest signing keys stay in the bundles: what older ones signed is worth nothing.
    pub fn retire(&self) {
        self.shared.change(|state| state.trusted.clear());
    }

    /// Hands out `foreign` as the bundle of `trust_domain` from now on; `None` takes it back.
    pub fn federate(&self, trust_domain: &str, foreign: Option<Foreign>) {
        let id = format!("spiffe://{trust_domain}");
        self.shared.change(|state| match foreign {
            Some(foreign) => drop(state.foreign.insert(id, foreign)),
            None => drop(state.foreign.remove(&id)),
        });
    }

    /// Our own public keys, for another authority to federate with.
    #[must_use]
    pub fn bundle(&self) -> Foreign {
        let state = held(&self.shared.state);
        Foreign { x509: state.x509_bundle(), jwks: state.jwks() }
    }

    /// The X.509 bundle as PEM, for clients that read files.
    #[must_use]
    pub fn x509_bundle_pem(&self) -> String {
        held(&self.shared.state).keys().map(|keys| keys.ca.pem()).collect()
    }

    /// The JWT bundle, a JWK Set, as it is and as it becomes.
    #[must_use]
    pub fn jwks(&self) -> watch::Receiver<String> {
        self.shared.jwks.subscribe()
    }

    /// The public halves of the JWT keys as PEM, newest first, for verifiers that take no JWK Set.
    #[must_use]
    pub fn jwt_keys_pem(&self) -> Vec<String> {
        held(&self.shared.state).keys().map(|keys| keys.jwt.public_pem()).collect()
    }

    /// An X.509-SVID for `id`, unasked: for clients that read files.
    pub fn mint_x509(&self, id: &str) -> Result<X509Svid, AuthorityError> {
        held(&self.shared.state).issue_x509(id, None)
    }

    /// A certificate as spoilt as a test wants it, signed by our newest CA with a new P-256 key.
    pub fn sign(&self, params: &CertificateParams) -> Result<X509Svid, AuthorityError> {
        held(&self.shared.state).signing.ca.sign(params)
    }

    /// A JWT-SVID for `id`, unasked.
    pub fn mint_jwt(&self, id: &str, audience: &[String]) -> Result<String, AuthorityError> {
        held(&self.shared.state).issue_jwt(id, audience)
    }

    /// A token with these claims and no others, signed by our newest key.
    pub fn sign_claims(&self, claims: &Value) -> Result<String, AuthorityError> {
        held(&self.shared.state).signing.jwt.sign(claims)
    }

    /// Stops serving and cuts every stream, as a killed agent would. Keys and entries stay.
    pub fn stop(&self) {
        self.part.stop();
    }

    /// Serves again at the same socket after [`Authority::stop`].
    pub fn serve(&self) -> Result<(), AuthorityError> {
        let unserved = |source| AuthorityError::Socket { path: self.socket.clone(), source };
        self.part.stop();
        match std::fs::remove_file(&self.socket) {
            Err(failed) if failed.kind() != io::ErrorKind::NotFound => return Err(unserved(failed)),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket).map_err(unserved)?;
        listener.set_nonblocking(true).map_err(unserved)?;
        let shared = self.shared.clone();
        self.part.start("lab-authority", move || workload_api::serve(listener, shared)).map_err(unserved)
    }
}

/// What the handle and the serving thread share.
struct Shared {
    trust_domain: String,
    state: Mutex<State>,
    /// Counts changes, so that open streams push what is new.
    revision: watch::Sender<u64>,
    jwks: watch::Sender<String>,
}

impl Shared {
    /// The trust domain's own SPIFFE ID, the key of its bundles.
    fn id(&self) -> String {
        format!("spiffe://{}", self.trust_domain)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = held(&self.state);
        change(&mut state);
        self.jwks.send_replace(state.jwks());
        self.revision.send_modify(|revision| *revision += 1);
    }
}

struct State {
    entries: Vec<Entry>,
    x509_ttl: Duration,
    jwt_ttl: Duration,
    signing: Keys,
    /// Sign nothing more, newest first.
    trusted: Vec<Keys>,
    /// By the trust domain's SPIFFE ID.
    foreign: BTreeMap<String, Foreign>,
}

struct Keys {
    ca: Ca,
    jwt: JwtKey,
}

impl Keys {
    fn create(trust_domain: &str) -> Result<Self, AuthorityError> {
        Ok(Self { ca: Ca::create(trust_domain)?, jwt: JwtKey::create()? })
    }
}

impl State {
    fn entries_of(&self, workload: &Workload) -> Vec<Entry> {
        self.entries.iter().filter(|entry| entry.matches(workload)).cloned().collect()
    }

    fn keys(&self) -> impl Iterator<Item = &Keys> {
        std::iter::once(&self.signing).chain(&self.trusted)
    }

    fn x509_bundle(&self) -> Vec<u8> {
        self.keys().flat_map(|keys| keys.ca.der().iter().copied()).collect()
    }

    fn jwks(&self) -> String {
        json!({ "keys": self.keys().map(|keys| keys.jwt.jwk()).collect::<Vec<_>>() }).to_string()
    }

    fn issue_x509(&self, id: &str, dns: Option<&str>) -> Result<X509Svid, AuthorityError> {
        let mut params = leaf(id, self.x509_ttl)?;
        if let Some(name) = dns {
            params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
        }
        self.signing.ca.sign(&params)
    }

    fn issue_jwt(&self, id: &str, audience: &[String]) -> Result<String, AuthorityError> {
        self.signing.jwt.issue(id, audience, self.jwt_ttl)
    }
}
