use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::RecordId;
use crate::state::write_whole;

/// How many numbers are reserved at a time: at most so many can be missing after a kill, besides
/// what a full disk held back.
const BLOCK: u64 = 256;

/// Why the sequence cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("the record sequence {path} cannot be kept")]
pub struct SequenceError {
    path: String,
    source: io::Error,
}

/// The numbers of records, across restarts.
pub(super) struct Sequence {
    file: PathBuf,
    kept: Kept,
    last: u64,
}

/// What stands in the state directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    boot: String,
    reserved: u64,
    clean: bool,
}

/// A boot that did not end cleanly.
pub(super) struct Interrupted {
    pub(super) boot: String,
    pub(super) last: u64,
    pub(super) missing_at_most: u64,
}

impl Sequence {
    /// Goes on after what was reserved before; `written` is the last number found in the file.
    pub(super) fn go_on(
        file: PathBuf,
        written: Option<u64>,
    ) -> Result<(Self, Option<Interrupted>), SequenceError> {
        let before = read(&file).map_err(|source| error(&file, source))?;
        let boot = RecordId::random().text().chars().skip(2).take(4).collect::<String>();
        let reserved = before.as_ref().map_or(0, |kept| kept.reserved);
        let interrupted = before.filter(|kept| !kept.clean).map(|kept| {
            let last = written.unwrap_or(0).clamp(kept.reserved.saturating_sub(BLOCK), kept.reserved);
            Interrupted { boot: kept.boot, last, missing_at_most: kept.reserved - last }
        });
        let mut sequence = Self { file, kept: Kept { boot, reserved, clean: false }, last: reserved };
        sequence.reserve()?;
        Ok((sequence, interrupted))
    }

    pub(super) fn boot(&self) -> &str {
        &self.kept.boot
    }

    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The next number; its block is on disk before it is given out.
    pub(super) fn next(&mut self) -> Result<u64, SequenceError> {
        if self.last == self.kept.reserved {
            self.reserve()?;
        }
        self.last += 1;
        Ok(self.last)
    }

    /// Everything was written: the next start has nothing to miss.
    pub(super) fn close(&mut self) -> Result<(), SequenceError> {
        let end = Kept { boot: self.kept.boot.clone(), reserved: self.last, clean: true };
        replace(&self.file, &end).map_err(|source| error(&self.file, source))
    }

    fn reserve(&mut self) -> Result<(), SequenceError> {
        let next = Kept { reserved: self.kept.reserved + BLOCK, ..self.kept.clone() };
        replace(&self.file, &next).map_err(|source| error(&self.file, source))?;
        self.kept = next;
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<Option<Kept>> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn replace(file: &Path, kept: &Kept) -> io::Result<()> {
    write_whole(file, &serde_json::to_vec(kept)?)
}

fn error(file: &Path, source: io::Error) -> SequenceError {
    SequenceError { path: file.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_end_leaves_no_gap() {
        let state = tempfile::tempdir().unwrap();
        let (mut first, interrupted) = Sequence::go_on(state.path().join("sequence"), None).unwrap();
        assert!(interrupted.is_none());
        assert_eq!((first.next().unwrap(), first.next().unwrap()), (1, 2));
        first.close().unwrap();

        let (mut second, interrupted) = Sequence::go_on(state.path().join("sequence"), Some(2)).unwrap();
        assert!(interrupted.is_none());
        assert_eq!(second.next().unwrap(), 3);
        assert_ne!(first.boot(), second.boot());
    }

    #[test]
    fn a_kill_leaves_a_gap_of_at_most_what_was_reserved() {
        let state = tempfile::tempdir().unwrap();
        let (mut first, _) = Sequence::go_on(state.path().join("sequence"), None).unwrap();
        for _ in 0..300 {
            first.next().unwrap();
        }
        drop(first);

        let (mut second, interrupted) = Sequence::go_on(state.path().join("sequence"), Some(299)).unwrap();
        let gap = interrupted.unwrap();
        assert_eq!((gap.last, gap.missing_at_most), (299, 512 - 299));
        assert_eq!(second.next().unwrap(), 513);
    }
}
