//! A gzipped tar that may come from anyone, unpacked into memory. One way of reading it only: what two readers could
//! understand differently is refused.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType};

use super::{Files, MAX_ENTRIES, MAX_FOLDERS, MAX_NAME, MAX_TOTAL, Role, Wrong};

/// Largest archive, in bytes.
pub(crate) const MAX_PACKED: u64 = 64 * 1024 * 1024;
/// How much larger than the archive its contents may be, once they are above [`SMALL`].
const MAX_RATIO: u64 = 200;
/// Contents up to so many bytes unpack whatever their ratio.
const SMALL: u64 = 4 * 1024 * 1024;

/// Unpacks a whole archive; the name of each file without a slash before it.
pub(crate) fn unpack(packed: &[u8]) -> Result<Files, Wrong> {
    if packed.len() as u64 > MAX_PACKED {
        return Err(Wrong::new("archive", format!("larger than {MAX_PACKED} bytes")));
    }
    let most = MAX_TOTAL.min(SMALL.max(MAX_RATIO.saturating_mul(packed.len() as u64)));
    let mut archive = Archive::new(Limited { inner: GzDecoder::new(packed), left: most, most });
    let mut files = Files::new();
    // What is said of an entry that could not be read.
    let mut last = "archive".to_owned();
    let entries = archive.entries().map_err(|error| unreadable(&last, &error))?;
    for (index, entry) in entries.enumerate() {
        let mut entry = entry.map_err(|error| unreadable(&last, &error))?;
        last = shown(&entry.path_bytes());
        if index >= MAX_ENTRIES {
            return Err(Wrong::new(last, format!("more than {MAX_ENTRIES} entries")));
        }
        if let Some((name, bytes)) = read(&mut entry, &last)?
            && files.insert(name, bytes).is_some()
        {
            return Err(Wrong::new(last, "stands here twice"));
        }
    }
    ends(archive.into_inner(), &last)?;
    Ok(files)
}

/// The name and the bytes of a file; nothing for what is passed over.
fn read<R: Read>(entry: &mut Entry<'_, R>, shown: &str) -> Result<Option<(String, Vec<u8>)>, Wrong> {
    let wrong = |why: &str| Wrong::new(shown, why);
    match entry.header().entry_type() {
        EntryType::Regular => {}
        // A folder is what its files say, and comments on the archive mean nothing to a bundle.
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(None),
        EntryType::Symlink | EntryType::Link => return Err(wrong("a link, which a bundle may not hold")),
        EntryType::Char | EntryType::Block | EntryType::Fifo => {
            return Err(wrong("a device or a pipe, which a bundle may not hold"));
        }
        EntryType::GNUSparse => return Err(wrong("a sparse file, which a bundle may not hold")),
        _ => return Err(wrong("neither a file nor a folder")),
    }
    let path = entry.path_bytes();
    let name = name(&path).map_err(wrong)?;
    // Some readers take the one size and some the other.
    if entry.header().entry_size().ok() != Some(entry.size()) {
        return Err(wrong("has two sizes"));
    }
    if let Some(extensions) = entry.pax_extensions().map_err(|error| unreadable(shown, &error))? {
        for extension in extensions {
            let extension = extension.map_err(|error| unreadable(shown, &error))?;
            if extension.key_bytes().starts_with(b"GNU.sparse") {
                return Err(wrong("a sparse file, which a bundle may not hold"));
            }
        }
    }
    let (size, most) = (entry.size(), Role::of(&name).most());
    if size > most {
        return Err(Wrong::new(shown, format!("larger than {most} bytes")));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| unreadable(shown, &error))?;
    if bytes.len() as u64 != size {
        return Err(wrong("cut short"));
    }
    Ok(Some((name, bytes)))
}

/// A name below the bundle's root. OPA's own archives put a slash before each, others `./`.
fn name(path: &[u8]) -> Result<String, &'static str> {
    let text = str::from_utf8(path).map_err(|_| "its name is not UTF-8")?;
    let name = text.strip_prefix("./").or_else(|| text.strip_prefix('/')).unwrap_or(text);
    if name.len() > MAX_NAME {
        return Err("its name is longer than 512 bytes");
    }
    if name.contains(|c: char| c.is_control() || c == '\\') {
        return Err("its name holds a control character or a backslash");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(
            "its name leaves the bundle or has an empty part; instead: an archive that is built from within, \
                    as `cd DIR` and `opa build -b .` or `postern policy build DIR` do",
        );
    }
    if name.split('/').count() > MAX_FOLDERS + 1 {
        return Err("more than 16 folders deep");
    }
    Ok(name.to_owned())
}

/// Nothing but zeros may follow the last entry, and nothing at all the gzip stream: another reader may find more.
fn ends(mut rest: Limited<GzDecoder<&[u8]>>, last: &str) -> Result<(), Wrong> {
    let mut block = [0; 8 * 1024];
    loop {
        let count = rest.read(&mut block).map_err(|error| unreadable(last, &error))?;
        if count == 0 {
            break;
        }
        if block.iter().take(count).any(|byte| *byte != 0) {
            return Err(Wrong::new("archive", format!("something follows its end, after {last}")));
        }
    }
    if rest.inner.get_ref().is_empty() {
        return Ok(());
    }
    Err(Wrong::new("archive", "something follows the end of the gzip stream"))
}

fn unreadable(entry: &str, error: &io::Error) -> Wrong {
    Wrong::new(entry, format!("cannot be unpacked: {error}"))
}

/// A name that may be anything, for a message.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(120).flat_map(char::escape_debug).collect()
}

/// Gives so many bytes and then an error, not an end.
struct Limited<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!(
                "unpacks to more than {} bytes, the most that an archive of its size may",
                self.most
            ))
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
