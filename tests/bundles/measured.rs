//! `policy bench` by the real program: instructions that the CPU or valgrind counts, and what is said where neither does.

use std::path::Path;
use std::process::Command;

use postern_lab::sidecar;
use postern_tests::parts::present;
use postern_tests::process::told_by;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::folder;

/// A policy that looks its caller up or searches for it, as the input says.
fn policy() -> TempDir {
    let text = "package postern\n\ndefault decision := false\n\n\
                decision if {\n\tinput.how == \"lookup\"\n\tdata.keyed[input.caller].may\n}\n\n\
                decision if {\n\tinput.how == \"search\"\n\tsome one in data.list\n\tone == input.caller\n}\n";
    let keyed: serde_json::Map<_, _> = (0..40).map(|n| (format!("c{n}"), json!({"may": true}))).collect();
    let list: Vec<_> = (0..40).map(|n| format!("d{n}")).collect();
    folder(&[
        ("policy/main.rego", text),
        ("policy/data.json", &json!({"keyed": keyed, "list": list}).to_string()),
        ("lookup.json", r#"{"how": "lookup", "caller": "c7"}"#),
        ("search.json", r#"{"how": "search", "caller": "c7"}"#),
    ])
}

fn bench(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(sidecar::locate().expect("postern can be built"));
    command
        .current_dir(folder)
        .args(["policy", "bench", "-d", "policy", "--time", "20ms", "--format", "json"]);
    // The search finds nobody.
    command.args(words).arg("--fail=false");
    command
}

fn said(command: &mut Command) -> Value {
    let said = told_by(command).unwrap_or_else(|error| panic!("{error}"));
    serde_json::from_str(&said).expect("JSON")
}

fn count(figures: &Value) -> u64 {
    figures["instructions"].as_u64().unwrap_or_else(|| panic!("not counted: {figures}"))
}

#[test]
fn instructions_are_the_same_each_time_and_grow_with_the_work() {
    let policy = policy();
    let words = ["--instructions", "-i", "lookup.json", "-i", "search.json"];
    let first = said(&mut bench(policy.path(), &words));
    if first["counted_by"].is_null() {
        let there = present("instructions_are_the_same_each_time_and_grow_with_the_work", &["valgrind"]);
        assert!(!there, "{first}");
        return;
    }
    let [lookup, search] = [0, 1].map(|input| &first["results"][input]);
    // A decision is made of more than a thousand instructions and of less than a billion.
    assert!((1_000..1_000_000_000).contains(&count(lookup)), "{first}");
    assert!(count(search) > 2 * count(lookup), "forty turns of a loop are more than none: {first}");
    assert!(count(&search["tenfold"]) > 5 * count(search), "{first}");
    assert!(count(&lookup["tenfold"]) * 10 < count(lookup) * 12, "{first}");

    // From standard input, which cannot be read a second time.
    let again = bench(policy.path(), &["--instructions", "-I"]);
    let mut shell = Command::new("sh");
    shell.current_dir(policy.path()).args(["-c", "exec \"$@\" < search.json", "sh"]).arg(again.get_program());
    let again = said(shell.args(again.get_args()));
    for size in ["", "/tenfold"] {
        let [one, two] =
            [search, &again["results"][0]].map(|figures| count(figures.pointer(size).expect(size)));
        assert!(one.abs_diff(two) * 100 < one, "{one} and {two}");
    }
}

#[test]
fn without_a_counter_and_without_valgrind_none_is_told_but_why() {
    let policy = policy();
    let words = ["--instructions", "-i", "search.json"];
    let said = said(bench(policy.path(), &words).env("PATH", policy.path()));
    if said["counted_by"] == "cpu" {
        return;
    }
    let why = said["not_counted"].as_str().expect("why");
    assert!(why.starts_with("the ") && why.ends_with("; `valgrind` is not on the PATH: install it"), "{why}");
    let result = &said["results"][0];
    assert!(result["instructions"].is_null() && result["tenfold"]["instructions"].is_null(), "{said}");
    assert!(result["median_ns"].as_u64() > Some(0), "{said}");
}
