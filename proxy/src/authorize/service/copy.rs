use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::fault::{Code, Coded, codes};
use crate::state::{read_whole, write_whole};

/// Names the archive that counts. It is replaced last, so that a crash leaves the old copy or the new.
const NOTE: &str = "current.json";
/// The most that is read of it, in bytes.
const MAX_NOTE: u64 = 16 * 1024;

/// The last good bundle of one service, as it was downloaded: `bundles/NAME` in the state folder.
#[derive(Clone, Debug)]
pub struct Copy {
    folder: PathBuf,
}

/// What stands beside the archive.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Note {
    url: String,
    sha256: String,
    etag: Option<String>,
}

/// A copy as it was found.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where.
    pub file: PathBuf,
    /// As it was downloaded.
    pub archive: Bytes,
    /// What the service called it.
    pub etag: Option<String>,
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
    /// The copy of a bundle in the state folder `state`; nothing is touched yet.
    #[must_use]
    pub fn of(state: &Path, bundle: &str) -> Self {
        Self { folder: state.join("bundles").join(bundle) }
    }

    /// What was kept of the service at `url`, at most `most` bytes; nothing, where nothing was. Waits for the disk.
    pub fn held(&self, url: &str, most: usize) -> Result<Option<Kept>, CopyError> {
        let file = self.folder.join(NOTE);
        let note = match read_whole(&file, MAX_NOTE) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(CopyError::Io { file, cause }),
        };
        let note: Note = serde_json::from_slice(note.expose()).map_err(|_| CopyError::Note(file.clone()))?;
        if note.url != url {
            return Ok(None);
        }
        // The name is made of what was read, so that must be what a name is made of.
        if note.sha256.len() != 64 || !note.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(CopyError::Note(file));
        }
        let file = self.archive(&note.sha256);
        let archive =
            read_whole(&file, most as u64).map_err(|cause| CopyError::Io { file: file.clone(), cause })?;
        let archive = Bytes::copy_from_slice(archive.expose());
        if sha256(&archive) != note.sha256 {
            return Err(CopyError::Digest(file));
        }
        Ok(Some(Kept { file, archive, etag: note.etag }))
    }

    /// Replaces what is kept, so that a crash leaves the old or the new. Waits for the disk.
    pub fn keep(&self, archive: &Bytes, url: &str, etag: Option<&str>) -> Result<(), CopyError> {
        let at = |file: &Path| {
            let file = file.to_owned();
            move |cause| CopyError::Io { file, cause }
        };
        // The same as is kept is not written again at each poll.
        let held = self.held(url, archive.len()).ok().flatten();
        if held.is_some_and(|held| held.archive == *archive && held.etag.as_deref() == etag) {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(at(&self.folder))?;
        let note = Note { url: url.to_owned(), sha256: sha256(archive), etag: etag.map(str::to_owned) };
        let file = self.archive(&note.sha256);
        write_whole(&file, archive).map_err(at(&file))?;
        let path = self.folder.join(NOTE);
        let text = serde_json::to_vec(&note).map_err(|_| CopyError::Note(path.clone()))?;
        write_whole(&path, &text).map_err(at(&path))?;
        self.tidy(&[path, file]);
        Ok(())
    }

    fn archive(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}.tar.gz"))
    }

    /// Removes what counts no longer; what stays harms nobody.
    fn tidy(&self, current: &[PathBuf]) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for old in entries.map(|entry| entry.path()).filter(|path| !current.contains(path)) {
            if let Err(error) = fs::remove_file(&old) {
                tracing::warn!(file = %old.display(), %error, "an old copy of a bundle could not be removed");
            }
        }
    }
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
    use super::*;

    const URL: &str = "https://b.example/main.tar.gz";

    fn kept() -> (tempfile::TempDir, Copy) {
        let state = tempfile::tempdir().unwrap();
        let copy = Copy::of(state.path(), "main");
        copy.keep(&Bytes::from_static(b"the first"), URL, None).unwrap();
        copy.keep(&Bytes::from_static(b"the second"), URL, Some("\"two\"")).unwrap();
        (state, copy)
    }

    #[test]
    fn the_last_one_is_kept_alone_and_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_state, copy) = kept();

        let held = copy.held(URL, 10).unwrap().unwrap();

        assert_eq!((&held.archive[..], held.etag.as_deref()), (&b"the second"[..], Some("\"two\"")));
        assert_eq!(fs::read_dir(&copy.folder).unwrap().count(), 2);
        for path in [&copy.folder, &held.file] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0);
        }
        assert!(
            copy.held("https://b.example/other.tar.gz", 10).unwrap().is_none(),
            "it is another service's"
        );
    }

    #[test]
    fn a_copy_that_was_changed_cut_or_grown_is_refused() {
        let (_state, copy) = kept();
        let file = copy.held(URL, 10).unwrap().unwrap().file;
        for changed in ["the sEcond", "the sec"] {
            fs::write(&file, changed).unwrap();
            let error = copy.held(URL, 10).unwrap_err();
            assert_eq!(error.code(), codes::BUNDLE_COPY);
            assert!(matches!(error, CopyError::Digest(_)), "{error}");
        }
        fs::write(&file, "the second, and more").unwrap();
        assert!(matches!(copy.held(URL, 10), Err(CopyError::Io { .. })));
        fs::remove_file(&file).unwrap();
        assert!(matches!(copy.held(URL, 10), Err(CopyError::Io { .. })));
        for note in
            ["", "{", "{\"url\": 1}", &format!("{{\"url\":\"{URL}\",\"sha256\":\"../../x\",\"etag\":null}}")]
        {
            fs::write(copy.folder.join(NOTE), note).unwrap();
            assert!(matches!(copy.held(URL, 10), Err(CopyError::Note(_))), "{note}");
        }
    }
}
