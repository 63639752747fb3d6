//! Connections that are kept. Keyed by lease, so that two identities never share a socket: what a
//! connection was once authenticated as, it may still be to the old system.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error as _;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connect::{Connector, Placed};
use super::{ForwardError, Upload, stillness};
use crate::config;
use crate::model::Fingerprint;

/// How long a request waits for a connection when all are in use.
const PATIENCE: Duration = Duration::from_secs(1);
/// A kept connection is not used again when it is older: upstreams move, and their certificates end.
const LIFETIME: Duration = Duration::from_mins(10);
/// How long a connection may take from its response's end until it is fit for the next request.
const SETTLE: Duration = Duration::from_secs(1);

/// A kept connection rests this much less than its upstream allows.
const MARGIN: Duration = Duration::from_secs(1);
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The connections of one upstream on one worker: those in use count, those at rest are here.
pub(super) struct Pool {
    places: Arc<Semaphore>,
    most: usize,
    http2: bool,
    idle: Duration,
    kept: RefCell<VecDeque<Kept>>,
    /// Leases for which an HTTP/2 connection is being opened: one at a time for each.
    opening: RefCell<Vec<Option<Fingerprint>>>,
    /// Told when such an opening is over, however it went.
    opened: Notify,
    /// Whether a task closes what rested too long: one is enough.
    swept: Cell<bool>,
    returned: Notify,
}

struct Kept {
    lease: Option<Fingerprint>,
    line: Line,
    born: Instant,
    used: Instant,
    /// How long it may rest.
    rest: Duration,
}

enum Line {
    /// HTTP/1.1: one request at a time, so it is either lent or kept.
    One(http1::SendRequest<Upload>),
    /// HTTP/2: lent as copies, kept all the while. Each copy holds on to the connection, and so is counted.
    Many(http2::SendRequest<Upload>, Rc<Driver>),
}

/// What runs an HTTP/2 connection until that ends, and knows how many streams the upstream allows on it.
type Driver = RefCell<Option<http2::Connection<TokioIo<Placed>, Upload, Local>>>;

/// A connection lent for one request. Unless it is given back, it is closed after use.
pub struct Lent {
    lease: Option<Fingerprint>,
    line: Line,
    born: Instant,
    rest: Duration,
    reused: bool,
    home: Weak<Pool>,
}

/// The head of a response, its body still to come, and the connection it comes on.
pub struct Answer {
    /// The response.
    pub response: Response<Incoming>,
    /// The connection, to be given back when the body has been read to its end.
    pub lent: Lent,
}

/// A request that failed, with the request itself if no byte of it was written.
type Unanswered = (ForwardError, Option<Box<Request<Upload>>>);

impl Pool {
    pub(super) fn new(upstream: &config::Upstream) -> Self {
        let most = upstream.connections.get();
        Self {
            places: Arc::new(Semaphore::new(most)),
            most,
            http2: upstream.http2,
            idle: upstream.timeouts.idle,
            kept: RefCell::default(),
            opening: RefCell::default(),
            opened: Notify::new(),
            swept: Cell::new(false),
            returned: Notify::new(),
        }
    }

    /// A connection for a request: a kept one that only this lease has used, or a new one. With
    /// `since`, none that is older.
    pub(super) async fn line(
        self: &Rc<Self>,
        lease: Option<Fingerprint>,
        connector: &Connector,
        since: Option<Instant>,
    ) -> Result<Lent, ForwardError> {
        let _opening = match self.kept_or_opening(lease, connector.limit(), since).await? {
            Turn::Kept(kept) => return Ok(self.lend(kept, true)),
            Turn::Mine(opening) => opening,
        };
        let busy = |_| ForwardError::Busy { most: self.most };
        let place =
            match tokio::time::timeout(PATIENCE, self.kept_or_place(lease, since)).await.map_err(busy)? {
                Turn::Kept(kept) => return Ok(self.lend(kept, true)),
                Turn::Mine(place) => place,
            };
        let stream = Placed::new(connector.connect().await?, place);
        let line = if self.http2 { many(stream).await? } else { one(stream).await? };
        let now = Instant::now();
        let kept = Kept { lease, line, born: now, used: now, rest: self.idle };
        if let Some(copy) = kept.copy() {
            self.keep(copy);
        }
        Ok(self.lend(kept, false))
    }

