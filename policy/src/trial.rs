//! The tests of a policy: rules `test_*`, run on the engine, behind the gate and inside the fence of a live decision.

mod cases;
mod coverage;
mod find;
mod proof;

use std::cell::Cell;
use std::time::Duration;

use regorus::unstable::{Module, Ref};
use regorus::{Engine, QueryResults, Value};

use crate::builtins::turn::{self, Said};
use crate::compile::{again, load_by};
use crate::deadline::Deadline;
use crate::evaluate::{Stopwatch, arm, fenced};
use crate::explain::{Failed, Stopped, stops};
use crate::gate::Purpose;
use crate::problem::{LoadError, Problem};
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
    /// What is meant otherwise, it seems, such as data that a test puts where no rule reads it.
    pub warnings: Vec<Problem>,
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
    /// When it failed: the first statement that does not hold together with all before it, and what it read; where that
    /// cannot be known, the last line that was reached. None where a case that failed has its own.
    pub stopped: Option<Stopped>,
}

/// One case of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its keys in the head of the rule.
    pub notes: Vec<String>,
    /// Whether it is in the rule's value, and `true`.
    pub passed: bool,
    /// When it failed: the statement at which it stopped, where that can be known.
    pub stopped: Option<Stopped>,
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
    // At a load it is enough to know the line.
    let explained = matches!(purpose, Purpose::Tests);
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
    let ran = found.into_iter().filter(wanted).map(|found| {
        let fuse = run.fuse.min(deadline.left());
        let bench = Bench { engine: &engine, fuse, lines: &lines, prints: &prints };
        bench.run(found, run.coverage.then_some(&mut touched))
    });
    let mut ran: Vec<Ran> = ran.collect();
    if explained {
        explain(&mut ran, &modules, |failed| {
            stops(sources, &engine, (&modules, &first.texts), failed, run.fuse)
        });
    }
    let tests = ran.into_iter().map(|ran| ran.found.test).collect();
    let coverage = run.coverage.then(|| lines.coverage(&touched));
    Ok(TestReport { tests, coverage, warnings: first.warnings })
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
    fn run(&self, mut found: Found, touched: Option<&mut Seen>) -> Ran {
        // What is skipped, and what is no test.
        if found.test.outcome != TestOutcome::Failed {
            return Ran { found, keys: Vec::new() };
        }
        if self.fuse.is_zero() {
            found.test.outcome = TestOutcome::Error(Cause::Late { fuse: self.fuse });
            return Ran { found, keys: Vec::new() };
        }
        let watch = Stopwatch::start();
        let Given { value, said, seen } = self.evaluate(&found, touched.is_some());
        let (mut keys, test) = (Vec::new(), &mut found.test);
        test.elapsed = watch.elapsed();
        self.prints.set(self.prints.get().saturating_sub(self.may_print().saturating_sub(said.left)));
        test.output = said.lines.into_iter().map(|(_, line)| line).collect();
        test.output.extend(was_cut(said.cut));
        test.outcome = match value {
            Err(cause) => TestOutcome::Error(cause),
            Ok(value) if !found.keys.is_empty() => {
                (test.cases, keys) = cases::judged(&value, said.cases);
                passed(!test.cases.is_empty() && test.cases.iter().all(|case| case.passed))
            }
            Ok(value) => passed(value == Value::Bool(true)),
        };
        if test.outcome == TestOutcome::Failed {
            let seen = if touched.is_some() { seen.clone() } else { self.evaluate(&found, true).seen };
            found.test.stopped = self.lines.last(&found.test.file, found.lines.clone(), &seen);
        }
        if let Some(touched) = touched {
            touched.extend(seen);
        }
        Ran { found, keys }
    }

    fn may_print(&self) -> usize {
        self.prints.get().min(PRINTS.0)
    }

    /// A test has an engine of its own: what one leaves behind, no other sees.
    fn evaluate(&self, found: &Found, coverage: bool) -> Given {
        let Found { rule, keys, .. } = found;
        let mut engine = self.engine.clone();
        arm(&mut engine, self.fuse);
        engine.set_enable_coverage(coverage);
        engine.set_input(Value::Undefined);
        let value = fenced(self.fuse, None, || {
            turn::let_print(self.may_print());
            if !keys.is_empty() {
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

/// A test that was run, and the keys of each of its cases.
struct Ran {
    found: Found,
    keys: Vec<Vec<Value>>,
}

/// Puts to the tests and cases that failed where they stopped, and on what values.
fn explain(
    ran: &mut [Ran],
    modules: &[Ref<Module>],
    stops: impl FnOnce(&[Failed<'_>]) -> Vec<Option<Stopped>>,
) {
    let (mut failed, mut whose) = (Vec::new(), Vec::new());
    for (at, Ran { found, keys }) in ran.iter().enumerate() {
        let (module, number) = found.at;
        let Some(rule) = modules.get(module).and_then(|module| module.policy.get(number)) else { continue };
        if found.test.outcome != TestOutcome::Failed {
            continue;
        }
        let cases = found.test.cases.iter().zip(keys).enumerate().filter(|(_, (case, _))| !case.passed);
        for (case, (_, keys)) in cases {
            let keys = found.keys.iter().cloned().zip(keys.iter().cloned()).collect();
            failed.push(Failed { module, rule, keys });
            whose.push((at, Some(case)));
        }
        if found.test.cases.is_empty() {
            failed.push(Failed { module, rule, keys: Vec::new() });
            whose.push((at, None));
        }
    }
    if failed.is_empty() {
        return;
    }
    for ((at, case), stopped) in whose.into_iter().zip(stops(&failed)) {
        let Some(test) = ran.get_mut(at).map(|ran| &mut ran.found.test) else { continue };
        match case.and_then(|case| test.cases.get_mut(case)) {
            Some(case) => case.stopped = stopped,
            None => test.stopped = stopped.or(test.stopped.take()),
        }
    }
    for test in ran.iter_mut().map(|ran| &mut ran.found.test) {
        if test.cases.iter().any(|case| case.stopped.is_some()) {
            test.stopped = None;
        }
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
