//! A development vault: of the Vault HTTP API what Postern uses, with real tokens and real leases. **Not for
//! production**: clear HTTP on loopback, everything in memory, one operator who may do anything.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use crate::{Accounts, held, part::Part};
use state::State;

mod answer;
mod lease;
mod login;
mod secrets;
mod serve;
mod state;
mod token;

/// The calls that [`Vault::calls`] remembers.
const CALLS_KEPT: usize = 10_000;

/// A vault on a loopback port until it is dropped. It adds its dynamic accounts to an [`Accounts`] table and
/// removes them when their lease ends, whichever way.
pub struct Vault {
    shared: Arc<Shared>,
    address: SocketAddr,
    part: Part,
}

/// Who may log in by JWT-SVID, and what the token is then good for.
#[derive(Debug, Clone)]
pub struct JwtRole {
    /// One of these must be in the token's `aud`.
    pub audiences: Vec<String>,
    /// Exactly this `sub`, if given.
    pub subject: Option<String>,
    /// How long the token lives unless renewed, in whole seconds.
    pub ttl: Duration,
    /// How long it lives at most.
    pub max_ttl: Duration,
    /// Paths it may use beside those every token may, without `/v1/`; a final `*` stands for anything.
    pub allow: Vec<String>,
}

/// How long a dynamic account lives.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseRole {
    /// Unless renewed, in whole seconds.
    pub ttl: Duration,
    /// At most, counted from its issue.
    pub max_ttl: Duration,
}

/// What the vault is made to do wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// 503 to everything; health says sealed.
    Sealed,
    /// 307 to the active node's URL, or 500 where none is known; health says standby.
    Standby {
        /// Scheme, host and port of the active node.
        active: Option<String>,
    },
    /// 429 to everything but health.
    RateLimited {
        /// Seconds for the `Retry-After` header; `OpenBao` sends none.
        retry_after: Option<u32>,
    },
    /// The right answer, but only after this time.
    Slow(Duration),
    /// 500 to everything but health.
    Failing,
    /// 204 to `sys/leases/revoke`, and nothing is revoked.
    RevokeLies,
}

/// One call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST` …
    pub method: String,
    /// Without `/v1/` and query.
    pub path: String,
    /// Of the answer.
    pub status: u16,
    /// Of the token it came with, if that was good.
    pub accessor: Option<String>,
    /// Whether it carried `X-Vault-Request: true`.
    pub marked: bool,
}

/// A lease that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// `database/creds/ROLE/…`
    pub id: String,
    /// The account it stands for.
    pub user: String,
    /// How long it lives unless renewed.
    pub remaining: Duration,
    /// How often it was renewed.
    pub renewals: u32,
    /// Of the token that owns it.
    pub accessor: String,
}

impl Vault {
    /// A vault without roles that verifies JWT-SVIDs by `jwks`, a JWK Set that may change.
    pub fn start(jwks: tokio::sync::watch::Receiver<String>, accounts: Accounts) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let vault = Self {
            address: listener.local_addr()?,
            shared: Arc::new(Shared {
                state: Mutex::new(State::new(jwks, accounts)),
                fault: Mutex::default(),
                calls: Mutex::default(),
                changed: Notify::new(),
            }),
            part: Part::default(),
        };
        vault.serve_on(listener)?;
        Ok(vault)
    }

    /// Where it is, without a final slash.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token that may do anything and never ends.
    #[must_use]
    pub fn root_token(&self) -> String {
        held(&self.shared.state).root_token().to_owned()
    }

    /// Lets a JWT-SVID log in at `auth/jwt/login` as `name`.
    pub fn put_jwt_role(&self, name: &str, role: JwtRole) {
        held(&self.shared.state).jwt_roles.insert(name.to_owned(), role);
    }

    /// Offers `database/creds/NAME`.
    pub fn put_database_role(&self, name: &str, role: DatabaseRole) {
        held(&self.shared.state).database_roles.insert(name.to_owned(), role);
    }

    /// Offers `database/static-creds/NAME`: the account `user`, given a new password now and every `period`.
    pub fn put_static_role(&self, name: &str, user: &str, period: Duration) {
        held(&self.shared.state).put_static_role(name, user, period, Instant::now());
        self.shared.changed.notify_one();
    }

    /// Offers a new version of `secret/data/PATH`.
    pub fn put_secret(&self, path: &str, data: Value) {
        held(&self.shared.state).put_secret(path, data);
    }

    /// Deletes the newest version of `secret/data/PATH`, softly.
    pub fn delete_secret(&self, path: &str) {
        held(&self.shared.state).delete_secret(path);
    }

    /// Makes every call go wrong so; [`Fault::None`] mends it.
    pub fn set_fault(&self, fault: Fault) {
        self.set_fault_at("", fault);
    }

    /// Makes calls to paths that begin with `prefix` (without `/v1/`) go wrong so, and no others.
    pub fn set_fault_at(&self, prefix: &str, fault: Fault) {
        *held(&self.shared.fault) = (prefix.to_owned(), fault);
    }

    /// The leases that have not ended, by id.
    #[must_use]
    pub fn leases(&self) -> Vec<Leased> {
        held(&self.shared.state).leased(Instant::now())
    }

    /// Ends a lease as an operator would; whether there was one.
    pub fn revoke_lease(&self, id: &str) -> bool {
        held(&self.shared.state).end_lease(id)
    }

    /// How many tokens have not ended, the root token aside.
    #[must_use]
    pub fn tokens(&self) -> usize {
        held(&self.shared.state).tokens.len()
    }

    /// Ends every token but the root token, and with them every lease; as an operator who shuts all out.
    pub fn revoke_tokens(&self) {
        held(&self.shared.state).end_all_tokens();
    }

    /// The last ten thousand calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        held(&self.shared.calls).iter().cloned().collect()
    }

    /// Is gone: connections are cut and refused, and no lease ends by itself until [`Vault::serve`].
    pub fn stop(&self) {
        self.part.stop();
    }

    /// Is back at the same port; what should have ended meanwhile ends now.
    pub fn serve(&self) -> io::Result<()> {
        self.part.stop();
        self.serve_on(TcpListener::bind(self.address)?)
    }

    fn serve_on(&self, listener: TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let shared = self.shared.clone();
        self.part.start("lab-vault", move || serve::serve(listener, shared))
    }
}

/// What the handle and the serving thread share.
struct Shared {
    state: Mutex<State>,
    /// A path prefix and what goes wrong below it.
    fault: Mutex<(String, Fault)>,
    calls: Mutex<VecDeque<Call>>,
    /// Something may now end earlier than what the thread waits for.
    changed: Notify,
}

impl Shared {
    fn fault_at(&self, path: &str) -> Fault {
        let fault = held(&self.fault);
        if path.starts_with(&fault.0) { fault.1.clone() } else { Fault::None }
    }

    fn note(&self, call: Call) {
        let mut calls = held(&self.calls);
        if calls.len() == CALLS_KEPT {
            calls.pop_front();
        }
        calls.push_back(call);
    }
}
