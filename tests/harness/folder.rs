//! Folders for servers that may have to run as somebody else.

use rustix::process::geteuid;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Debian's `nobody` and `nogroup`: whoever [`not_as_root`] runs as.
pub const NOBODY: u32 = 65534;

/// A short-lived folder that others may walk through, but not list or write.
#[must_use]
pub fn open_to_walk() -> TempDir {
    let folder = TempDir::with_prefix("postern-").expect("a temporary folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("its mode can be set");
    folder
}

/// Whether the tests run as root, so that what refuses root must be started as somebody else.
#[must_use]
pub fn we_are_root() -> bool {
    geteuid().is_root()
}

/// Makes `command` run as nobody when we are root; a server that refuses root needs it.
pub fn not_as_root(command: &mut Command) {
    if we_are_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

/// A new folder that whoever [`not_as_root`] runs as may write.
#[must_use]
pub fn writable(path: &Path) -> PathBuf {
    fs::create_dir_all(path).expect("a folder can be made");
    fs::set_permissions(path, Permissions::from_mode(0o700)).expect("its mode can be set");
    if we_are_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root can give it away");
    }
    path.to_owned()
}

/// Whether everybody may walk to `path`. A cache below root's home cannot be used by nobody.
#[must_use]
pub fn all_may_reach(path: &Path) -> bool {
    let open = |folder: &Path| fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0);
    path.ancestors().skip(1).all(open)
}
