use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::WriterError;

/// How far back the last number is looked for.
const TAIL: u64 = 1 << 18;

/// A record's place among all records.
#[derive(Debug, Deserialize)]
pub(super) struct LastRecord {
    pub(super) boot: String,
    pub(super) seq: u64,
}

/// Where lines go: a file that may be rotated under us, or standard output.
pub(super) enum Sink {
    Standard(io::Stdout),
    File { path: PathBuf, file: File, inode: u64, torn: bool },
}

impl Sink {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, WriterError> {
        let Some(path) = path else { return Ok(Self::Standard(io::stdout())) };
        let opened = append(path).and_then(|file| Ok((file.metadata()?.ino(), file)));
        match opened {
            Ok((inode, file)) => Ok(Self::File { path: path.to_owned(), torn: ends_torn(path), file, inode }),
            Err(source) => Err(WriterError::Open { path: path.display().to_string(), source }),
        }
    }

    /// The last whole record, where there is a file to look into.
    pub(super) fn last_record(&self) -> Option<LastRecord> {
        let Self::File { path, .. } = self else { return None };
        last_record(path)
    }

    /// Writes as much as the kernel takes and keeps the rest in `lines`.
    pub(super) fn write(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Standard(out) => {
                out.write_all(lines)?;
                out.flush()?;
                lines.clear();
                Ok(())
            }
            Self::File { path, file, inode, torn } => {
                follow_rotation(path, file, inode, torn)?;
                if *torn {
                    file.write_all(b"\n")?;
                    *torn = false;
                }
                while !lines.is_empty() {
                    let written = file.write(lines)?;
                    if written == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    lines.drain(..written);
                }
                Ok(())
            }
        }
    }

    /// Lets go of what could not be written; says how many records that were.
    pub(super) fn give_up(&mut self, lines: &mut Vec<u8>) -> u64 {
        if let Self::File { path, torn, .. } = self {
            *torn = ends_torn(path);
        }
        let lost = memchr::memchr_iter(b'\n', lines).count();
        lines.clear();
        lost as u64
    }
}

/// The last whole record of a file.
pub(super) fn last_record(path: &Path) -> Option<LastRecord> {
    tail(path).ok()?.rsplit(|byte| *byte == b'\n').find_map(|line| serde_json::from_slice(line).ok())
}

/// Goes on in a new file when somebody moved ours away.
fn follow_rotation(path: &Path, file: &mut File, inode: &mut u64, torn: &mut bool) -> io::Result<()> {
    let there = std::fs::metadata(path).map(|found| found.ino()).ok();
    if there == Some(*inode) {
        return Ok(());
    }
    *file = append(path)?;
    *inode = file.metadata()?.ino();
    *torn = ends_torn(path);
    Ok(())
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

/// Whether the file ends in the middle of a line, as a kill or a full disk leaves it.
fn ends_torn(path: &Path) -> bool {
    tail(path).is_ok_and(|tail| tail.last().is_some_and(|byte| *byte != b'\n'))
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}
