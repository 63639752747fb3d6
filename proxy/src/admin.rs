//! Health, metrics and state, for operators: on a Unix socket, and health and metrics alone on a
//! loopback address if configured. Nothing here shows a secret, and nothing here changes anything.

mod status;

pub use status::{Status, Value};

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config;

/// How long a request head may take, and how many connections are served at a time on each door.
const HEAD: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 64;

/// Why the admin doors cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The socket's path cannot be bound.
    #[error("admin.socket {path} cannot be bound")]
    Socket {
        /// The configured path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be bound.
    #[error("admin.metrics {address} cannot be bound")]
    Metrics {
        /// The configured address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// What a door shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// Everything, to whoever may open the socket's file.
    Full,
    /// Health and metrics.
    Public,
}

/// The configured doors, bound. Nobody is answered at them before [`Doors::serve`].
pub struct Doors {
    socket: Option<UnixListener>,
    metrics: Option<TcpListener>,
}

impl Doors {
    /// Binds what is configured. Whoever comes meanwhile waits.
    pub async fn bind(admin: &config::Admin) -> Result<Self, AdminError> {
        let mut doors = Self { socket: None, metrics: None };
        if let Some(path) = &admin.socket {
            let door = bind(path).map_err(|source| AdminError::Socket { path: path.clone(), source })?;
            doors.socket = Some(door);
        }
        if let Some(address) = admin.metrics {
            let door = TcpListener::bind(address).await;
            doors.metrics = Some(door.map_err(|source| AdminError::Metrics { address, source })?);
        }
        Ok(doors)
    }

    /// Serves on this thread until the tasks are dropped. To be called when every listener listens: `/started`
    /// says so from here on.
    pub fn serve(self, status: Rc<Status>) {
        if let Some(door) = self.socket {
            let accept = async move || door.accept().await.map(|(stream, _)| stream);
            tokio::task::spawn_local(attend(accept, View::Full, Rc::clone(&status)));
        }
        if let Some(door) = self.metrics {
            let accept = async move || door.accept().await.map(|(stream, _)| stream);
            tokio::task::spawn_local(attend(accept, View::Public, status));
        }
    }
}

async fn attend<S>(accept: impl AsyncFn() -> io::Result<S>, view: View, status: Rc<Status>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match accept().await {
            Ok(stream) => answer(stream, view, Rc::clone(&status), place),
            Err(error) => {
                tracing::warn!(%error, "an admin connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Binds the socket for its owner alone; one that a dead process left behind is replaced, a living one is not.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound
}

/// Serves one connection on a task of its own; `place` is given back with it.
fn answer<S>(stream: S, view: View, status: Rc<Status>, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    tokio::task::spawn_local(async move {
        let _place = place;
        let service = service_fn(|request| {
            let response = respond(&request, view, &status);
            async move { Ok::<_, Infallible>(response) }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "an admin connection broke off");
        }
    });
}

fn respond(request: &Request<Incoming>, view: View, status: &Status) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET alone\n");
    }
    match request.uri().path() {
        "/live" => text(StatusCode::OK, "live\n"),
        // Nobody is answered before `Doors::serve`.
        "/started" => text(StatusCode::OK, "started\n"),
        "/ready" => {
            let report = status.report();
            json(if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &report)
        }
        "/metrics" => {
            let mut response = Response::new(Full::new(Bytes::from(status.exposition())));
            let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        "/state" if view == View::Full => json(StatusCode::OK, &status.state()),
        _ => text(StatusCode::NOT_FOUND, "/live /started /ready /metrics, and /state on the Unix socket\n"),
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, body: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn the_socket_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");

        let _door = bind(&path).unwrap();

        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
