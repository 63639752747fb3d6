use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bytes::Bytes;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::fault::{Code, Coded, codes};
use crate::state::write_whole;

/// Names the archive that counts. It is replaced last, so that a crash leaves the old copy or the new.
const NOTE: &str = "current.json";
/// The most that is read of it, in bytes.
const MAX_NOTE: usize = 16 * 1024;

/// The last good bundle of one service, as it was downloaded: `bundles/NAME` in the state folder.
#[derive(Clone, Debug)]
pub struct Copy {
    folder: PathBuf,
    url: String,
}

/// What stands beside the archive. What the service called it does not: then it is sent anew after a start, and
/// whoever puts an old archive here is corrected by the service's first answer.
#[derive(Debug, Deserialize, Serialize)]
struct Note {
    url: String,
    sha256: String,
}

/// A copy as it was found.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where.
    pub file: PathBuf,
    /// As it was downloaded.
    pub archive: Bytes,
}

/// Why a copy cannot be used, or none be made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The system refused, or a file is larger than it may be.
    #[error("{}", file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The note is not as it was written.
    #[error("{} is not as it was written", .0.display())]
    Note(PathBuf),
    /// The archive is not as it was written.
    #[error("{} is not as it was written: its SHA-256 is another", .0.display())]
    Digest(PathBuf),
}

impl Coded for CopyError {
    fn code(&self) -> &'static Code {
        codes::BUNDLE_COPY
    }
}

impl Copy {
    /// The copy of a bundle of the service at `url`, in the state folder `state`; nothing is touched yet.
    #[must_use]
    pub fn of(state: &Path, bundle: &str, url: &str) -> Self {
        Self { folder: state.join("bundles").join(bundle), url: url.to_owned() }
    }

    /// What was kept of this service, at most `most` bytes; nothing, where nothing was. Waits for the disk.
    pub fn held(&self, most: usize) -> Result<Option<Kept>, CopyError> {
        let file = self.folder.join(NOTE);
        let note = match read(&file, MAX_NOTE) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(CopyError::Io { file, cause }),
        };
        let note: Note = serde_json::from_slice(&note).map_err(|_| CopyError::Note(file.clone()))?;
        if note.url != self.url {
            return Ok(None);
        }
        // The name is made of what was read, so that must be what a name is made of.
        if note.sha256.len() != 64 || !note.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(CopyError::Note(file));
        }
        let file = self.archive(&note.sha256);
        let archive = read(&file, most).map_err(|cause| CopyError::Io { file: file.clone(), cause })?;
        if sha256(&archive) != note.sha256 {
            return Err(CopyError::Digest(file));
        }
        Ok(Some(Kept { file, archive: archive.into() }))
    }

    /// Replaces what is kept, so that a crash leaves the old or the new. Waits for the disk.
    pub fn keep(&self, archive: &Bytes) -> Result<(), CopyError> {
        let at = |file: &Path| {
            let file = file.to_owned();
            move |cause| CopyError::Io { file, cause }
        };
        // The same as is kept is not written again at each poll.
        if self.held(archive.len()).is_ok_and(|held| held.is_some_and(|held| held.archive == *archive)) {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(at(&self.folder))?;
        let note = Note { url: self.url.clone(), sha256: sha256(archive) };
        let file = self.archive(&note.sha256);
        write_whole(&file, archive).map_err(at(&file))?;
        let path = self.folder.join(NOTE);
        let text = serde_json::to_vec(&note).map_err(|_| CopyError::Note(path.clone()))?;
        write_whole(&path, &text).map_err(at(&path))?;
        self.tidy(&file);
        Ok(())
    }

    fn archive(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.tar.gz"))
    }

    /// Removes archives that count no longer, and nothing else; what stays harms nobody.
    fn tidy(&self, current: &Path) {
        let is_archive = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".tar.gz") || name.ends_with(".tar.new")
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for old in entries.filter(|path| is_archive(path) && path != current) {
            if let Err(error) = fs::remove_file(&old) {
                tracing::warn!(file = %old.display(), %error, "an old copy of a bundle could not be removed");
            }
        }
    }
}

