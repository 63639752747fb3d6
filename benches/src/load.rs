//! Callers that prove themselves with an SVID and check every answer. A closed loop: the next request of a
//! connection is sent when the last was answered.
//!
//! The words between it and the comparison, one a line: it says `ready`, waits for a line, does its work, says
//! `done`, and leaves when its input ends.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::{Failure, backend, pem, site};

/// How long the proxy may take until it answers its first request; under valgrind everything is slow.
const FIRST_ANSWER: Duration = Duration::from_secs(20);
/// How long one run may take.
const RUN: Duration = Duration::from_secs(90);
/// How many handshakes are in flight while connections are opened.
const AT_ONCE: usize = 16;

#[derive(clap::Args)]
pub(crate) struct Load {
    #[arg(long)]
    to: SocketAddr,
    /// Where the certificates are.
    #[arg(long)]
    site: PathBuf,
    #[arg(long)]
    shape: Shape,
    /// Connections that are open, or handshakes in flight.
    #[arg(long)]
    connections: usize,
    /// Requests or handshakes in all.
    #[arg(long, default_value_t = 0)]
    count: usize,
    /// The one key exchange group that is offered.
    #[arg(long)]
    group: Group,
}

/// What the callers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Requests over connections that stay.
    KeepAlive,
    /// Connect, prove oneself, one request, close.
    Handshakes,
    /// One request on each connection, then silence.
    Idle,
}

/// A key exchange group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// What every proxy knows.
    X25519,
    /// What Postern prefers.
    X25519mlkem768,
}

impl Shape {
    /// As it is written on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep-alive",
            Self::Handshakes => "handshakes",
            Self::Idle => "idle",
        }
    }
}

impl Group {
    /// As it is written on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::X25519 => "x25519",
            Self::X25519mlkem768 => "x25519mlkem768",
        }
    }
}

struct Caller {
    to: SocketAddr,
    tls: TlsConnector,
    name: ServerName<'static>,
}

/// An open connection that has answered a request.
struct Connection {
    requests: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<hyper::Result<()>>,
}

impl Load {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let worked = timeout(RUN, self.work()).await.unwrap_or_else(|_| Err("it took too long".into()));
        if let Err(why) = &worked {
            say(&format!("failed {why}"))?;
        }
        worked
    }

    async fn work(&self) -> Result<(), Failure> {
        let caller = Arc::new(Caller::new(self.to, &self.site, self.group)?);
        caller.until_it_answers().await?;
        match self.shape {
            Shape::KeepAlive => {
                let open = caller.open(self.connections).await?;
                ready_and_told()?;
                keep_asking(open, self.count).await?;
            }
            Shape::Handshakes => {
                ready_and_told()?;
                caller.come_and_go(self.connections, self.count).await?;
            }
            Shape::Idle => {
                let open = caller.open(self.connections).await?;
                ready_and_told()?;
                stay(open).await?;
            }
        }
        say("done")
    }
}

fn say(word: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{word}")?;
    Ok(out.flush()?)
}

/// Blocks the only thread, for nothing may happen meanwhile.
fn ready_and_told() -> Result<(), Failure> {
    say("ready")?;
    let read = io::stdin().read_line(&mut String::new())?;
    if read == 0 { Err("nobody waits for the answer".into()) } else { Ok(()) }
}

async fn keep_asking(open: Vec<Connection>, count: usize) -> Result<(), Failure> {
    let left = Arc::new(AtomicUsize::new(count));
    let mut asking = JoinSet::new();
    for mut connection in open {
        let left = Arc::clone(&left);
        asking.spawn(async move {
            while one_less(&left) {
                connection.ask().await?;
            }
            Ok::<_, Failure>(connection)
        });
    }
    // All stay open until the last is done, or the first to end would be measured closing.
    let finished: Result<Vec<_>, _> = asking.join_all().await.into_iter().collect();
    finished.map(drop)
}

