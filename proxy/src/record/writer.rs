//! The one writer. It has a thread of its own, numbers every record, hands it to the kernel at
//! once, and says where records are missing.
//!
//! Numbers are reserved in blocks, in the state directory, before they are used: after a kill the
//! difference between what was reserved and what stands in the file bounds what may be missing.
//!
//! Two things hold it up: the disk of the records and, once the last reserved number is used, the
//! state directory. What either refuses waits with `when_full: refuse`, is lost and counted with
//! `when_full: count`; nothing else in this process makes it wait.

mod sequence;
mod sink;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::entry::{Entry, Gap};
use super::metrics::Metrics;
use super::recorder::SinkState;
use crate::clock::SharedClock;
use crate::config;
use crate::fault::causes;

use sequence::Sequence;
pub use sequence::SequenceError;
use sink::Sink;

/// How many records may wait to be written.
pub const QUEUE: usize = 8192;
/// How many are taken together.
const BATCH: usize = 256;
/// How soon a disk that took nothing is tried again.
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
        source: io::Error,
    },
    /// The writer's thread could not be started.
    #[error("the thread that writes records cannot be started")]
    Thread(#[source] io::Error),
    /// The sequence could not be read or reserved.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
}

/// Whether the numbers can go on where they are kept, as far as it can be told without writing.
pub fn can_go_on(records: &config::Records, sequence: &Path) -> Result<(), SequenceError> {
    sequence::before(sequence, records.file.as_deref().and_then(sink::last_record)).map(drop)
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
        let (sequence, interrupted) = Sequence::go_on(sequence, sink.last_record())?;
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
                cause: before.cause,
                after_boot: before.boot,
                after_seq: before.last,
                missing_at_most: before.missing_at_most,
            };
            writer.line(&Entry::Gap(gap));
        }
        Ok(writer)
    }

    /// Starts writing, on a thread of its own.
    pub fn start(self) -> Result<Writing, WriterError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(WriterError::Thread)?;
        let (finish, told) = oneshot::channel();
        let (tell, ended) = oneshot::channel();
        let write = move || {
            runtime.block_on(self.run(told));
            // Nobody may be waiting any more: then the process is ending without us.
            let _told = tell.send(());
        };
        let thread =
            thread::Builder::new().name("records".to_owned()).spawn(write).map_err(WriterError::Thread)?;
        Ok(Writing { finish, ended, thread })
    }

    /// Writes until `finish` is told or dropped and the queue is empty, then marks the end as clean.
    async fn run(mut self, finish: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        tokio::pin!(finish);
        let mut finishing = false;
        self.flush().await;
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
            self.number(&mut batch).await;
            self.flush().await;
            if taken == 0 {
                break;
            }
            self.sequence.look_ahead(self.clock.boot());
        }
        if let Err(error) = self.sequence.close().await {
            let error = causes(&error);
            tracing::warn!(error, "the record sequence could not be closed; the next start will count a gap");
        }
    }

    /// Makes a line of each. What finds no number while the state directory takes nothing is lost,
    /// or waits, as configured.
    async fn number(&mut self, batch: &mut Vec<Entry>) {
        let mut refused = false;
        for entry in batch.drain(..) {
            self.metrics.count(&entry);
            if self.sequence.left() == 0 {
                refused = refused || !self.more_numbers().await;
            }
            if refused || !self.line(&entry) {
                self.state.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits for numbers. False where there are none to be had and records are not to wait for them.
    async fn more_numbers(&mut self) -> bool {
        // What has its number need not wait with the others.
        self.flush().await;
        loop {
            match self.sequence.more().await {
                Ok(()) => {
                    self.state.full.store(false, Ordering::Relaxed);
                    return true;
                }
                Err(error) if self.waits_for_disk(&error) => tokio::time::sleep(RETRY).await,
                Err(_) => return false,
            }
        }
    }

    /// What found no place since the last look becomes a `gap` record.
    fn note_losses(&mut self) {
        if self.state.lost.load(Ordering::Relaxed) == 0 || self.sequence.left() == 0 {
            return;
        }
        let lost = self.state.lost.swap(0, Ordering::Relaxed);
        self.metrics.lost(lost);
        let cause = if std::mem::take(&mut self.was_full) { "disk_full" } else { "overload" };
        let gap = Gap {
            at: self.clock.now().wall,
            cause,
            after_boot: self.sequence.boot().to_owned(),
            after_seq: self.sequence.written(),
            missing_at_most: lost,
        };
        self.line(&Entry::Gap(gap));
    }

    /// Appends one numbered line to what is to be written; false where there is no number.
    fn line(&mut self, entry: &Entry) -> bool {
        use std::io::Write as _;
        let Some(number) = self.sequence.next() else { return false };
        let start = self.lines.len();
        let boot = self.sequence.boot();
        // Writing to a vector and serialising these types cannot fail; if it did, the line is taken back.
        let head = write!(self.lines, r#"{{"kind":"{}","boot":"{boot}","seq":{number}"#, entry.kind());
        let body_at = self.lines.len();
        let body = serde_json::to_writer(&mut self.lines, entry);
        if head.is_err() || body.is_err() {
            self.lines.truncate(start);
            return false;
        }
        // The head has opened the object: the body's own brace becomes the comma between them.
        if let Some(brace) = self.lines.get_mut(body_at) {
            *brace = b',';
        }
        self.lines.push(b'\n');
        true
    }

    /// Hands the lines to the kernel. A full disk is tried again until it takes them; meanwhile
    /// requests are refused, or counted, as configured.
    async fn flush(&mut self) {
        while !self.lines.is_empty() {
            match self.sink.write(&mut self.lines) {
                Ok(()) => {
                    self.sequence.all_written();
                    self.state.full.store(false, Ordering::Relaxed);
                }
                Err(error) if self.waits_for_disk(&error) => tokio::time::sleep(RETRY).await,
                Err(_) => {
                    let lost = self.sink.give_up(&mut self.lines);
                    self.state.lost.fetch_add(lost, Ordering::Relaxed);
                }
            }
        }
    }

    /// Notes that the disk takes nothing. True where records are to wait until it does.
    fn waits_for_disk(&mut self, error: &dyn Error) -> bool {
        self.was_full = true;
        if !self.state.full.swap(true, Ordering::Relaxed) {
            tracing::error!(error = causes(error), "records cannot be written");
        }
        self.state.refuse_when_full.load(Ordering::Relaxed)
    }
}

/// The writer at work.
pub struct Writing {
    finish: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Writing {
    /// Lets it write what it was given, and waits for its end; at most this long.
    pub async fn finish(self, within: Duration) {
        drop(self.finish);
        match tokio::time::timeout(within, self.ended).await {
            Ok(told) => {
                // It has said so, or is unwinding: either way nothing more holds it up.
                if self.thread.join().is_err() || told.is_err() {
                    tracing::error!("the record writer ended by a fault");
                }
            }
            Err(_) => {
                tracing::error!("the last records could not be written; the next start will count a gap");
            }
        }
    }
}

#[cfg(test)]
mod tests;
