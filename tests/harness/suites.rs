//! The outside test suites: data that is never copied into this repository.

use crate::parts::not_run;
use std::env;
use std::path::PathBuf;

/// A file of the suites, such as `x509-limbo/limbo.json`. Where `POSTERN_SUITES` does not lead to it, its `cases` are
/// recorded as not run by `test`, which should then return.
#[must_use]
pub fn present(test: &str, file: &str, cases: usize) -> Option<PathBuf> {
    let Some(suites) = env::var_os("POSTERN_SUITES") else {
        not_run(test, &format!("{cases} cases of {file}: POSTERN_SUITES is not set"));
        return None;
    };
    let path = PathBuf::from(suites).join(file);
    // A folder that was named and lacks the file is a mistake, not an absence.
    assert!(path.exists(), "POSTERN_SUITES has no {file}");
    Some(path)
}
