//! The caller's side of a connection, watched as it comes in: when a head begins, and how many
//! frames of HTTP/2 ask for nothing. Those cost the caller as good as nothing and us an answer each
//! (RFC 9113, 10.5), so they have a budget; and before it is spent, everybody else has a turn.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::protocol::{Alpn, Stream};

/// What frames that ask for nothing may weigh in a second, beyond what requests and bytes have earned.
pub(super) const BUDGET: i64 = 4000;
const SECOND: Duration = Duration::from_secs(1);
/// After so much of it, all other tasks have their turn before more is read.
const FAIR: i64 = 256;
/// What a request earns: the window updates, pings and settings of ordinary clients.
const EARNED_BY_REQUEST: i64 = 4;
/// A stream that is reset costs more than it earned, for its request was judged in vain.
const RESET: i64 = 8;
/// So many bytes to the caller earn one: window updates answer them.
const SENT_FOR_ONE: usize = 256;

/// What has been seen of a connection; its dialect reads it. Atomic, for hyper upgrades only a stream that is `Send`.
pub(super) struct Seen {
    born: Instant,
    /// When the head that is being read began (HTTP/1.1 alone), in milliseconds since `born`, rounded up so that no limit
    /// is early; zero: none is.
    begun: AtomicU64,
    flooded: AtomicBool,
    /// Told when a head begins.
    pub(super) read: Notify,
}

impl Seen {
    /// When the unfinished head began, if there is one.
    pub(super) fn head_begun(&self) -> Option<Instant> {
        let begun = self.begun.load(Ordering::Relaxed);
        (begun > 0).then(|| self.born + Duration::from_millis(begun))
    }

    /// What was read so far belongs to something else.
    pub(super) fn no_head(&self) {
        self.begun.store(0, Ordering::Relaxed);
    }

    /// Whether the connection broke because its caller flooded it.
    pub(super) fn flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    fn head_came_in(&self) {
        if self.begun.load(Ordering::Relaxed) == 0 {
            let ms = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
            self.begun.store(ms + 1, Ordering::Relaxed);
            self.read.notify_one();
        }
    }
}

/// The caller's side of a connection.
pub(super) struct Metered {
    stream: Box<dyn Stream>,
    seen: Arc<Seen>,
    /// Of HTTP/2 alone.
    frames: Option<Frames>,
}

