use std::fs;
use std::path::Path;

use super::*;
use crate::command::Exit;

const MAIN: &str =
    "package postern\n\ndefault decision := false\n\ndecision if input.caller.id == \"clerk\"\n";
const TEST: &str =
    "package postern_test\n\ntest_it if data.postern.decision with input.caller.id as \"clerk\"\n";

/// A folder `policy` in a folder of its own.
fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("policy")).unwrap();
    for (name, text) in files {
        fs::write(place.path().join("policy").join(name), text).unwrap();
    }
    place
}

/// `postern policy build policy -o built.tar.gz` and more words, in this place.
fn built(place: &Path, more: &[&str]) -> Outcome {
    let at = |name: &str| place.join(name).display().to_string();
    let (policy, output) = (at("policy"), at("built.tar.gz"));
    let words = ["postern", "policy", "build", &policy, "-o", &output];
    let more = more.iter().map(|word| word.replace("{here}", &place.display().to_string()));
    let words = words.iter().map(ToString::to_string).chain(more);
    let mut outcome = crate::command::main(words.map(std::ffi::OsString::from));
    for text in [&mut outcome.out, &mut outcome.err] {
        *text = text.replace(&format!("{}/", place.display()), "");
    }
    outcome
}

#[test]
fn a_bundle_is_built_twice_alike_and_says_what_it_is() {
    let place = place(&[("main.rego", MAIN), ("main_test.rego", TEST)]);
    let first = built(place.path(), &["--revision", "r1", "-b", "--entrypoint", "postern/decision"]);
    let bytes = fs::read(place.path().join("built.tar.gz")).unwrap();
    assert_eq!((first.exit, first.err.as_str()), (Exit::Done, ""));
    let expected = "built.tar.gz: revision r1, 3 files, not signed\nwithin 20ms on the largest requests by default limits: ";
    assert!(first.out.starts_with(expected), "{}", first.out);

    let again = built(place.path(), &["--revision", "r1", "--format", "json"]);
    assert_eq!(fs::read(place.path().join("built.tar.gz")).unwrap(), bytes);
    let said: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(said["files"], json!([".manifest", "main.rego", "main_test.rego"]));

    let inspected = postern_policy::inspect(&place.path().join("built.tar.gz")).unwrap();
    assert_eq!((inspected.revision.as_str(), inspected.modules.len()), ("r1", 1));
}

#[test]
fn what_would_not_be_loaded_is_not_built_and_an_older_bundle_stays() {
    let place = place(&[("main.rego", "package postern\n\ndefault decision := true\n")]);
    fs::write(place.path().join("built.tar.gz"), "older").unwrap();

    let refused = built(place.path(), &[]);
    assert_eq!((refused.exit, refused.out.as_str()), (Exit::Policy, ""));
    assert!(refused.err.contains("policy/main.rego"), "{}", refused.err);
    let as_json: Value = serde_json::from_str(&built(place.path(), &["-f", "json"]).out).unwrap();
    assert_eq!(as_json["errors"][0]["location"]["row"], 3, "{as_json}");

    fs::write(place.path().join("policy/main.rego"), MAIN).unwrap();
    fs::write(place.path().join("policy/main_test.rego"), TEST.replace("clerk", "other")).unwrap();
    let failing = built(place.path(), &[]);
    assert_eq!((failing.exit, failing.out.as_str()), (Exit::Policy, ""));
    assert!(
        failing.err.contains("policy/main_test.rego:3:1: `data.postern_test.test_it`"),
        "{}",
        failing.err
    );
    assert_eq!(fs::read(place.path().join("built.tar.gz")).unwrap(), b"older");

    assert_eq!(built(place.path(), &["--ignore", "*_test.rego"]).exit, Exit::Done);
}

