//! How we come by a vault token, and what we know of it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::client::{Call, Client};
use super::error::VaultError;
use crate::LocalBoxFuture;
use crate::clock::{Expiry, Moment};
use crate::config::VaultLogin;
use crate::model::Secret;
use crate::{pace, wire};

/// A token that lives longer than this is not what a sidecar should be given.
const LONG: Duration = Duration::from_hours(1);

/// Gives a JWT-SVID of our own for an audience.
pub type OwnSvid = Rc<dyn Fn(String) -> LocalBoxFuture<'static, Result<Secret<String>, SvidError>>>;

/// Why there is no JWT-SVID of our own.
pub type SvidError = Box<dyn std::error::Error + Send + Sync>;

/// One login: the token, and when it ends. The leases that it took end with it.
pub(crate) struct Session {
    pub(super) token: Secret<String>,
    /// Names the token without being it; none for a batch token, and none for a token that is not ours to revoke.
    pub(super) accessor: Option<String>,
    pub(super) since: Moment,
    pub(super) life: Duration,
    pub(super) renewable: bool,
    ends: Cell<Option<Expiry>>,
    due: Cell<Expiry>,
    over: Cell<bool>,
    superseded: Cell<bool>,
}

impl Session {
    /// A life of zero never ends: a root token, which only a development server hands out.
    fn new(
        token: Secret<String>,
        accessor: Option<String>,
        since: Moment,
        life: Duration,
        renewable: bool,
    ) -> Self {
        let ends = (!life.is_zero()).then(|| Expiry::after(since, life));
        let due = Expiry::after(since, if life.is_zero() { LONG } else { pace::ahead(life) });
        Self {
            token,
            accessor,
            since,
            life,
            renewable,
            ends: Cell::new(ends),
            due: Cell::new(due),
            over: Cell::new(false),
            superseded: Cell::new(false),
        }
    }

    /// When the token, and every lease it took, ends; never, for a root token.
    pub(crate) fn ends(&self) -> Option<Expiry> {
        self.ends.get()
    }

    /// Whether the vault no longer knows the token.
    pub(crate) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Whether a later login has taken its place: it will not be renewed.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.get()
    }

    pub(super) fn serves(&self, now: Moment) -> bool {
        !self.is_over() && !self.is_superseded() && self.ends().is_none_or(|end| !end.has_passed(now))
    }

    /// How long until it is to be renewed or replaced.
    pub(super) fn due_in(&self, now: Moment) -> Duration {
        self.due.get().left(now)
    }

    pub(super) fn prolong(&self, asked: Moment, granted: Duration) {
        self.ends.set(Some(Expiry::after(asked, granted)));
        self.due.set(Expiry::after(asked, pace::ahead(granted)));
    }

    pub(super) fn end(&self) {
        self.over.set(true);
    }

    pub(super) fn supersede(&self) {
        self.superseded.set(true);
    }
}

/// Logs in. `now` is the moment before: a life counts from there.
pub(super) async fn log_in(
    client: &Client,
    login: &VaultLogin,
    own_svid: &OwnSvid,
    now: Moment,
) -> Result<Session, VaultError> {
    match login {
        VaultLogin::Jwt { mount, role, audience } => {
            let svid = own_svid(audience.clone()).await.map_err(VaultError::NoSvid)?;
            let body = serde_json::json!({ "role": role, "jwt": svid.expose() }).to_string();
            let path = format!("auth/{mount}/login");
            by_jwt(client, &path, body.into(), now).await.map_err(|cause| VaultError::Login(Box::new(cause)))
        }
        VaultLogin::TokenFile(path) => {
            let token = wire::token(path)
                .await
                .map_err(|cause| VaultError::TokenFile { path: path.clone(), cause })?;
            by_token(client, token, now).await.map_err(|cause| VaultError::Login(Box::new(cause)))
        }
    }
}

async fn by_jwt(client: &Client, path: &str, body: Bytes, now: Moment) -> Result<Session, VaultError> {
    let answer = client
        .send(Call { method: Method::POST, path, token: None, body: Some(body), issues: false })
        .await?;
    let Some(auth) = answer.envelope()?.auth else {
        return Err(VaultError::Answer("of the login has no auth"));
    };
    let Some(token) = auth.client_token else { return Err(VaultError::Answer("of the login has no token")) };
    let life = Duration::from_secs(auth.lease_duration);
    if life.is_zero() {
        return Err(VaultError::Answer("of the login is a token that never ends"));
    }
    if life > LONG {
        tracing::warn!(
            seconds = auth.lease_duration,
            "the vault's tokens live long: what a crash leaves behind may live as long; give the role a short token_ttl"
        );
    }
    let accessor = auth.accessor.filter(|accessor| !accessor.is_empty());
    Ok(Session::new(token, accessor, now, life, auth.renewable))
}

/// Somebody else keeps the token alive and replaces it: we neither renew nor revoke it.
async fn by_token(client: &Client, token: Secret<String>, now: Moment) -> Result<Session, VaultError> {
    let answer = client
        .send(Call {
            method: Method::GET,
            path: "auth/token/lookup-self",
            token: Some(&token),
            body: None,
            issues: false,
        })
        .await?;
    let Some(data) = answer.envelope()?.data else {
        return Err(VaultError::Answer("of the token's lookup has no data"));
    };
    let life = Duration::from_secs(data.ttl.unwrap_or_default());
    if life.is_zero() {
        tracing::warn!("the token in the file never ends: what a crash leaves behind does not end with it");
    }
    Ok(Session::new(token, None, now, life, false))
}
