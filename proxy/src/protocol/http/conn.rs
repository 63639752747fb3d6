//! One connection: what its requests share, how long it may stand still, and when it ends.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::inject::{InjectError, Injection};
use crate::config::{Listener, Login};
use crate::credential::Lease;
use crate::fault::{Code, codes};
use crate::identify::Peer;
use crate::model::RecordId;
use crate::protocol::{Alpn, Connection, Ending, Site, Stream};
use crate::record::{Entry, Records, RefusedConnection};

/// How long a caller that keeps a connection may be silent before it is closed without a word.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What the requests of a connection share.
pub(super) struct Conn {
    pub(super) site: Rc<Site>,
    pub(super) listener: Arc<Listener>,
    pub(super) certificate: Option<Arc<Peer>>,
    pub(super) from: std::net::SocketAddr,
    pub(super) ending: Ending,
    alpn: Alpn,
    /// WebSockets that this connection became; dropped with it.
    pub(super) tunnels: RefCell<JoinSet<()>>,
    head: Arc<Head>,
    open: Cell<u32>,
    served: Cell<u64>,
    cut: Cell<Option<&'static Code>>,
    kicked: Notify,
    /// Told whenever a request begins.
    began: Notify,
    injection: RefCell<Option<Rc<Injection>>>,
}

/// Held by each request from its head to the end of its answer.
pub(super) struct Busy(Rc<Conn>);

impl Conn {
    pub(super) fn new(connection: Connection, site: Rc<Site>) -> (Rc<Self>, Metered) {
        let head = Arc::new(Head::default());
        let stream = Metered { stream: connection.stream, head: Arc::clone(&head) };
        let conn = Self {
            site,
            listener: connection.listener,
            certificate: connection.certificate,
            from: connection.from,
            ending: connection.ending,
            alpn: connection.alpn,
            tunnels: RefCell::new(JoinSet::new()),
            head,
            open: Cell::new(0),
            served: Cell::new(0),
            cut: Cell::new(None),
            kicked: Notify::new(),
            began: Notify::new(),
            injection: RefCell::new(None),
        };
        (Rc::new(conn), stream)
    }

    /// A request's head has been read.
    pub(super) fn busy(self: &Rc<Self>) -> Busy {
        self.head.begun.store(false, Ordering::Relaxed);
        self.open.set(self.open.get() + 1);
        self.served.set(self.served.get() + 1);
        self.began.notify_one();
        Busy(Rc::clone(self))
    }

    /// The lease in the form in which this login takes it; written once as long as it is the same.
    pub(super) fn injection(&self, login: &Login, lease: &Lease) -> Result<Rc<Injection>, InjectError> {
        let mut last = self.injection.borrow_mut();
        if let Some(same) = last.as_ref().filter(|last| last.is_of(login, lease)) {
            return Ok(Rc::clone(same));
        }
        let fresh = Rc::new(Injection::new(login, lease)?);
        *last = Some(Rc::clone(&fresh));
        Ok(fresh)
    }

    pub(super) fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }

    pub(super) fn records(&self) -> &Records {
        &self.site.records
    }

    pub(super) fn idle(&self) -> Duration {
        self.listener.limits.idle
    }

    pub(super) fn now(&self) -> SystemTime {
        self.site.clock.now().wall
    }

    /// Why everything on this connection was ended, if it was.
    pub(super) fn cut(&self) -> Option<&'static Code> {
        self.cut.get()
    }

    /// Ends the connection: its caller does not read.
    pub(super) fn kick(&self) {
        self.kicked.notify_one();
    }

    /// Tells of what hyper answered by itself, without a request having been read.
    fn record_malformed(&self, code: &'static Code, detail: String) {
        let record = RefusedConnection {
            at: self.now(),
            id: RecordId::random(),
            listener: self.listener.name.clone(),
            peer: Some(self.from.to_string()),
            caller: self.certificate.as_ref().map(|peer| peer.facts()),
            code: code.id,
            detail,
            more: 0,
        };
        self.records().write_now(Entry::Refused(record));
    }
}

impl Busy {
    pub(super) fn conn(&self) -> &Rc<Conn> {
        &self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // What was read while a request was open was its body, or the next request's head, which
        // then has the idle time to be finished in.
        self.0.head.begun.store(false, Ordering::Relaxed);
        self.0.open.set(self.0.open.get().saturating_sub(1));
    }
}

