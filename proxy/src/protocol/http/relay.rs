//! A response on its way to the caller. It streams in constant memory, ends when the lease, the
//! caller's proof or the decision's `until` does, even while nobody reads it, and closes the
//! request's record when it is over, however that comes about. What lives longer than a second is
//! a session, and the records say when it began and ended.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::AbortHandle;

use super::conn::Busy;
use super::hop;
use super::inject::Injection;
use super::scrub::{Scrubber, scrub_headers};
use crate::fault::{Code, Fault, codes};
use crate::forward::{ForwardError, Lent, Source, stillness};
use crate::gate::{Bound, Passage};
use crate::protocol::session::{AFTER, Session};
use crate::record::Outcome;

/// A response that gave this much without a pause is watched from then on.
const UNWATCHED: u64 = 64 * 1024;

/// A response's body.
pub(super) enum Reply {
    /// Ours, or none at all.
    Whole(Option<Bytes>),
    /// The upstream's.
    Relayed(Relay),
}

/// The upstream's body, passed on.
pub(super) struct Relay(Rc<Shared>);

/// What the body and its watcher share.
struct Shared {
    open: RefCell<Option<Open>>,
    moved: Cell<u64>,
    sent: Cell<u64>,
    cut: Cell<Option<&'static Code>>,
    reader: RefCell<Option<Waker>>,
    busy: Busy,
}

/// An answer that is not over.
struct Open {
    body: Incoming,
    lent: Lent,
    passage: Passage,
    source: Option<Rc<Source>>,
    scrubber: Option<(Scrubber, Rc<Injection>)>,
    /// Trailers that wait for what the scrubber held back.
    trailers: Option<HeaderMap>,
    watcher: Option<AbortHandle>,
    session: Option<Session>,
}

/// What a relay is made of.
pub(super) struct Parts {
    /// The upstream's body.
    pub(super) body: Incoming,
    /// The connection it comes on.
    pub(super) lent: Lent,
    /// What let the request through.
    pub(super) passage: Passage,
    /// The caller's body, for its count.
    pub(super) source: Option<Rc<Source>>,
    /// What the body is searched for.
    pub(super) needles: Option<Rc<Injection>>,
}

/// How an answer ended.
enum Over {
    /// To its end.
    Done,
    /// The upstream broke off, or a bound was reached.
    Broken(Fault),
    /// Nobody reads it any more.
    Unread,
}

impl Reply {
    /// Passes the upstream's body on.
    pub(super) fn relayed(parts: Parts, busy: Busy) -> Self {
        let Parts { body, lent, passage, source, needles } = parts;
        let ended = body.is_end_stream();
        let scrubber = needles.map(|injection| (Scrubber::default(), injection));
        let open =
            Open { body, lent, passage, source, scrubber, trailers: None, watcher: None, session: None };
        let shared = Shared {
            open: RefCell::new(Some(open)),
            moved: Cell::new(0),
            sent: Cell::new(0),
            cut: Cell::new(None),
            reader: RefCell::new(None),
            busy,
        };
        if ended {
            shared.end(Over::Done);
            return Self::Whole(None);
        }
        Self::Relayed(Relay(Rc::new(shared)))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = ForwardError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ForwardError>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Relayed(relay) => relay.0.poll(cx, &relay.0),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Relayed(relay) => relay.0.open.borrow().is_none() && relay.0.cut.get().is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relayed(relay) => relay.0.size_hint(),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.end(Over::Unread);
    }
}

impl Shared {
    fn poll(
        &self,
        cx: &mut Context<'_>,
        this: &Rc<Self>,
    ) -> Poll<Option<Result<Frame<Bytes>, ForwardError>>> {
        let mut slot = self.open.borrow_mut();
        let Some(open) = slot.as_mut() else {
            return Poll::Ready(self.cut.get().map(|code| Err(ForwardError::Cut { code })));
        };
        let Poll::Ready(frame) = open.poll_body(cx) else {
            *self.reader.borrow_mut() = Some(cx.waker().clone());
            open.watch(this);
            return Poll::Pending;
        };
        let (out, over) = match frame {
            None => (open.rest().map(|rest| Ok(Frame::data(rest))), Some(Over::Done)),
            Some(Err(error)) => {
                // The caller's own body may be what broke the exchange.
                let trouble = open.source.as_ref().and_then(|source| source.trouble());
                let fault = trouble.map_or_else(|| Fault::of(codes::UPSTREAM_BROKE_OFF), Fault::from);
                (Some(Err(ForwardError::BrokeOff(error))), Some(Over::Broken(fault)))
            }
            Some(Ok(frame)) => {
                let (frame, over) = open.pass(frame);
                (Some(Ok(frame)), over.then_some(Over::Done))
            }
        };
        self.count(out.as_ref(), open, this);
        drop(slot);
        if let Some(over) = over {
            self.end(over);
        }
        Poll::Ready(out)
    }

    fn count(&self, out: Option<&Result<Frame<Bytes>, ForwardError>>, open: &mut Open, this: &Rc<Self>) {
        let passed = out.and_then(|out| out.as_ref().ok()).and_then(Frame::data_ref);
        self.sent.set(self.sent.get() + passed.map_or(0, |data| data.len() as u64));
        self.moved.set(self.moved.get() + 1);
        if self.sent.get() > UNWATCHED {
            open.watch(this);
        }
    }

