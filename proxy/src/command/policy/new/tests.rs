use std::collections::BTreeSet;

use super::*;
use crate::command::Exit;

fn run(words: &[&str]) -> Outcome {
    let words = ["postern", "policy"].iter().chain(words).map(std::ffi::OsString::from);
    crate::command::main(words)
}

#[test]
fn every_scenario_is_checked_tested_covered_whole_and_built_as_its_last_lines_say() {
    for scenario in SCENARIOS {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("policy").display().to_string();
        let made = run(&["new", scenario.name, &folder]);
        assert_eq!(made.exit, Exit::Done, "{}", made.err);
        let next: Vec<&str> = made.out.split_once("Next:\n").unwrap().1.lines().collect();
        assert_eq!(next.len(), 3);
        for line in next {
            let output = place.path().join("bundle.tar.gz").display().to_string();
            let line = line.replace("bundle.tar.gz", &output);
            let words: Vec<&str> = line.split_whitespace().skip(2).collect();
            let outcome = run(&words);
            assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Done, ""), "{line}");
        }
        let tested = run(&["test", &folder, "--threshold", "100"]);
        assert_eq!(tested.exit, Exit::Done, "{}: {}", scenario.name, tested.err);
    }
}

#[test]
fn every_scenario_stands_beside_another_bundle() {
    for scenario in SCENARIOS {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name).display().to_string();
        assert_eq!(run(&["new", scenario.name, &at("policy")]).exit, Exit::Done);
        fs::create_dir(place.path().join("library")).unwrap();
        fs::write(place.path().join("library/.manifest"), r#"{"roots": ["library"]}"#).unwrap();
        fs::write(place.path().join("library/library.rego"), "package library\n\nyes := true\n").unwrap();
        fs::write(
            place.path().join("postern.yaml"),
            format!(
                "version: 1\nstate: {}\nidentity: {{ workload_api: \"unix://{}\", trust: [td.example] }}\n\
                 upstreams: {{ app: {{ address: \"127.0.0.1:9\" }} }}\n\
                 policy: {{ bundles: {{ main: {{ path: {} }}, library: {{ path: {} }} }}, fuse: 1s }}\n\
                 listeners: {{ front: {{ bind: \"127.0.0.1:9443\", protocol: http, routes: {{ all: {{ path: /, upstream: app }} }} }} }}\n",
                at("state"),
                at("none.sock"),
                at("policy"),
                at("library")
            ),
        )
        .unwrap();
        let both = run(&["check", &at("policy"), &at("library"), "--config", &at("postern.yaml")]);
        assert_eq!((both.exit, both.err.as_str()), (Exit::Done, ""), "{}", scenario.name);
    }
}

/// Names of all files below a folder.
fn below(folder: &Path, names: &mut BTreeSet<String>, from: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, names, from);
        } else {
            names.insert(path.strip_prefix(from).unwrap().display().to_string());
        }
    }
}

#[test]
fn the_table_names_every_file_of_every_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command/policy/new");
    let mut found = BTreeSet::new();
    below(&folder, &mut found, &folder);
    let named = |scenario: &Scenario| {
        scenario.files.iter().map(|(file, _)| format!("{}/{file}", scenario.name)).collect::<Vec<_>>()
    };
    let table = SCENARIOS.iter().flat_map(named).chain(["tests.rs".to_owned()]).collect();
    assert_eq!(found, table);
}

#[test]
fn no_file_is_overwritten_and_nothing_is_written_beside_one() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().display().to_string();
    fs::write(place.path().join("main_test.rego"), "mine").unwrap();

    let refused = run(&["new", "readers", &folder]);

    assert_eq!(refused.exit, Exit::Configuration);
    assert!(refused.err.contains("main_test.rego: is there already"), "{}", refused.err);
    assert_eq!(fs::read(place.path().join("main_test.rego")).unwrap(), b"mine");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_file_in_the_place_of_the_folder_is_told_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("policy").display().to_string();
    fs::write(&file, "mine").unwrap();
    for folder in [file.clone(), format!("{file}/below")] {
        let refused = run(&["new", "readers", &folder]);
        assert_eq!(refused.exit, Exit::Configuration);
        assert!(refused.err.starts_with(&format!("{file}: is a file: name a folder")), "{}", refused.err);
    }
}

#[test]
fn scenarios_are_listed_and_an_unknown_one_is_refused_with_those_there_are() {
    let listed = run(&["new", "--list"]);
    assert_eq!(listed.exit, Exit::Done);
    let json: serde_json::Value = serde_json::from_str(&run(&["new", "--list", "-f", "json"]).out).unwrap();
    assert_eq!(json.as_array().unwrap().len(), SCENARIOS.len());
    let unknown = run(&["new", "reders"]);
    assert_eq!(unknown.exit, Exit::Usage);
    for scenario in SCENARIOS {
        assert!(listed.out.contains(scenario.name) && unknown.err.contains(scenario.name), "{}", unknown.err);
    }
    assert_eq!(run(&["new"]).exit, Exit::Usage);
}
