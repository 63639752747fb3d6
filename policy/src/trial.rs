//! The tests of a policy: rules `test_*`, run on the engine, behind the gate and inside the fence of a live decision.

mod cases;
mod coverage;
mod find;
mod proof;

use std::cell::Cell;
use std::time::Duration;

use regorus::{Engine, QueryResults, Value};

use crate::builtins::turn::{self, Said};
use crate::compile::{again, load_by};
use crate::deadline::Deadline;
use crate::evaluate::{Stopwatch, arm, fenced};
use crate::gate::Purpose;
use crate::problem::LoadError;
use crate::sources::Sources;
use crate::verdict::Cause;

pub(crate) use coverage::coverage;
pub use coverage::{Coverage, CoveredFile};
use coverage::{Lines, Seen, seen};
use find::Found;
pub(crate) use proof::prove;

/// Most bytes that are kept of what one test prints, and of what all of them do.
const PRINTS: (usize, usize) = (1 << 20, 16 << 20);

/// The line behind what was printed, where not all of it is kept.
pub(crate) fn was_cut(cut: usize) -> Option<String> {
    (cut > 0).then(|| format!("… and {cut} times more was printed, which is not kept"))
}

/// Which tests are run, and how.
#[derive(Clone, Copy, Debug)]
pub struct TestRun<'a> {
    /// A regular expression of RE2 that the full name must match somewhere.
    pub only: Option<&'a str>,
    /// Longest time of one test.
    pub fuse: Duration,
    /// Whether lines are counted; it costs time.
    pub coverage: bool,
}

/// How the tests went.
#[derive(Debug)]
pub struct TestReport {
    /// In the order of the files, and of the lines in them.
    pub tests: Vec<Test>,
    /// The lines of the policy that the tests went through.
    pub coverage: Option<Coverage>,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// Full name of its package, `data.postern_test`.
    pub package: String,
    /// Its name; one that is used again has a number behind it.
    pub name: String,
    /// The module it stands in.
    pub file: String,
    /// Where, from 1.
    pub line: u32,
    /// Where, from 1.
    pub column: u32,
    /// How it went.
    pub outcome: TestOutcome,
    /// How long it took.
    pub elapsed: Duration,
    /// What it printed, up to a limit; that more was printed is its last line.
    pub output: Vec<String>,
    /// The cases of a test with a variable in its head, in order.
    pub cases: Vec<Case>,
    /// Line and text of the last statement that was reached, when it failed.
    pub reached: Option<(u32, String)>,
}

/// One case of a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Its keys in the head of the rule.
    pub notes: Vec<String>,
    /// Whether it is in the rule's value, and `true`.
    pub passed: bool,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// It is `true`.
    Passed,
    /// It is anything else, or undefined.
    Failed,
    /// It had no answer: where a live decision would be a denial with a code of its own.
    Error(Cause),
    /// `todo_test_*`.
    Skipped,
}

/// Why no test was run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The policy or its tests are refused.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// The pattern of names is none.
    #[error("not a regular expression: {0}")]
    Pattern(String),
}

/// Runs the tests that stand in these sources.
pub fn run_tests(sources: &Sources, run: TestRun<'_>) -> Result<TestReport, TestError> {
    let only = run.only.map(regex::Regex::new).transpose();
    let only = only.map_err(|error| TestError::Pattern(error.to_string()))?;
    Ok(run_by(sources, Purpose::Tests, only.as_ref(), run, &Deadline::after(Duration::MAX))?)
}

