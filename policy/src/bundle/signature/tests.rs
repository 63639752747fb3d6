//! The truth table of signatures, and every way in which one does not fit. That OPA's own fit is tried with the real
//! `opa`.

use aws_lc_rs::hmac;
use serde_json::json;

use super::*;
use crate::Algorithm;

const SECRET: &[u8] = b"a secret of at least sixteen bytes";

fn files() -> Files {
    [
        ("a.rego", "package a\n"),
        ("notes.txt", "unread"),
        ("data.json", r#"{ "b": 1, "a": [1.0] }"#),
        (".manifest", r#"{"revision": "r1", "roots": [""]}"#),
    ]
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .into()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// What OPA would sign of [`files`]: the canonical forms are written out here.
fn payload() -> serde_json::Value {
    let file = |name: &str, bytes: &str| json!({"name": name, "hash": sha256(bytes.as_bytes()), "algorithm": "SHA-256"});
    json!({"files": [
        file("a.rego", "package a\n"),
        file("notes.txt", "unread"),
        file("data.json", r#"{"a":[1.0],"b":1}"#),
        file(".manifest", r#"{"revision":"r1","roots":[""]}"#),
    ]})
}

fn token(header: &serde_json::Value, payload: &serde_json::Value) -> String {
    let encode = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
}

fn header() -> serde_json::Value {
    json!({"alg": "HS256", "kid": "ci"})
}

fn key(scope: Option<&str>) -> VerifyKey {
    VerifyKey::new(SECRET, "HS256".parse().unwrap(), scope.map(str::to_owned)).unwrap()
}

fn verifier() -> Verifier {
    Verifier::new([("ci".to_owned(), key(None))].into())
}

fn signed_by(list: &serde_json::Value) -> Files {
    let mut files = files();
    files.insert(SIGNATURES.to_owned(), list.to_string().into_bytes());
    files
}

fn signed(header: &serde_json::Value, payload: &serde_json::Value) -> Files {
    signed_by(&json!({"signatures": [token(header, payload)]}))
}

/// Why these files are refused.
fn refused(mut files: Files, verifier: &Verifier) -> Wrong {
    check(&mut files, Signed::By(verifier)).unwrap_err()
}

#[test]
fn a_signature_is_there_exactly_when_it_is_asked_for() {
    let good = signed(&header(), &payload());

    assert_eq!(check(&mut files(), Signed::NoKey), Ok(None));
    assert!(check(&mut files(), Signed::By(&verifier())).unwrap_err().why.contains("is missing"));
    assert!(check(&mut good.clone(), Signed::NoKey).unwrap_err().why.contains("no key is configured"));
    assert_eq!(check(&mut good.clone(), Signed::By(&verifier())), Ok(None));
    assert_eq!(check(&mut good.clone(), Signed::Unchecked), Ok(None));
    // A file without a word in it signs nothing.
    assert_eq!(check(&mut signed_by(&json!({})), Signed::NoKey), Ok(None));
    assert!(refused(signed_by(&json!({})), &verifier()).why.contains("is missing"));
}

#[test]
fn the_file_of_signatures_holds_exactly_one_that_we_know_how_to_check() {
    let good = token(&header(), &payload());
    for (list, why) in [
        (json!({"signatures": []}), "none or several"),
        (json!({"signatures": [good, good]}), "none or several"),
        (json!({"signatures": [good], "plugin": "own"}), "plugin"),
        (json!({"plugin": "own"}), "plugin"),
        (json!({"signatures": "x"}), "not JSON"),
        (json!({"signatures": ["a.b"]}), "compact JWS"),
        (json!({"signatures": [format!("{good}.x")]}), "compact JWS"),
        (json!({"signatures": [format!("{good}=")]}), "base64url"),
        (json!({"signatures": ["e30.e30.AA"]}), "another kind"),
    ] {
        let wrong = refused(signed_by(&list), &verifier());
        assert!(wrong.entry == SIGNATURES && wrong.why.contains(why), "{list}: {wrong}");
    }
    assert_eq!(
        check(&mut signed_by(&json!({"signatures": [good], "plugin": "_default"})), Signed::By(&verifier())),
        Ok(None)
    );
}

#[test]
fn the_key_is_the_configured_one_or_the_one_that_the_signature_names() {
    let by = |header: serde_json::Value, payload: &serde_json::Value, verifier: &Verifier| {
        check(&mut signed(&header, payload), Signed::By(verifier)).map_err(|wrong| wrong.why)
    };
    let mut legacy = payload();
    legacy["keyid"] = "ci".into();

    assert_eq!(by(json!({"alg": "HS256"}), &legacy, &verifier()), Ok(None));
    assert!(by(json!({"alg": "HS256"}), &payload(), &verifier()).unwrap_err().contains("names no key"));
    assert!(by(json!({"alg": "HS256", "kid": "x"}), &legacy, &verifier()).unwrap_err().contains("key `x`"));
    let fixed = verifier().with_keyid(Some("ci".to_owned()));
    assert_eq!(by(json!({"alg": "HS256", "kid": "x"}), &payload(), &fixed), Ok(None));
    let other = VerifyKey::new(b"another secret of enough bytes", "HS256".parse().unwrap(), None).unwrap();
    let other = Verifier::new([("ci".to_owned(), other)].into());
    assert!(by(header(), &payload(), &other).unwrap_err().contains("is not a signature by"));
}

#[test]
fn the_algorithm_is_the_keys_and_no_other() {
    for alg in ["none", "HS512", "RS256", "hs256", ""] {
        let wrong = refused(signed(&json!({"alg": alg, "kid": "ci"}), &payload()), &verifier());
        assert!(wrong.why.contains("is for HS256"), "{alg}: {wrong}");
    }
    let wrong =
        refused(signed(&json!({"alg": "HS256", "kid": "ci", "crit": ["b64"]}), &payload()), &verifier());
    assert!(wrong.why.contains("critical"), "{wrong}");
    assert!("HS257".parse::<Algorithm>().is_err() && "none".parse::<Algorithm>().is_err());
}

#[test]
fn the_scope_is_the_asked_one_exactly() {
    let mut scoped = payload();
    scoped["scope"] = "write".into();
    let keyed = Verifier::new([("ci".to_owned(), key(Some("write")))].into());

    assert!(refused(signed(&header(), &scoped), &verifier()).why.contains("scope"));
    assert_eq!(check(&mut signed(&header(), &scoped), Signed::By(&keyed)), Ok(None));
    assert!(refused(signed(&header(), &payload()), &keyed).why.contains("`write` is asked for"));
    let own = keyed.with_scope(Some("read".to_owned()));
    assert!(refused(signed(&header(), &scoped), &own).why.contains("`read` is asked for"));
}

#[test]
fn when_it_was_made_is_told_and_where_it_is_asked_for_it_is_said_and_not_too_early() {
    let mut dated = payload();
    let since = |since: i64| verifier().with_since(Some(since));
    assert!(refused(signed(&header(), &dated), &since(0)).why.contains("does not say when"));
    for (iat, taken) in [(99, false), (100, true), (i64::MAX, true), (-1, false)] {
        dated["iat"] = iat.into();
        assert_eq!(check(&mut signed(&header(), &dated), Signed::By(&verifier())), Ok(Some(iat)));
        let checked = check(&mut signed(&header(), &dated), Signed::By(&since(100)));
        assert_eq!(checked.is_ok(), taken, "{iat}: {checked:?}");
        assert!(taken || checked.unwrap_err().why.contains("before 100"));
    }
    for iat in [json!("100"), json!(100.5), json!(1e300), json!([100])] {
        dated["iat"] = iat;
        assert!(refused(signed(&header(), &dated), &verifier()).why.contains("another kind"));
    }
}

#[test]
fn every_file_is_signed_and_every_signed_file_is_there() {
    let good = || signed(&header(), &payload());

    for (name, changed) in [
        ("a.rego", "package b\n"),
        ("data.json", r#"{"b": 1, "a": [1]}"#),
        ("notes.txt", "read"),
        (".manifest", "{}"),
    ] {
        let mut files = good();
        files.insert(name.to_owned(), changed.as_bytes().to_vec());
        let wrong = refused(files, &verifier());
        assert!(wrong.entry == name && wrong.why.contains("not the file that was signed"), "{wrong}");
    }
    let mut more = good();
    more.insert("more.rego".to_owned(), Vec::new());
    assert_eq!(refused(more, &verifier()), Wrong::new("more.rego", "is not in the signature"));
    let mut fewer = good();
    fewer.remove("a.rego");
    assert_eq!(refused(fewer, &verifier()).entry, "a.rego");
    let mut twice = payload();
    let first = twice["files"][0].clone();
    twice["files"].as_array_mut().unwrap().push(first);
    assert!(refused(signed(&header(), &twice), &verifier()).why.contains("twice"));
}

#[test]
fn an_excluded_file_may_be_anything_but_must_be_there_where_it_is_signed() {
    let excluding = |patterns: &[&str]| {
        verifier().with_excluded(patterns.iter().map(ToString::to_string).collect()).unwrap()
    };
    let mut other = signed(&header(), &payload());
    other.insert("notes.txt".to_owned(), b"other".to_vec());
    other.insert("docs/more.txt".to_owned(), b"more".to_vec());

    assert_eq!(check(&mut other.clone(), Signed::By(&excluding(&["*.txt", "docs/*"]))), Ok(None));
    assert_eq!(refused(other.clone(), &excluding(&["*.txt"])).entry, "docs/more.txt");
    other.remove("notes.txt");
    assert_eq!(refused(other, &excluding(&["*.txt", "docs/*"])).entry, "notes.txt");
    assert_eq!(verifier().with_excluded(vec!["*.md".to_owned(), "[a]".to_owned()]).unwrap_err(), "[a]");
}

#[test]
fn a_weak_hash_counts_only_where_it_is_named() {
    let mut weak = payload();
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, b"unread");
    let hex = hex(sha1.as_ref()).to_uppercase();
    weak["files"][1] = json!({"name": "notes.txt", "hash": hex, "algorithm": "SHA-1"});

    assert!(refused(signed(&header(), &weak), &verifier()).why.contains("`SHA-1`"));
    assert_eq!(check(&mut signed(&header(), &weak), Signed::By(&verifier().with_sha1(true))), Ok(None));
    for algorithm in ["MD5", "sha-256", ""] {
        weak["files"][1]["algorithm"] = algorithm.into();
        assert_eq!(refused(signed(&header(), &weak), &verifier().with_sha1(true)).entry, "notes.txt");
    }
}

#[test]
fn a_key_is_what_its_algorithm_needs() {
    let key = |text: &str, algorithm: &str| {
        VerifyKey::new(text.as_bytes(), algorithm.parse().unwrap(), None).unwrap_err()
    };

    assert!(key("short", "HS256").contains("16 bytes"));
    assert!(key("no PEM", "RS256").contains("no PEM"));
    assert!(
        key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "RS256")
            .contains("`PRIVATE KEY`")
    );
    assert!(
        key("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n", "ES256")
            .contains("ES256")
    );
    assert!(!format!("{:?}", self::key(None)).contains("secret"));
}
