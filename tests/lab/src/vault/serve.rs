//! The vault's HTTP side: who asks, what goes wrong, which answer.

use std::{convert::Infallible, future::pending, net, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{net::TcpListener, time::Instant};

use super::{Call, Fault, Shared, answer::Answer, lease, login, secrets, state::State, token};
use crate::{held, part::ACCEPT_PAUSE};

/// Vault takes 32 MiB; nothing that is served here needs more than a token.
const BODY_LIMIT: usize = 64 * 1024;

pub(super) async fn serve(listener: net::TcpListener, shared: Arc<Shared>) {
    match TcpListener::from_std(listener) {
        Ok(listener) => tokio::select! {
            () = accept(listener, &shared) => {}
            () = keep_time(&shared) => {}
        },
        Err(error) => tracing::error!(%error, "the vault cannot listen"),
    }
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let shared = shared.clone();
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(answer(&shared, request).await) }
        });
        tokio::spawn(
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service),
        );
    }
}

/// Ends leases and tokens at their time, also when nobody asks.
async fn keep_time(shared: &Shared) {
    loop {
        let next = {
            let mut state = held(&shared.state);
            state.advance(Instant::now());
            state.next_end()
        };
        let due = async {
            match next {
                Some(end) => tokio::time::sleep_until(end).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = shared.changed.notified() => {}
        }
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/v1/").unwrap_or_default().to_owned();
    let fault = shared.fault_at(&path);
    if let Fault::Slow(delay) = fault {
        tokio::time::sleep(delay).await;
    }
    let asked = Asked {
        method: &head.method,
        path: &path,
        query: head.uri.query().unwrap_or_default(),
        token: token_in(&head.headers),
    };
    let answer = match refused_by(&fault, &head.uri, &path) {
        Some(refused) => refused,
        None => match json_in(body).await {
            Ok(body) => asked.answer(&mut held(&shared.state), &body, &fault),
            Err(refused) => refused,
        },
    };
    shared.changed.notify_one();
    shared.note(Call {
        method: head.method.to_string(),
        status: answer.status,
        accessor: held(&shared.state).tokens.get(asked.token).map(|token| token.accessor.clone()),
        marked: head.headers.get("x-vault-request").is_some_and(|value| value == "true"),
        path,
    });
    response(answer)
}

/// What a vault in this state answers whatever is asked; `None` where it answers properly.
fn refused_by(fault: &Fault, uri: &http::Uri, path: &str) -> Option<Answer> {
    if path == "sys/health" {
        return None;
    }
    match fault {
        Fault::Sealed => Some(Answer::error(503, "Vault is sealed")),
        Fault::Standby { active: Some(active) } => {
            let location = format!("{active}{}", uri.path_and_query()?);
            Some(Answer::new(307, Value::Null).with_header("location", location))
        }
        Fault::Standby { active: None } => {
            Some(Answer::error(500, "local node not active but active cluster node not found"))
        }
        Fault::RateLimited { retry_after } => {
            let text = format!("request path {path:?}: rate limit quota exceeded");
            let answer = Answer::error(429, &text);
            Some(match retry_after {
                Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
                None => answer,
            })
        }
        Fault::Failing => Some(Answer::error(500, "internal error")),
        Fault::None | Fault::Slow(_) | Fault::RevokeLies => None,
    }
}

fn token_in(headers: &HeaderMap) -> &str {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text("x-vault-token")
        .or_else(|| text("authorization").and_then(|value| value.strip_prefix("Bearer ")))
        .unwrap_or_default()
}

async fn json_in(body: Incoming) -> Result<Value, Answer> {
    let read = Limited::new(body, BODY_LIMIT).collect().await;
    let bytes = read.map_err(|_| Answer::error(413, "request body too large"))?.to_bytes();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_| Answer::error(400, "error parsing JSON"))
}

/// One call, its body aside.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    token: &'a str,
}

impl Asked<'_> {
    fn answer(&self, state: &mut State, body: &Value, fault: &Fault) -> Answer {
        let now = Instant::now();
        state.advance(now);
        match self.path {
            "sys/health" => return health(fault, self.query),
            "auth/jwt/login" if self.writes() => return login::log_in(state, body, now),
            _ => {}
        }
        let root = self.token == state.root_token();
        if !root && !state.tokens.get(self.token).is_some_and(|token| token.may(self.path)) {
            return Answer::denied();
        }
        if self.writes() { self.write(state, body, fault) } else { self.read(state) }
    }

    fn writes(&self) -> bool {
        matches!(*self.method, Method::POST | Method::PUT)
    }

    fn write(&self, state: &mut State, body: &Value, fault: &Fault) -> Answer {
        let now = Instant::now();
        match self.path {
            "auth/token/renew-self" => token::renew_self(state, self.token, body, now),
            "auth/token/revoke-self" => token::revoke_self(state, self.token),
            "auth/token/revoke-accessor" => token::revoke_accessor(state, body),
            "sys/leases/lookup" => lease::lookup(state, body, now),
            "sys/leases/renew" => lease::renew(state, body, now),
            "sys/leases/revoke" => lease::revoke(state, body, fault),
            _ => Answer::new(405, json!({ "errors": [] })),
        }
    }

    fn read(&self, state: &mut State) -> Answer {
        let now = Instant::now();
        if *self.method != Method::GET {
            return Answer::new(405, json!({ "errors": [] }));
        }
        if self.path == "auth/token/lookup-self" {
            return token::lookup_self(state, self.token, now);
        }
        if let Some(role) = self.path.strip_prefix("database/creds/") {
            return secrets::dynamic_account(state, role, self.token, now);
        }
        if let Some(role) = self.path.strip_prefix("database/static-creds/") {
            return secrets::static_account(state, role, now);
        }
        if let Some(path) = self.path.strip_prefix("secret/data/") {
            return secrets::key_value(state, path, self.query);
        }
        Answer::error(404, &format!("no handler for route {:?}. route entry not found.", self.path))
    }
}

/// `sys/health` with the parameters that change what a state's code is.
fn health(fault: &Fault, query: &str) -> Answer {
    let sealed = *fault == Fault::Sealed;
    let standby = matches!(fault, Fault::Standby { .. });
    let asked = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let code =
        |name: &str, otherwise: u16| asked(name).and_then(|code| code.parse().ok()).unwrap_or(otherwise);
    let standby_ok = query.split('&').any(|pair| matches!(pair, "standbyok" | "standbyok=true"));
    let status = match (sealed, standby) {
        (true, _) => code("sealedcode", 503),
        (false, true) if !standby_ok => code("standbycode", 429),
        (false, _) => code("activecode", 200),
    };
    let body = json!({
        "initialized": true,
        "sealed": sealed,
        "standby": standby,
        "performance_standby": false,
        "server_time_utc": OffsetDateTime::now_utc().unix_timestamp(),
        "version": concat!(env!("CARGO_PKG_VERSION"), "-postern-lab"),
        "cluster_name": "postern-lab",
    });
    Answer::new(status, body)
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let body = answer.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let mut response = Response::builder()
        .status(answer.status)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_TYPE, "application/json");
    if let Some((name, value)) = answer.header {
        response = response.header(name, value);
    }
    // Only a code or a URL a test asked for can be unsendable.
    response.body(Full::new(body)).unwrap_or_default()
}