    /// A kept connection, or, of HTTP/2, the right to be the one who opens another: a burst of
    /// requests waits for the first of them.
    async fn kept_or_opening(
        self: &Rc<Self>,
        lease: Option<Fingerprint>,
        limit: Duration,
        since: Option<Instant>,
    ) -> Result<Turn<Option<Opening>>, ForwardError> {
        loop {
            let opened = self.opened.notified();
            if let Some(kept) = self.take(lease, since, Kept::has_room) {
                return Ok(Turn::Kept(kept));
            }
            if !self.http2 {
                return Ok(Turn::Mine(None));
            }
            if !self.opening.borrow().contains(&lease) {
                self.opening.borrow_mut().push(lease);
                return Ok(Turn::Mine(Some(Opening { pool: Rc::clone(self), lease })));
            }
            let late = |_| ForwardError::Late { what: "connect", limit };
            tokio::time::timeout(limit, opened).await.map_err(late)?;
        }
    }

    /// The right to open a connection that is not kept.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, ForwardError> {
        let busy = || ForwardError::Busy { most: self.most };
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn kept_or_place(
        &self,
        lease: Option<Fingerprint>,
        since: Option<Instant>,
    ) -> Turn<OwnedSemaphorePermit> {
        loop {
            if let Some(kept) = self.take(lease, since, Kept::has_room) {
                return Turn::Kept(kept);
            }
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Turn::Mine(place);
            }
            // Of HTTP/2, a crowded one is better than none: the request waits in it for its turn.
            if let Some(crowded) = self.take(lease, since, |_| true) {
                return Turn::Kept(crowded);
            }
            // All places are taken, perhaps by connections that rest under another lease: the
            // oldest of those makes room, and its place comes back when its task has ended.
            drop(self.kept.borrow_mut().pop_front());
            tokio::select! {
                place = Arc::clone(&self.places).acquire_owned() => {
                    if let Ok(place) = place { return Turn::Mine(place) }
                }
                () = self.returned.notified() => {}
            }
        }
    }

    /// The connection of this lease that was used last and will do; what is found closed or too
    /// old on the way is dropped.
    fn take(
        &self,
        lease: Option<Fingerprint>,
        since: Option<Instant>,
        will_do: impl Fn(&Kept) -> bool,
    ) -> Option<Kept> {
        let mut kept = self.kept.borrow_mut();
        let fits = |kept: &Kept| {
            kept.lease == lease && since.is_none_or(|since| kept.born >= since) && will_do(kept)
        };
        loop {
            let at = kept.iter().rposition(fits)?;
            let mut found = kept.remove(at)?;
            if found.is_stale() {
                continue;
            }
            found.used = Instant::now();
            kept.extend(found.copy());
            return Some(found);
        }
    }

    fn lend(self: &Rc<Self>, kept: Kept, reused: bool) -> Lent {
        let Kept { lease, line, born, rest, .. } = kept;
        Lent { lease, line, born, rest, reused, home: Rc::downgrade(self) }
    }

    fn keep(self: &Rc<Self>, line: Kept) {
        self.kept.borrow_mut().push_back(line);
        if !self.swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(self), self.idle));
        }
        self.returned.notify_one();
    }
}

/// What a request is given: a connection, or what it needs to open one.
enum Turn<T> {
    Kept(Kept),
    Mine(T),
}

/// Held by whoever opens a connection for a lease; the others look again when it is dropped.
struct Opening {
    pool: Rc<Pool>,
    lease: Option<Fingerprint>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.pool.opening.borrow_mut().retain(|lease| *lease != self.lease);
        self.pool.opened.notify_waiters();
    }
}

