mod incident;
mod machine;
mod pretty;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use postern_policy::{Case, Pattern, Test, TestError, TestOutcome, TestReport, TestRun, Tests, run_tests};

use super::{Format, check, covered, given, print, watch};
use crate::command::{Exit, Outcome};
use crate::config;

pub(super) const HELP: &str = "\
Tests are written as for OPA, in files *_test.rego beside the policy, and run on the engine that decides, behind the \
same gate, with the same builtins; what is asked of the rule that decides, a default that refuses and members that exist, \
`policy check` says. A test is true, or it has failed; what would be a denial with a code of its own \
(a builtin's error, a conflict, a late answer) is ERROR. test_x[note] is a test of many cases, todo_test_x is not run. Of a test or a case that failed it says the first statement \
that does not hold together with all before it, and the values that it read; where that cannot be known, the last line that was reached. \
What is meant otherwise, it seems, is warned of as by `policy check`, and data that a `with` puts where no rule reads it.

Examples:
  postern policy test policy/
  postern policy test policy/ --run clerks --verbose
  postern policy test policy/ --coverage --threshold 90
  postern policy test policy/ --watch
  postern policy test policy/ --format junit > tests.xml
  postern policy test --from-record r-7q2m4d1x9z0k --records records.jsonl -o policy/incident_test.rego

--from-record runs nothing: it writes what a recorded decision judged as a test, which fails until the policy is mended; where \
values that decide are masked in the record, they are written into it first.

Exits with 0 when every test passed; with 2 when one did not or was skipped (-z lets those be), when there was none, or \
when the threshold is not met; with 0 when --watch is ended; \
with 3 when a PATH cannot be read; with 4 when the policy or a test would not be loaded.";

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, each by itself")]
pub(in crate::command) struct Arguments {
    /// Folders, or single files *.rego and *.json
    #[arg(required_unless_present = "from_record", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// PATHs are roots of bundles; here they always are
    #[arg(long, short)]
    bundle: bool,
    /// Only the tests whose full name matches, like `data.postern.test_clerks`
    #[arg(long, short, value_name = "REGEX")]
    run: Option<String>,
    /// Say which lines of the policy the tests went through
    #[arg(long, short)]
    coverage: bool,
    /// Fail when fewer lines are covered, in percent: 0 to 100
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    threshold: Option<f64>,
    /// Longest time of one test
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = config::duration_argument)]
    timeout: Duration,
    /// Say every test, not only those that failed
    #[arg(long, short)]
    verbose: bool,
    /// Say the values at which a failed test stopped; here they always are
    #[arg(long)]
    var_values: bool,
    /// Leave out files and folders of such a name, like drafts; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<Pattern>,
    /// Most problems that are told where the policy or a test would not be loaded, 0 for all
    #[arg(long, short, value_name = "N", default_value_t = 0)]
    max_errors: usize,
    /// In which order `--format json` tells the tests
    #[arg(long, value_enum, default_value_t = Sort::None)]
    sort: Sort,
    /// Run them again whenever a file below a PATH changes, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
    /// Skipped tests alone are no failure
    #[arg(long, short = 'z')]
    exit_zero_on_skipped: bool,
    /// Fail when no test was run; here that always fails
    #[arg(long)]
    fail_on_empty: bool,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Shape::Pretty)]
    format: Shape,
    #[command(flatten, next_help_heading = "Out of a record")]
    incident: incident::Incident,
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or("expected a number, 0 to 100")
}

/// The order of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// That of the files
    None,
    /// What took longest comes first
    Duration,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people
    Pretty,
    /// For machines, as OPA has it
    Json,
    /// For machines that build
    Junit,
}

pub(super) fn test(arguments: &Arguments, paint: print::Paint) -> Outcome {
    if let Some(id) = &arguments.incident.from_record {
        let written = incident::write(&arguments.incident, id);
        return written.unwrap_or_else(|failure| failure.outcome(arguments.refusals()));
    }
    if arguments.watch {
        return watch::watch(&arguments.paths, || once(arguments, paint));
    }
    once(arguments, paint)
}

impl Arguments {
    /// How it is told that no test was run.
    fn refusals(&self) -> Format {
        if self.format == Shape::Json { Format::Json } else { Format::Pretty }
    }
}

