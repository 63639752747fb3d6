use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::RETRY;
use super::sink::LastRecord;
use crate::clock::BootTime;
use crate::fault::causes;
use crate::model::RecordId;
use crate::state::{read_whole, write_whole};

/// How many numbers are reserved at a time, at first.
const BLOCK: u64 = 256;
/// And at most, where the disk is slower than the records come.
const LARGEST_BLOCK: u64 = 4096;
/// No kill can hide more numbers: a block, half of another, and the lines on their way to the kernel.
const MOST: u64 = 2 * LARGEST_BLOCK;
/// The file is one short line; what is longer is not ours.
const LONGEST: u64 = 4096;

/// Why the sequence cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The disk refused.
    #[error("the record sequence {} cannot be kept", path.display())]
    Io {
        /// The file in the state directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says nothing, and neither do the records.
    #[error(
        "the record sequence {} is not what was written there ({reason}), and no record file tells the last number; \
         to begin at 1 again, keep the file with the earlier records and move it out of the state directory",
        path.display()
    )]
    Garbled {
        /// The file in the state directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The numbers of records, across restarts. What may be given out stands on the disk before; the
/// next block is asked for while half of this one is left, so that nobody waits for the disk.
pub(super) struct Sequence {
    file: PathBuf,
    boot: String,
    last: u64,
    /// All up to here are with the kernel, or stand in a `gap` that is.
    written: u64,
    reserved: u64,
    block: u64,
    /// The reservation under way.
    ahead: Option<oneshot::Receiver<io::Result<u64>>>,
    /// The last one failed: when the next may be tried.
    again: Option<BootTime>,
}

/// What stands in the state directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    boot: String,
    /// With the kernel when this was written.
    written: u64,
    reserved: u64,
    clean: bool,
}

/// What an earlier boot may have left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interrupted {
    /// `killed`, or `sequence_lost` where nothing tells how it ended.
    pub(super) cause: &'static str,
    pub(super) boot: String,
    pub(super) last: u64,
    pub(super) missing_at_most: u64,
}

/// What is known of the earlier boots.
pub(super) struct Before {
    reserved: u64,
    interrupted: Option<Interrupted>,
}

impl Sequence {
    /// Goes on after what was reserved before; `found` is the last record in the file.
    pub(super) fn go_on(
        file: PathBuf,
        found: Option<LastRecord>,
    ) -> Result<(Self, Option<Interrupted>), SequenceError> {
        let Before { reserved, interrupted } = before(&file, found)?;
        let boot = RecordId::random().text().chars().skip(2).take(4).collect();
        let sequence = Self {
            file,
            boot,
            last: reserved,
            written: reserved,
            reserved: reserved + BLOCK,
            block: BLOCK,
            ahead: None,
            again: None,
        };
        match replace(&sequence.file, &sequence.kept(sequence.reserved, false)) {
            Ok(()) => Ok((sequence, interrupted)),
            Err(source) => Err(sequence.failed(source)),
        }
    }

    pub(super) fn boot(&self) -> &str {
        &self.boot
    }

    /// The last number that is surely with the kernel.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// How many may be given out before the disk has to be asked.
    pub(super) const fn left(&self) -> u64 {
        self.reserved - self.last
    }

    /// The next number, if one is reserved.
    pub(super) const fn next(&mut self) -> Option<u64> {
        if self.left() == 0 {
            return None;
        }
        self.last += 1;
        Some(self.last)
    }

    /// Whatever was given out is with the kernel, or stands in a `gap` that is.
    pub(super) const fn all_written(&mut self) {
        self.written = self.last;
    }

