use std::fmt::Write as _;

use postern_policy::{Case, Coverage, Stopped, Test, TestOutcome, TestReport};

use crate::command::reasons::{printable, read, with_tabs};

use super::super::covered::{percent, ranges};
use super::print::{self, Paint};
use super::{Counts, groups};

const RULE: &str = "--------------------------------------------------------------------------------";

/// The report as OPA prints it, with the statement that did not hold and its values in the place of a trace.
pub(super) fn report(report: &TestReport, verbose: bool, paint: Paint) -> String {
    let mut text = tests(&report.tests, verbose, paint);
    if let Some(coverage) = &report.coverage {
        lines(&mut text, coverage);
    }
    text
}

/// The tests, and how many of them went how.
pub(super) fn tests(tests: &[Test], verbose: bool, paint: Paint) -> String {
    let mut text = String::new();
    let told = |test: &&Test| verbose || test.outcome != TestOutcome::Passed;
    let mut file = None;
    for test in tests.iter().filter(told) {
        if file != Some(&test.file) {
            let _written = writeln!(text, "{}:", test.file);
            file = Some(&test.file);
        }
        one(&mut text, test, paint);
    }
    if file.is_some() {
        let _written = writeln!(text, "{RULE}");
    }
    totals(&mut text, &Counts::of(tests), paint);
    text
}

fn one(out: &mut String, test: &Test, paint: Paint) {
    let (word, detail) = match &test.outcome {
        TestOutcome::Passed => (paint.good("PASS"), None),
        TestOutcome::Failed => (paint.bad("FAIL"), None),
        TestOutcome::Error(cause) => (paint.bad("ERROR"), Some(cause.to_string())),
        TestOutcome::Skipped => {
            let _written = writeln!(out, "{}: SKIPPED", test.full_name());
            return;
        }
    };
    let _written = writeln!(out, "{}: {word} ({})", test.full_name(), print::duration(test.elapsed));
    cases(out, test, &test.cases, 0, paint);
    if let Some(detail) = detail {
        let _written = writeln!(out, "{}\n", indented(&detail));
    }
    if let Some(at) = &test.stopped {
        stopped(out, &test.file, at, "  ");
    }
    if !test.output.is_empty() {
        let _written = writeln!(out, "\n{}\n", indented(&test.output.join("\n")));
    }
}

/// The statement that did not hold, and the values that it read.
fn stopped(out: &mut String, file: &str, at: &Stopped, indent: &str) {
    let Stopped { line, column, text, .. } = at;
    let _written = writeln!(out, "\n{indent}{file}:{line}:{column}: did not hold");
    let _written = writeln!(out, "{indent}  {line} | {}", printable(text));
    let margin = " ".repeat(line.to_string().len());
    for said in read(at) {
        let _written = writeln!(out, "{indent}  {margin} | {}", printable(&said));
    }
    out.push('\n');
}

fn cases(text: &mut String, test: &Test, all: &[Case], depth: usize, paint: Paint) {
    for (note, below) in groups(all, depth) {
        let passed = below.iter().all(|case| case.passed);
        let word = if passed { paint.good("PASS") } else { paint.bad("FAIL") };
        let _written = writeln!(text, "{}{}: {word}", "  ".repeat(depth + 1), printable(note));
        // The one case that ends here.
        let here = below.iter().filter(|case| case.notes.len() == depth + 1);
        for at in here.filter_map(|case| case.stopped.as_ref()) {
            stopped(text, &test.file, at, &"  ".repeat(depth + 2));
        }
        cases(text, test, below, depth + 1, paint);
    }
}

fn totals(text: &mut String, counts: &Counts, paint: Paint) {
    let total = counts.total();
    let rows = [
        (paint.good("PASS"), counts.passed),
        (paint.bad("FAIL"), counts.failed),
        (paint.bad("ERROR"), counts.errors),
        ("SKIPPED".to_owned(), counts.skipped),
    ];
    for (word, count) in rows.into_iter().filter(|(_, count)| *count > 0) {
        let _written = writeln!(text, "{word}: {count}/{total}");
    }
}

fn lines(text: &mut String, coverage: &Coverage) {
    let (covered, missed) = coverage.lines();
    let share = percent((covered, missed));
    let _written = writeln!(text, "\nCOVERAGE: {share:.1}% ({covered}/{} lines)", covered + missed);
    for file in &coverage.files {
        let share = percent((file.covered.len(), file.missed.len()));
        let _written = write!(text, "{}: {share:.1}%", file.name);
        let missed: Vec<String> = ranges(&file.missed)
            .into_iter()
            .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
            .collect();
        let _written = match missed.as_slice() {
            [] => writeln!(text),
            missed => writeln!(text, ", not covered: {}", missed.join(", ")),
        };
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {}", with_tabs(line))).collect::<Vec<_>>().join("\n")
}
