//! A request's body on its way to the upstream: counted, never still for too long, and kept as far
//! as it may have to be sent a second time.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::ForwardError;

/// How much of a body is kept so that it can be sent again.
const REPLAY: usize = 64 * 1024;
/// Pieces up to so many bytes are kept as copies, together: each would take room of its own, and hold on to the whole
/// buffer that it was read into.
const SMALL: usize = 512;

/// The caller's body, of which one [`Upload`] after another may be made.
pub struct Source {
    body: RefCell<Reading>,
    received: Rc<Cell<u64>>,
    idle: Duration,
}

struct Reading {
    incoming: Pin<Box<dyn Body<Data = Bytes, Error = hyper::Error>>>,
    kept: Beginning,
    keeping: bool,
    /// Which upload may go on reading; earlier ones are over.
    turn: u32,
    ended: bool,
    trouble: Option<ForwardError>,
    /// Since when nothing has come, if that is so.
    still: Option<Instant>,
    /// Wakes when that may have lasted too long; set once for many pauses.
    nap: Option<Pin<Box<Sleep>>>,
}

/// A body as it is sent. An upload that was followed by another of the same source fails.
pub struct Upload {
    source: Option<Rc<Source>>,
    turn: u32,
    at: usize,
    sent: u64,
    whole: Option<u64>,
}

impl Source {
    /// Reads `incoming`, if there is anything to read; it may stand still for `idle`, and its beginning is kept if `keeping`.
    #[must_use]
    pub fn of(
        incoming: impl Body<Data = Bytes, Error = hyper::Error> + 'static,
        idle: Duration,
        keeping: bool,
    ) -> Option<Rc<Self>> {
        if incoming.is_end_stream() {
            return None;
        }
        let body = Reading {
            incoming: Box::pin(incoming),
            kept: Beginning::default(),
            keeping,
            turn: 0,
            ended: false,
            trouble: None,
            still: None,
            nap: None,
        };
        Some(Rc::new(Self { body: RefCell::new(body), received: Rc::new(Cell::new(0)), idle }))
    }

    /// The body, from its beginning; `None` if its beginning is gone. Ends the upload before.
    #[must_use]
    pub fn upload(self: &Rc<Self>) -> Option<Upload> {
        if !self.can_be_sent_again() {
            return None;
        }
        let mut body = self.body.borrow_mut();
        body.turn += 1;
        let rest = body.incoming.size_hint().exact();
        let whole =
            if body.ended { Some(self.received.get()) } else { rest.map(|rest| rest + self.received.get()) };
        Some(Upload { source: Some(Rc::clone(self)), turn: body.turn, at: 0, sent: 0, whole })
    }

    /// Reads up to `limit` bytes ahead of the first upload, which begins with them. `None`: there are more.
    pub async fn peek(&self, limit: usize) -> Result<Option<Vec<u8>>, ForwardError> {
        if self.body.borrow().incoming.size_hint().lower() > limit as u64 {
            return Ok(None);
        }
        loop {
            let read =
                std::future::poll_fn(|cx| self.body.borrow_mut().poll_read(cx, self)).await.transpose()?;
            let mut body = self.body.borrow_mut();
            match read {
                None => return Ok(Some(body.kept.pieces.concat())),
                Some(data) => body.kept.hold(&data),
            }
            if self.received.get() > limit as u64 {
                return Ok(None);
            }
        }
    }

    /// Bytes read from the caller so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Whether all that was read is still there.
    #[must_use]
    pub fn can_be_sent_again(&self) -> bool {
        self.body.borrow().kept.bytes as u64 == self.received.get()
    }

    /// What went wrong with the caller's side of it, if that is what broke the upload.
    #[must_use]
    pub fn trouble(&self) -> Option<ForwardError> {
        self.body.borrow_mut().trouble.take()
    }

    /// It will not be sent again.
    pub fn settle(&self) {
        self.body.borrow_mut().keeping = false;
    }
}

