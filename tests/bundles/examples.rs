//! The bundles of `policy/examples`: their tests, their recorded inputs and their pages, on both engines.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use postern_policy::{Judge, PolicySet, Recorded, Sources, Tests, Verdict};
use postern_tests::parts::present;
use serde_json::Value;

use super::library::{ours, whole};
use super::opa;

/// The library and an example, as they are loaded together.
fn bundles(name: &str) -> [PathBuf; 2] {
    [ours("rego"), ours("examples").join(name)]
}

#[test]
fn the_examples_are_covered_by_their_own_tests_on_both_engines() {
    if !present("the_examples_are_covered_by_their_own_tests_on_both_engines", &["opa"]) {
        return;
    }
    for name in ["intranet", "batch"] {
        whole(&bundles(name));
    }
}

/// The rows of a page's table of inputs: name, whether it is allowed, rule, credential.
fn rows(page: &str) -> Vec<[String; 4]> {
    let table = page.split("| input | allowed | rule | credential |\n").nth(1).expect("a table of inputs");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        cells.collect::<Vec<_>>().try_into().expect("four cells")
    };
    rows.map(cells).collect()
}

#[test]
fn recorded_inputs_are_decided_as_the_page_says_and_as_opa_decides_them() {
    let test = "recorded_inputs_are_decided_as_the_page_says_and_as_opa_decides_them";
    if !present(test, &["opa"]) {
        return;
    }
    for name in ["intranet", "batch"] {
        let bundles = bundles(name);
        let sources = Sources::read_paths(&bundles, Tests::Left).expect("the bundles can be read");
        let policy = PolicySet::compile(&sources, "data.postern.decision", Duration::from_secs(5))
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(policy.warnings().is_empty(), "{name}: {:?}", policy.warnings());
        let mut judge = Judge::new(Arc::new(policy));
        let page = fs::read_to_string(bundles[1].join("README.md")).expect("the example has a page");
        let rows = rows(&page);
        let recorded = fs::read_dir(bundles[1].join("inputs")).expect("recorded inputs").count();
        assert_eq!(rows.len(), recorded, "{name}: each input stands on the page");

        for [input, allowed, rule, credential] in &rows {
            let file = bundles[1].join("inputs").join(format!("{input}.json"));
            let text = fs::read_to_string(&file).expect("an input");
            let credential = Some(credential.as_str()).filter(|name| !name.is_empty());
            let said = match judge.judge(&Recorded::parse(&text).expect("an input")) {
                Verdict::Allow(yes) => ("yes", yes.rule, yes.credential),
                Verdict::Deny(refusal) => ("no", refusal.rule, None),
            };
            assert_eq!(
                (said.0, said.1.as_deref(), said.2.as_deref()),
                (allowed.as_str(), Some(rule.as_str()), credential),
                "{name}: {input}"
            );
            let [library, example, file] =
                [&bundles[0], &bundles[1], &file].map(|path| path.to_str().expect("UTF-8"));
            let theirs = opa(
                Path::new("/"),
                &[
                    "eval",
                    "-b",
                    library,
                    "-b",
                    example,
                    "-i",
                    file,
                    "--format",
                    "raw",
                    "data.postern.decision",
                ],
            );
            let theirs: Value = serde_json::from_str(&theirs).expect("opa prints JSON");
            assert_eq!(
                (theirs["allow"].as_bool(), theirs["rule"].as_str(), theirs["credential"].as_str()),
                (Some(allowed == "yes"), Some(rule.as_str()), credential),
                "{name}: {input}"
            );
        }
    }
}

#[test]
fn the_configuration_on_an_examples_page_is_one() {
    for name in ["intranet", "batch"] {
        let page = fs::read_to_string(ours("examples").join(name).join("README.md")).expect("a page");
        let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().join("state").display().to_string();
        let [library, example] = bundles(name).map(|path| path.display().to_string());
        let yaml = yaml
            .replace("/etc/postern/library", &library)
            .replace(&format!("/etc/postern/{name}"), &example)
            .replace("/var/lib/postern", &state);
        let file = folder.path().join("postern.yaml");
        fs::write(&file, yaml).expect("it can be written");

        let outcome = postern::command::main(
            ["postern", "check", "--config", file.to_str().expect("UTF-8")].map(OsString::from),
        );

        assert_eq!(outcome.exit, postern::command::Exit::Done, "{name}: {}{}", outcome.out, outcome.err);
    }
}