impl Kept {
    fn is_stale(&self) -> bool {
        let closed = match &self.line {
            Line::One(line) => !line.is_ready(),
            Line::Many(line, _) => line.is_closed(),
        };
        closed || self.used.elapsed() >= self.rest || self.born.elapsed() >= LIFETIME
    }

    fn has_room(&self) -> bool {
        match &self.line {
            Line::One(_) => true,
            // The copy that is kept has no stream, and neither has the task that runs the connection. One that has
            // ended is found as well, and dropped.
            Line::Many(_, driver) => driver.borrow().as_ref().is_none_or(|running| {
                Rc::strong_count(driver).saturating_sub(2) < running.current_max_send_streams()
            }),
        }
    }

    /// Another copy, where there may be several.
    fn copy(&self) -> Option<Self> {
        let Line::Many(line, driver) = &self.line else { return None };
        Some(Self { line: Line::Many(line.clone(), Rc::clone(driver)), ..*self })
    }
}

impl Lent {
    pub(super) const fn reused(&self) -> bool {
        self.reused
    }

    /// Sends the request and waits for the head of the response; as long as its body makes
    /// progress, the deadline has not begun.
    pub(super) async fn answer(
        mut self,
        request: Request<Upload>,
        limit: Duration,
    ) -> Result<Answer, Unanswered> {
        let progress = request.body().progress();
        let moved = || progress.as_ref().map_or(0, |moved| moved.get());
        let response = tokio::select! {
            biased;
            sent = self.line.send(request) => sent?,
            () = stillness(limit, moved) => return Err((ForwardError::Late { what: "answer", limit }, None)),
        };
        if let Some(rest) = allowed_rest(response.headers()) {
            self.rest = self.rest.min(rest);
        }
        Ok(Answer { response, lent: self })
    }

    /// The response's body has been read to its end: another request of the same lease may have the connection.
    pub fn give_back(self) {
        let Line::One(mut line) = self.line else { return };
        let Some(home) = self.home.upgrade() else { return };
        let (lease, born, rest) = (self.lease, self.born, self.rest);
        let kept = move |line| Kept { lease, line: Line::One(line), born, used: Instant::now(), rest };
        if line.is_ready() {
            home.keep(kept(line));
            return;
        }
        tokio::task::spawn_local(async move {
            if let Ok(Ok(())) = tokio::time::timeout(SETTLE, line.ready()).await {
                home.keep(kept(line));
            }
        });
    }
}

/// How long the upstream says that it keeps the connection (`Keep-Alive: timeout=5`), less what its clock and ours may
/// differ by.
fn allowed_rest(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(KEEP_ALIVE)?.to_str().ok()?;
    let seconds = said.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    Some(Duration::from_secs(seconds.parse().ok()?).saturating_sub(MARGIN))
}

impl Line {
    async fn send(&mut self, request: Request<Upload>) -> Result<Response<Incoming>, Unanswered> {
        let sent = match self {
            Self::One(line) => line.try_send_request(request).await,
            Self::Many(line, _) => line.try_send_request(request).await,
        };
        sent.map_err(|mut failed| {
            let unwritten = failed.take_message().map(Box::new);
            (ForwardError::BrokeOff(failed.into_error()), unwritten)
        })
    }
}

/// Whether the other end had closed the connection, rather than answered with something else.
pub(super) fn is_closed(error: &hyper::Error) -> bool {
    let by_system = error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    let by_http2 = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || by_system
        || by_http2.is_some_and(|cause| cause.is_io() || cause.is_go_away())
}

/// Whether the upstream says that it has not begun to process the request (RFC 9113, 8.7).
pub(super) fn is_unread(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| cause.is_remote() && cause.reason() == Some(h2::Reason::REFUSED_STREAM))
}