fn once(arguments: &Arguments, paint: print::Paint) -> Outcome {
    let refusals = arguments.refusals();
    let sources = match given::sources(&arguments.paths, Tests::Read, &arguments.ignore, refusals) {
        Ok(sources) => sources,
        Err(outcome) => return outcome,
    };
    let coverage = arguments.coverage || arguments.threshold.is_some();
    let run = TestRun { only: arguments.run.as_deref(), fuse: arguments.timeout, coverage };
    let mut report = match run_tests(&sources, run) {
        Ok(report) => report,
        Err(TestError::Refused(error)) => {
            return print::first_problems(&error, refusals, arguments.max_errors);
        }
        Err(error @ TestError::Pattern(_)) => {
            return print::failed(Exit::Usage, "usage_error", &format!("--run: {error}"), refusals);
        }
    };
    if (arguments.sort, arguments.format) == (Sort::Duration, Shape::Json) {
        report.tests.sort_by_key(|test| std::cmp::Reverse(test.elapsed));
    }
    let out = match (arguments.format, &report.coverage) {
        (Shape::Pretty, _) => pretty::report(&report, arguments.verbose, paint),
        (Shape::Json, Some(coverage)) => print::lines(&covered::json(coverage)),
        (Shape::Json, None) => machine::tests(&report.tests),
        (Shape::Junit, _) => machine::junit(&report.tests),
    };
    let wrong = wrong(&report, arguments);
    let exit = if wrong.is_some() { Exit::TEST_FAILED } else { Exit::Done };
    let mut err = wrong.unwrap_or_default();
    // A report of lines says nothing of the tests.
    if arguments.format == Shape::Json && coverage && exit != Exit::Done {
        err.insert_str(0, &pretty::tests(&report.tests, false, print::Paint::none()));
    }
    if arguments.format == Shape::Pretty {
        err.insert_str(0, &check::warned(&report.warnings));
    }
    Outcome { exit, out, err }
}

/// Why it does not end well.
fn wrong(report: &TestReport, arguments: &Arguments) -> Option<String> {
    let counts = Counts::of(&report.tests);
    if report.tests.is_empty() {
        let which = if arguments.run.is_some() {
            "whose full name, like `data.postern.test_clerks`, matches --run"
        } else {
            "in what was given: a test is a rule called `test_…`"
        };
        return Some(format!("no test was found {which}\n"));
    }
    let skipped = if arguments.exit_zero_on_skipped { 0 } else { counts.skipped };
    if counts.failed + counts.errors + skipped > 0 {
        return Some(String::new());
    }
    let (threshold, coverage) = arguments.threshold.zip(report.coverage.as_ref())?;
    let percent = covered::percent(coverage.lines());
    (percent < threshold)
        .then(|| format!("Code coverage threshold not met: got {percent:.2} instead of {threshold:.2}\n"))
}

/// Tests by how they went; one of many cases counts as its cases.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of(tests: &[Test]) -> Self {
        let mut counts = Self::default();
        for test in tests {
            let passed = test.cases.iter().filter(|case| case.passed).count();
            match (&test.outcome, test.cases.len()) {
                (TestOutcome::Error(_), _) => counts.errors += 1,
                (TestOutcome::Skipped, _) => counts.skipped += 1,
                (TestOutcome::Passed, 0) => counts.passed += 1,
                (TestOutcome::Failed, 0) => counts.failed += 1,
                (TestOutcome::Passed | TestOutcome::Failed, cases) => {
                    counts.passed += passed;
                    counts.failed += cases - passed;
                }
            }
        }
        counts
    }

    const fn total(&self) -> usize {
        self.passed + self.failed + self.errors + self.skipped
    }
}

/// Cases below one note, in order.
fn groups(cases: &[Case], depth: usize) -> Vec<(&str, &[Case])> {
    let note = |case: &Case| case.notes.get(depth).cloned();
    let chunks = cases.chunk_by(|one, other| note(one) == note(other));
    chunks.filter_map(|group| Some((group.first()?.notes.get(depth)?.as_str(), group))).collect()
}

#[cfg(test)]
mod tests;
