//! Where the real parts lie, and what becomes of a test whose part is missing.

pub use xtask::parts::{NotInstalled, find};

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// Whether all of `programs` are installed. If not, `test` is recorded as not run, and it should return.
#[must_use]
pub fn present(test: &str, programs: &[&str]) -> bool {
    let Some(missing) = programs.iter().find_map(|program| find(program).err()) else { return true };
    not_run(test, &missing.to_string());
    false
}

/// The path of a program that [`present`] has found.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|missing| panic!("{missing}"))
}

/// Says that `test` could not run, and why: on standard error, and in the list that `cargo x test` ends with.
pub fn not_run(test: &str, reason: &str) {
    eprintln!("NOT RUN  {test}: {reason}");
    if let Some(list) = env::var_os("POSTERN_NOT_RUN") {
        let line = format!("{test}\t{}\n", reason.replace(['\n', '\t'], " "));
        let opened = OpenOptions::new().append(true).create(true).open(&list);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("POSTERN_NOT_RUN can be written");
    }
}
