//! Connections that are kept. Keyed by lease, so that two identities never share a socket: what a
//! connection was once authenticated as, it may still be to the old system.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::connect::{Connector, Placed};
use super::{ForwardError, Upload};
use crate::config;
use crate::model::Fingerprint;

/// How long a request waits for a connection when all are in use.
const PATIENCE: Duration = Duration::from_secs(1);
/// A kept connection is not used again when it is older: upstreams move, and their certificates end.
const LIFETIME: Duration = Duration::from_mins(10);
/// How long a connection may take from its response's end until it is fit for the next request.
const SETTLE: Duration = Duration::from_secs(1);

/// The connections of one upstream on one worker: those in use count, those at rest are here.
pub(super) struct Pool {
    places: Arc<Semaphore>,
    most: usize,
    http2: bool,
    idle: Duration,
    kept: RefCell<VecDeque<Kept>>,
    /// Whether a task closes what rested too long: one is enough.
    swept: Cell<bool>,
    returned: Notify,
}

struct Kept {
    lease: Option<Fingerprint>,
    line: Line,
    born: Instant,
    used: Instant,
}

enum Line {
    /// HTTP/1.1: one request at a time, so it is either lent or kept.
    One(http1::SendRequest<Upload>),
    /// HTTP/2: lent as copies, kept all the while.
    Many(http2::SendRequest<Upload>),
}

/// A connection lent for one request. Unless it is given back, it is closed after use.
pub struct Lent {
    lease: Option<Fingerprint>,
    line: Line,
    born: Instant,
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
            kept: RefCell::new(VecDeque::new()),
            swept: Cell::new(false),
            returned: Notify::new(),
        }
    }

    /// A connection for a request: a kept one that only this lease has used, or a new one.
    pub(super) async fn line(
        self: &Rc<Self>,
        lease: Option<Fingerprint>,
        connector: &Connector,
    ) -> Result<Lent, ForwardError> {
        let busy = |_| ForwardError::Busy { most: self.most };
        let place = match tokio::time::timeout(PATIENCE, self.kept_or_place(lease)).await.map_err(busy)? {
            Turn::Kept(kept) => return Ok(self.lend(kept, true)),
            Turn::Place(place) => place,
        };
        let stream = Placed::new(connector.connect().await?, place);
        let line = if self.http2 { many(stream).await? } else { one(stream).await? };
        let now = Instant::now();
        let kept = Kept { lease, line, born: now, used: now };
        if let Line::Many(line) = &kept.line {
            self.keep(Kept { lease, line: Line::Many(line.clone()), born: now, used: now });
        }
        Ok(self.lend(kept, false))
    }

    /// The right to open a connection that is not kept.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, ForwardError> {
        let busy = || ForwardError::Busy { most: self.most };
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        place.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn kept_or_place(&self, lease: Option<Fingerprint>) -> Turn {
        loop {
            if let Some(kept) = self.take(lease) {
                return Turn::Kept(kept);
            }
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return Turn::Place(place);
            }
            // All places are taken, perhaps by connections that rest under another lease: the
            // oldest of those makes room, and its place comes back when its task has ended.
            drop(self.kept.borrow_mut().pop_front());
            tokio::select! {
                place = Arc::clone(&self.places).acquire_owned() => {
                    if let Ok(place) = place { return Turn::Place(place) }
                }
                () = self.returned.notified() => {}
            }
        }
    }

    /// The connection of this lease that was used last; what is found closed or too old on the way is dropped.
    fn take(&self, lease: Option<Fingerprint>) -> Option<Kept> {
        let mut kept = self.kept.borrow_mut();
        loop {
            let at = kept.iter().rposition(|kept| kept.lease == lease)?;
            let mut found = kept.remove(at)?;
            if found.is_stale(self.idle) {
                continue;
            }
            found.used = Instant::now();
            if let Line::Many(line) = &found.line {
                kept.push_back(Kept { line: Line::Many(line.clone()), ..found });
            }
            return Some(found);
        }
    }

    fn lend(self: &Rc<Self>, kept: Kept, reused: bool) -> Lent {
        Lent { lease: kept.lease, line: kept.line, born: kept.born, reused, home: Rc::downgrade(self) }
    }

    fn keep(self: &Rc<Self>, line: Kept) {
        self.kept.borrow_mut().push_back(line);
        if !self.swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(self), self.idle));
        }
        self.returned.notify_one();
    }
}

/// What a request is given: a connection, or the right to open one.
enum Turn {
    Kept(Kept),
    Place(OwnedSemaphorePermit),
}

impl Kept {
    fn is_stale(&self, idle: Duration) -> bool {
        let closed = match &self.line {
            Line::One(line) => !line.is_ready(),
            Line::Many(line) => line.is_closed(),
        };
        closed || self.used.elapsed() >= idle || self.born.elapsed() >= LIFETIME
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
        let sent = {
            let mut sent = std::pin::pin!(self.line.send(request));
            loop {
                let before = moved();
                match tokio::time::timeout(limit, sent.as_mut()).await {
                    Ok(sent) => break sent,
                    Err(_) if moved() != before => {}
                    Err(_) => return Err((ForwardError::Late { what: "answer", limit }, None)),
                }
            }
        };
        Ok(Answer { response: sent?, lent: self })
    }

    /// The response's body has been read to its end: another request of the same lease may have the connection.
    pub fn give_back(self) {
        let Line::One(mut line) = self.line else { return };
        let Some(home) = self.home.upgrade() else { return };
        let (lease, born) = (self.lease, self.born);
        if line.is_ready() {
            home.keep(Kept { lease, line: Line::One(line), born, used: Instant::now() });
            return;
        }
        tokio::task::spawn_local(async move {
            if let Ok(Ok(())) = tokio::time::timeout(SETTLE, line.ready()).await {
                home.keep(Kept { lease, line: Line::One(line), born, used: Instant::now() });
            }
        });
    }
}

impl Line {
    async fn send(&mut self, request: Request<Upload>) -> Result<Response<Incoming>, Unanswered> {
        let sent = match self {
            Self::One(line) => line.try_send_request(request).await,
            Self::Many(line) => line.try_send_request(request).await,
        };
        sent.map_err(|mut failed| {
            let unwritten = failed.take_message().map(Box::new);
            (ForwardError::BrokeOff(failed.into_error()), unwritten)
        })
    }
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
    drive(driver);
    Ok(Line::Many(line))
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
        kept.retain(|line| !line.is_stale(idle));
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
            swept: Cell::new(false),
            returned: Notify::new(),
        })
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
            pool.keep(Kept { lease: None, line, born: now, used: now });
            for _ in 0..100 {
                let kept = pool.take(None).unwrap();
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
