//! Parts that are Go modules.
//!
//! `go install MODULE@VERSION` asks for the list of all versions, which not every module proxy gives. The module is
//! fetched (and checked against the checksum database) instead and built in place: its own `go.sum` then decides
//! every dependency (`-mod=readonly`: a `vendor` folder that came along incomplete is not looked at).

use super::install::{InstallError, at};
use crate::run::{self, RunError};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

pub(super) fn build(
    module: &str,
    version: &str,
    packages: &[&str],
    folder: &Path,
) -> Result<(), InstallError> {
    let source = download(&format!("{module}@v{version}"))?;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).map_err(at(&bin))?;
    // The slash tells Go that it is a folder.
    let mut into = OsString::from(&bin);
    into.push("/");
    let mut build = Command::new("go");
    build
        .args([
            "build",
            "-C",
            &source,
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags=-s -w",
            "-o",
        ])
        .arg(into);
    run::output(build.args(packages).env("CGO_ENABLED", "1"))?;
    Ok(())
}

fn download(module: &str) -> Result<String, RunError> {
    let mut fetch = Command::new("go");
    // Outside any module: only what is asked for is looked at.
    fetch.args(["mod", "download", "-json", module]).env("GOWORK", "off").current_dir(std::env::temp_dir());
    let said = run::output(&mut fetch)?;
    let folder = said.lines().find_map(|line| line.trim().strip_prefix("\"Dir\": \"")?.strip_suffix("\","));
    folder.map(str::to_owned).ok_or_else(|| RunError::Failed {
        command: format!("go mod download -json {module}"),
        code: Some(0),
        said: format!("    no folder in its answer:\n{said}"),
    })
}
