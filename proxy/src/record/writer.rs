//! The one writer. It runs on the control thread, numbers every record, hands it to the kernel at
//! once, and says where records are missing.
//!
//! Numbers are reserved in blocks, in the state directory, before they are used: after a kill the
//! difference between what was reserved and what stands in the file bounds what may be missing.

mod sequence;
mod sink;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::entry::{Entry, Gap};
use super::metrics::Metrics;
use super::recorder::SinkState;
use crate::clock::SharedClock;
use crate::config;

use sequence::Sequence;
pub use sequence::SequenceError;
use sink::Sink;

/// How many records may wait to be written.
pub const QUEUE: usize = 8192;
/// How many are taken together.
const BATCH: usize = 256;
/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Why records cannot be kept at all.
#[derive(Debug, thiserror::Error)]
pub enum WriterError {
    /// The file could not be opened.
    #[error("records.file {path} cannot be opened")]
    Open {
        /// The configured path.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sequence could not be read or reserved.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
}

/// Numbers records and writes them, until its queue is closed.
pub struct Writer {
    queue: mpsc::Receiver<Entry>,
    state: Arc<SinkState>,
    metrics: Arc<Metrics>,
    sequence: Sequence,
    sink: Sink,
    clock: SharedClock,
    lines: Vec<u8>,
    /// The disk took nothing since the last gap record.
    was_full: bool,
}

impl Writer {
    /// Opens the file and goes on with the sequence; what a kill may have lost becomes a `gap` record.
    pub fn open(
        records: &config::Records,
        sequence: PathBuf,
        queue: mpsc::Receiver<Entry>,
        state: Arc<SinkState>,
        metrics: Arc<Metrics>,
        clock: SharedClock,
    ) -> Result<Self, WriterError> {
        let sink = Sink::open(records.file.as_deref())?;
        let (sequence, interrupted) = Sequence::go_on(sequence, sink.last_number())?;
        let mut writer = Self {
            queue,
            state,
            metrics,
            sequence,
            sink,
            clock,
            lines: Vec::with_capacity(1 << 16),
            was_full: false,
        };
        if let Some(before) = interrupted {
            let gap = Gap {
                at: writer.clock.now().wall,
                cause: "killed",
                after_boot: before.boot,
                after_seq: before.last,
                missing_at_most: before.missing_at_most,
            };
            writer.line(&Entry::Gap(gap))?;
        }
        Ok(writer)
    }

    /// Writes until `finish` is told or dropped and the queue is empty, then marks the end as clean.
    pub async fn run(mut self, finish: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        tokio::pin!(finish);
        let mut finishing = false;
        loop {
            let taken = tokio::select! {
                taken = self.queue.recv_many(&mut batch, BATCH) => taken,
                _ = &mut finish, if !finishing => {
                    self.queue.close();
                    finishing = true;
                    continue;
                }
            };
            self.note_losses();
            for entry in batch.drain(..) {
                self.metrics.count(&entry);
                if let Err(error) = self.line(&entry) {
                    tracing::error!(%error, "a record could not be numbered");
                    self.state.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.flush().await;
            if taken == 0 {
                break;
            }
        }
        if let Err(error) = self.sequence.close() {
            tracing::warn!(%error, "the record sequence could not be closed; the next start will count a gap");
        }
    }

    /// What found no place since the last look becomes a `gap` record.
    fn note_losses(&mut self) {
        let lost = self.state.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        self.metrics.lost(lost);
        let cause = if std::mem::take(&mut self.was_full) { "disk_full" } else { "overload" };
        let gap = Gap {
            at: self.clock.now().wall,
            cause,
            after_boot: self.sequence.boot().to_owned(),
            after_seq: self.sequence.last(),
            missing_at_most: lost,
        };
        if self.line(&Entry::Gap(gap)).is_err() {
            self.state.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }

    /// Appends one numbered line to what is to be written.
    fn line(&mut self, entry: &Entry) -> Result<(), SequenceError> {
        use std::io::Write as _;
        let number = self.sequence.next()?;
        let start = self.lines.len();
        let boot = self.sequence.boot();
        // Writing to a vector and serialising these types cannot fail; if it did, the line is taken back.
        let head = write!(self.lines, r#"{{"kind":"{}","boot":"{boot}","seq":{number}"#, entry.kind());
        let body_at = self.lines.len();
        let body = serde_json::to_writer(&mut self.lines, entry);
        if head.is_err() || body.is_err() {
            self.lines.truncate(start);
            return Ok(());
        }
        // The head has opened the object: the body's own brace becomes the comma between them.
        if let Some(brace) = self.lines.get_mut(body_at) {
            *brace = b',';
        }
        self.lines.push(b'\n');
        Ok(())
    }

    /// Hands the lines to the kernel. A full disk is tried again until it takes them; meanwhile
    /// requests are refused, or counted, as configured.
    async fn flush(&mut self) {
        while !self.lines.is_empty() {
            match self.sink.write(&mut self.lines) {
                Ok(()) => self.state.full.store(false, Ordering::Relaxed),
                Err(error) => {
                    self.was_full = true;
                    if !self.state.full.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "records cannot be written");
                    }
                    if !self.state.refuse_when_full.load(Ordering::Relaxed) {
                        let lost = self.sink.give_up(&mut self.lines);
                        self.state.lost.fetch_add(lost, Ordering::Relaxed);
                        return;
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}
