//! The `state:` directory: what must survive a crash. One instance owns it at a time, nobody else
//! may look into it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use crate::fault::{Code, Coded, codes};
use crate::model::Secret;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The file that is locked, always empty: by it a directory of ours is known again.
const LOCK: &str = "lock";

/// The directory, locked for as long as this value lives.
#[derive(Debug)]
pub struct State {
    root: PathBuf,
    _lock: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{} cannot be used", path.display())]
    Io {
        /// What it concerned.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Whoever it belongs to could put there what would be trusted.
    #[error("{} {}", path.display(), foreign(*owner))]
    Foreign {
        /// What it concerned.
        path: PathBuf,
        /// The user that it belongs to.
        owner: u32,
    },
    /// It is somebody's who would lose it: it was there, holds something, and was not ours before.
    #[error(
        "{} holds files, and no empty file `lock`, by which Postern knows a folder of its own: name an empty folder, one that \
         does not exist yet, or one that Postern used before", .0.display()
    )]
    Occupied(PathBuf),
    /// Another instance runs on the same directory.
    #[error("{} is in use by another instance", .0.display())]
    InUse(PathBuf),
    /// A key is not what was written there once.
    #[error(
        "{} is not a key of {KEY_BYTES} bytes: put back the one that was there, or move it away if nothing sealed with \
         it is needed any more", .0.display()
    )]
    Key(PathBuf),
}

impl Coded for StateError {
    fn code(&self) -> &'static Code {
        codes::STATE_UNUSABLE
    }
}

/// Whose what belongs to `owner` is, in words.
#[must_use]
pub fn foreign(owner: u32) -> String {
    format!("belongs to user {owner} and not to user {}, which this runs as", ours())
}

/// The user that this runs as.
#[must_use]
pub fn ours() -> u32 {
    rustix::process::geteuid().as_raw()
}

impl State {
    /// Makes the directory if it is missing, locks it, and closes it to others. One of another user is refused, and one
    /// that holds what Postern did not leave there.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        let io = |cause| StateError::Io { path: root.to_owned(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(io)?;
        let found = fs::metadata(root).map_err(io)?;
        if found.uid() != ours() {
            return Err(StateError::Foreign { path: root.to_owned(), owner: found.uid() });
        }
        let lock = opened_lock(root, is_vacant(root).map_err(io)?)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::InUse(root.to_owned())),
            Err(errno) => return Err(StateError::Io { path: root.join(LOCK), cause: errno.into() }),
        }
        // Only now: what is not ours stays as open as it was.
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(root, fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    /// A file's path inside.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The key of that name; made at first, for the owner's eyes only.
    pub fn key(&self, name: &str) -> Result<Secret<Vec<u8>>, StateError> {
        match held_key(&self.root, name)? {
            Some(key) => Ok(key),
            None => make_key(self.path(name)),
        }
    }
}

/// Whether the directory `root`, which is there, may become that of an instance: it holds nothing, or was one's before.
/// Nothing is touched.
pub fn look(root: &Path) -> Result<(), StateError> {
    match is_vacant(root) {
        Ok(true) => Ok(()),
        Ok(false) => opened_lock(root, false).map(drop),
        Err(cause) => Err(StateError::Io { path: root.to_owned(), cause }),
    }
}

