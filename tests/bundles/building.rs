//! Bundles that Postern builds and signs, and the real `opa` reads, checks, tests and serves.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use postern::command::{self, Exit};
use postern_policy::{Algorithm, Signed, Sources};
use postern_tests::parts::{present, program};
use postern_tests::process::{free_port, told_by, until};

use super::signing::Case;
use super::{folder, opa};

/// `postern policy WORDS`, which must end well; a word in braces is a path in this folder.
fn postern(folder: &Path, words: &[&str]) {
    let place = |word: &str| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
        Some(name) => folder.join(name).into(),
        None => OsString::from(word),
    };
    let outcome = command::main(["postern", "policy"].iter().chain(words).map(|word| place(word)));
    assert_eq!(outcome.exit, Exit::Done, "{words:?}: {}", outcome.err);
}

const SIGNING: [&str; 6] = ["--signing-key", "{key.pem}", "--verification-key-id", "ci", "--scope", "read"];

#[test]
fn what_postern_builds_and_signs_with_any_algorithm_opa_takes_and_a_changed_file_it_does_not() {
    let test = "what_postern_builds_and_signs_with_any_algorithm_opa_takes_and_a_changed_file_it_does_not";
    if !present(test, &["opa", "openssl"]) {
        return;
    }
    for algorithm in Algorithm::NAMES {
        let case = Case::new(algorithm);
        let build = ["build", "{b}", "-o", "{built.tar.gz}", "-e", "data.a.x", "--signing-alg", algorithm];
        fs::write(case.at("b/a.rego"), "package a\n\ndefault x := false\n").unwrap();
        postern(case.place.path(), &[&build[..], &SIGNING].concat());

        let (theirs, ours) = case.taken(&case.at("built.tar.gz"), "read", &[]);
        assert!(theirs, "{algorithm}");
        assert_eq!(ours.unwrap().revision(), "r1", "{algorithm}");
        assert!(!case.taken(&case.at("built.tar.gz"), "write", &[]).0, "{algorithm}");

        let unpacked = case.at("unpacked");
        fs::create_dir(&unpacked).unwrap();
        let tar = |words: &[&str]| told_by(Command::new("tar").current_dir(&unpacked).args(words)).unwrap();
        tar(&["-xzf", "../built.tar.gz"]);
        fs::write(unpacked.join("a.rego"), "package a\n\ndefault x := true\n").unwrap();
        tar(&[
            "-czf",
            "../changed.tar.gz",
            ".manifest",
            ".signatures.json",
            "a.rego",
            "a_test.rego",
            "b",
            "c",
        ]);
        let (theirs, ours) = case.taken(&case.at("changed.tar.gz"), "read", &[]);
        assert!(!theirs && ours.is_err(), "{algorithm}");
    }
}

#[test]
fn a_folder_that_postern_signs_is_taken_by_opa_with_a_key_in_any_form() {
    let test = "a_folder_that_postern_signs_is_taken_by_opa_with_a_key_in_any_form";
    if !present(test, &["opa", "openssl"]) {
        return;
    }
    for (algorithm, convert) in [
        ("RS256", &["rsa", "-traditional", "-in", "key.pem", "-out", "old.pem"][..]),
        ("PS384", &["rsa", "-traditional", "-in", "key.pem", "-out", "old.pem"]),
        ("ES512", &["ec", "-in", "key.pem", "-out", "old.pem"]),
        ("ES256", &["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-out", "old.pem"]),
    ] {
        let case = Case::new(algorithm);
        told_by(Command::new(program("openssl")).current_dir(case.place.path()).args(convert)).unwrap();
        let sign = ["sign", "{b}", "-o", "{b}", "--signing-alg", algorithm, "--signing-key", "{old.pem}"];
        postern(case.place.path(), &[&sign[..], &["--verification-key-id", "ci"]].concat());
        let mut tar = Command::new("tar");
        tar.args(["-czf", "../packed.tar.gz", "--"]).current_dir(case.at("b"));
        tar.args(fs::read_dir(case.at("b")).unwrap().map(|entry| entry.unwrap().file_name()));
        told_by(&mut tar).unwrap();

        let (theirs, ours) = case.taken(&case.at("packed.tar.gz"), "", &[]);
        assert!(theirs && ours.is_ok(), "{algorithm}: {ours:?}");
        let folder = Sources::read(&case.at("b"), Signed::By(&case.verifier("", &[])));
        assert!(folder.is_ok(), "{algorithm}: {folder:?}");
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "policy/main.rego",
        "package postern\n\ndefault decision := false\n\ndecision := {\"allow\": true} if data.roles[input.caller.id] == \"clerk\"\n",
    ),
    (
        "policy/main_test.rego",
        "package postern_test\n\nimport data.postern\n\ntest_clerk if postern.decision.allow with input.caller.id as \"c\"\n\ntest_other if not postern.decision with input.caller.id as \"x\"\n",
    ),
    ("policy/roles/data.json", "{\"c\": \"clerk\"}"),
];

