//! `postern policy test` and `opa test` say the same of every test of every bundle of this project.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern::command;
use postern_policy::builtins_page;
use postern_tests::parts::{present, program};
use serde_json::Value;

/// How a test went, its cases among it.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    row: u64,
    how: &'static str,
    cases: BTreeMap<String, Ended>,
}

/// Tests by their full names.
type Results = BTreeMap<String, Ended>;

/// Where the two say otherwise: the test, what `opa` says, what Postern says, and why. All of it stands on the page for
/// authors, and nothing else is otherwise.
const OTHERWISE: &[(&str, &str, &str, &str)] = &[
    (
        "endings_test.test_a_builtin_that_fails",
        "failed",
        "error",
        "OPA takes what a builtin refuses for undefined",
    ),
    (
        "endings_test.test_a_builtin_that_fails_within",
        "failed",
        "error",
        "OPA takes what a builtin refuses for undefined",
    ),
    (
        "endings_test.test_not_of_a_builtin_that_fails",
        "failed",
        "error",
        "OPA takes what a builtin refuses for undefined",
    ),
    (
        "endings_test.test_of_a_constant_key",
        "failed",
        "error",
        "OPA fails a test with constant keys alone whatever its body says",
    ),
    ("endings_test.test_no_case", "passed", "failed", "to OPA a test without a case has passed"),
    (
        "mocks.test_the_clock_itself",
        "passed",
        "error",
        "time.now_ns is the time of a request, and a test has none",
    ),
];

/// Bundles that `opa` cannot run: they call what Postern alone has.
const OURS_ALONE: &[&str] = &["tests/bundles/agreement/ours"];

#[test]
fn postern_and_opa_say_the_same_of_every_test_in_this_project() {
    if !present("postern_and_opa_say_the_same_of_every_test_in_this_project", &["opa"]) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pages = tempfile::tempdir().unwrap();
    let mut bundles = BTreeSet::new();
    find(root, false, &mut bundles);
    let found = bundles.len();
    pages_below(root, pages.path());
    find(pages.path(), false, &mut bundles);
    assert!(found >= 9 && bundles.len() > found, "{bundles:?}");

    let (mut alone, mut otherwise, mut same) = (Vec::new(), BTreeSet::new(), 0);
    for bundle in &bundles {
        let name = bundle.strip_prefix(root).unwrap_or(bundle).display().to_string();
        let paths = with_library(bundle, root);
        let (ours, our_end) = ours(&paths);
        let Some((theirs, their_end)) = theirs(&paths) else {
            eprintln!(
                "opa cannot run {name}, {} tests: it calls builtins that Postern alone has",
                ours.len()
            );
            alone.push(name);
            continue;
        };
        assert_eq!(
            ours.keys().collect::<Vec<_>>(),
            theirs.keys().collect::<Vec<_>>(),
            "{name}: the tests that were found"
        );
        for (test, ours) in &ours {
            let theirs = &theirs[test];
            let known = OTHERWISE.iter().find(|known| test.strip_prefix("data.") == Some(known.0));
            match known {
                Some((_, they, we, why)) => {
                    assert_eq!((theirs.how, ours.how), (*they, *we), "{name}: {test}: {why}");
                    otherwise.insert(test.clone());
                }
                None => assert_eq!(ours, theirs, "{name}: {test}: Postern, then OPA"),
            }
            same += usize::from(known.is_none());
        }
        let alike = ours.keys().all(|test| !otherwise.contains(test));
        assert!(our_end == their_end || !alike, "{name}: exits with {our_end}, OPA with {their_end}");
    }
    println!(
        "{same} tests of {} bundles alike, {} otherwise, {alone:?} by Postern alone",
        bundles.len(),
        otherwise.len()
    );
    assert_eq!(alone, OURS_ALONE);
    assert_eq!(otherwise.len(), OTHERWISE.len(), "what is no longer otherwise is taken out: {otherwise:?}");
    assert!(same > 80, "{same}");
}

