//! What we hold, on disk, so that a crash leaves nothing behind: each login's accessor before the
//! login is used, each lease before it is used, each access before it is opened; each struck out
//! once it has ended. What is left at start is revoked.
//!
//! A line is one sealed statement (AES-256-GCM under a key file beside it), for a lease id renews
//! and revokes like a token does. Credentials themselves are never written. A line counts once it
//! is on the disk; a thread of its own writes whatever has gathered and syncs once for all of it.
//! The last line may be torn by a crash: then nobody was told that it had been written. Any other
//! that cannot be read stops the start, for it may be all that is known of a lease.

mod file;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub use self::file::standing_in;
use self::file::{FILE, JournalFile};
use crate::state::{State, StateError};

/// Statements that may wait to be written; more would mean that the disk stands still.
const QUEUE: usize = 1024;
/// How many of them are written together at most.
const TOGETHER: usize = 256;

/// Why something could not be journalled.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk refused.
    #[error("the journal cannot be written: {0}")]
    Write(io::ErrorKind),
    /// The journal's thread is gone.
    #[error("the journal is closed")]
    Closed,
}

/// Why the journal could not be opened. What it holds may be known to nobody else: it is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum JournalOpenError {
    /// Its key.
    #[error("the lease journal's key")]
    Key(#[from] StateError),
    /// Its file.
    #[error("the lease journal {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Lines that nobody can read any more may name leases that nobody else knows of.
    #[error(
        "the lease journal {}: {unreadable} of {lines} lines are not what was sealed with {} (damaged, or another key); \
         leases may stand there: put back what belongs together, or revoke at the vault whatever this sidecar's login \
         leased and move the journal away",
        path.display(), key.display()
    )]
    Unreadable {
        /// The journal.
        path: PathBuf,
        /// What seals it.
        key: PathBuf,
        /// Lines that cannot be read.
        unreadable: usize,
        /// Of so many.
        lines: usize,
    },
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is")]
pub(crate) enum Line {
    /// We are logged in to a vault; the accessor revokes the token without being it.
    #[serde(rename = "login")]
    Login { vault: String, accessor: String },
    /// We hold a lease.
    #[serde(rename = "lease")]
    Lease { reference: String, vault: String, lease_id: LeaseId, credential: String },
    /// A caller uses a lease.
    #[serde(rename = "access")]
    Access { access: String, reference: String, caller: String, credential: String, upstream: String },
    /// What this key named has ended.
    #[serde(rename = "ended")]
    Ended { key: String },
}

/// A lease id as the journal holds it; never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseId(pub(crate) String);

impl std::fmt::Debug for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[lease id]")
    }
}

impl Drop for LeaseId {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Line {
    pub(crate) fn login_key(vault: &str, accessor: &str) -> String {
        format!("login {vault} {accessor}")
    }

    pub(crate) fn lease_key(reference: &str) -> String {
        format!("lease {reference}")
    }

    pub(crate) fn access_key(access: &str) -> String {
        format!("access {access}")
    }

    /// Under which it is struck out; none for the striking itself.
    pub(crate) fn key(&self) -> Option<String> {
        match self {
            Self::Login { vault, accessor } => Some(Self::login_key(vault, accessor)),
            Self::Lease { reference, .. } => Some(Self::lease_key(reference)),
            Self::Access { access, .. } => Some(Self::access_key(access)),
            Self::Ended { .. } => None,
        }
    }
}

/// The writing end. Cheap to clone; the thread ends with the last of them.
#[derive(Clone)]
pub(crate) struct Journal {
    queue: mpsc::Sender<Batch>,
}

struct Batch {
    lines: Vec<Line>,
    done: Option<oneshot::Sender<Result<(), JournalError>>>,
}

/// Statements that stand, by key.
type Standing = HashMap<String, Line>;

impl Journal {
    /// Opens it and says what an earlier run left standing.
    pub(crate) fn open(state: &State) -> Result<(Self, Vec<Line>), JournalOpenError> {
        let (file, standing) = JournalFile::open(state)?;
        let left = standing.values().cloned().collect();
        let (queue, batches) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write_batches(file, standing, batches))
            .map_err(|source| JournalOpenError::File { path: state.path(FILE), source })?;
        Ok((Self { queue }, left))
    }

    /// Returns once these statements are on the disk.
    pub(crate) async fn write(&self, lines: Vec<Line>) -> Result<(), JournalError> {
        let (done, written) = oneshot::channel();
        let batch = Batch { lines, done: Some(done) };
        self.queue.send(batch).await.map_err(|_| JournalError::Closed)?;
        written.await.map_err(|_| JournalError::Closed)?
    }

    /// Strikes out without waiting. If that fails, the next start revokes once more what is gone already.
    pub(crate) fn strike(&self, keys: Vec<String>) {
        let lines = keys.into_iter().map(|key| Line::Ended { key }).collect();
        if self.queue.try_send(Batch { lines, done: None }).is_err() {
            tracing::warn!("the journal could not be told what has ended; the next start will see to it");
        }
    }
}

fn write_batches(mut file: JournalFile, mut standing: Standing, mut batches: mpsc::Receiver<Batch>) {
    while let Some(first) = batches.blocking_recv() {
        let mut gathered = vec![first];
        while gathered.len() < TOGETHER {
            let Ok(next) = batches.try_recv() else { break };
            gathered.push(next);
        }
        let result = file.append(gathered.iter().flat_map(|batch| &batch.lines)).map_err(|error| {
            tracing::error!(%error, "the lease journal cannot be written");
            JournalError::Write(error.kind())
        });
        for batch in gathered {
            if result.is_ok() {
                batch.lines.into_iter().for_each(|line| stand(&mut standing, line));
            }
            if let Some(done) = batch.done {
                // Whoever asked may have gone; the line stands and is struck out with its lease.
                let _told = done.send(result.clone());
            }
        }
        if let Err(error) = file.compact_if_worthwhile(&standing) {
            tracing::warn!(%error, "the lease journal could not be compacted");
        }
    }
}

fn stand(standing: &mut Standing, line: Line) {
    match line.key() {
        Some(key) => drop(standing.insert(key, line)),
        None => {
            if let Line::Ended { key } = &line {
                standing.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