/// A connection of hyper's, of either version.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
    /// No new request; what is open may finish.
    fn wind_down(self: Pin<&mut Self>);
}

/// Serves until the connection ends by itself or must.
pub(super) async fn drive(conn: &Rc<Conn>, mut http: Pin<&mut impl Graceful>) {
    let mut now = conn.ending.clone();
    let mut winding_down = false;
    let mut now = std::pin::pin!(now.now());
    let mut stalled = std::pin::pin!(stalled(conn));
    let mut soon = std::pin::pin!(last_call(conn));
    loop {
        tokio::select! {
            biased;
            done = http.as_mut() => return over(conn, done),
            fault = now.as_mut() => return conn.cut.set(Some(fault.code())),
            () = conn.kicked.notified() => return conn.cut.set(Some(codes::BODY_STALLED)),
            stall = stalled.as_mut(), if !winding_down => match stall {
                Stall::Head => {
                    return conn.record_malformed(codes::HEAD_TIMEOUT, String::new());
                }
                Stall::Idle => {
                    winding_down = true;
                    http.as_mut().wind_down();
                }
            },
            () = soon.as_mut(), if !winding_down => {
                winding_down = true;
                http.as_mut().wind_down();
            }
        }
    }
}

/// Resolves when the connection is to wind down. HTTP/1.1 cannot say so between requests: an idle
/// connection that is closed may cross with the caller's next request, which then fails. So the next
/// request's answer says `Connection: close`; only a caller that asks nothing for a while is closed on.
async fn last_call(conn: &Conn) {
    conn.ending.clone().soon().await;
    while conn.alpn == Alpn::Http1 && conn.open.get() == 0 {
        if tokio::time::timeout(LAST_CALL, conn.began.notified()).await.is_err() {
            return;
        }
    }
}

fn over(conn: &Conn, done: hyper::Result<()>) {
    let Err(error) = done else { return };
    let code = if error.is_parse_too_large() {
        codes::HEAD_TOO_LARGE
    } else if error.is_parse() || error.is_parse_version_h2() {
        codes::HEAD_MALFORMED
    } else if error.is_incomplete_message() {
        codes::CLOSED_EARLY
    } else if broke_http2(&error) {
        return conn.record_malformed(codes::PROTOCOL_BROKEN, causes(&error));
    } else {
        return tracing::debug!(%error, "a caller's connection ended");
    };
    if conn.open.get() == 0 {
        conn.record_malformed(code, error.to_string());
    }
}

/// Whether the connection ended because its frames broke the rules, rather than because the caller went away.
fn broke_http2(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| !cause.is_io() && cause.reason() != Some(h2::Reason::NO_ERROR))
}

fn causes(error: &hyper::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

enum Stall {
    /// A head was begun and not finished in time.
    Head,
    /// No request for as long as a connection may stand unused.
    Idle,
}

/// Resolves when the connection has stood still for too long: half way through a head for
/// `limits.head`, between requests for `limits.idle`; in both cases up to twice that, so that a busy
/// connection does not set a timer for each request.
async fn stalled(conn: &Conn) -> Stall {
    let limits = &conn.listener.limits;
    loop {
        let served = conn.served.get();
        let begun = conn.head.read.notified();
        tokio::select! {
            () = tokio::time::sleep(limits.idle) => {
                if conn.open.get() == 0 && conn.served.get() == served {
                    return Stall::Idle;
                }
            }
            () = begun, if conn.alpn == Alpn::Http1 => {
                tokio::time::sleep(limits.head).await;
                let unfinished = conn.served.get() == served && conn.open.get() == 0;
                if unfinished && conn.head.begun.load(Ordering::Relaxed) {
                    return Stall::Head;
                }
            }
        }
    }
}

/// Whether the beginning of a head has come in.
#[derive(Default)]
struct Head {
    begun: AtomicBool,
    read: Notify,
}

/// The caller's side of the connection, which notes that something came in.
pub(super) struct Metered {
    stream: Box<dyn Stream>,
    head: Arc<Head>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && !self.head.begun.swap(true, Ordering::Relaxed) {
            self.head.read.notify_one();
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
