//! Judges that others wrote: their data is found through `POSTERN_SUITES` and never copied here.

mod limbo;
mod wycheproof;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde_json::Value;

/// The cases of a suite's file; where it is absent, says loudly that `cases` of them were not run.
fn cases(test: &str, file: &str, cases: usize) -> Option<Value> {
    let Some(suites) = env::var_os("POSTERN_SUITES") else {
        let reason = format!("{cases} cases of {file}: POSTERN_SUITES is not set");
        eprintln!("NOT RUN  {test}: {reason}");
        if let Some(list) = env::var_os("POSTERN_NOT_RUN") {
            let mut list = OpenOptions::new().append(true).create(true).open(list).unwrap();
            writeln!(list, "{test}\t{reason}").unwrap();
        }
        return None;
    };
    Some(serde_json::from_slice(&fs::read(PathBuf::from(suites).join(file)).unwrap()).unwrap())
}

/// What came out other than the suite says, against what we expect to: both must be the same list.
fn compare(found: &[(String, String)], expected: &[(&str, &str)]) {
    let surprising: Vec<_> =
        found.iter().filter(|(id, _)| !expected.iter().any(|(known, _)| known == id)).collect();
    let gone: Vec<_> =
        expected.iter().filter(|(known, _)| !found.iter().any(|(id, _)| known == id)).collect();
    assert!(surprising.is_empty(), "differs from the suite, unexpectedly: {surprising:#?}");
    assert!(gone.is_empty(), "no longer differs: take it off the list: {gone:#?}");
}
