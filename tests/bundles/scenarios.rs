//! What `policy new` writes is a bundle for both: checked, tested and green as it stands.

use std::ffi::OsString;
use std::process::Command;

use postern::command::{self, Exit};
use postern_tests::parts::{present, program};
use serde_json::Value;

fn postern(words: &[&str]) -> command::Outcome {
    command::main(["postern", "policy"].iter().chain(words).map(OsString::from))
}

#[test]
fn every_scenario_is_green_with_postern_and_with_opa() {
    if !present("every_scenario_is_green_with_postern_and_with_opa", &["opa"]) {
        return;
    }
    let listed: Value = serde_json::from_str(&postern(&["new", "--list", "--format", "json"]).out).unwrap();
    let scenarios = listed.as_array().unwrap();
    assert!(scenarios.len() >= 3, "{listed}");
    for scenario in scenarios {
        let name = scenario["name"].as_str().unwrap();
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("policy").display().to_string();
        for words in [&["new", name, &folder][..], &["check", &folder, "--fuse", "1s"], &["test", &folder]] {
            let outcome = postern(words);
            assert_eq!((outcome.exit, outcome.err.as_str()), (Exit::Done, ""), "{name}: {words:?}");
        }
        for words in [&["check", "--strict", "-b"][..], &["test", "-b"]] {
            let output = Command::new(program("opa")).args(words).arg(&folder).output().expect("opa runs");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{name}: opa {words:?}: {said}");
            assert!(words[0] != "test" || said.contains("PASS: "), "{name}: {said}");
        }
    }
}
