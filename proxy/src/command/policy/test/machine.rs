use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postern_policy::{Case, Stopped, Test, TestOutcome};
use serde_json::{Map, Value, json};

use super::print;
use super::{Counts, groups};
use crate::command::reasons::{read, stopped_json};

/// The list that `opa test --format json` prints.
pub(super) fn tests(tests: &[Test]) -> String {
    print::lines(&tests.iter().map(test).collect())
}

fn test(test: &Test) -> Value {
    let mut said = Map::new();
    let place = json!({"file": test.file, "row": test.line, "col": test.column});
    said.insert("location".into(), place);
    said.insert("package".into(), test.package.as_str().into());
    said.insert("name".into(), test.name.as_str().into());
    match &test.outcome {
        TestOutcome::Passed => None,
        TestOutcome::Failed => {
            failed(&mut said, test.stopped.as_ref());
            None
        }
        TestOutcome::Error(cause) => {
            said.insert("error".into(), json!({"code": print::code(cause), "message": cause.to_string()}))
        }
        TestOutcome::Skipped => said.insert("skip".into(), true.into()),
    };
    let nanos = u64::try_from(test.elapsed.as_nanos()).unwrap_or(u64::MAX);
    said.insert("duration".into(), nanos.into());
    if !test.output.is_empty() {
        said.insert("output".into(), STANDARD.encode(test.output.join("\n") + "\n").into());
    }
    if !test.cases.is_empty() {
        said.insert("sub_results".into(), cases(&test.cases, 0));
    }
    Value::Object(said)
}

/// OPA's word, and beside it where it stopped and on what values.
fn failed(said: &mut Map<String, Value>, stopped: Option<&Stopped>) {
    said.insert("fail".into(), true.into());
    if let Some(at) = stopped {
        said.insert("statement".into(), stopped_json(at));
    }
}

fn cases(all: &[Case], depth: usize) -> Value {
    let mut said = Map::new();
    for (note, below) in groups(all, depth) {
        let mut one = Map::from_iter([("name".to_owned(), Value::from(note))]);
        if !below.iter().all(|case| case.passed) {
            let here = below.iter().find(|case| case.notes.len() == depth + 1);
            failed(&mut one, here.and_then(|case| case.stopped.as_ref()));
        }
        if below.iter().any(|case| case.notes.len() > depth + 1) {
            one.insert("sub_results".into(), cases(below, depth + 1));
        }
        said.insert(note.to_owned(), one.into());
    }
    said.into()
}

/// What build servers read: a suite for each package.
pub(super) fn junit(tests: &[Test]) -> String {
    let mut suites: BTreeMap<&str, Vec<Test>> = BTreeMap::new();
    for test in tests {
        suites.entry(&test.package).or_default().push(test.clone());
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (package, tests) in suites {
        let Counts { failed, errors, skipped, .. } = Counts::of(&tests);
        let _written = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"{errors}\" skipped=\"{skipped}\">",
            escaped(package),
            Counts::of(&tests).total()
        );
        for test in &tests {
            entries(&mut text, test);
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// One entry for a test, or one for each of its cases.
fn entries(out: &mut String, test: &Test) {
    let failure = |stopped: Option<&Stopped>| {
        let failed = match stopped {
            Some(at) => {
                let place = format!("{}:{}: {}", test.file, at.line, at.text);
                std::iter::once(place).chain(read(at)).collect::<Vec<_>>().join("\n")
            }
            None => format!("{}:{}", test.file, test.line),
        };
        format!("<failure message=\"did not hold\">{}</failure>", escaped(&failed))
    };
    let mut entry = |name: &str, inside: &str| {
        let _written = writeln!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\">{inside}</testcase>",
            escaped(&test.package),
            escaped(name),
            escaped(&test.file),
            test.line,
            test.elapsed.as_secs_f64()
        );
    };
    match &test.outcome {
        TestOutcome::Skipped => entry(&test.name, "<skipped/>"),
        TestOutcome::Error(cause) => {
            let message = escaped(&cause.to_string());
            entry(&test.name, &format!("<error type=\"{}\" message=\"{message}\"/>", print::code(cause)));
        }
        TestOutcome::Passed | TestOutcome::Failed if !test.cases.is_empty() => {
            for case in &test.cases {
                let name = format!("{}[{}]", test.name, case.notes.join("]["));
                let stopped = case.stopped.as_ref().or(test.stopped.as_ref());
                entry(&name, &if case.passed { String::new() } else { failure(stopped) });
            }
        }
        TestOutcome::Passed => entry(&test.name, ""),
        TestOutcome::Failed => entry(&test.name, &failure(test.stopped.as_ref())),
    }
}

/// Text as it may stand in XML, in an attribute too.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