impl Metered {
    pub(super) fn new(stream: Box<dyn Stream>, alpn: Alpn) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen {
            born: Instant::now(),
            begun: AtomicU64::new(0),
            flooded: AtomicBool::new(false),
            read: Notify::new(),
        });
        let frames = (alpn == Alpn::Http2).then(Frames::new);
        (Self { stream, seen: Arc::clone(&seen), frames }, seen)
    }

    fn sent(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some(frames), Poll::Ready(Ok(count))) = (&mut self.frames, written) {
            frames.sent(*count);
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.frames.as_mut().is_some_and(Frames::wants_rest) {
            // Woken again when the other tasks and the sockets have been looked after.
            let _pending = pin!(tokio::task::yield_now()).poll(cx);
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else {
            if let Some(frames) = &mut this.frames {
                frames.unrested = 0;
            }
            return Poll::Pending;
        };
        let Some(fresh) = buf.filled().get(before..).filter(|fresh| !fresh.is_empty()) else {
            return Poll::Ready(read);
        };
        let Some(frames) = &mut this.frames else {
            this.seen.head_came_in();
            return Poll::Ready(read);
        };
        frames.read(fresh);
        if frames.overdrawn() {
            this.seen.flooded.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::other("the caller's frames ask for nothing")));
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.sent(&written);
        written
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

const HEAD: usize = 9;
const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
/// A padded frame up to so long may be nothing but its padding and the byte that counts it.
const MOST_PADDING: usize = 256;

/// The frames of one connection, told apart by their heads alone; whether they are well formed is hyper's to say.
struct Frames {
    /// Bytes until the next frame's head.
    skip: usize,
    head: [u8; HEAD],
    have: usize,
    left: i64,
    since: Instant,
    /// What was weighed since the others had their turn.
    unrested: i64,
    /// Bytes sent that have not earned anything yet.
    sent: usize,
}

impl Frames {
    fn new() -> Self {
        Self {
            skip: PREFACE,
            head: [0; HEAD],
            have: 0,
            left: BUDGET,
            since: Instant::now(),
            unrested: 0,
            sent: 0,
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            let (skipped, after) = rest.split_at(self.skip.min(rest.len()));
            self.skip -= skipped.len();
            let (head, after) = after.split_at(after.len().min(HEAD - self.have));
            let Some(place) = self.head.get_mut(self.have..self.have + head.len()) else { return };
            place.copy_from_slice(head);
            self.have += head.len();
            if self.have < HEAD {
                return;
            }
            let [a, b, c, kind, flags, ..] = self.head;
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            (self.skip, self.have) = (length, 0);
            self.weigh(kind, flags, length);
            rest = after;
        }
    }

    fn weigh(&mut self, kind: u8, flags: u8, length: usize) {
        match kind {
            HEADERS => self.earn(EARNED_BY_REQUEST),
            DATA if flags & END_STREAM != 0 => {}
            DATA if length > if flags & PADDED == 0 { 0 } else { MOST_PADDING } => {}
            RST_STREAM => self.spend(RESET),
            _ => self.spend(1),
        }
    }

    fn sent(&mut self, bytes: usize) {
        let all = self.sent + bytes;
        self.sent = all % SENT_FOR_ONE;
        self.earn(i64::try_from(all / SENT_FOR_ONE).unwrap_or(BUDGET));
    }

    fn earn(&mut self, weight: i64) {
        self.left = (self.left + weight).min(BUDGET);
    }

    fn spend(&mut self, weight: i64) {
        self.left -= weight;
        self.unrested += weight;
    }

    fn wants_rest(&mut self) -> bool {
        let due = self.unrested >= FAIR;
        if due {
            self.unrested = 0;
        }
        due
    }

    /// Whether the budget is spent and no second has passed since it was last whole.
    fn overdrawn(&mut self) -> bool {
        if self.left < 0 && self.since.elapsed() >= SECOND {
            (self.left, self.since) = (BUDGET, Instant::now());
        }
        self.left < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    fn left_after(frames: &[Vec<u8>], piece: usize) -> i64 {
        let mut counted = Frames::new();
        let all = [vec![b'P'; PREFACE], frames.concat()].concat();
        all.chunks(piece).for_each(|piece| counted.read(piece));
        counted.left
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let ping = frame(6, 0, &[0; 8]);
        let data = frame(DATA, 0, &[HEADERS; 300]);
        for piece in [1, 2, 8, 9, 10, 1000] {
            assert_eq!(left_after(&[ping.clone(), data.clone(), ping.clone()], piece), BUDGET - 2, "{piece}");
        }
    }

    #[test]
    fn what_asks_for_nothing_is_spent_and_what_asks_earns() {
        let request = frame(HEADERS, 5, b"x");
        let reset = frame(RST_STREAM, 0, &[0; 4]);
        let settings = frame(4, 0, b"");
        for (frames, left) in [
            (vec![settings.clone()], BUDGET - 1),
            (vec![request.clone()], BUDGET),
            (vec![settings.clone(), request.clone()], BUDGET),
            (vec![request.clone(), reset.clone()], BUDGET - RESET),
            (vec![reset, request], BUDGET - RESET + EARNED_BY_REQUEST),
            (vec![frame(DATA, 0, b""), frame(DATA, END_STREAM, b"")], BUDGET - 1),
            (vec![frame(DATA, PADDED, &[0]), frame(DATA, PADDED, &[255; 256])], BUDGET - 2),
            (vec![frame(DATA, PADDED, &[255; 257]), frame(DATA, 0, b"x")], BUDGET),
            (vec![frame(9, 0, b"x"), frame(99, 0, b"x")], BUDGET - 2),
        ] {
            assert_eq!(left_after(&frames, 16), left);
        }
    }

    #[test]
    fn a_budget_is_whole_again_after_a_second() {
        let mut frames = Frames::new();
        frames.spend(BUDGET + 1);
        assert!(frames.overdrawn());
        frames.since -= SECOND;
        assert!(!frames.overdrawn());
        frames.spend(BUDGET);
        assert!(!frames.overdrawn());
        frames.sent(2 * SENT_FOR_ONE);
        frames.spend(3);
        assert!(frames.overdrawn());
    }
}