/// Whether nothing lies in it but what a file system has of its own.
fn is_vacant(root: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(root)? {
        if entry?.file_name() != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The lock of the directory `root`, made if `make`; without it the directory is not ours.
fn opened_lock(root: &Path, make: bool) -> Result<File, StateError> {
    let path = root.join(LOCK);
    let io = |cause| StateError::Io { path: path.clone(), cause };
    // A link is not followed, nor a pipe waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.write(true).create(make).truncate(false).mode(0o600).custom_flags(flags);
    let lock = match options.open(&path) {
        Err(error) if !make && error.kind() == io::ErrorKind::NotFound => {
            return Err(StateError::Occupied(root.to_owned()));
        }
        opened => opened.map_err(io)?,
    };
    let (found, folder) = (lock.metadata().map_err(io)?, fs::metadata(root).map_err(io)?);
    // Other programs have locks too, and write into them.
    let is_ours = found.is_file() && found.len() == 0 && found.uid() == folder.uid();
    if is_ours { Ok(lock) } else { Err(StateError::Occupied(root.to_owned())) }
}

/// The key of that name in the state directory `root`, if there is one.
pub fn held_key(root: &Path, name: &str) -> Result<Option<Secret<Vec<u8>>>, StateError> {
    let path = root.join(name);
    match read_whole(&path, KEY_BYTES as u64) {
        Ok(key) if key.expose().len() == KEY_BYTES => Ok(Some(key)),
        Ok(_) => Err(StateError::Key(path)),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(StateError::Key(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(StateError::Io { path, cause }),
    }
}

fn make_key(path: PathBuf) -> Result<Secret<Vec<u8>>, StateError> {
    let mut key = vec![0; KEY_BYTES];
    let filled = aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random bytes"));
    let key = Secret::new(key);
    // Whole or not at all: a key cut short by a crash would make the journal unreadable.
    match filled.and_then(|()| write_whole(&path, key.expose())) {
        Ok(()) => Ok(key),
        Err(cause) => Err(StateError::Io { path, cause }),
    }
}

/// Replaces a file by these bytes so that a crash leaves the old or the new, for the owner's eyes only. Where it cannot
/// be done, nothing is left of the new.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = path.with_extension("new");
    // What a crash left, or a link or a pipe that somebody put there, is replaced and never written through.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if let Err(error) = written {
        // On a disk that is full, half a file takes the room of what others have to write.
        let _gone = fs::remove_file(&beside);
        return Err(error);
    }
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads a small file whole; one that is larger is an error. The bytes are wiped when dropped.
pub async fn read_bounded(path: &Path, limit: u64) -> io::Result<Secret<Vec<u8>>> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read_whole(&path, limit)).await.map_err(io::Error::other)?
}

/// The same for whoever may wait for the disk.
pub fn read_whole(path: &Path, limit: u64) -> io::Result<Secret<Vec<u8>>> {
    let file = File::open(path)?;
    loop {
        let found = file.metadata()?;
        // A pipe does not say how much there is.
        let expected = if found.is_file() { found.len().min(limit) } else { limit };
        // Room from the start, so that no growing copy is left behind unwiped, and for one byte too many.
        let room = expected.saturating_add(1);
        let mut bytes = Vec::with_capacity(usize::try_from(room).map_err(io::Error::other)?);
        let read = (&file).take(room).read_to_end(&mut bytes);
        let bytes = Secret::new(bytes);
        match read? as u64 {
            read if read > limit => return Err(io::ErrorKind::FileTooLarge.into()),
            read if read <= expected => return Ok(bytes),
            // It has grown since it was asked.
            _ => (&file).rewind()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_belongs_to_one_instance_and_to_nobody_elses_eyes() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("state");
        let state = State::open(&root).unwrap();

        assert!(matches!(State::open(&root), Err(StateError::InUse(_))));
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        drop(state);
        assert!(State::open(&root).is_ok());
    }

    #[test]
    fn a_directory_that_holds_what_is_somebody_elses_is_refused_and_stays_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("site");
        let mode = |mode| fs::set_permissions(&root, fs::Permissions::from_mode(mode)).unwrap();
        let is = || fs::metadata(&root).unwrap().permissions().mode() & 0o777;
        fs::create_dir(&root).unwrap();
        mode(0o755);
        fs::write(root.join("index.html"), "theirs").unwrap();
        // Nothing of ours, and a lock that another program wrote into.
        for theirs in [None, Some("4711\n")] {
            if let Some(theirs) = theirs {
                fs::write(root.join("lock"), theirs).unwrap();
            }
            let error = State::open(&root).unwrap_err();
            assert!(matches!(error, StateError::Occupied(_)), "{error}");
            assert_eq!(error.code().id, "PST-OP-011");
            for words in [root.to_str().unwrap(), "name an empty folder", "one that Postern used before"] {
                assert!(error.to_string().contains(words), "`{words}` is not in: {error}");
            }
            assert!(matches!(look(&root), Err(StateError::Occupied(_))));
            assert_eq!((is(), root.join("lock").exists()), (0o755, theirs.is_some()));
        }
        fs::remove_file(root.join("lock")).unwrap();
        fs::remove_file(root.join("index.html")).unwrap();
        // A file system of its own is not ours yet, and holds nothing.
        fs::create_dir(root.join("lost+found")).unwrap();
        look(&root).unwrap();
        assert_eq!((is(), root.join("lock").exists()), (0o755, false), "looking changed it");

        // An empty one is taken and closed; and taken again with what was put there, however it was opened since.
        drop(State::open(&root).unwrap());
        assert_eq!(is(), 0o700);
        fs::write(root.join("leases.journal"), "").unwrap();
        mode(0o770);
        look(&root).unwrap();
        drop(State::open(&root).unwrap());
        assert_eq!(is(), 0o700);
    }

    #[test]
    fn a_directory_of_another_user_and_a_lock_that_is_no_file_are_refused_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (state, elsewhere) = (root.path().join("state"), root.path().join("elsewhere"));
        // What belongs to the other of these two belongs to another user, whoever runs this.
        let foreign = if ours() == 0 { state.clone() } else { PathBuf::from("/usr") };
        if ours() == 0 {
            fs::create_dir(&state).unwrap();
            std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
        }
        let error = State::open(&foreign).unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }), "{error}");
        assert_eq!(error.code().id, "PST-OP-011");
        assert!(!foreign.join("lock").exists());

        let lock = root.path().join("lock");
        std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
        assert!(matches!(State::open(root.path()), Err(StateError::Io { path, .. }) if path == lock));
        assert!(!elsewhere.exists(), "a link was followed");
        fs::remove_file(&lock).unwrap();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &lock, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(matches!(State::open(root.path()), Err(StateError::Io { path, .. }) if path == lock));
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_and_nothing_of_the_new() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::create_dir_all(path.join("full")).unwrap();
        assert!(write_whole(&path, b"new").is_err());
        assert!(path.join("full").exists() && !path.with_extension("new").exists());
    }

    #[test]
    fn a_key_is_made_once_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let state = State::open(root.path()).unwrap();

        let first = state.key("journal.key").unwrap();

        assert_eq!(first.expose(), state.key("journal.key").unwrap().expose());
        assert_ne!(first.expose(), &vec![0; KEY_BYTES]);
        assert_eq!(fs::metadata(state.path("journal.key")).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(state.path("journal.key"), b"short").unwrap();
        assert!(matches!(state.key("journal.key"), Err(StateError::Key(_))));
    }

    #[tokio::test]
    async fn a_file_larger_than_allowed_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::write(&path, [b'x'; 11]).unwrap();

        assert_eq!(read_bounded(&path, 10).await.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_bounded(&path, 11).await.unwrap().expose().len(), 11);
    }
}
