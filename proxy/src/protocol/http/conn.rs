//! One connection: what its requests share, how long it may stand still, and when it ends.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::inject::{InjectError, Injection};
use super::meter::{BUDGET, Metered, Seen};
use crate::config::{Listener, Login};
use crate::credential::Lease;
use crate::fault::{Code, Fault, Stage, causes, codes};
use crate::identify::Peer;
use crate::model::RecordId;
use crate::protocol::{Alpn, Connection, Ending, Site};
use crate::record::{Entry, Records, RefusedConnection};

/// How long a caller that keeps a connection may be silent before it is closed without a word.
const LAST_CALL: Duration = Duration::from_secs(1);

/// What the requests of a connection share.
pub(super) struct Conn {
    pub(super) site: Rc<Site>,
    pub(super) listener: Arc<Listener>,
    pub(super) certificate: Option<Arc<Peer>>,
    from: std::net::SocketAddr,
    /// The same without its port, as every request shows it to policy.
    pub(super) ip: Arc<str>,
    pub(super) ending: Ending,
    alpn: Alpn,
    /// WebSockets that this connection became; dropped with it.
    pub(super) tunnels: RefCell<JoinSet<()>>,
    seen: Arc<Seen>,
    open: Cell<u32>,
    /// Since when nothing is open.
    rested: Cell<Instant>,
    cut: Cell<Option<&'static Code>>,
    /// A request's record says why the connection ends.
    told: Cell<bool>,
    kicked: Notify,
    /// Told whenever a request begins.
    began: Notify,
    injection: RefCell<Option<Rc<Injection>>>,
}

/// Held by each request from its head to the end of its answer, and while the rest of its body is awaited then.
pub(super) struct Busy(Rc<Conn>);

impl Conn {
    pub(super) fn new(connection: Connection, site: Rc<Site>) -> (Rc<Self>, Metered) {
        let (stream, seen) = Metered::new(connection.stream, connection.alpn);
        let conn = Self {
            site,
            listener: connection.listener,
            certificate: connection.certificate,
            from: connection.from,
            ip: connection.from.ip().to_string().into(),
            ending: connection.ending,
            alpn: connection.alpn,
            tunnels: RefCell::new(JoinSet::new()),
            seen,
            open: Cell::new(0),
            rested: Cell::new(Instant::now()),
            cut: Cell::new(None),
            told: Cell::new(false),
            kicked: Notify::new(),
            began: Notify::new(),
            injection: RefCell::new(None),
        };
        (Rc::new(conn), stream)
    }

