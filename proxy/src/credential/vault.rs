//! A Vault or OpenBao server, as the keeper uses it: one login at a time, kept alive; reads,
//! renewals and revocations under it.
//!
//! The login's token is short-lived and every lease it took ends with it. That is what covers the
//! one moment no journal can: a lease that the vault issued and that we died before writing down.
//! Such a lease is revoked at the next start together with the token (whose accessor is in the
//! journal since before the token's first use), and where even the disk is lost, it ends when the
//! token does.

mod answer;
mod client;
mod error;
mod lease;
mod login;
mod unwatched;

pub(super) use answer::Data;
pub use error::VaultError;
pub(super) use lease::Grip;
pub(super) use login::Session;
pub use login::{OwnSvid, SvidError};

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use self::answer::Envelope;
use self::client::{Call, Client};
use super::figures::Figures;
use super::journal::{Journal, Line};
use crate::clock::{BootTime, SharedClock};
use crate::config;
use crate::model::VaultName;
use crate::pace;

/// The longest a vault in trouble is left alone between two attempts of ours.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// The longest a login is renewed; after that our identity is proven anew.
const LONGEST_LOGIN: Duration = Duration::from_hours(1);
/// The longest a read goes on that nobody waits for any more.
const LONGEST_READ: Duration = Duration::from_mins(1);
/// How often a login is looked after, at least: the calendar may have been set.
const TEND_EVERY: Duration = Duration::from_secs(2);

/// One server and our login to it. Lives on the control thread.
pub(crate) struct Vault {
    server: Arc<config::Vault>,
    client: Client,
    own_svid: OwnSvid,
    journal: Journal,
    figures: Arc<Figures>,
    clock: SharedClock,
    session: RefCell<Option<Rc<Session>>>,
    /// Logins that another has replaced, until the leases they took are gone.
    replaced: RefCell<Vec<Rc<Session>>>,
    /// Held by whoever logs in.
    turn: Mutex<()>,
    trouble: RefCell<Option<Trouble>>,
}

/// One call, before it has a token.
#[derive(Clone)]
struct Errand<'a> {
    method: Method,
    path: &'a str,
    body: Option<Bytes>,
    /// Whether an account may come of it.
    issues: bool,
}

struct Trouble {
    why: Arc<VaultError>,
    until: BootTime,
    failures: u32,
}

/// What every vault of a process shares.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) own_svid: OwnSvid,
    pub(crate) journal: Journal,
    pub(crate) figures: Arc<Figures>,
    pub(crate) clock: SharedClock,
}

impl Vault {
    /// A server that nothing has been asked of yet.
    pub(crate) fn new(
        server: Arc<config::Vault>,
        tls: Option<Arc<rustls::ClientConfig>>,
        around: Surroundings,
    ) -> Result<Self, VaultError> {
        Ok(Self {
            client: Client::new(Arc::clone(&server), tls)?,
            server,
            own_svid: around.own_svid,
            journal: around.journal,
            figures: around.figures,
            clock: around.clock,
            session: RefCell::default(),
            replaced: RefCell::default(),
            turn: Mutex::new(()),
            trouble: RefCell::default(),
        })
    }

    /// Its configured name.
    pub(crate) fn name(&self) -> &VaultName {
        &self.server.name
    }

    /// The longest that anyone waits for one call.
    pub(crate) fn timeout(&self) -> Duration {
        self.server.timeout
    }

    /// Reads a path as it stands, with the login under which it was read.
    ///
    /// A read may issue an account. So one that takes too long is not broken off: it goes on
    /// without us, and what it brings too late is given back.
    pub(super) async fn read(self: &Rc<Self>, path: &str) -> Result<(Envelope, Rc<Session>), VaultError> {
        let (vault, path) = (Rc::clone(self), path.to_owned());
        let mut reading = tokio::task::spawn_local(async move {
            vault.call(Errand { method: Method::GET, path: &path, body: None, issues: true }).await
        });
        let limit = self.server.timeout;
        if let Ok(read) = tokio::time::timeout(limit, &mut reading).await {
            return read.unwrap_or(Err(VaultError::Late(limit)));
        }
        tokio::task::spawn_local(Rc::clone(self).give_back(reading));
        self.noted(Err(VaultError::Late(limit)))
    }

    async fn give_back(self: Rc<Self>, reading: JoinHandle<Result<(Envelope, Rc<Session>), VaultError>>) {
        let Ok(Ok((Envelope { lease_id: Some(lease_id), .. }, _session))) = reading.await else { return };
        if let Err(error) = self.end_lease(&lease_id).await {
            tracing::warn!(vault = %self.name(), %error, "a lease that came too late could not be given back; it ends by itself");
        }
    }

