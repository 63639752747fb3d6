//! Which lines of a policy were gone through, as every verb prints it.

use postern_policy::Coverage;
use serde_json::{Map, Value, json};

/// The report that `opa test --coverage` prints.
pub(super) fn json(coverage: &Coverage) -> Value {
    let files: Map<String, Value> = coverage
        .files
        .iter()
        .map(|file| {
            let mut said = counted((file.covered.len(), file.missed.len()));
            said.insert("covered".into(), rows(&file.covered));
            said.insert("not_covered".into(), rows(&file.missed));
            (file.name.clone(), said.into())
        })
        .collect();
    let mut said = counted(coverage.lines());
    said.insert("files".into(), files.into());
    said.into()
}

fn counted((covered, missed): (usize, usize)) -> Map<String, Value> {
    Map::from_iter([
        ("covered_lines".to_owned(), covered.into()),
        ("not_covered_lines".to_owned(), missed.into()),
        ("coverage".to_owned(), percent((covered, missed)).into()),
    ])
}

fn rows(lines: &[u32]) -> Value {
    let ranges = ranges(lines).into_iter();
    ranges.map(|(first, last)| json!({"start": {"row": first}, "end": {"row": last}})).collect()
}

/// Lines that follow one another, as first and last.
pub(super) fn ranges(lines: &[u32]) -> Vec<(u32, u32)> {
    let runs = lines.chunk_by(|one, next| one + 1 == *next);
    runs.filter_map(|run| Some((*run.first()?, *run.last()?))).collect()
}

/// How much of all lines is covered; nothing to cover is all of it.
pub(super) fn percent((covered, missed): (usize, usize)) -> f64 {
    let total = covered + missed;
    if total == 0 {
        return 100.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "lines of a policy, far below 2^52")]
    let share = covered as f64 / total as f64;
    share * 100.0
}