#[test]
fn what_is_dear_is_warned_of_and_what_is_above_its_fuse_is_not_built() {
    let search =
        "package postern\n\ndefault decision := false\n\ndecision if data.ids[_] == input.caller.id\n";
    let ids = json!({"ids": (0..10_001).map(|n| n.to_string()).collect::<Vec<_>>()}).to_string();
    let place = place(&[("main.rego", search), ("data.json", &ids)]);

    let warned = built(place.path(), &["--fuse", "5s"]);
    assert_eq!(warned.exit, Exit::Done, "{}", warned.err);
    let said = "warning: policy/main.rego:5:13: `data.ids` goes through 10001 members";
    assert!(warned.err.contains(said) && warned.err.contains("1 warning"), "{}", warned.err);

    fs::remove_file(place.path().join("built.tar.gz")).unwrap();
    let refused = built(place.path(), &["--fuse", "1ms"]);
    assert_eq!(refused.exit, Exit::Policy, "{}", refused.err);
    assert!(refused.err.contains("`policy.fuse` is 1ms"), "{}", refused.err);
    assert!(!place.path().join("built.tar.gz").exists());
}

#[test]
fn what_cannot_be_read_or_written_exits_with_three() {
    let place = place(&[("main.rego", MAIN)]);
    for (more, why) in [
        (["{here}/nowhere", "-b"], "nowhere: No such file"),
        (["-o", "{here}/nowhere/b.tar.gz"], "No such file"),
        (["--signing-key", "{here}/nowhere.pem"], "nowhere.pem: No such file"),
        (["--signing-key", "{here}/policy/main.rego"], "main.rego: no PEM block"),
    ] {
        // The last of two outputs is none to clap.
        let outcome = if more[0] == "-o" {
            let (from, to) = (place.path().join("policy"), place.path().join("nowhere/b.tar.gz"));
            let words =
                [Path::new("postern"), Path::new("policy"), Path::new("build"), &from, Path::new("-o"), &to];
            crate::command::main(words.map(std::ffi::OsString::from))
        } else {
            built(place.path(), &more)
        };
        assert_eq!(outcome.exit, Exit::Configuration, "{}", outcome.err);
        assert!(outcome.err.contains(why), "{}", outcome.err);
        assert!(!place.path().join("built.tar.gz").exists());
    }
}

#[test]
fn what_is_said_of_a_signature_asks_for_its_key() {
    let place = place(&[("main.rego", MAIN)]);
    for (flag, value) in [
        ("--signing-alg", "ES256"),
        ("--verification-key-id", "ci"),
        ("--scope", "read"),
        ("--claims-file", "claims.json"),
    ] {
        let outcome = built(place.path(), &[flag, value]);
        assert_eq!(outcome.exit, Exit::Usage, "{flag}");
        assert!(outcome.err.contains("--signing-key <FILE>"), "{}", outcome.err);
        assert!(!place.path().join("built.tar.gz").exists());
    }
}

#[test]
fn a_key_without_its_algorithm_is_told_which_one_it_fits() {
    let place = place(&[("main.rego", MAIN)]);
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (key, why) in [
        (
            key.as_str(),
            "RS256 needs an RSA key of 2048 to 8192 bits; this one signs with `--signing-alg ES256`\n",
        ),
        ("a secret that both sides share", "; a shared secret signs with `--signing-alg HS256`\n"),
    ] {
        fs::write(place.path().join("key"), key).unwrap();
        let outcome = built(place.path(), &["--signing-key", "{here}/key"]);
        assert_eq!(outcome.exit, Exit::Configuration);
        assert!(outcome.err.contains(why), "{}", outcome.err);
    }
}

#[test]
fn a_shared_secret_and_a_key_that_others_may_read_are_warned_of_and_nothing_of_a_key_is_said() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = place(&[("main.rego", MAIN)]);
    let key = place.path().join("key");
    fs::write(&key, "a secret that both sides share").unwrap();
    let words = ["--signing-key", "{here}/key", "--signing-alg", "HS256"];
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let outcome = built(place.path(), &words);
        assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
        assert!(outcome.err.contains("warning: HS256 signs with a secret"), "{}", outcome.err);
        assert_eq!(outcome.err.contains("warning: any user may read"), warned, "{}", outcome.err);
        assert!(outcome.out.contains("2 files") || outcome.out.contains("3 files"), "{}", outcome.out);
    }
    let unnamed = built(place.path(), &["--signing-key", "{here}/key"]);
    assert_eq!(unnamed.exit, Exit::Configuration);
    assert!(!format!("{}{}", unnamed.out, unnamed.err).contains("both sides"), "{}", unnamed.err);
    let unknown = built(place.path(), &["--signing-key", "{here}/key", "--signing-alg", "none"]);
    assert_eq!(unknown.exit, Exit::Usage);
}