fn one_less(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// The connections were silent; each must still answer.
async fn stay(open: Vec<Connection>) -> Result<(), Failure> {
    for mut connection in open {
        connection.ask().await?;
    }
    Ok(())
}

impl Caller {
    fn new(to: SocketAddr, folder: &Path, group: Group) -> Result<Self, Failure> {
        let group = match group {
            Group::X25519 => aws_lc_rs::kx_group::X25519,
            Group::X25519mlkem768 => aws_lc_rs::kx_group::X25519MLKEM768,
        };
        let provider = CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() };
        let (chain, key) = pem::identity(folder, "caller")?;
        let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(pem::roots(folder)?)
            .with_client_auth_cert(chain, key)?;
        tls.resumption = Resumption::disabled();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(site::HOST)?;
        Ok(Self { to, tls: TlsConnector::from(Arc::new(tls)), name })
    }

    async fn until_it_answers(&self) -> Result<(), Failure> {
        let mut last = String::new();
        let trying = async {
            loop {
                match self.connect().await {
                    Ok(connection) => return connection.close().await,
                    Err(why) if retried(&why) => last = why.to_string(),
                    Err(why) => return Err(why),
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let tried = timeout(FIRST_ANSWER, trying).await;
        tried.unwrap_or_else(|_| Err(format!("it never answered; last: {last}").into()))
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(self.to).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let (requests, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let mut connection = Connection { requests, driver: tokio::spawn(driver) };
        connection.ask().await?;
        Ok(connection)
    }

    async fn open(self: &Arc<Self>, many: usize) -> Result<Vec<Connection>, Failure> {
        let left = Arc::new(AtomicUsize::new(many));
        let mut opening = JoinSet::new();
        for _ in 0..AT_ONCE.min(many) {
            let (caller, left) = (Arc::clone(self), Arc::clone(&left));
            opening.spawn(async move {
                let mut open = Vec::new();
                while one_less(&left) {
                    open.push(caller.connect().await?);
                }
                Ok::<_, Failure>(open)
            });
        }
        let open: Result<Vec<_>, Failure> = opening.join_all().await.into_iter().collect();
        Ok(open?.into_iter().flatten().collect())
    }

    async fn come_and_go(self: &Arc<Self>, at_once: usize, count: usize) -> Result<(), Failure> {
        let left = Arc::new(AtomicUsize::new(count));
        let mut coming = JoinSet::new();
        for _ in 0..at_once {
            let (caller, left) = (Arc::clone(self), Arc::clone(&left));
            coming.spawn(async move {
                while one_less(&left) {
                    caller.connect().await?.close().await?;
                }
                Ok::<_, Failure>(())
            });
        }
        coming.join_all().await.into_iter().collect()
    }
}

/// Not listening yet, or answering "not yet": worth another try. A TLS alert and a refusal are not.
fn retried(why: &Failure) -> bool {
    let tls = why.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let alert = tls.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let refusal = why.downcast_ref::<Wrong>().filter(|answer| answer.status.is_client_error());
    alert.is_none() && refusal.is_none()
}

/// An answer that is not the backend's.
#[derive(Debug, thiserror::Error)]
#[error("answered {status}: {}", said.trim())]
struct Wrong {
    status: StatusCode,
    said: String,
}

impl Connection {
    /// One request, and the answer that must come.
    async fn ask(&mut self) -> Result<(), Failure> {
        self.requests.ready().await?;
        let request = Request::get("/postings/2026/7?branch=042")
            .header(header::HOST, site::HOST)
            .header(header::ACCEPT, "text/csv")
            .header(header::USER_AGENT, "postern-benches")
            .body(Empty::new())?;
        let response = self.requests.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status == StatusCode::OK && body == backend::BODY {
            return Ok(());
        }
        let said = String::from_utf8_lossy(body.get(..200).unwrap_or(&body)).replace(['\n', '\r'], " ");
        Err(Wrong { status, said }.into())
    }

    async fn close(self) -> Result<(), Failure> {
        drop(self.requests);
        Ok(self.driver.await??)
    }
}
