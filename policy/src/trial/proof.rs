//! A policy goes live only when the tests that it brings pass.

use std::time::Duration;

use super::{Test, TestOutcome, TestRun, run_by};
use crate::deadline::Deadline;
use crate::gate::Purpose;
use crate::problem::{LoadError, Problem};
use crate::sources::Sources;

/// Longest time of one test at load: as long as `postern policy test` gives it.
const ONE: Duration = Duration::from_secs(5);
/// Most failed tests that are told one by one.
const MOST: usize = 20;
/// What to do about a failed test.
const INSTEAD: &str =
    "the rule mended, or the test where the rule is right; `postern policy test` runs it as here";

/// Runs the tests of a policy, those in `*_test.rego` and those beside its rules, all by the deadline. Gives
/// how many tests and how many of their cases passed, or a problem for each that failed or had no answer.
pub(crate) fn prove(sources: &Sources, deadline: &Deadline) -> Result<(usize, usize), LoadError> {
    // Without any there is no need to compile the policy once more.
    if sources.tests.is_empty() && !sources.modules.iter().any(|module| module.text.contains("test_")) {
        return Ok((0, 0));
    }
    let sources = sources.with_tests();
    let run = TestRun { only: None, fuse: ONE, coverage: false };
    let report = run_by(&sources, Purpose::Proof, None, run, deadline)?;
    let wrong = |test: &&Test| matches!(test.outcome, TestOutcome::Failed | TestOutcome::Error(_));
    let failed: Vec<&Test> = report.tests.iter().filter(wrong).collect();
    if failed.is_empty() {
        let passed = report.tests.iter().filter(|test| test.outcome == TestOutcome::Passed);
        return Ok(passed.fold((0, 0), |(tests, cases), test| (tests + 1, cases + test.cases.len().max(1))));
    }
    let mut problems: Vec<Problem> =
        failed.iter().take(MOST).map(|test| problem(test, &sources, deadline)).collect();
    if let Some(more @ 1..) = failed.len().checked_sub(MOST) {
        problems.push(Problem::of("", "tests", format!("failed: {more} more"), ""));
    }
    Err(LoadError { problems })
}

fn problem(test: &Test, sources: &Sources, deadline: &Deadline) -> Problem {
    let why = match &test.outcome {
        TestOutcome::Error(crate::Cause::Late { fuse }) if fuse.is_zero() => {
            format!("was not run: the policy took longer than {:?} in all", deadline.whole())
        }
        TestOutcome::Error(cause) => format!("has no answer: {cause}"),
        _ => failed(test),
    };
    let module = sources.modules.iter().find(|module| module.name == test.file);
    let source = module.map_or("", |module| module.text.as_str());
    // Where it stopped, if that is known, and not where it begins.
    let (line, column) = match &test.stopped {
        Some(at) if test.outcome == TestOutcome::Failed => (at.line, at.column),
        _ => (test.line, test.column),
    };
    Problem::of(&test.file, &test.full_name(), why, INSTEAD).at(line, column, source)
}