    /// A request's head has been read.
    pub(super) fn busy(self: &Rc<Self>) -> Busy {
        self.seen.no_head();
        self.open.set(self.open.get() + 1);
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

    /// A request has been ended for this reason, together with its connection.
    pub(super) fn told(&self, fault: Fault) -> Fault {
        self.told.set(true);
        fault
    }

    /// Ends the connection: its caller does not read.
    pub(super) fn kick(&self) {
        self.kicked.notify_one();
    }

    /// Tells of what ended the connection without a request having been read.
    fn record_refused(&self, code: &'static Code, detail: String) -> RecordId {
        let id = RecordId::random();
        let record = RefusedConnection {
            at: self.now(),
            id,
            listener: self.listener.name.clone(),
            peer: Some(self.from.to_string()),
            caller: self.certificate.as_ref().map(|peer| peer.facts()),
            code: code.id,
            detail,
            more: 0,
        };
        self.records().write_now(Entry::Refused(record));
        id
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
        self.0.seen.no_head();
        self.0.open.set(self.0.open.get().saturating_sub(1));
        self.0.rested.set(Instant::now());
    }
}

/// A connection of hyper's, of either version.
pub(super) trait Graceful: Future<Output = hyper::Result<()>> {
    /// No new request; what is open may finish.
    fn wind_down(self: Pin<&mut Self>);
}

/// How serving a connection ended.
pub(super) enum Done {
    /// By itself, or because it had to.
    Over,
    /// Half way through a head that took too long; the record that says so.
    HeadLate(RecordId),
}

/// Serves until the connection ends by itself or must. Once it winds down, what is open has until
/// the connection is cut, and a caller with nothing open as long as a head may take to go.
pub(super) async fn drive(conn: &Rc<Conn>, mut http: Pin<&mut impl Graceful>) -> Done {
    let limits = &conn.listener.limits;
    let mut now = conn.ending.clone();
    let mut winding_down = false;
    let mut now = std::pin::pin!(now.now());
    let mut unused = std::pin::pin!(unused(conn, limits.idle));
    let mut late = std::pin::pin!(head_late(conn, limits.head));
    let mut soon = std::pin::pin!(last_call(conn));
    loop {
        tokio::select! {
            biased;
            done = http.as_mut() => {
                over(conn, done);
                return Done::Over;
            }
            fault = now.as_mut() => {
                // What is open tells why in its own record; a caller that was merely there has none.
                if conn.open.get() == 0 && !conn.told.get() && fault.code().stage == Stage::Identify {
                    conn.record_refused(fault.code(), String::new());
                }
                return cut(conn, fault.code());
            }
            () = conn.kicked.notified() => return cut(conn, codes::BODY_STALLED),
            () = late.as_mut() => {
                return Done::HeadLate(conn.record_refused(codes::HEAD_TIMEOUT, String::new()));
            }
            () = unused.as_mut() => {
                if winding_down {
                    return Done::Over;
                }
            }
            () = soon.as_mut(), if !winding_down => {}
        }
        winding_down = true;
        http.as_mut().wind_down();
        unused.set(self::unused(conn, limits.head));
    }
}

fn cut(conn: &Conn, code: &'static Code) -> Done {
    conn.cut.set(Some(code));
    Done::Over
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
    if conn.seen.flooded() {
        conn.cut.set(Some(codes::CALLER_FLOODS));
        conn.record_refused(codes::CALLER_FLOODS, format!("more than {BUDGET} frames in a second"));
        return;
    }
    let code = if error.is_parse_too_large() {
        codes::HEAD_TOO_LARGE
    } else if error.is_parse() || error.is_parse_version_h2() {
        codes::HEAD_MALFORMED
    } else if error.is_incomplete_message() {
        codes::CLOSED_EARLY
    } else if broke_http2(&error) {
        conn.record_refused(codes::PROTOCOL_BROKEN, causes(&error));
        return;
    } else {
        return tracing::debug!(%error, "a caller's connection ended");
    };
    if conn.open.get() == 0 {
        conn.record_refused(code, error.to_string());
    }
}

/// Whether the connection ended because its frames broke the rules, rather than because the caller went away.
fn broke_http2(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| !cause.is_io() && cause.reason() != Some(h2::Reason::NO_ERROR))
}

/// Resolves when nothing has been open for `limit`. Whoever wakes sees what is left, so that no
/// request sets a timer and none is late.
async fn unused(conn: &Conn, limit: Duration) {
    let mut due = Instant::now() + limit;
    loop {
        tokio::time::sleep_until(due).await;
        let now = Instant::now();
        let rested = conn.rested.get();
        // A head that was begun has its own limit.
        let since = conn.seen.head_begun().map_or(rested, |begun| begun.max(rested));
        due = if conn.open.get() > 0 { now } else { since } + limit;
        if due <= now {
            return;
        }
    }
}

/// Resolves when a head was begun and is not finished within `limit`; HTTP/1.1 alone, for on HTTP/2
/// it is a connection without a request.
async fn head_late(conn: &Conn, limit: Duration) {
    loop {
        let begun = conn.seen.head_begun().filter(|_| conn.open.get() == 0);
        match begun.map(|begun| begun + limit) {
            None => conn.seen.read.notified().await,
            Some(due) if due <= Instant::now() => return,
            Some(due) => tokio::time::sleep_until(due).await,
        }
    }
}
