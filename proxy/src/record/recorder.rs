use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::entry::{Bytes, Entry, Generations, Outcome, RequestEntry, RequestFacts};
use crate::clock::{BootTime, SharedClock};
use crate::config::WhenFull;
use crate::fault::{Code, Coded, Fault, Owner, Stage, codes};
use crate::model::{Direction, ListenerName, Mode, RecordId};

/// Why a record could not be opened. The request is refused: what cannot be recorded is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The disk takes no more.
    #[error("the record file cannot be written")]
    Full,
    /// The writer is behind by a whole queue.
    #[error("the queue of records is full")]
    Busy,
    /// The writer is gone.
    #[error("the record writer has stopped")]
    Stopped,
}

impl Coded for RecordError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Full => codes::RECORDS_FULL,
            Self::Busy => codes::RECORDS_BUSY,
            Self::Stopped => codes::DRAINING,
        }
    }
}

/// Where records are opened: each worker and the control thread hold one.
#[derive(Clone)]
pub struct Records {
    queue: mpsc::Sender<Entry>,
    state: Arc<SinkState>,
    clock: SharedClock,
}

/// What the writer tells those who open records.
#[derive(Debug, Default)]
pub struct SinkState {
    /// The file cannot be written at the moment.
    pub full: AtomicBool,
    /// Records that found no place since the last gap record, those of requests refused for that included.
    pub lost: AtomicU64,
    /// What to do about it.
    pub refuse_when_full: AtomicBool,
}

/// What is known of a request when its head has been read.
#[derive(Debug)]
pub struct Opening {
    /// Where it arrived.
    pub listener: ListenerName,
    /// Which way that listener faces.
    pub direction: Direction,
    /// The listener's mode.
    pub mode: Mode,
    /// What was asked.
    pub request: RequestFacts,
}

impl Records {
    /// The opening end of `queue`, which a [`super::writer::Writer`] drains.
    #[must_use]
    pub fn new(
        queue: mpsc::Sender<Entry>,
        state: Arc<SinkState>,
        when_full: WhenFull,
        clock: SharedClock,
    ) -> Self {
        state.refuse_when_full.store(when_full == WhenFull::Refuse, Ordering::Relaxed);
        Self { queue, state, clock }
    }

    /// Opens the one record of a request. Its place in the queue is taken now, so that closing cannot fail.
    pub fn open(&self, opening: Opening) -> Result<Recorder, RecordError> {
        let refuses = self.state.refuse_when_full.load(Ordering::Relaxed);
        if refuses && self.state.full.load(Ordering::Relaxed) {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
            return Err(RecordError::Full);
        }
        let place = match self.queue.clone().try_reserve_owned() {
            Ok(place) => Some(place),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(RecordError::Stopped),
            Err(mpsc::error::TrySendError::Full(_)) if refuses => {
                self.state.lost.fetch_add(1, Ordering::Relaxed);
                return Err(RecordError::Busy);
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.state.lost.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        let now = self.clock.now();
        Ok(Recorder {
            place,
            entry: Some(Box::new(blank(opening, now.wall))),
            opened: now.boot,
            clock: Arc::clone(&self.clock),
        })
    }

    /// Writes something that is not a request. Waits for a place; use from tasks that may wait.
    pub async fn write(&self, entry: Entry) {
        if self.queue.send(entry).await.is_err() {
            tracing::warn!("a record came after the writer had stopped");
        }
    }

    /// Writes without waiting; counts the loss if there is no place.
    pub fn write_now(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The duty to leave one record. Dropped without having been closed, it says `abandoned`, or,
/// where the thread was unwinding, that an internal error ended the request.
pub struct Recorder {
    place: Option<mpsc::OwnedPermit<Entry>>,
    entry: Option<Box<RequestEntry>>,
    opened: BootTime,
    clock: SharedClock,
}

impl Recorder {
    /// The record's name, for the refusal's body.
    #[must_use]
    pub fn id(&self) -> Option<RecordId> {
        self.entry.as_ref().map(|entry| entry.id)
    }

    /// Notes what has become known.
    pub fn note(&mut self, note: impl FnOnce(&mut RequestEntry)) {
        if let Some(entry) = &mut self.entry {
            note(entry);
        }
    }

    /// Microseconds since the record was opened.
    #[must_use]
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.clock.boot().since(self.opened).as_micros()).unwrap_or(u64::MAX)
    }

    /// Closes it: forwarded, with nothing wrong.
    pub fn forwarded(self) {
        self.close(Outcome::Forwarded, None);
    }

    /// Closes it: not let through.
    pub fn refused(self, fault: &Fault) {
        tell(fault, self.id());
        self.close(Outcome::Refused, Some(fault.code()));
    }

    /// Closes it: let through, and then something broke.
    pub fn failed(self, fault: &Fault) {
        tell(fault, self.id());
        self.close(Outcome::Failed, Some(fault.code()));
    }

    /// Closes it as the code says: what was stopped before it was let through, or by what the caller
    /// did, was refused; what broke after that has failed.
    pub fn stopped(self, fault: &Fault) {
        let before = matches!(fault.code().stage, Stage::Accept | Stage::Identify | Stage::Authorize);
        if before || fault.code().owner == Owner::Caller {
            self.refused(fault);
        } else {
            self.failed(fault);
        }
    }

    /// Closes it as told.
    pub fn close(mut self, outcome: Outcome, code: Option<&'static Code>) {
        self.finish(outcome, code);
    }

    fn finish(&mut self, outcome: Outcome, code: Option<&'static Code>) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.outcome = outcome;
        entry.code = code.map(|code| code.id);
        entry.us = self.elapsed_us();
        if let Some(place) = self.place.take() {
            drop(place.send(Entry::Request(entry)));
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.finish(Outcome::Failed, Some(codes::PANICKED));
        } else {
            self.finish(Outcome::Abandoned, None);
        }
    }
}

fn tell(fault: &Fault, id: Option<RecordId>) {
    let causes = fault.causes();
    tracing::debug!(code = fault.code().id, record = ?id, causes, "request not served");
}

fn blank(opening: Opening, at: SystemTime) -> RequestEntry {
    RequestEntry {
        at,
        id: RecordId::random(),
        listener: opening.listener,
        direction: opening.direction,
        route: None,
        mode: opening.mode,
        caller: None,
        request: opening.request,
        decision: None,
        credential: None,
        upstream: None,
        bytes: Bytes::default(),
        us: 0,
        outcome: Outcome::Abandoned,
        code: None,
        leak: false,
        trace: None,
        generation: Generations::default(),
    }
}
