use std::fs;
use std::path::Path;

use postern_policy::{Algorithm, Signed, Sources, Verifier, VerifyKey};

use super::*;
use crate::command::Exit;

const SECRET: &str = "a secret that both sides share";

fn signed(folder: &Path, more: &[&str]) -> Outcome {
    let at = |name: &str| folder.join(name).display().to_string();
    let (policy, key) = (at("policy"), at("key"));
    let words = [
        "postern",
        "policy",
        "sign",
        &policy,
        "--signing-key",
        &key,
        "--signing-alg",
        "HS512",
        "-o",
        &policy,
    ];
    let more = more.iter().map(|word| word.replace("{here}", &folder.display().to_string()));
    let words = words.iter().map(ToString::to_string).chain(more);
    crate::command::main(words.map(std::ffi::OsString::from))
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("policy")).unwrap();
    fs::write(place.path().join("policy/main.rego"), "package postern\n\ndefault decision := false\n")
        .unwrap();
    fs::write(place.path().join("policy/readme.md"), "signed too").unwrap();
    fs::write(place.path().join("key"), SECRET).unwrap();
    place
}

fn taken(place: &Path, keyid: &str, scope: &str) -> Result<Sources, String> {
    let algorithm: Algorithm = "HS512".parse().unwrap();
    let key = VerifyKey::new(SECRET.as_bytes(), algorithm, None).unwrap();
    let verifier = Verifier::new([(keyid.to_owned(), key)].into()).with_scope(Some(scope.to_owned()));
    Sources::read(&place.join("policy"), Signed::By(&verifier)).map_err(|error| error.to_string())
}

#[test]
fn a_signed_folder_is_taken_and_a_changed_one_is_not_and_signing_again_mends_it() {
    let place = place();
    let outcome = signed(place.path(), &["--format", "json"]);
    assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
    let output = place.path().join("policy/.signatures.json").display().to_string();
    assert_eq!(outcome.out, print::lines(&json!({ "output": output })));
    taken(place.path(), "default", "").unwrap();

    fs::write(place.path().join("policy/readme.md"), "changed").unwrap();
    let error = taken(place.path(), "default", "").unwrap_err();
    assert!(error.contains("readme.md: is not the file that was signed"), "{error}");
    signed(place.path(), &[]);
    taken(place.path(), "default", "").unwrap();
}

#[test]
fn key_and_scope_stand_in_the_claims_or_are_given_and_what_is_given_counts() {
    let place = place();
    fs::write(place.path().join("claims"), r#"{"keyid": "ci", "scope": "read", "iss": "ci.example"}"#)
        .unwrap();
    let claims = ["--claims-file", "{here}/claims"];
    signed(place.path(), &claims);
    taken(place.path(), "ci", "read").unwrap();
    assert!(taken(place.path(), "ci", "").is_err());

    signed(place.path(), &[&claims[..], &["--verification-key-id", "night", "--scope", "write"]].concat());
    taken(place.path(), "night", "write").unwrap();
    assert!(taken(place.path(), "ci", "read").is_err());
}

#[test]
fn claims_that_say_what_only_the_signature_may_are_refused() {
    let place = place();
    for (claims, why) in [
        ("[]", "not an object"),
        (r#"{"files": []}"#, "`files`"),
        (r#"{"keyid": 1}"#, "`keyid` is a text"),
        (r#"{"scope": ["a"]}"#, "`scope` is a text"),
    ] {
        fs::write(place.path().join("claims"), claims).unwrap();
        let outcome = signed(place.path(), &["--claims-file", "{here}/claims"]);
        assert_eq!(outcome.exit, Exit::Configuration, "{claims}");
        assert!(outcome.err.contains(why), "{}", outcome.err);
    }
    assert!(!place.path().join("policy/.signatures.json").exists());
}

#[test]
fn it_says_what_to_run_next_and_that_works() {
    let place = place();
    let at = |name: &str| place.path().join(name).display().to_string();
    let run = |words: &str| {
        let words = words.split(" #").next().unwrap_or_default().split_whitespace();
        crate::command::main(words.map(std::ffi::OsString::from))
    };
    let next = |said: &str| {
        said.lines().skip_while(|line| *line != "Next:").skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let signed = signed(place.path(), &[]);
    let steps = next(&signed.out);
    assert_eq!(steps.len(), 1, "{}", signed.out);
    assert_eq!(run(&steps[0]).exit, Exit::Done, "{steps:?}");

    run(&format!("postern policy build {} -o {} --fuse 1s", at("policy"), at("b.tar.gz")));
    let key = at("key");
    let archive = run(&format!(
        "postern policy sign {} --signing-key {key} --signing-alg HS512 --scope read -o {}",
        at("b.tar.gz"),
        place.path().display()
    ));
    let step = next(&archive.out).concat().replace("signed.tar.gz", &at("signed.tar.gz"));
    assert_eq!(run(&format!("{} --fuse 1s", step.split(" #").next().unwrap())).exit, Exit::Done, "{step}");
    let check = format!(
        "postern policy inspect {} --verification-key {key} --signing-alg HS512 --scope read",
        at("signed.tar.gz")
    );
    assert_eq!(run(&check).exit, Exit::Done);
}

#[test]
fn a_signature_of_other_files_is_a_warning_of_check() {
    let place = place();
    let policy = place.path().join("policy");
    let write = |name: &str, text: &str| fs::write(policy.join(name), text).unwrap();
    let check = |more: &[&str]| {
        let words = ["postern", "policy", "check", policy.to_str().unwrap(), "--skip-tests", "--fuse", "1s"];
        crate::command::main(words.iter().chain(more).map(std::ffi::OsString::from))
    };
    assert_eq!(signed(place.path(), &[]).exit, Exit::Done);
    assert_eq!(check(&["--strict"]).exit, Exit::Done);
    // What `verify.exclude_files` may leave out is let be.
    write("other.md", "not signed");
    assert_eq!(check(&["--strict"]).exit, Exit::Done);
    for (name, text, why) in [
        (
            "main.rego",
            "package postern\n\ndefault decision := {\"allow\": false}\n",
            "is not the file that was signed",
        ),
        ("more.rego", "package postern.more\n\nx := 1\n", "more.rego is not in the signature"),
    ] {
        assert_eq!(signed(place.path(), &[]).exit, Exit::Done);
        write(name, text);
        let told = check(&[]);
        assert!(told.exit == Exit::Done && told.err.contains(why), "{name}: {}", told.err);
        assert!(told.err.contains(".signatures.json` is not of these files"), "{}", told.err);
        assert_eq!(check(&["--strict"]).exit, Exit::Policy);
    }
    assert_eq!(signed(place.path(), &[]).exit, Exit::Done);
    fs::remove_file(policy.join("more.rego")).unwrap();
    assert!(check(&[]).err.contains("more.rego is in the signature and not in the bundle"));
}