/// What was read first of a body: what a second upload begins with.
#[derive(Default)]
struct Beginning {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Beginning {
    fn hold(&mut self, data: &Bytes) {
        self.bytes += data.len();
        match self.pieces.last_mut() {
            Some(last) if last.len() + data.len() <= SMALL => *last = [&**last, data].concat().into(),
            _ if data.len() <= SMALL => self.pieces.push(Bytes::copy_from_slice(data)),
            _ => self.pieces.push(data.clone()),
        }
    }
}

impl Reading {
    /// The next piece; trailers are not passed on, for policy did not see them.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        source: &Source,
    ) -> Poll<Option<Result<Bytes, ForwardError>>> {
        while !self.ended {
            let Poll::Ready(frame) = self.incoming.as_mut().poll_frame(cx) else {
                return self.poll_stall(cx, source.idle).map(Some);
            };
            self.still = None;
            match frame {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(ForwardError::BodyBrokeOff(error))));
                }
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    source.received.set(source.received.get() + data.len() as u64);
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
        Poll::Ready(None)
    }

    /// Passes what was just read on, and keeps it too while that is asked for and there is room.
    fn pass(&mut self, data: Bytes) -> Bytes {
        self.keeping &= self.kept.bytes + data.len() <= REPLAY;
        if self.keeping {
            self.kept.hold(&data);
        }
        data
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>, idle: Duration) -> Poll<Result<Bytes, ForwardError>> {
        let due = *self.still.get_or_insert_with(Instant::now) + idle;
        let nap = self.nap.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            ready!(nap.as_mut().poll(cx));
            if Instant::now() >= due {
                self.ended = true;
                return Poll::Ready(Err(ForwardError::Stalled { idle }));
            }
            nap.as_mut().reset(due);
        }
    }
}

impl Upload {
    /// No body.
    #[must_use]
    pub const fn none() -> Self {
        Self { source: None, turn: 0, at: 0, sent: 0, whole: Some(0) }
    }

    /// Counts what was read for it.
    pub(super) fn progress(&self) -> Option<Rc<Cell<u64>>> {
        self.source.as_ref().map(|source| Rc::clone(&source.received))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = ForwardError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ForwardError>>> {
        let Some(source) = self.source.clone() else { return Poll::Ready(None) };
        let mut body = source.body.borrow_mut();
        if body.turn != self.turn {
            return Poll::Ready(Some(Err(ForwardError::Superseded)));
        }
        let next = match body.kept.pieces.get(self.at) {
            Some(kept) => Some(Ok(kept.clone())),
            None => ready!(body.poll_read(cx, &source)).map(|read| read.map(|data| body.pass(data))),
        };
        Poll::Ready(match next {
            Some(Ok(data)) => {
                // What was just read may stand in the piece before it.
                self.at = body.kept.pieces.len().min(self.at + 1);
                self.sent += data.len() as u64;
                if !body.keeping && self.at >= body.kept.pieces.len() {
                    body.kept = Beginning::default();
                    self.at = 0;
                }
                Some(Ok(Frame::data(data)))
            }
            Some(Err(error)) => {
                body.trouble = Some(error);
                Some(Err(ForwardError::Superseded))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        let Some(source) = &self.source else { return true };
        let body = source.body.borrow();
        body.turn == self.turn && body.ended && self.at >= body.kept.pieces.len()
    }

    fn size_hint(&self) -> SizeHint {
        self.whole
            .map_or_else(SizeHint::default, |whole| SizeHint::with_exact(whole.saturating_sub(self.sent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_the_smallest_pieces_takes_hardly_more_room_than_in_one() {
        let buffer = Bytes::from(vec![7; REPLAY]);
        let mut kept = Beginning::default();
        for at in 0..REPLAY {
            kept.hold(&buffer.slice(at..=at));
            kept.hold(&Bytes::new());
        }

        assert_eq!((kept.bytes, kept.pieces.len()), (REPLAY, REPLAY / SMALL));
        assert_eq!(kept.pieces.concat(), buffer);
        assert!(buffer.is_unique(), "no piece holds on to what it was read into");
    }

    #[test]
    fn large_pieces_are_kept_without_a_copy_and_in_their_order() {
        let mut kept = Beginning::default();
        let large = Bytes::from(vec![1; SMALL + 1]);
        for piece in [large.clone(), Bytes::from_static(b"a"), Bytes::from_static(b"b"), large.clone()] {
            kept.hold(&piece);
        }

        assert_eq!(kept.pieces, [large.clone(), Bytes::from_static(b"ab"), large.clone()]);
        assert_eq!(kept.pieces[2].as_ptr(), large.as_ptr());
    }
}
