use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use bytes::Bytes;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::fault::{Code, Coded, codes};
use crate::state::{foreign, ours, write_whole};

/// Names the archive that counts. It is replaced last, so that a crash leaves the old copy or the new.
const NOTE: &str = "current.json";
/// The most that is read of it, in bytes.
const MAX_NOTE: usize = 16 * 1024;

/// The last good bundle of one service, as it was downloaded: `bundles/NAME` in the state folder.
#[derive(Clone, Debug)]
pub struct Copy {
    folder: PathBuf,
    url: String,
    /// In which way keeping what serves failed last; all clones see it.
    failing: Arc<Mutex<Option<String>>>,
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
    /// It was not put there by us.
    #[error("{} {why}: it is not used", path.display())]
    Foreign {
        /// Which file or folder.
        path: PathBuf,
        /// Whose it is, or what.
        why: String,
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
        Self { folder: state.join("bundles").join(bundle), url: url.to_owned(), failing: Arc::default() }
    }

    /// Removes what is kept under other names than these, so that it does not come back with a service that is called
    /// the same again. Gives what could not be removed, by name. Waits for the disk.
    #[must_use]
    pub fn forget_others(state: &Path, names: &[&String]) -> Vec<(String, CopyError)> {
        let all = state.join("bundles");
        match fs::symlink_metadata(&all) {
            // Nothing of what is there would be used.
            Ok(found) if whose(&all, &found, true).is_err() => return Vec::new(),
            _ => {}
        }
        let entries = fs::read_dir(&all).into_iter().flatten().flatten();
        let others = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let others = others.filter(|name| !names.contains(&name));
        let forget = |name: String| Some((Self::of(state, &name, "").forget().err()?, name));
        others.filter_map(forget).map(|(error, name)| (name, error)).collect()
    }

    /// Removes what is kept, and leaves what somebody else put there.
    fn forget(&self) -> Result<(), CopyError> {
        // Nothing of what is not ours would be used.
        if !matches!(self.is_there(), Ok(true)) {
            return Ok(());
        }
        let note = self.folder.join(NOTE);
        match fs::remove_file(&note) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(CopyError::Io { file: note, cause });
            }
            _ => {}
        }
        self.tidy(None);
        // Where something else lies in it, it stays.
        let _stays = fs::remove_dir(&self.folder);
        Ok(())
    }

    /// Removes what is kept of a service at another address, so that it does not come back with that address.
    pub fn forget_elsewhere(&self) -> Result<(), CopyError> {
        match self.note() {
            Ok(Some(note)) if note.url != self.url => self.forget(),
            _ => Ok(()),
        }
    }

    /// Whether what serves is not what is kept.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Notes how keeping went; true where it failed in another way than before.
    pub fn fails_anew(&self, why: Option<String>) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let anew = why.is_some() && *failing != why;
        *failing = why;
        anew
    }

    /// Whether there is a folder for it. One that is a link, or belongs to somebody else, is an error.
    fn is_there(&self) -> Result<bool, CopyError> {
        for folder in [self.folder.parent().unwrap_or(&self.folder), &self.folder] {
            match fs::symlink_metadata(folder) {
                Ok(found) => whose(folder, &found, true)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(cause) => return Err(CopyError::Io { file: folder.to_owned(), cause }),
            }
        }
        Ok(true)
    }

    fn note(&self) -> Result<Option<Note>, CopyError> {
        let file = self.folder.join(NOTE);
        if !self.is_there()? {
            return Ok(None);
        }
        let Some(note) = read(&file, MAX_NOTE)? else { return Ok(None) };
        serde_json::from_slice(&note).map(Some).map_err(|_| CopyError::Note(file))
    }

    /// What was kept of this service, at most `most` bytes; nothing, where nothing was. Waits for the disk.
    pub fn held(&self, most: usize) -> Result<Option<Kept>, CopyError> {
        let Some(note) = self.note()?.filter(|note| note.url == self.url) else { return Ok(None) };
        // The name is made of what was read, so that must be what a name is made of.
        if note.sha256.len() != 64 || !note.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(CopyError::Note(self.folder.join(NOTE)));
        }
        let file = self.archive(&note.sha256);
        let missing = || CopyError::Io { file: file.clone(), cause: io::ErrorKind::NotFound.into() };
        let archive = read(&file, most)?.ok_or_else(missing)?;
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
        if !self.is_there()? {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(at(&self.folder))?;
        }
        // What an earlier try left takes room that this one may lack.
        self.tidy(self.note().ok().flatten().map(|note| self.archive(&note.sha256)).as_deref());
        let note = Note { url: self.url.clone(), sha256: sha256(archive) };
        let file = self.archive(&note.sha256);
        write_whole(&file, archive).map_err(at(&file))?;
        let path = self.folder.join(NOTE);
        let text = serde_json::to_vec(&note).map_err(|_| CopyError::Note(path.clone()))?;
        write_whole(&path, &text).map_err(at(&path))?;
        self.tidy(Some(&file));
        Ok(())
    }

    fn archive(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.tar.gz"))
    }

    /// Removes archives that count no longer, and nothing else; what stays harms nobody.
    fn tidy(&self, current: Option<&Path>) {
        let is_ours = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".tar.gz") || name.ends_with(".tar.new") || name == "current.new"
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for old in entries.filter(|path| is_ours(path) && Some(path.as_path()) != current) {
            if let Err(error) = fs::remove_file(&old) {
                tracing::warn!(file = %old.display(), %error, "an old copy of a bundle could not be removed");
            }
        }
    }
}

