use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{JournalOpenError, Line, Standing, stand};
use crate::model::Secret;
use crate::state::{KEY_BYTES, State, held_key, read_whole, write_whole};

/// Its name in the state directory.
pub(super) const FILE: &str = "leases.journal";
/// And its key's.
const KEY: &str = "journal.key";

/// A journal larger than this was not written by us.
const MAX_BYTES: u64 = 64 << 20;
/// Lines that may be superfluous before the file is rewritten.
const SLACK: usize = 1024;
/// Ties a sealed line to this use.
const PURPOSE: &[u8] = b"postern lease journal 1";

/// The file on disk: sealed lines, appended and synced, rewritten when most of them are superfluous.
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    key: RandomizedNonceKey,
    /// Up to here everything is whole.
    length: u64,
    /// Something lies beyond, half written.
    torn: bool,
    lines: usize,
}

impl JournalFile {
    /// Reads what stands, then rewrites the file so that it holds nothing else.
    pub(super) fn open(state: &State) -> Result<(Self, Standing), JournalOpenError> {
        let path = state.path(FILE);
        let failed = |source| JournalOpenError::File { path: path.clone(), source };
        let sealed = read_sealed(&path)?;
        // A key made now reads nothing that was sealed before: the start is refused then.
        let key = state.key(KEY)?;
        let (key, standing) = understand(&path, &sealed, &key)?;
        let text = sealed_lines(&key, standing.values()).map_err(failed)?;
        write_whole(&path, text.as_bytes()).map_err(failed)?;
        let (file, length) = reopen(&path).map_err(failed)?;
        let lines = standing.len();
        Ok((Self { path, file, key, length, torn: false, lines }, standing))
    }

    /// Appends and syncs; all of it or, as far as any later reader is concerned, nothing.
    pub(super) fn append<'a>(&mut self, lines: impl Iterator<Item = &'a Line> + Clone) -> io::Result<()> {
        let count = lines.clone().count();
        let text = sealed_lines(&self.key, lines)?;
        if self.torn {
            // What a failed write left half done is cut off, so that the next line begins on a line of its own.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
        }
        self.torn = true;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.torn = false;
        self.length += text.len() as u64;
        self.lines += count;
        Ok(())
    }

    /// Rewrites the file when most of it is about what has ended.
    pub(super) fn compact_if_worthwhile(&mut self, standing: &Standing) -> io::Result<()> {
        if self.lines < 2 * standing.len() + SLACK {
            return Ok(());
        }
        write_whole(&self.path, sealed_lines(&self.key, standing.values())?.as_bytes())?;
        (self.file, self.length) = reopen(&self.path)?;
        self.torn = false;
        self.lines = standing.len();
        Ok(())
    }
}

fn reopen(path: &PathBuf) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().write(true).mode(0o600).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    Ok((file, length))
}

/// How many statements stand in the journal of the state directory `root`. Changes nothing.
pub fn standing_in(root: &Path) -> Result<usize, JournalOpenError> {
    let path = root.join(FILE);
    let sealed = read_sealed(&path)?;
    // Without a key nothing may stand there; any will do to find out.
    let key = held_key(root, KEY)?.unwrap_or_else(|| Secret::new(vec![0; KEY_BYTES]));
    Ok(understand(&path, &sealed, &key)?.1.len())
}

fn read_sealed(path: &Path) -> Result<Secret<Vec<u8>>, JournalOpenError> {
    match read_whole(path, MAX_BYTES) {
        Ok(sealed) => Ok(sealed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Secret::new(Vec::new())),
        Err(source) => Err(JournalOpenError::File { path: path.to_owned(), source }),
    }
}

/// All of it, or an error: what cannot be read may be all that is known of a lease.
fn understand(
    path: &Path,
    sealed: &Secret<Vec<u8>>,
    key: &Secret<Vec<u8>>,
) -> Result<(RandomizedNonceKey, Standing), JournalOpenError> {
    let opened = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| JournalOpenError::File {
        path: path.to_owned(),
        source: io::Error::other("its key is not one of AES-256"),
    })?;
    let (standing, unreadable, lines) = read_standing(&opened, sealed.expose());
    if unreadable > 0 {
        let (path, key) = (path.to_owned(), path.with_file_name(KEY));
        return Err(JournalOpenError::Unreadable { path, key, unreadable, lines });
    }
    Ok((opened, standing))
}

/// What stands, how many lines cannot be read, and of how many.
fn read_standing(key: &RandomizedNonceKey, sealed: &[u8]) -> (Standing, usize, usize) {
    let (mut standing, mut unreadable, mut lines) = (Standing::new(), 0, 0);
    // What follows the last line break was torn by a crash before anybody relied on it.
    for line in sealed.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        lines += 1;
        match unseal(key, line) {
            Some(line) => stand(&mut standing, line),
            None => unreadable += 1,
        }
    }
    (standing, unreadable, lines)
}

fn sealed_lines<'a>(key: &RandomizedNonceKey, lines: impl Iterator<Item = &'a Line>) -> io::Result<String> {
    let mut text = String::new();
    for line in lines {
        let mut sealed = serde_json::to_vec(line)?;
        let nonce = key
            .seal_in_place_append_tag(Aad::from(PURPOSE), &mut sealed)
            .map_err(|_| io::Error::other("a line could not be sealed"))?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        STANDARD_NO_PAD.encode_string(&whole, &mut text);
        text.push('\n');
    }
    Ok(text)
}

fn unseal(key: &RandomizedNonceKey, line: &[u8]) -> Option<Line> {
    let mut whole = STANDARD_NO_PAD.decode(line).ok()?;
    let (nonce, sealed) = whole.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain = key.open_in_place(nonce, Aad::from(PURPOSE), sealed).ok()?;
    serde_json::from_slice(plain).ok()
}