    fn size_hint(&self) -> SizeHint {
        let open = self.open.borrow();
        let Some(open) = open.as_ref() else { return SizeHint::with_exact(0) };
        let held = open.scrubber.as_ref().map_or(0, |(scrubber, _)| scrubber.held());
        let left = open.body.size_hint().exact();
        left.map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + held))
    }

    /// Closes the record, once: the first who comes says how it ended.
    fn end(&self, over: Over) {
        let Some(open) = self.open.borrow_mut().take() else { return };
        if let Some(watcher) = open.watcher {
            watcher.abort();
        }
        let (received, sent) = (open.source.map_or(0, |source| source.received()), self.sent.get());
        let found = open.scrubber.is_some_and(|(scrubber, _)| scrubber.found);
        let mut recorder = open.passage.into_recorder();
        let mut leak = found;
        recorder.note(|entry| {
            (entry.bytes.received, entry.bytes.sent) = (received, sent);
            entry.leak |= found;
            leak = entry.leak;
        });
        let cut = match &over {
            Over::Done => None,
            Over::Broken(fault) => Some(fault.code()),
            Over::Unread => self.busy.conn().cut(),
        };
        if let Some(session) = open.session {
            session.end(cut);
        }
        match (over, cut) {
            (Over::Done, _) => {
                open.lent.give_back();
                recorder.close(Outcome::Forwarded, leak.then_some(codes::SECRET_LEAKED));
            }
            (Over::Broken(fault), _) => recorder.failed(&fault),
            (Over::Unread, Some(code)) => recorder.failed(&Fault::of(code)),
            (Over::Unread, None) => drop(recorder),
        }
    }
}

impl Open {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.trailers.take() {
            Some(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    /// The frame as it goes on, and whether it is the last.
    fn pass(&mut self, frame: Frame<Bytes>) -> (Frame<Bytes>, bool) {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.pass_trailers(frame.into_trailers().unwrap_or_default()),
        };
        let data = match &mut self.scrubber {
            Some((scrubber, injection)) => scrubber.pass(&injection.needles, data),
            None => data,
        };
        if !self.body.is_end_stream() {
            return (Frame::data(data), false);
        }
        // Nobody asks again after the last byte of a body of known length: what was held back goes with it.
        let data = self.rest().map_or_else(|| data.clone(), |rest| [&data[..], &rest[..]].concat().into());
        (Frame::data(data), true)
    }

    fn pass_trailers(&mut self, mut trailers: HeaderMap) -> (Frame<Bytes>, bool) {
        if let Some(rest) = self.rest() {
            self.trailers = Some(trailers);
            return (Frame::data(rest), false);
        }
        hop::cleanse_response(&mut trailers);
        if let Some((scrubber, injection)) = &mut self.scrubber {
            scrubber.found |= scrub_headers(&mut trailers, &injection.needles);
        }
        (Frame::trailers(trailers), true)
    }

    fn rest(&mut self) -> Option<Bytes> {
        self.scrubber.as_mut().and_then(|(scrubber, _)| scrubber.rest())
    }

    /// Sees to it that the answer ends when it must, from now on.
    fn watch(&mut self, shared: &Rc<Shared>) {
        if self.watcher.is_none() {
            let task = watch(Rc::clone(shared), self.passage.bound());
            self.watcher = Some(tokio::task::spawn_local(task).abort_handle());
        }
    }
}

/// Cuts the answer when its bound is reached or when nothing moves, and tells of sessions.
async fn watch(shared: Rc<Shared>, bound: Bound) {
    let idle = shared.busy.conn().idle();
    let ended = async {
        tokio::select! {
            fault = bound.ended() => fault,
            () = stillness(idle, || shared.progress()) => ForwardError::Stalled { idle }.into(),
        }
    };
    let mut ended = std::pin::pin!(ended);
    let fault = tokio::select! {
        fault = ended.as_mut() => fault,
        () = tokio::time::sleep(AFTER) => {
            shared.open_session();
            ended.await
        }
    };
    shared.cut.set(Some(fault.code()));
    if let Some(open) = shared.open.borrow_mut().as_mut() {
        // This task ends by itself: ending the answer must not abort it half way.
        open.watcher = None;
    }
    shared.end(Over::Broken(fault));
    if let Some(reader) = shared.reader.borrow_mut().take() {
        reader.wake();
    }
    // A caller that does not read is not there to be told: its connection goes.
    tokio::time::sleep(AFTER).await;
    if Rc::strong_count(&shared) > 1 {
        shared.busy.conn().kick();
    }
}

impl Shared {
    /// Grows with whatever moves, either way.
    fn progress(&self) -> u64 {
        let open = self.open.borrow();
        let received =
            open.as_ref().and_then(|open| open.source.as_ref()).map_or(0, |source| source.received());
        self.moved.get() + received
    }

    fn open_session(&self) {
        let mut slot = self.open.borrow_mut();
        let Some(open) = slot.as_mut() else { return };
        let conn = self.busy.conn();
        open.session = Session::begin(&conn.site, &conn.listener().name, &open.passage, "stream");
    }
}
