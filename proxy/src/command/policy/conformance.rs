use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use postern_policy::{CaseRun, Conformity, run_cases};
use serde_json::json;

use super::{Format, print};
use crate::command::{Exit, Outcome};
use crate::config;

pub(super) const HELP: &str = "\
DIR holds OPA's case files as JSON: a list `cases`, each with note, modules, data, input, query and want_result or \
want_error. Each case is loaded through the gate and asked inside the fence that every decision goes through.

  passed    gives what OPA gives
  failed    OPA wants an error, and there is one
  refused   not loaded: said before any request, with the name of what is missing
  stricter  an error, which denies, where OPA goes on
  capped    a limit of Postern's was hit
  wrong     another answer than OPA's, in silence
  late      no answer in time
  panicked  the engine panicked

Example:
  postern policy conformance cases/ --verbose

Exits with 2 when a case is wrong, late or panicked, or there is none; with 3 when DIR or a file in it cannot be read; \
with 0 otherwise.";

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// The folder of case files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Longest time of one case
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = config::duration_argument)]
    timeout: Duration,
    /// Say every case that did not pass
    #[arg(long, short)]
    verbose: bool,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

/// In the order in which they are told.
const ALL: [(Conformity, &str); 8] = [
    (Conformity::Passed, "passed"),
    (Conformity::Failed, "failed"),
    (Conformity::Refused, "refused"),
    (Conformity::Stricter, "stricter"),
    (Conformity::Capped, "capped"),
    (Conformity::Wrong, "wrong"),
    (Conformity::Late, "late"),
    (Conformity::Panicked, "panicked"),
];

pub(super) fn conformance(arguments: &Arguments) -> Outcome {
    let cases = match cases(&arguments.folder, arguments.timeout) {
        Ok(cases) if cases.is_empty() => {
            let why = format!(
                "{}: no file *.json with cases here; the *.yaml of OPA's repository are to be written as JSON, `yq -o json`",
                arguments.folder.display()
            );
            return print::failed(Exit::TEST_FAILED, "read_error", &why, arguments.format);
        }
        Ok(cases) => cases,
        Err(why) => return print::unusable(&why, arguments.format),
    };
    let bad = |case: &&CaseRun| unexpected(case.conformity);
    let exit = if cases.iter().any(|case| bad(&case)) { Exit::TEST_FAILED } else { Exit::Done };
    let out = match arguments.format {
        Format::Pretty => pretty(&cases, arguments.verbose),
        Format::Json => json(&cases),
    };
    Outcome { exit, ..Outcome::said(out) }
}

const fn unexpected(conformity: Conformity) -> bool {
    matches!(conformity, Conformity::Wrong | Conformity::Late | Conformity::Panicked)
}

fn cases(folder: &Path, timeout: Duration) -> Result<Vec<CaseRun>, String> {
    let said = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| said(folder, &error))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| said(folder, &error))?;
    files.retain(|file| file.extension().is_some_and(|end| end == "json"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| said(&file, &error))?;
        cases.extend(run_cases(&text, timeout).map_err(|error| said(&file, &error))?);
    }
    Ok(cases)
}

/// How many of each, and the names of what is refused, the most frequent first.
fn pretty(cases: &[CaseRun], verbose: bool) -> String {
    let mut text = String::new();
    for (conformity, word) in ALL {
        let those: Vec<&CaseRun> = cases.iter().filter(|case| case.conformity == conformity).collect();
        if those.is_empty() {
            continue;
        }
        let _written = writeln!(text, "{word}: {}/{}", those.len(), cases.len());
        if conformity == Conformity::Refused {
            for (construct, count) in constructs(cases) {
                let _written = writeln!(text, "  {count:>4}  {construct}");
            }
        }
        if unexpected(conformity) || (verbose && conformity != Conformity::Passed) {
            for case in those {
                let _written = writeln!(text, "  {}: {}", case.note, case.detail);
            }
        }
    }
    text
}

fn constructs(cases: &[CaseRun]) -> Vec<(&str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.conformity == Conformity::Refused) {
        *counts.entry(case.construct.as_deref().unwrap_or_default()).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn json(cases: &[CaseRun]) -> String {
    let word = |wanted: Conformity| ALL.iter().find(|(one, _)| *one == wanted).map_or("", |(_, word)| word);
    let count = |wanted: Conformity| cases.iter().filter(|case| case.conformity == wanted).count();
    let counts: serde_json::Map<String, serde_json::Value> =
        ALL.iter().map(|(one, word)| ((*word).to_owned(), count(*one).into())).collect();
    let refused: serde_json::Map<String, serde_json::Value> =
        constructs(cases).into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    let told: Vec<serde_json::Value> = cases
        .iter()
        .filter(|case| case.conformity != Conformity::Passed)
        .map(|case| json!({"note": case.note, "outcome": word(case.conformity), "detail": case.detail}))
        .collect();
    print::lines(&json!({"cases": cases.len(), "counts": counts, "refused": refused, "not_passed": told}))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &str = r#"{"cases": [
        {"note": "a/one", "query": "data.a.x = x", "modules": ["package a\nx := 1"], "want_result": [{"x": 1}]},
        {"note": "a/send", "query": "data.a.x = x", "modules": ["package a\nx := http.send({})"], "want_result": []}
    ]}"#;
    const WRONG: &str = r#"{"cases": [
        {"note": "a/two", "query": "data.a.x = x", "modules": ["package a\nx := 1"], "want_result": [{"x": 2}]}
    ]}"#;

    fn ran(files: &[(&str, &str)], format: Format) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let folder = folder.path().to_owned();
        conformance(&Arguments { folder, timeout: Duration::from_secs(1), verbose: false, format })
    }

    #[test]
    fn what_is_refused_is_counted_by_name_and_is_no_failure() {
        let outcome = ran(&[("cases.json", CASES), ("readme.md", "")], Format::Pretty);
        let said = "passed: 1/2\nrefused: 1/2\n     1  http.send\n";
        assert_eq!(outcome, Outcome::said(said.to_owned()));
    }

    #[test]
    fn a_wrong_answer_is_told_and_fails() {
        let outcome = ran(&[("cases.json", CASES), ("wrong.json", WRONG)], Format::Pretty);
        assert_eq!(outcome.exit, Exit::TEST_FAILED);
        assert!(outcome.out.ends_with("wrong: 1/3\n  a/two: given [{\"x\":1}]\n"), "{}", outcome.out);
        let said: serde_json::Value =
            serde_json::from_str(&ran(&[("cases.json", CASES)], Format::Json).out).unwrap();
        assert_eq!(said["counts"]["passed"], 1);
        assert_eq!(said["refused"], json!({"http.send": 1}));
    }

    #[test]
    fn no_cases_at_all_is_a_failure() {
        assert_eq!(ran(&[], Format::Pretty).exit, Exit::TEST_FAILED);
        assert_eq!(ran(&[("a.json", "{}")], Format::Pretty).exit, Exit::Configuration);
    }
}
