//! A folder read as a bundle.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use super::{Files, MANIFEST, MAX_ENTRIES, MAX_FOLDERS, MAX_TOTAL, Role, SIGNATURES, Wanted};
use crate::sources::SourceError;

/// Reads what is wanted of a bundle.
pub(crate) fn read(folder: &Path, wanted: Wanted) -> Result<Files, SourceError> {
    let mut reader = Reader { files: Files::new(), entries: 0, total: 0, wanted };
    reader.below(folder, &mut Vec::new())?;
    Ok(reader.files)
}

struct Reader {
    files: Files,
    entries: usize,
    total: u64,
    wanted: Wanted,
}

impl Reader {
    fn below(&mut self, folder: &Path, below: &mut Vec<String>) -> Result<(), SourceError> {
        if below.len() > MAX_FOLDERS {
            return Err(SourceError::TooMany { path: folder.to_owned() });
        }
        let io = |source| SourceError::Io { path: folder.to_owned(), source };
        for entry in fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| SourceError::NotUtf8 { path: path.clone() })?.to_owned();
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(SourceError::TooMany { path });
            }
            // A mounted volume keeps older states under names that begin with a dot.
            let described = below.is_empty() && (name == MANIFEST || name == SIGNATURES);
            if name.starts_with('.') && !described {
                continue;
            }
            // Follows links: a mounted volume is made of them.
            let kind =
                fs::metadata(&path).map_err(|source| SourceError::Io { path: path.clone(), source })?;
            if kind.is_dir() {
                below.push(name);
                self.below(&path, below)?;
                below.pop();
            } else if kind.is_file() {
                self.file(&path, &name, below)?;
            } else {
                // Opening a pipe waits for whoever writes into it.
                return Err(SourceError::NotAFile { path });
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str, below: &[String]) -> Result<(), SourceError> {
        let mut label = below.join("/");
        if !label.is_empty() {
            label.push('/');
        }
        label.push_str(name);
        let role = Role::of(&label);
        if self.wanted == Wanted::Policy && role == Role::Other {
            return Ok(());
        }
        let bytes = bytes(path, role.most())?;
        self.total += bytes.len() as u64;
        if self.total > MAX_TOTAL {
            return Err(SourceError::TooLarge { path: path.to_owned(), limit: MAX_TOTAL });
        }
        self.files.insert(label, bytes);
        Ok(())
    }
}

/// A file's bytes. Read through a limit: the size that the system reports may change while we read.
pub(crate) fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, SourceError> {
    let io = |source| SourceError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}