async fn one(stream: Placed) -> Result<Line, ForwardError> {
    let (line, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(ForwardError::BrokeOff)?;
    drive(driver.with_upgrades());
    Ok(Line::One(line))
}

async fn many(stream: Placed) -> Result<Line, ForwardError> {
    let mut builder = http2::Builder::new(Local);
    builder.timer(TokioTimer::new());
    let (line, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(ForwardError::BrokeOff)?;
    let driver = Rc::new(RefCell::new(Some(driver)));
    let running = Rc::clone(&driver);
    drive(std::future::poll_fn(move |cx| {
        let mut running = running.borrow_mut();
        let Some(connection) = running.as_mut() else { return Poll::Ready(Ok(())) };
        let ended = ready!(Pin::new(connection).poll(cx));
        // As long as it is there, its copies take it for open and wait on it.
        *running = None;
        Poll::Ready(ended)
    }));
    Ok(Line::Many(line, driver))
}

/// A connection runs beside the requests on it, on the same thread, until it ends.
fn drive(driver: impl Future<Output = hyper::Result<()>> + 'static) {
    tokio::task::spawn_local(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a connection to an upstream ended");
        }
    });
}

/// Closes what rested too long; ends when nothing is kept.
async fn sweep(pool: Weak<Pool>, idle: Duration) {
    loop {
        tokio::time::sleep(idle.max(Duration::from_millis(100))).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut kept = pool.kept.borrow_mut();
        kept.retain(|line| !line.is_stale());
        if kept.is_empty() {
            pool.swept.set(false);
            return;
        }
    }
}

/// Runs hyper's tasks on this worker's thread.
#[derive(Clone, Copy, Debug)]
pub struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Rc<Pool> {
        Rc::new(Pool {
            places: Arc::new(Semaphore::new(1)),
            most: 1,
            http2: false,
            idle: Duration::from_millis(200),
            kept: RefCell::default(),
            opening: RefCell::default(),
            opened: Notify::new(),
            swept: Cell::new(false),
            returned: Notify::new(),
        })
    }

    #[test]
    fn an_upstream_says_how_long_a_connection_may_rest() {
        for (said, rest) in [
            ("timeout=5, max=100", Some(4)),
            ("max=3, timeout=75", Some(74)),
            ("timeout=1", Some(0)),
            ("max=3", None),
            ("timeout=soon", None),
        ] {
            let headers = HeaderMap::from_iter([(KEEP_ALIVE, said.parse().unwrap())]);
            assert_eq!(allowed_rest(&headers), rest.map(Duration::from_secs), "{said}");
        }
    }

    #[tokio::test]
    async fn an_http2_connection_that_has_ended_is_not_lent_and_leaves_its_place() {
        let all = tokio::task::LocalSet::new();
        all.run_until(async {
            let pool = pool();
            let (near, far) = tokio::io::duplex(64 * 1024);
            let place = Arc::clone(&pool.places).try_acquire_owned().unwrap();
            let line = many(Placed::new(Box::new(near), place)).await.unwrap();
            let Line::Many(_, driver) = &line else { panic!("not HTTP/2") };
            let driver = Rc::downgrade(driver);
            let now = Instant::now();
            pool.keep(Kept { lease: None, line, born: now, used: now, rest: Duration::from_mins(1) });
            drop(far);
            let ended = async {
                while driver.strong_count() > 1 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();

            assert!(pool.take(None, None, Kept::has_room).is_none());
            assert_eq!(pool.places.available_permits(), 1);
        })
        .await;
    }

    #[tokio::test]
    async fn a_connection_that_comes_and_goes_is_swept_by_one_task() {
        let all = tokio::task::LocalSet::new();
        all.run_until(async {
            let pool = pool();
            let (near, _far) = tokio::io::duplex(1024);
            let place = pool.place().await.unwrap();
            let line = one(Placed::new(Box::new(near), place)).await.unwrap();
            tokio::task::yield_now().await;
            let now = Instant::now();
            pool.keep(Kept { lease: None, line, born: now, used: now, rest: pool.idle });
            for _ in 0..100 {
                let kept = pool.take(None, None, Kept::has_room).unwrap();
                pool.keep(kept);
            }
            assert_eq!(Rc::weak_count(&pool), 1);

            pool.kept.borrow_mut().clear();
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(Rc::weak_count(&pool), 0, "where nothing is kept nothing sweeps");
        })
        .await;
    }
}
