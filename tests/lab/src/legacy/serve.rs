//! The old service's sockets and its door.

use std::{convert::Infallible, net, os::unix, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Request, header, request::Parts};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};

use super::{Seen, Shared, answer};
use crate::part::ACCEPT_PAUSE;

pub(super) async fn tcp(listener: net::TcpListener, shared: Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the legacy service cannot listen"),
    };
    loop {
        match listener.accept().await {
            Ok((socket, _)) => connection(socket, shared.clone()),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

pub(super) async fn unix(listener: unix::net::UnixListener, shared: Arc<Shared>) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the legacy service cannot listen"),
    };
    loop {
        match listener.accept().await {
            Ok((socket, _)) => connection(socket, shared.clone()),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn connection(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(admit(&shared, request).await) }
    });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service);
    tokio::spawn(served);
}

async fn admit(shared: &Shared, request: Request<Incoming>) -> answer::Answer {
    let (head, body) = request.into_parts();
    let login = basic(&head.headers);
    let admitted = login.filter(|login| shared.accounts.log_in(&login.user, &login.password));
    let seen = seen(&head, admitted.as_ref().map(|login| login.user.clone()));
    shared.note(seen.clone());
    match admitted {
        Some(login) => answer::answer(&seen, &login, body).await,
        None => answer::unauthorized(),
    }
}

/// What came in with the request.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

fn basic(headers: &HeaderMap) -> Option<Login> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let encoded = values.next()?.to_str().ok()?.strip_prefix("Basic ")?;
    if values.next().is_some() {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Login { user: user.to_owned(), password: password.to_owned() })
}

fn seen(head: &Parts, user: Option<String>) -> Seen {
    let shown = head.headers.iter().filter(|(name, _)| **name != header::AUTHORIZATION);
    Seen {
        user,
        method: head.method.to_string(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: shown
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
    }
}