/// The cases that did not pass, and the statement that did not hold.
fn failed(test: &Test) -> String {
    let cases = test.cases.iter().filter(|case| !case.passed).take(3);
    let cases: Vec<String> = cases.map(|case| format!("`{}`", case.notes.join("/"))).collect();
    let cases = if cases.is_empty() { String::new() } else { format!(" for {}", cases.join(", ")) };
    match &test.stopped {
        Some(_) => format!("failed{cases}: this did not hold"),
        None => format!("failed{cases}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "package postern\n\ndefault decision := false\n\ndecision if input.route == \"go\"\n";

    fn proved(tests: &str) -> Result<usize, Vec<Problem>> {
        proved_within(tests, 60)
    }

    fn proved_within(tests: &str, within: u64) -> Result<usize, Vec<Problem>> {
        let module = |name: &str, text: &str| crate::sources::Module {
            name: name.to_owned(),
            text: text.to_owned(),
            roots: crate::bundle::roots::Roots::everything(),
        };
        let mut sources = Sources::from_modules([("main.rego", MAIN)], []);
        sources.tests.push(module(
            "main_test.rego",
            &format!("package postern_test\n\nimport data.postern\n\n{tests}"),
        ));
        prove(&sources, &Deadline::after(Duration::from_secs(within)))
            .map(|(tests, _)| tests)
            .map_err(|error| error.problems)
    }

    #[test]
    fn tests_that_pass_are_counted_and_those_to_do_are_not() {
        let passing =
            "test_go if postern.decision with input as {\"route\": \"go\"}\ntodo_test_stop if false\n";
        assert_eq!(proved(passing), Ok(1));
        let alone = Sources::from_modules([("main.rego", MAIN)], []);
        assert_eq!(prove(&alone, &Deadline::after(ONE)), Ok((0, 0)));
    }

    #[test]
    fn a_failed_test_is_a_problem_with_its_name_place_and_the_statement_that_did_not_hold() {
        let problems =
            proved("test_stop if {\n\ttrue\n\tpostern.decision with input as {\"route\": \"stop\"}\n}\n")
                .unwrap_err();

        let said = problems.iter().map(ToString::to_string).collect::<String>();
        for words in [
            "main_test.rego:7:2: `data.postern_test.test_stop` failed: this did not hold",
            " 7 | \tpostern.decision with input as {\"route\": \"stop\"}",
            "instead: the rule mended",
        ] {
            assert!(said.contains(words), "`{words}` is not in:\n{said}");
        }
    }

    #[test]
    fn nothing_is_kept_of_what_a_test_prints_but_its_cases_are_told() {
        let tests = "test_each[n] if {\n\tsome n in [\"one\", \"two\"]\n\tprint(\"trying\", n)\n\tn != \"\"\n}\n\
                     test_alone if print(\n\t\"a\",\n\t[`b)`],\n)\n\
                     test_behind if {\n\tx := [y | y := 1; print(y)]\n\tprint(\"(\"); x == [1]\n}\n";
        assert_eq!(proved(tests), Ok(3));

        let sources = Sources::from_modules([("a_test.rego", &*format!("package a_test\n\n{tests}"))], []);
        let run = TestRun { only: None, fuse: ONE, coverage: false };
        let deadline = Deadline::after(Duration::from_mins(1));
        let report = run_by(&sources, Purpose::Proof, None, run, &deadline).unwrap();
        assert!(report.tests.iter().all(|test| test.output.is_empty()), "{:?}", report.tests);
        assert_eq!(report.tests[0].cases.len(), 2);
        let report = run_by(&sources, Purpose::Tests, None, run, &deadline).unwrap();
        assert!(report.tests.iter().all(|test| !test.output.is_empty()), "{:?}", report.tests);
    }

    #[test]
    fn a_test_beside_the_rules_counts_like_any_other() {
        let text = format!("{MAIN}\ntest_never if false\n");
        let problems =
            prove(&Sources::from_modules([("main.rego", text.as_str())], []), &Deadline::after(ONE))
                .unwrap_err()
                .problems;
        assert_eq!(problems[0].construct, "data.postern.test_never");
    }

    #[test]
    fn a_case_that_fails_is_named() {
        let cases = "test_each[n] if {\n\tsome n in [\"one\", \"two\"]\n\tn == \"one\"\n}\n";
        let why = &proved(cases).unwrap_err()[0].why;
        assert!(why.starts_with("failed for `two`"), "{why}");
    }

    #[test]
    fn a_test_that_has_no_answer_is_a_problem() {
        for (test, words) in [
            ("test_now if time.now_ns() > 0", "has no answer: "),
            ("test_of.one if true", "has constant keys alone"),
            ("test_error if to_number(\"x\") == 1", "has no answer: "),
        ] {
            let why = &proved(test).unwrap_err()[0].why;
            assert!(why.contains(words), "{why}");
        }
        // What differs each time does not pass the gate at all.
        let random = proved("test_random if rand.intn(\"a\", 2) < 2").unwrap_err();
        assert_eq!((random[0].file.as_str(), random[0].construct.as_str()), ("main_test.rego", "rand.intn"));
    }

    #[test]
    fn one_deadline_holds_for_all_tests_together() {
        // Made once: what a builtin gives is bounded too, and a fast machine would come to that bound first.
        let forever = "many := numbers.range(1, 9000)\n\ntest_forever if {\n\tsome a in many\n\tsome b in many\n\t\
                       some c in many\n\ta + b + c < 0\n}\n";
        let watch = crate::evaluate::Stopwatch::start();
        let problems = proved_within(&format!("{forever}\ntest_behind if true\n"), 1).unwrap_err();

        // Far below what one of them alone would take.
        assert!(watch.elapsed() < Duration::from_mins(1), "{:?}", watch.elapsed());
        let whys: Vec<&str> = problems.iter().map(|problem| problem.why.as_str()).collect();
        assert!(whys[0].starts_with("has no answer: ") && whys[1].starts_with("was not run: "), "{whys:?}");
    }

    #[test]
    fn a_thousand_failed_tests_are_told_in_a_few_lines() {
        let thousand: String = (0..1000).map(|n| format!("test_{n} if false\n")).collect();
        let problems = proved(&thousand).unwrap_err();
        assert_eq!(problems.len(), MOST + 1);
        assert!(problems[MOST].why.ends_with("more"), "{}", problems[MOST]);
    }
}