#[test]
fn what_postern_builds_opa_evaluates_tests_and_inspects() {
    if !present("what_postern_builds_opa_evaluates_tests_and_inspects", &["opa"]) {
        return;
    }
    let place = folder(FILES);
    let place = place.path();
    postern(
        place,
        &[
            "build",
            "{policy}",
            "-o",
            "{b.tar.gz}",
            "-r",
            "r7",
            "--root",
            "postern",
            "--root",
            "roles",
            "--root",
            "postern_test",
        ],
    );
    fs::write(place.join("input.json"), r#"{"caller": {"id": "c"}}"#).unwrap();

    let query = ["eval", "-b", "b.tar.gz", "-i", "input.json", "-f", "raw", "data.postern.decision.allow"];
    assert_eq!(opa(place, &query).trim(), "true");
    assert!(opa(place, &["test", "-b", "b.tar.gz"]).contains("PASS: 2/2"));
    let manifest: serde_json::Value =
        serde_json::from_str(&opa(place, &["inspect", "b.tar.gz", "-f", "json"])).unwrap();
    assert_eq!(manifest["manifest"]["revision"], "r7");
    assert_eq!(manifest["manifest"]["roots"], serde_json::json!(["postern", "roles", "postern_test"]));
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_opa_that_serves_checks_what_postern_signed_and_answers_from_it() {
    let test = "an_opa_that_serves_checks_what_postern_signed_and_answers_from_it";
    if !present(test, &["opa", "openssl", "curl"]) {
        return;
    }
    let case = Case::new("ES256");
    fs::remove_dir_all(case.at("b")).unwrap();
    for (name, text) in FILES {
        let path = case.at(&name.replace("policy/", "b/"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let build = ["build", "{b}", "-o", "{built.tar.gz}", "--signing-alg", "ES256"];
    postern(case.place.path(), &[&build[..], &SIGNING].concat());
    let run = |scope: &str, address: &str| {
        let mut opa = Command::new(program("opa"));
        opa.args([
            "run",
            "--server",
            "--addr",
            address,
            "--disable-telemetry",
            "--verification-key-id",
            "ci",
        ]);
        opa.args(["--signing-alg", "ES256", "--scope", scope, "--verification-key"])
            .arg(case.at("public.pem"));
        opa.arg("-b").arg(case.at("built.tar.gz")).stdout(Stdio::null()).stderr(Stdio::null());
        Server(opa.spawn().expect("opa starts"))
    };

    let mut other = run("write", "127.0.0.1:0");
    assert!(!other.0.wait().unwrap().success(), "a bundle of another scope was served");

    let address = format!("127.0.0.1:{}", free_port());
    let _server = run("read", &address);
    let ask = || {
        let mut curl = Command::new(program("curl"));
        curl.args(["-sS", "--max-time", "5", "-d", r#"{"input": {"caller": {"id": "c"}}}"#]);
        told_by(curl.arg(format!("http://{address}/v1/data/postern/decision"))).unwrap_or_default()
    };
    until("opa answers", || !ask().is_empty());
    let answer: serde_json::Value = serde_json::from_str(&ask()).unwrap();
    assert_eq!(answer["result"]["allow"], true, "{answer}");
}

const GET: &str = r#"{
    "v": 1, "now": 7, "listener": "front", "direction": "inbound", "route": "all", "upstream": {"name": "app"},
    "caller": {"id": "spiffe://td/a", "kind": "workload", "trust_domain": "td", "path": ["a"]},
    "request": {"protocol": "http/1.1", "method": "GET", "path": "/", "segments": [""]}
}"#;

#[test]
fn recorded_inputs_go_into_a_bundle_and_are_no_data_to_opa() {
    if !present("recorded_inputs_go_into_a_bundle_and_are_no_data_to_opa", &["opa"]) {
        return;
    }
    let place = folder(&[
        (
            "b/main.rego",
            "package postern\n\ndefault decision := false\n\ndecision if input.request.method == \"GET\"\n",
        ),
        (
            "b/main_test.rego",
            "package postern_test\n\nget := {\"request\": {\"method\": \"GET\"}}\n\n\
             test_get if data.postern.decision with input as get\n",
        ),
        ("b/inputs/get.json", GET),
    ]);
    postern(place.path(), &["build", "{b}", "-o", "{built.tar.gz}"]);

    for bundle in ["b", "built.tar.gz"] {
        let eval = |words: &[&str]| opa(place.path(), &[&["eval", "-b", bundle][..], words].concat());
        assert!(opa(place.path(), &["test", "-b", bundle]).contains("PASS: 1/1"), "{bundle}");
        assert_eq!(eval(&["data.inputs"]).trim(), "{}", "{bundle}");
        let decided = eval(&["-f", "raw", "-i", "b/inputs/get.json", "data.postern.decision"]);
        assert_eq!(decided.trim(), "true", "{bundle}");
    }
    let held = told_by(Command::new("tar").current_dir(place.path()).args(["-tzf", "built.tar.gz"])).unwrap();
    assert!(held.contains("inputs/get.json"), "{held}");
}