/// A file whole, at most `most` bytes of it. A link or a pipe was not put there by us.
fn read(file: &Path, most: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no file"));
    }
    let mut bytes = Vec::new();
    opened.take((most as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _written = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const URL: &str = "https://b.example/main.tar.gz";

    fn kept() -> (tempfile::TempDir, Copy) {
        let state = tempfile::tempdir().unwrap();
        let copy = Copy::of(state.path(), "main", URL);
        copy.keep(&Bytes::from_static(b"the first")).unwrap();
        copy.keep(&Bytes::from_static(b"the second")).unwrap();
        (state, copy)
    }

    #[test]
    fn the_last_one_is_kept_alone_and_is_its_owners() {
        let (state, copy) = kept();

        let held = copy.held(10).unwrap().unwrap();

        assert_eq!(&held.archive[..], b"the second");
        assert_eq!(fs::read_dir(&copy.folder).unwrap().count(), 2);
        for path in [&copy.folder, &held.file] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
        let other = Copy::of(state.path(), "main", "https://b.example/other.tar.gz");
        assert!(other.held(10).unwrap().is_none(), "it is another service's");
    }

    #[test]
    fn a_copy_that_was_changed_cut_or_grown_is_refused() {
        let (_state, copy) = kept();
        let file = copy.held(10).unwrap().unwrap().file;
        for changed in ["the sEcond", "the sec"] {
            fs::write(&file, changed).unwrap();
            let error = copy.held(10).unwrap_err();
            assert_eq!(error.code(), codes::BUNDLE_COPY);
            assert!(matches!(error, CopyError::Digest(_)), "{error}");
        }
        fs::write(&file, "the second, and more").unwrap();
        assert!(matches!(copy.held(10), Err(CopyError::Io { .. })));
        fs::remove_file(&file).unwrap();
        assert!(matches!(copy.held(10), Err(CopyError::Io { .. })));
        for note in ["", "{", "{\"url\": 1}", &format!("{{\"url\":\"{URL}\",\"sha256\":\"../../x\"}}")] {
            fs::write(copy.folder.join(NOTE), note).unwrap();
            assert!(matches!(copy.held(10), Err(CopyError::Note(_))), "{note}");
        }
    }

    #[test]
    fn links_and_pipes_in_its_place_are_neither_followed_nor_waited_for() {
        let (state, copy) = kept();
        let file = copy.held(10).unwrap().unwrap().file;
        let (elsewhere, beside) = (state.path().join("elsewhere"), file.with_extension("new"));
        fs::write(&elsewhere, "the second").unwrap();
        let pipe = |path: &Path| {
            let _old = fs::remove_file(path);
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        };

        for put in [&|path: &Path| symlink(&elsewhere, path).unwrap(), &pipe as &dyn Fn(&Path)] {
            for path in [file.clone(), copy.folder.join(NOTE)] {
                fs::remove_file(&path).unwrap();
                put(&path);
                assert!(matches!(copy.held(10), Err(CopyError::Io { .. })), "{}", path.display());
                let _old = fs::remove_file(&beside);
                put(&beside);
                copy.keep(&Bytes::from_static(b"the second")).unwrap();
                assert_eq!(&copy.held(10).unwrap().unwrap().archive[..], b"the second");
            }
        }

        assert_eq!(fs::read(&elsewhere).unwrap(), b"the second");
    }

    #[test]
    fn what_a_crash_left_half_written_is_passed_over_and_tidied() {
        let (_state, copy) = kept();
        let half = copy.archive(&"a".repeat(64)).with_extension("new");
        fs::write(&half, "hal").unwrap();
        fs::write(copy.folder.join("current.new"), "{\"url").unwrap();
        fs::write(copy.folder.join("notes.txt"), "an operator's").unwrap();

        assert_eq!(&copy.held(10).unwrap().unwrap().archive[..], b"the second");
        copy.keep(&Bytes::from_static(b"the third")).unwrap();

        assert_eq!(&copy.held(10).unwrap().unwrap().archive[..], b"the third");
        assert!(!half.exists() && copy.folder.join("notes.txt").exists());
    }

    #[test]
    fn what_cannot_be_written_is_said_and_leaves_the_old() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("bundles"), "no folder").unwrap();
        let error = Copy::of(state.path(), "main", URL).keep(&Bytes::from_static(b"x")).unwrap_err();
        assert!(matches!(error, CopyError::Io { .. }) && error.code() == codes::BUNDLE_COPY, "{error}");

        let (_state, copy) = kept();
        // A folder in the place of the file that is written before it replaces the note.
        fs::create_dir_all(copy.folder.join("current.new/full")).unwrap();
        assert!(copy.keep(&Bytes::from_static(b"the third")).is_err());
        assert_eq!(&copy.held(10).unwrap().unwrap().archive[..], b"the second");
    }
}
