//! What files look like from outside: names, sizes and times, never contents.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder may hold at most so many entries; more are not looked at, and the load refuses them.
const MOST: usize = 10_000;
/// And so many folders one inside the other: links may go round.
const DEEPEST: usize = 16;

/// What files looked like: enough to see that something changed, through symbolic links too.
pub(crate) type Look = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Notes a file, or all that stands in a folder.
pub(crate) fn over(path: &Path, look: &mut Look) {
    if path.is_dir() {
        let mut left = MOST;
        look_into(path, DEEPEST, &mut left, look);
    } else {
        note(path, look);
    }
}

/// Folders count as well: a few links that go round are billions of folders without one file.
fn look_into(folder: &Path, deeper: usize, left: &mut usize, look: &mut Look) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if *left == 0 || deeper == 0 {
            return;
        }
        *left -= 1;
        let path = entry.path();
        if path.is_dir() {
            look_into(&path, deeper - 1, left, look);
        } else {
            note(&path, look);
        }
    }
}

/// Follows links: Kubernetes swaps a whole folder by one.
pub(crate) fn note(path: &Path, look: &mut Look) {
    if let Ok(found) = std::fs::metadata(path) {
        look.insert(path.to_owned(), (found.len(), found.modified().ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_go_round_are_looked_at_for_a_moment_only() {
        let folder = tempfile::TempDir::new().unwrap();
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            std::os::unix::fs::symlink(".", folder.path().join(name)).unwrap();
        }
        let (mut left, mut look) = (MOST, Look::new());

        look_into(folder.path(), DEEPEST, &mut left, &mut look);

        assert_eq!((left, look.len()), (0, 0));
    }
}