/// A file whole, at most `most` bytes of it; none where there is none. A link, a pipe or a file of somebody else's was
/// not put there by us.
fn read(file: &Path, most: usize) -> Result<Option<Vec<u8>>, CopyError> {
    let io = |cause| CopyError::Io { file: file.to_owned(), cause };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(file);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => {
            // Where it is a link, that is more than the system says.
            if let Ok(found) = fs::symlink_metadata(file) {
                whose(file, &found, false)?;
            }
            return Err(io(cause));
        }
    };
    whose(file, &opened.metadata().map_err(io)?, false)?;
    let mut bytes = Vec::new();
    opened.take((most as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() > most { Err(io(io::ErrorKind::FileTooLarge.into())) } else { Ok(Some(bytes)) }
}

/// Whether this is what we would have put there: a folder or a file, and ours.
fn whose(path: &Path, found: &fs::Metadata, is_folder: bool) -> Result<(), CopyError> {
    let why = match found.file_type() {
        kind if kind.is_symlink() => "is a link, which is not followed".to_owned(),
        kind if is_folder && !kind.is_dir() => "is no folder".to_owned(),
        kind if !is_folder && !kind.is_file() => "is no file".to_owned(),
        _ if found.uid() != ours() => foreign(found.uid()),
        _ => return Ok(()),
    };
    Err(CopyError::Foreign { path: path.to_owned(), why })
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
                assert!(matches!(copy.held(10), Err(CopyError::Foreign { .. })), "{}", path.display());
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
        assert!(matches!(error, CopyError::Foreign { .. }) && error.code() == codes::BUNDLE_COPY, "{error}");

        let (_state, copy) = kept();
        // A folder in the place of the file that is written before it replaces the note.
        fs::create_dir_all(copy.folder.join("current.new/full")).unwrap();
        assert!(copy.keep(&Bytes::from_static(b"the third")).is_err());
        assert_eq!(&copy.held(10).unwrap().unwrap().archive[..], b"the second");
    }

    #[test]
    fn a_folder_that_is_a_link_is_neither_read_through_nor_written_through() {
        let (state, copy) = kept();
        let elsewhere = state.path().join("elsewhere");
        for folder in [copy.folder.clone(), state.path().join("bundles")] {
            fs::rename(&folder, &elsewhere).unwrap();
            symlink(&elsewhere, &folder).unwrap();
            let before = fs::read_dir(&elsewhere).unwrap().count();

            let error = copy.held(10).unwrap_err();
            assert!(error.to_string().contains("is a link, which is not followed"), "{error}");
            assert!(matches!(copy.keep(&Bytes::from_static(b"the third")), Err(CopyError::Foreign { .. })));
            assert!(Copy::forget_others(state.path(), &[]).is_empty());

            assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), before);
            fs::remove_file(&folder).unwrap();
            fs::rename(&elsewhere, &folder).unwrap();
            assert_eq!(&copy.held(10).unwrap().unwrap().archive[..], b"the second");
        }
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        if ours() != 0 {
            // Nobody else may give files away.
            return;
        }
        let (_state, copy) = kept();
        let file = copy.held(10).unwrap().unwrap().file;
        for path in [file, copy.folder.join(NOTE), copy.folder.clone()] {
            std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
            let error = copy.held(10).unwrap_err();
            assert!(error.to_string().contains("belongs to user 65534 and not to user 0"), "{error}");
            assert_eq!(error.code(), codes::BUNDLE_COPY);
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
        assert!(copy.held(10).unwrap().is_some());
    }

    #[test]
    fn what_is_kept_under_no_name_of_now_or_of_another_address_is_removed_and_nothing_else() {
        let (state, copy) = kept();
        let other = Copy::of(state.path(), "other", URL);
        other.keep(&Bytes::from_static(b"x")).unwrap();
        let full = Copy::of(state.path(), "full", URL);
        full.keep(&Bytes::from_static(b"x")).unwrap();
        fs::write(full.folder.join("notes.txt"), "an operator's").unwrap();

        assert!(Copy::forget_others(state.path(), &[&"main".to_owned()]).is_empty());

        assert!(!other.folder.exists() && full.held(10).unwrap().is_none());
        assert_eq!(fs::read_dir(&full.folder).unwrap().count(), 1);
        copy.forget_elsewhere().unwrap();
        assert!(copy.held(10).unwrap().is_some());
        Copy::of(state.path(), "main", "https://b.example/elsewhere").forget_elsewhere().unwrap();
        assert!(!copy.folder.exists());
    }

    #[test]
    fn a_failure_is_told_once_until_it_is_another() {
        let (_state, copy) = kept();
        let says = |why: Option<&str>| copy.clone().fails_anew(why.map(str::to_owned));
        assert!(!says(None) && !copy.is_behind());
        assert!(says(Some("full")) && copy.is_behind());
        assert!(!says(Some("full")) && says(Some("gone")) && !says(None));
        assert!(!copy.is_behind() && says(Some("gone")));
    }
}
