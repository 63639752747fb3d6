//! The library of `policy/rego`: its tests and the examples of its page, on both engines.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postern_policy::{Sources, TestOutcome, TestReport, TestRun, Tests, run_tests};
use postern_tests::parts::present;
use serde_json::Value;

use super::opa;

/// A folder of `policy/`.
pub(super) fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the project")
        .join("policy")
        .join(name)
}

/// What Postern says to the tests of these bundles.
pub(super) fn tested(bundles: &[PathBuf]) -> TestReport {
    let sources = Sources::read_paths(bundles, Tests::Read).expect("the bundles can be read");
    let run = TestRun { only: None, fuse: Duration::from_secs(5), coverage: true };
    let report = run_tests(&sources, run).unwrap_or_else(|error| panic!("{error}"));
    for test in &report.tests {
        assert_eq!(test.outcome, TestOutcome::Passed, "{}", test.full_name());
    }
    report
}

/// All tests pass on both engines, as many here as there, and go through every line on both.
pub(super) fn whole(bundles: &[PathBuf]) {
    let report = tested(bundles);
    let (covered, missed) = report.coverage.as_ref().expect("it was asked for").lines();
    assert!(covered > 0 && missed == 0, "{:?}", report.coverage);

    let paths = bundles.iter().map(|bundle| bundle.to_str().expect("UTF-8")).collect::<Vec<_>>();
    let words = |words: &[&'static str]| [words, paths.as_slice()].concat();
    opa(Path::new("/"), &words(&["check", "--strict", "-b"]));
    let said = opa(Path::new("/"), &words(&["test", "-b", "--coverage", "--threshold", "100"]));
    let coverage: Value = serde_json::from_str(&said).expect("opa prints JSON");
    assert_eq!(coverage["coverage"], 100, "{coverage}");
    let said = opa(Path::new("/"), &words(&["test", "-b", "--format", "json"]));
    let theirs: Vec<Value> = serde_json::from_str(&said).expect("opa prints JSON");
    let mut theirs: Vec<String> =
        theirs.iter().map(|test| format!("{}.{}", test["package"], test["name"]).replace('"', "")).collect();
    let mut ours: Vec<String> = report.tests.iter().map(postern_policy::Test::full_name).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
}

#[test]
fn the_library_is_covered_by_its_own_tests_on_both_engines() {
    if !present("the_library_is_covered_by_its_own_tests_on_both_engines", &["opa"]) {
        return;
    }
    whole(&[ours("rego")]);
}

/// The lines of the page's blocks of Rego, each one true.
fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```rego\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.flat_map(str::lines).collect()
}

#[test]
fn every_example_of_the_librarys_page_is_true_on_both_engines() {
    if !present("every_example_of_the_librarys_page_is_true_on_both_engines", &["opa"]) {
        return;
    }
    let page = fs::read_to_string(ours("rego/README.md")).expect("the library has a page");
    let imports =
        ["http", "identity", "roles", "windows"].map(|name| format!("import data.library.{name}\n")).concat();
    let tests = examples(&page)
        .iter()
        .enumerate()
        .map(|(at, line)| format!("\ntest_{at} if {{ {line} }}\n"))
        .collect::<String>();
    let folder = super::folder(&[
        ("page_test.rego", &format!("package page_test\n\n{imports}{tests}")),
        (".manifest", r#"{"roots": ["page_test"]}"#),
    ]);
    let bundles = [ours("rego"), folder.path().to_owned()];

    let ran =
        tested(&bundles).tests.iter().filter(|test| test.full_name().starts_with("data.page_test.")).count();

    assert!(ran > 40, "{ran}");
    opa(Path::new("/"), &["test", "-b", bundles[0].to_str().unwrap(), bundles[1].to_str().unwrap()]);
}

#[test]
fn the_librarys_page_names_every_function_as_it_is_defined() {
    let page = fs::read_to_string(ours("rego/README.md")).expect("the library has a page");
    let mut functions = 0;
    for package in ["http", "identity", "roles", "windows"] {
        let text = fs::read_to_string(ours(&format!("rego/{package}.rego"))).expect("a package");
        // A rule that is for authors has annotations of its own.
        for rule in text.split("# scope: document\n").skip(1) {
            let code = rule.lines().filter(|line| !line.starts_with('#') && !line.starts_with("default "));
            let head = code.filter(|line| !line.is_empty()).find_map(|line| Some(&line[..=line.find(')')?]));
            let heading = format!("### `{package}.{}`\n", head.expect("a function"));
            assert!(page.contains(&heading), "no {heading}");
            functions += 1;
        }
    }
    assert_eq!(functions, page.matches("\n### `").count());
}