    /// Asks for the next block while there is half of one left, and waits for nothing. If it cannot
    /// be had, that is said once, and tried again until the last number is used and longer.
    pub(super) fn look_ahead(&mut self, now: BootTime) {
        let told = match self.ahead.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(oneshot::error::TryRecvError::Empty)) => return,
            Some(told) => self.take(told.unwrap_or_else(|_| Err(ended()))),
            None => Ok(()),
        };
        let resting = self.again.is_some_and(|again| now < again);
        let asked = if self.left() <= self.block / 2 && !resting { self.ask() } else { Ok(()) };
        if let Err(error) = told.and(asked)
            && self.again.replace(now.plus(RETRY)).is_none()
        {
            let (error, left) = (causes(&error), self.left());
            tracing::error!(error, left, "no more record numbers can be reserved");
        }
    }

    /// Waits for the next block; the ones after it are larger, as this one was too small.
    pub(super) async fn more(&mut self) -> Result<(), SequenceError> {
        if self.ahead.is_none() {
            self.ask()?;
        }
        self.block = (self.block * 2).min(LARGEST_BLOCK);
        let Some(ahead) = &mut self.ahead else { return Ok(()) };
        let told = ahead.await.unwrap_or_else(|_| Err(ended()));
        self.take(told)
    }

    /// Everything was written: the next start has nothing to miss.
    pub(super) async fn close(mut self) -> Result<(), SequenceError> {
        if let Some(ahead) = self.ahead.take() {
            // Whatever came of it: it must not be written over what says that all is well.
            let _told = ahead.await;
        }
        replace(&self.file, &self.kept(self.last, true)).map_err(|source| self.failed(source))
    }

    /// Another thread waits for the disk.
    fn ask(&mut self) -> Result<(), SequenceError> {
        let file = self.file.clone();
        let next = self.kept(self.reserved + self.block, false);
        let (tell, told) = oneshot::channel();
        let reserve = move || {
            let reserved = replace(&file, &next).map(|()| next.reserved);
            // Without a writer there is nobody left to use them.
            drop(tell.send(reserved));
        };
        let started = thread::Builder::new().name("numbers".to_owned()).spawn(reserve);
        self.ahead = Some(told);
        started.map(drop).map_err(|source| {
            self.ahead = None;
            self.failed(source)
        })
    }

    fn take(&mut self, told: io::Result<u64>) -> Result<(), SequenceError> {
        self.ahead = None;
        self.reserved = told.map_err(|source| self.failed(source))?;
        self.again = None;
        Ok(())
    }

    fn kept(&self, reserved: u64, clean: bool) -> Kept {
        Kept { boot: self.boot.clone(), written: self.written, reserved, clean }
    }

    fn failed(&self, source: io::Error) -> SequenceError {
        SequenceError::Io { path: self.file.clone(), source }
    }
}

/// What the file and the last record say together.
pub(super) fn before(file: &Path, found: Option<LastRecord>) -> Result<Before, SequenceError> {
    let reason = match read(file) {
        Ok(Some(kept)) if found.as_ref().is_none_or(|found| found.seq <= kept.reserved) => {
            return Ok(kept.before(found.map_or(0, |found| found.seq)));
        }
        Ok(None) if found.is_none() => return Ok(Before { reserved: 0, interrupted: None }),
        Ok(Some(_)) => "it is older than the records".to_owned(),
        Ok(None) => "it is gone".to_owned(),
        Err(Unread::Garbled(reason)) => reason,
        Err(Unread::Io(source)) => return Err(SequenceError::Io { path: file.to_owned(), source }),
    };
    let Some(found) = found else {
        return Err(SequenceError::Garbled { path: file.to_owned(), reason });
    };
    tracing::error!(
        file = %file.display(),
        reason,
        after = found.seq,
        "the record sequence is lost: numbers go on beyond all that may have been used"
    );
    let interrupted =
        Interrupted { cause: "sequence_lost", boot: found.boot, last: found.seq, missing_at_most: MOST };
    Ok(Before { reserved: found.seq + MOST, interrupted: Some(interrupted) })
}

impl Kept {
    fn before(self, found: u64) -> Before {
        let reserved = self.reserved;
        if self.clean {
            return Before { reserved, interrupted: None };
        }
        let last = found.max(self.written);
        let missing_at_most = reserved - last;
        let interrupted = Interrupted { cause: "killed", boot: self.boot, last, missing_at_most };
        Before { reserved, interrupted: Some(interrupted) }
    }
}

/// Why there is nothing to go on from.
enum Unread {
    Io(io::Error),
    Garbled(String),
}

fn read(file: &Path) -> Result<Option<Kept>, Unread> {
    let text = match read_whole(file, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(Unread::Garbled("it is too long".to_owned()));
        }
        Err(error) => return Err(Unread::Io(error)),
    };
    let kept: Kept = serde_json::from_slice(text.expose()).map_err(Unread::garbled)?;
    if kept.written > kept.reserved || kept.reserved > u64::MAX / 2 {
        return Err(Unread::Garbled("its numbers contradict each other".to_owned()));
    }
    Ok(Some(kept))
}

impl Unread {
    fn garbled(why: impl fmt::Display) -> Self {
        Self::Garbled(why.to_string())
    }
}

fn replace(file: &Path, kept: &Kept) -> io::Result<()> {
    write_whole(file, &serde_json::to_vec(kept)?)
}