/// The topmost folders below which tests stand, each with a policy beside them.
fn find(folder: &Path, below: bool, bundles: &mut BTreeSet<PathBuf>) {
    let mut folders = Vec::new();
    let (mut rego, mut tests) = (below, false);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            folders.push(path);
        } else if path.extension().is_some_and(|extension| extension == "rego") {
            rego = true;
            tests = tests || name.ends_with("_test.rego");
        }
    }
    if tests && !below {
        bundles.insert(folder.to_owned());
    }
    for folder in folders {
        find(&folder, rego && tests, bundles);
    }
}

/// Writes the blocks of each page that say which file they are, each page into a folder of its own.
fn pages_below(folder: &Path, into: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            pages_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let page = fs::read_to_string(&path).unwrap();
            for block in page.split("\n```").skip(1).step_by(2) {
                let Some((kind, text)) = block.split_once('\n') else { continue };
                let Some(file) = kind.strip_prefix("rego ").or_else(|| kind.strip_prefix("json ")) else {
                    continue;
                };
                let file = into.join(path.display().to_string().replace('/', "_")).join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
        }
    }
}

/// The bundle, and the library where it is asked for.
fn with_library(bundle: &Path, root: &Path) -> Vec<PathBuf> {
    let library = root.join("policy/rego");
    let mut asks = false;
    let mut left = vec![bundle.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "rego") {
            asks = asks || fs::read_to_string(path).unwrap().contains("data.library");
        }
    }
    let manifest = fs::read_to_string(bundle.join(".manifest")).unwrap_or_default();
    // A page that owns the library copies its modules into the bundle.
    if asks && manifest.contains("\"library\"") && !bundle.starts_with(root) {
        let into = bundle.join("library");
        fs::create_dir_all(&into).unwrap();
        for entry in fs::read_dir(&library).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_some_and(|end| end == "rego") {
                fs::copy(&entry, into.join(entry.file_name().unwrap())).unwrap();
            }
        }
        return vec![bundle.to_owned()];
    }
    if asks && bundle != library { vec![bundle.to_owned(), library] } else { vec![bundle.to_owned()] }
}

fn ours(paths: &[PathBuf]) -> (Results, i32) {
    let words = ["postern", "policy", "test", "--format", "json"].map(OsString::from).into_iter();
    let outcome = command::main(words.chain(paths.iter().map(OsString::from)));
    let said = serde_json::from_str(&outcome.out);
    let said: Value =
        said.unwrap_or_else(|error| panic!("{paths:?}: {error}: {}{}", outcome.out, outcome.err));
    assert!(said.is_array(), "{paths:?}: {said}");
    (results(&said), outcome.exit as i32)
}

/// Nothing where it calls what `opa` does not know.
fn theirs(paths: &[PathBuf]) -> Option<(Results, i32)> {
    let mut opa = Command::new(program("opa"));
    let output = opa.args(["test", "-b", "--format", "json"]).args(paths).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    let page = builtins_page();
    let mut own = page.lines().filter_map(|line| line.strip_prefix("### `")?.split_once('('));
    if own.any(|(name, _)| why.contains(&format!("undefined function {name}"))) {
        return None;
    }
    let said = serde_json::from_slice(&output.stdout);
    let said: Value = said.unwrap_or_else(|error| panic!("{paths:?}: {error}: {why}"));
    Some((results(&said), output.status.code().unwrap()))
}

fn results(said: &Value) -> Results {
    let list = said.as_array().unwrap().iter();
    list.map(|test| {
        let name = format!("{}.{}", test["package"].as_str().unwrap(), test["name"].as_str().unwrap());
        (name, ended(test))
    })
    .collect()
}

fn ended(test: &Value) -> Ended {
    let how = match test {
        test if test["error"].is_object() => "error",
        test if test["fail"] == true => "failed",
        test if test["skip"] == true => "skipped",
        _ => "passed",
    };
    let cases = test["sub_results"].as_object().into_iter().flatten();
    Ended {
        row: test["location"]["row"].as_u64().unwrap_or(0),
        how,
        cases: cases.map(|(note, case)| (written(note), ended(case))).collect(),
    }
}

/// A note that is a number is that number, however it is written: 1e+20 or its 21 digits.
fn written(note: &str) -> String {
    note.parse::<f64>().map_or_else(|_| note.to_owned(), |number| number.to_string())
}
