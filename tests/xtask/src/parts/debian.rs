//! Parts that are Debian packages.

use super::install::{InstallError, at};
use crate::run::{self, RunError};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Fetches `packages` and unpacks them below `folder`; nothing on the machine changes.
pub(super) fn unpack(packages: &[&str], version: &str, folder: &Path) -> Result<(), InstallError> {
    for package in packages {
        // The star: Debian's revision after the upstream version.
        let wanted = format!("{package}={version}*");
        match download(&wanted, folder) {
            Ok(_) => {}
            Err(RunError::Failed { .. }) => {
                // Perhaps this machine has no package lists yet.
                run::output(Command::new("apt-get").args(["update", "--quiet"]))?;
                download(&wanted, folder)?;
            }
            Err(missing) => return Err(missing.into()),
        }
    }
    let listed = fs::read_dir(folder).map_err(at(folder))?;
    for entry in listed {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            run::output(Command::new("dpkg").arg("--extract").arg(&path).arg(folder))?;
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

/// Installs a tool for the whole machine. Needs root, and its error says so.
pub(super) fn install_on_the_machine(package: &str) -> Result<(), InstallError> {
    let install = ["install", "--yes", "--quiet", "--no-install-recommends", package];
    if run::output(Command::new("apt-get").args(install)).is_err() {
        run::output(Command::new("apt-get").args(["update", "--quiet"]))?;
        run::output(Command::new("apt-get").args(install))?;
    }
    Ok(())
}

fn download(wanted: &str, folder: &Path) -> Result<String, RunError> {
    let mut fetch = Command::new("apt-get");
    // Debian's own user may not write below root's cache.
    fetch.args(["download", "--quiet", "--option", "APT::Sandbox::User=root", wanted]);
    run::output(fetch.current_dir(folder))
}