    /// A call under our login. 403 may mean a dead token as well as a forbidden path, and no body
    /// tells them apart: the token is looked up, and only if the vault no longer knows it do we
    /// log in once more and ask again.
    async fn call(&self, errand: Errand<'_>) -> Result<(Envelope, Rc<Session>), VaultError> {
        let session = self.session().await?;
        let words = match self.once(&session, errand.clone()).await {
            Err(VaultError::Denied(words)) => words,
            other => return Ok((other?, session)),
        };
        if self.is_known(&session).await? {
            return Err(VaultError::Denied(words));
        }
        let fresh = self.log_in_after(&session).await?;
        if self.is_known(&fresh).await? {
            session.end();
        } else {
            tracing::error!(vault = %self.name(), "our logins may not look themselves up: give the role the vault's default policy");
        }
        Ok((self.once(&fresh, errand).await?, fresh))
    }

    /// One exchange; refuses at once while the vault is being left alone.
    async fn once(&self, session: &Session, errand: Errand<'_>) -> Result<Envelope, VaultError> {
        self.refuse_while_resting()?;
        let begun = self.clock.boot();
        let Errand { method, path, body, issues } = errand;
        let limit = if issues { self.server.timeout.max(LONGEST_READ) } else { self.server.timeout };
        let call = Call { method, path, token: Some(&session.token), body, issues };
        let answer = self.client.send_within(limit, call).await;
        let result = answer.and_then(|answer| answer.envelope());
        self.figures.called(self.clock.boot().since(begun), result.is_err());
        self.noted(result)
    }