/// Runs them, all by the deadline: what is not begun by then is late without having been run.
fn run_by(
    sources: &Sources,
    purpose: Purpose,
    only: Option<&regex::Regex>,
    run: TestRun<'_>,
    deadline: &Deadline,
) -> Result<TestReport, LoadError> {
    let mut first = load_by(sources, purpose, deadline)?;
    let modules = first.engine.get_modules().clone();
    let (found, edited) = find::tests(sources, &modules, &first.texts);
    let engine = match edited {
        Some(edited) => again(sources, edited, deadline)?,
        None => first.engine,
    };
    let lines = Lines::of(&modules, sources);
    let (mut touched, prints) = (Seen::new(), Cell::new(PRINTS.1));
    let wanted = |found: &Found| only.is_none_or(|only| only.is_match(&found.test.full_name()));
    let tests = found.into_iter().filter(wanted).map(|found| {
        let fuse = run.fuse.min(deadline.left());
        let bench = Bench { engine: &engine, fuse, lines: &lines, prints: &prints };
        bench.run(&found, run.coverage.then_some(&mut touched))
    });
    let tests = tests.collect();
    Ok(TestReport { tests, coverage: run.coverage.then(|| lines.coverage(&touched)) })
}

/// What every test is run with.
struct Bench<'a> {
    engine: &'a Engine,
    fuse: Duration,
    lines: &'a Lines,
    /// Bytes that may still be printed.
    prints: &'a Cell<usize>,
}

impl Bench<'_> {
    fn run(&self, found: &Found, touched: Option<&mut Seen>) -> Test {
        let mut test = found.test.clone();
        if test.outcome == TestOutcome::Skipped {
            return test;
        }
        if self.fuse.is_zero() {
            test.outcome = TestOutcome::Error(Cause::Late { fuse: self.fuse });
            return test;
        }
        let watch = Stopwatch::start();
        let Given { value, said, seen } = self.evaluate(found, touched.is_some());
        test.elapsed = watch.elapsed();
        self.prints.set(self.prints.get().saturating_sub(self.may_print().saturating_sub(said.left)));
        test.output = said.lines.into_iter().map(|(_, line)| line).collect();
        test.output.extend(was_cut(said.cut));
        test.outcome = match value {
            Err(cause) => TestOutcome::Error(cause),
            Ok(value) if found.cases => {
                test.cases = cases::judged(&value, &said.cases);
                passed(!test.cases.is_empty() && test.cases.iter().all(|case| case.passed))
            }
            Ok(value) => passed(value == Value::Bool(true)),
        };
        if test.outcome == TestOutcome::Failed {
            let seen = if touched.is_some() { seen.clone() } else { self.evaluate(found, true).seen };
            test.reached = self.lines.last(&test.file, found.lines.clone(), &seen);
        }
        if let Some(touched) = touched {
            touched.extend(seen);
        }
        test
    }

    fn may_print(&self) -> usize {
        self.prints.get().min(PRINTS.0)
    }

    /// A test has an engine of its own: what one leaves behind, no other sees.
    fn evaluate(&self, found: &Found, coverage: bool) -> Given {
        let Found { rule, cases, .. } = found;
        let mut engine = self.engine.clone();
        arm(&mut engine, self.fuse);
        engine.set_enable_coverage(coverage);
        engine.set_input(Value::Undefined);
        let value = fenced(self.fuse, None, || {
            turn::let_print(self.may_print());
            if *cases {
                // A head with more than one variable is no rule to the engine, but its value can be asked for.
                return engine.eval_query(rule.clone(), false).map(only_value);
            }
            engine.eval_rule(rule.clone())
        });
        let said = turn::said();
        let seen = if coverage { seen(&engine) } else { Seen::new() };
        Given { value, said, seen }
    }
}

/// What came of one evaluation.
struct Given {
    value: Result<Value, Cause>,
    said: Said,
    seen: Seen,
}

pub(crate) fn only_value(results: QueryResults) -> Value {
    let first = results.result.into_iter().next().and_then(|row| row.expressions.into_iter().next());
    first.map_or(Value::Undefined, |expression| expression.value)
}

const fn passed(passed: bool) -> TestOutcome {
    if passed { TestOutcome::Passed } else { TestOutcome::Failed }
}

impl Test {
    /// Package and name, `data.postern_test.test_clerks`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }
}
