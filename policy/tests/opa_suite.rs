//! The Open Policy Agent's own cases, through the gate and the fence that every policy goes through.
//!
//! A case passes when it gives what OPA gives. It may be refused at load, since that is said before any request;
//! it may end in an error that denies where OPA would go on. What it may not do is answer differently in silence.
//! The cases are found through `POSTERN_SUITES`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
#![expect(clippy::print_stderr, reason = "the figures, and what was not run, are for the reader")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use postern_policy::{Conformity, run_cases};

/// Far beyond the usual fuse, since other tests run beside this one; the cases themselves take microseconds.
const FUSE: Duration = Duration::from_millis(500);
/// How the cases end, and what is refused how often. Written anew by this test where `POSTERN_TABLE` is set.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance.txt");

#[test]
fn no_case_of_opa_is_answered_wrongly_in_silence() {
    let Some(folder) =
        std::env::var_os("POSTERN_SUITES").map(|suites| Path::new(&suites).join("opa-rego-v1"))
    else {
        return not_run("opa-rego-v1: 1441 cases of the Open Policy Agent (POSTERN_SUITES is not set)");
    };
    let mut outcomes: BTreeMap<Conformity, Vec<String>> = BTreeMap::new();
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for case in run_cases(&text, FUSE).unwrap() {
            if case.conformity == Conformity::Refused {
                *refused.entry(case.construct.clone().unwrap_or_default()).or_default() += 1;
            }
            outcomes.entry(case.conformity).or_default().push(format!("{}	{}", case.note, case.detail));
        }
    }
    let total: usize = outcomes.values().map(Vec::len).sum();
    for (outcome, notes) in &outcomes {
        println!("{outcome:?}: {} of {total}", notes.len());
    }
    if std::env::var_os("POSTERN_SUITE_DETAILS").is_some() {
        for (outcome, notes) in &outcomes {
            println!("{outcome:?}\n  {}", notes.join("\n  "));
        }
    }
    assert_eq!(total, 1_441);
    assert_eq!(outcomes.get(&Conformity::Panicked), None);
    assert_eq!(outcomes.get(&Conformity::Late), None);
    assert_eq!(outcomes.get(&Conformity::Wrong), None);
    let count = |outcome| outcomes.get(&outcome).map_or(0, Vec::len);
    let as_opa = count(Conformity::Passed) + count(Conformity::Failed);
    let refusals: String =
        refused.iter().map(|(construct, times)| format!("  {times:>3} {construct}\n")).collect();
    let table = format!(
        "OPA's own cases, {total} of them; made by\n\
         POSTERN_TABLE=1 cargo test -p postern-policy --test opa_suite\n\n\
         {as_opa:>4} as OPA: {} with the same answer, {} with the error that is wanted\n\
         {:>4} stricter: an error, which denies, where OPA goes on\n\
         {:>4} capped: beyond a limit that OPA does not have\n\
         {:>4} refused at load, by name; the first of each case:\n{refusals}   \
         0 wrong, 0 late, 0 panicked\n",
        count(Conformity::Passed),
        count(Conformity::Failed),
        count(Conformity::Stricter),
        count(Conformity::Capped),
        count(Conformity::Refused),
    );
    if std::env::var_os("POSTERN_TABLE").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(TABLE).unwrap_or_default(),
        table,
        "what {TABLE} says is no longer so"
    );
}

fn not_run(what: &str) {
    eprintln!("NOT RUN: {what}");
    if let Some(list) = std::env::var_os("POSTERN_NOT_RUN") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{what}").unwrap();
    }
}