    /// A call of the vault's own interface: with a body it writes, without one it reads.
    fn errand(path: &str, body: Option<String>) -> Errand<'_> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        Errand { method, path, body: body.map(Bytes::from), issues: false }
    }

    async fn is_known(&self, session: &Session) -> Result<bool, VaultError> {
        match self.once(session, Self::errand("auth/token/lookup-self", None)).await {
            Ok(_) => Ok(true),
            Err(VaultError::Denied(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The login that serves, or a new one.
    async fn session(&self) -> Result<Rc<Session>, VaultError> {
        if let Some(session) = self.serving() {
            return Ok(session);
        }
        let _turn = self.turn.lock().await;
        match self.serving() {
            Some(session) => Ok(session),
            None => self.log_in().await,
        }
    }

    /// A login later than `old`: somebody else's, if one was faster.
    async fn log_in_after(&self, old: &Rc<Session>) -> Result<Rc<Session>, VaultError> {
        let _turn = self.turn.lock().await;
        match self.serving() {
            Some(session) if !Rc::ptr_eq(&session, old) => Ok(session),
            _ => self.log_in().await,
        }
    }

    fn serving(&self) -> Option<Rc<Session>> {
        let now = self.clock.now();
        self.session.borrow().as_ref().filter(|session| session.serves(now)).cloned()
    }

    /// Only under `turn`.
    async fn log_in(&self) -> Result<Rc<Session>, VaultError> {
        self.refuse_while_resting()?;
        let begun = self.clock.now();
        let limit = self.server.timeout;
        let login = login::log_in(&self.client, &self.server.login, &self.own_svid, begun);
        let result = tokio::time::timeout(limit, login).await.unwrap_or(Err(VaultError::Late(limit)));
        self.figures.called(self.clock.boot().since(begun.boot), result.is_err());
        let session = self.noted(result)?;
        if let Some(current) = self.same_token(&session) {
            current.prolong(begun, session.life);
            return Ok(current);
        }
        if let Some(accessor) = &session.accessor {
            let line = Line::Login { vault: self.name().to_string(), accessor: accessor.clone() };
            self.journal.write(vec![line]).await.map_err(VaultError::Journal)?;
        }
        let session = Rc::new(session);
        if let Some(old) = self.session.replace(Some(Rc::clone(&session))) {
            old.supersede();
            self.replaced.borrow_mut().push(old);
        }
        tracing::info!(vault = %self.name(), seconds = session.life.as_secs(), "logged in");
        Ok(session)
    }

    /// A file that still holds the token we use is no new login.
    fn same_token(&self, session: &Session) -> Option<Rc<Session>> {
        let current = self.session.borrow().clone()?;
        (!current.is_over() && current.token.expose() == session.token.expose()).then_some(current)
    }

    fn refuse_while_resting(&self) -> Result<(), VaultError> {
        match &*self.trouble.borrow() {
            Some(trouble) if self.clock.boot() < trouble.until => {
                Err(VaultError::Resting(Arc::clone(&trouble.why)))
            }
            _ => Ok(()),
        }
    }

    /// After an outage the whole vault is left alone for a moment, whoever asks: no retry storm.
    fn noted<T>(&self, result: Result<T, VaultError>) -> Result<T, VaultError> {
        let error = match result {
            Ok(value) => {
                self.trouble.replace(None);
                return Ok(value);
            }
            Err(error) if !error.is_outage() => return Err(error),
            Err(error) => error,
        };
        let failures = self.trouble.borrow().as_ref().map_or(1, |trouble| trouble.failures.saturating_add(1));
        let rest = error.retry_after().unwrap_or_default().max(pace::after_failures(failures, LONGEST_REST));
        let why = Arc::new(error);
        let until = self.clock.boot().plus(rest);
        self.trouble.replace(Some(Trouble { why: Arc::clone(&why), until, failures }));
        Err(VaultError::Resting(why))
    }

    /// Keeps a login alive for as long as the task lives.
    pub(crate) async fn tend(self: Rc<Self>) {
        let mut failures = 0;
        loop {
            let nap = match self.keep_login().await {
                Ok(due) => {
                    failures = 0;
                    due
                }
                Err(error) => {
                    failures += 1;
                    let told: &dyn std::error::Error = &error;
                    tracing::warn!(vault = %self.name(), error = told, "the login to the vault could not be kept alive");
                    pace::after_failures(failures, Duration::from_secs(15))
                }
            };
            self.put_away_replaced().await;
            tokio::time::sleep(nap.clamp(Duration::from_millis(50), TEND_EVERY)).await;
        }
    }

    /// Renews what is due; what cannot be renewed for long enough is replaced by a new login.
    async fn keep_login(&self) -> Result<Duration, VaultError> {
        let session = self.session().await?;
        let now = self.clock.now();
        let due = session.due_in(now);
        if !due.is_zero() {
            return Ok(due);
        }
        if session.renewable && now.boot.since(session.since.boot) < LONGEST_LOGIN {
            match self.renew_login(&session).await {
                Ok(granted) if granted >= session.life / 2 => return Ok(session.due_in(self.clock.now())),
                Ok(_) => {}
                Err(VaultError::Denied(_)) => session.end(),
                Err(error) => return Err(error),
            }
        }
        let session = self.log_in_after(&session).await?;
        Ok(session.due_in(self.clock.now()))
    }

    async fn renew_login(&self, session: &Session) -> Result<Duration, VaultError> {
        let asked = self.clock.now();
        let body = serde_json::json!({ "increment": session.life.as_secs() }).to_string();
        let envelope = self.once(session, Self::errand("auth/token/renew-self", Some(body))).await?;
        let Some(auth) = envelope.auth else {
            return Err(VaultError::Answer("of the token's renewal has no auth"));
        };
        let granted = Duration::from_secs(auth.lease_duration);
        session.prolong(asked, granted);
        Ok(granted)
    }

    /// Revokes replaced logins whose leases are gone, and strikes out those that ended.
    async fn put_away_replaced(&self) {
        let now = self.clock.now();
        let idle: Vec<_> = {
            let mut replaced = self.replaced.borrow_mut();
            let ended = |session: &Session| {
                session.is_over() || session.ends().is_some_and(|end| end.has_passed(now))
            };
            replaced.extract_if(.., |session| ended(session) || Rc::strong_count(session) == 1).collect()
        };
        for session in idle {
            self.revoke_login(&session).await;
        }
    }

    /// Revokes our logins, and with each whatever it still holds. For the end of the process.
    pub(crate) async fn leave(&self) {
        let sessions: Vec<_> = self.replaced.take().into_iter().chain(self.session.take()).collect();
        for session in sessions {
            self.revoke_login(&session).await;
        }
    }

    async fn revoke_login(&self, session: &Session) {
        let Some(accessor) = &session.accessor else { return };
        let gone = session.is_over()
            || session.ends().is_some_and(|end| end.has_passed(self.clock.now()))
            || match self.once(session, Self::errand("auth/token/revoke-self", Some(String::new()))).await {
                Ok(_) | Err(VaultError::Denied(_)) => true,
                Err(error) => {
                    tracing::warn!(vault = %self.name(), %error, "a login could not be revoked; it ends by itself");
                    false
                }
            };
        session.end();
        if gone {
            self.journal.strike(vec![Line::login_key(self.name().as_str(), accessor)]);
        }
    }
}