fn ended() -> io::Error {
    io::Error::other("the thread that reserves numbers ended by a fault")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn found(seq: u64) -> LastRecord {
        LastRecord { boot: "k3hq".to_owned(), seq }
    }

    /// The next number, as the writer takes it.
    async fn draw(sequence: &mut Sequence) -> u64 {
        if sequence.left() == 0 {
            sequence.more().await.unwrap();
        }
        let number = sequence.next().unwrap();
        sequence.all_written();
        sequence.look_ahead(BootTime::at(Duration::ZERO));
        number
    }

    /// A kill takes the thread that reserves along; here it has to be waited for.
    async fn killed(mut sequence: Sequence) {
        if let Some(ahead) = sequence.ahead.take() {
            ahead.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_clean_end_leaves_no_gap() {
        let state = tempfile::tempdir().unwrap();
        let (mut first, interrupted) = Sequence::go_on(state.path().join("sequence"), None).unwrap();
        assert_eq!(interrupted, None);
        assert_eq!((first.next(), first.next()), (Some(1), Some(2)));
        let boot = first.boot().to_owned();
        first.close().await.unwrap();

        let (mut second, interrupted) =
            Sequence::go_on(state.path().join("sequence"), Some(found(2))).unwrap();
        assert_eq!(interrupted, None);
        assert_eq!(second.next(), Some(3));
        assert_ne!(boot, second.boot());
    }

    #[tokio::test]
    async fn a_clean_end_is_not_undone_by_a_reservation_under_way() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("sequence");
        let (mut first, _) = Sequence::go_on(file.clone(), None).unwrap();
        for _ in 0..=BLOCK / 2 {
            first.next().unwrap();
        }
        first.look_ahead(BootTime::at(Duration::ZERO));
        first.close().await.unwrap();

        assert_eq!(Sequence::go_on(file, Some(found(BLOCK / 2 + 1))).unwrap().1, None);
    }

    #[tokio::test]
    async fn a_kill_leaves_a_gap_that_covers_every_number_that_may_have_been_used() {
        let state = tempfile::tempdir().unwrap();
        let (mut first, _) = Sequence::go_on(state.path().join("sequence"), None).unwrap();
        for number in 1..=1000 {
            assert_eq!(draw(&mut first).await, number);
        }
        killed(first).await;

        let (mut second, interrupted) =
            Sequence::go_on(state.path().join("sequence"), Some(found(998))).unwrap();
        let gap = interrupted.unwrap();
        assert_eq!((gap.cause, gap.last), ("killed", 998));
        assert!((2..=MOST).contains(&gap.missing_at_most), "{}", gap.missing_at_most);
        assert_eq!(second.next(), Some(998 + gap.missing_at_most + 1));
    }

    #[tokio::test]
    async fn without_a_record_file_the_gap_begins_where_the_last_reservation_was_made() {
        let state = tempfile::tempdir().unwrap();
        let (mut first, _) = Sequence::go_on(state.path().join("sequence"), None).unwrap();
        for _ in 0..1000 {
            draw(&mut first).await;
        }
        killed(first).await;

        let gap = Sequence::go_on(state.path().join("sequence"), None).unwrap().1.unwrap();
        assert!(gap.last <= 1000 && gap.last + gap.missing_at_most >= 1000, "{gap:?}");
        assert!(gap.missing_at_most <= MOST, "{gap:?}");
    }

    #[tokio::test]
    async fn a_folder_that_takes_nothing_is_an_error_and_costs_no_number_once_it_does_again() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let (mut sequence, _) = Sequence::go_on(folder.join("sequence"), None).unwrap();
        while sequence.next().is_some() {}
        fs::rename(&folder, state.path().join("away")).unwrap();

        for _ in 0..3 {
            let error = sequence.more().await.unwrap_err();
            assert!(error.to_string().contains("folder/sequence"), "{error}");
        }
        assert_eq!(sequence.next(), None);

        fs::rename(state.path().join("away"), &folder).unwrap();
        sequence.more().await.unwrap();
        assert_eq!(sequence.next(), Some(BLOCK + 1));
    }

    #[test]
    fn a_garbled_file_goes_on_beyond_the_last_record_and_says_so() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("sequence");
        let contradiction = r#"{"boot":"k3hq","written":9,"reserved":8,"clean":true}"#;
        for garbled in [&b"\x00\xff not ours"[..], &[b'x'; 5000], b"", contradiction.as_bytes()] {
            fs::write(&file, garbled).unwrap();

            let (mut sequence, interrupted) = Sequence::go_on(file.clone(), Some(found(41))).unwrap();

            let gap = Interrupted {
                cause: "sequence_lost",
                boot: "k3hq".to_owned(),
                last: 41,
                missing_at_most: MOST,
            };
            assert_eq!(interrupted, Some(gap));
            assert_eq!(sequence.next(), Some(41 + MOST + 1));
        }
    }

    #[test]
    fn a_sequence_that_is_gone_or_older_than_the_records_is_lost_as_well() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("sequence");
        let (_, gone) = Sequence::go_on(file.clone(), Some(found(7))).unwrap();
        assert_eq!(gone.unwrap().cause, "sequence_lost");

        let (_, older) = Sequence::go_on(file, Some(found(1_000_000))).unwrap();
        assert_eq!(older.unwrap().last, 1_000_000);
    }

    #[test]
    fn a_garbled_file_without_a_record_to_go_on_from_is_refused_with_what_to_do() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("sequence");
        fs::write(&file, b"\xff").unwrap();

        let error = Sequence::go_on(file.clone(), None).err().unwrap().to_string();

        assert!(error.contains(file.to_str().unwrap()) && error.contains("move it"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"\xff", "the evidence was touched");
    }
}
