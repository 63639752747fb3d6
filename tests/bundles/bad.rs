//! Bundles that somebody made by mistake or meaning harm: each is refused under one code and in words, and the one before
//! serves on.

use std::fs;
use std::path::Path;
use std::process::Command;

use postern_policy::{Signer, SigningKey};
use postern_tests::process::{told_by, until};
use rustix::process::Signal;
use serde_json::Value;

use super::rules;
use super::site::{Site, place};

const MAIN: &str = "package postern\n\ndefault decision := false\n\ndecision := true\n";

/// An entry of a tar: its name, its kind, the size that its header says, its bytes.
struct Entry(Vec<u8>, u8, u64, Vec<u8>);

fn file(name: &str, bytes: impl AsRef<[u8]>) -> Entry {
    let bytes = bytes.as_ref().to_vec();
    Entry(name.into(), b'0', bytes.len() as u64, bytes)
}

/// A bundle that would be taken but for these.
fn beside(entries: Vec<Entry>) -> Vec<Entry> {
    let mut all = vec![file("main.rego", MAIN)];
    all.extend(entries);
    all
}

/// The archive of these entries, gzipped by the real gzip.
fn packed(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for Entry(name, kind, size, bytes) in entries {
        let mut header = vec![0_u8; 512];
        header[..name.len()].copy_from_slice(name);
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[156] = *kind;
        if *kind == b'1' || *kind == b'2' {
            header[157..168].copy_from_slice(b"/etc/passwd");
        }
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(header);
        tar.extend(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let folder = place();
    fs::write(folder.path().join("b.tar"), tar).unwrap();
    told_by(Command::new("gzip").arg(folder.path().join("b.tar"))).unwrap();
    fs::read(folder.path().join("b.tar.gz")).unwrap()
}

fn manifest(text: &str) -> Vec<Entry> {
    beside(vec![file(".manifest", text)])
}

fn data(text: impl AsRef<[u8]>) -> Vec<Entry> {
    beside(vec![file("some/data.json", text)])
}

fn input(text: impl AsRef<[u8]>) -> Vec<Entry> {
    beside(vec![file("inputs/one.json", text)])
}

fn rego(text: &str) -> Vec<Entry> {
    beside(vec![file("more.rego", text)])
}

/// What it is, the bundle, and words of the record.
type Case = (&'static str, Vec<u8>, &'static str);

fn archives() -> Vec<Case> {
    let zeros = vec![0_u8; 24 << 20];
    let signed = r#"{"signatures": ["e30.e30.AA", "e30.e30.AA"]}"#;
    let link = |kind: u8| Entry(b"data.json".to_vec(), kind, 0, Vec::new());
    let whole = packed(&beside(Vec::new()));
    let cases: Vec<(&str, Vec<Entry>, &str)> = vec![
        ("climbs out", beside(vec![file("../a.rego", MAIN)]), "../a.rego"),
        ("a symbolic link", beside(vec![link(b'2')]), "data.json: a link"),
        ("a hard link", beside(vec![link(b'1')]), "data.json: a link"),
        ("a device", beside(vec![link(b'3')]), "data.json: a device"),
        ("a name twice", beside(vec![file("./main.rego", MAIN)]), "stands here twice"),
        ("expands", beside(vec![file("data.json", &zeros)]), "unpacks to more than"),
        (
            "a size of four gigabytes",
            beside(vec![Entry(b"data.json".to_vec(), b'0', 1 << 32, Vec::new())]),
            "larger than",
        ),
        ("a smaller size", beside(vec![Entry(b"data.json".to_vec(), b'0', 1, vec![b'1'; 700])]), "archive"),
        ("a hidden module", beside(vec![file(".a.rego", MAIN)]), "hidden name"),
        (
            "a name that is not UTF-8",
            beside(vec![Entry(b"\xff.rego".to_vec(), b'0', 0, Vec::new())]),
            "UTF-8",
        ),
        (
            "a module that is not UTF-8",
            beside(vec![file("b.rego", b"package b\n# \xff")]),
            "b.rego: not UTF-8",
        ),
        ("no module", vec![file("data.json", "{}")], "no .rego file"),
        ("overlapping roots", manifest(r#"{"roots": ["postern", "postern/a"]}"#), ".manifest"),
        (
            "a package outside the roots",
            manifest(r#"{"roots": ["other"]}"#),
            "stands outside its bundle's roots",
        ),
        ("no roots at all", manifest(r#"{"roots": []}"#), "outside"),
        ("a manifest that is no object", manifest("[]"), "not a manifest"),
        (
            "a signature that nobody asked for",
            beside(vec![file(".signatures.json", signed)]),
            "no key is configured",
        ),
    ];
    let mut cases: Vec<Case> =
        cases.into_iter().map(|(what, entries, why)| (what, packed(&entries), why)).collect();
    cases.push(("half of it", whole[..whole.len() / 2].to_vec(), "cannot be unpacked"));
    cases.push(("HTML", b"<p>log in</p>".to_vec(), "cannot be unpacked"));
    cases
}

fn contents() -> Vec<Case> {
    let wide = format!("package a\n\nx := \"{}\"\n", "a".repeat(10_000));
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    let bracketed = format!("package a\n\nx := {}1{}\n", "[".repeat(200), "]".repeat(200));
    let ten_thousand = format!("[{}]", "1".repeat(100_000));
    let cases: Vec<(&str, Vec<Entry>, &str)> = vec![
        (
            "a module of more than a megabyte",
            rego(&format!("package a\n{}", "#\n".repeat(600_000))),
            "larger than 1048576",
        ),
        ("a line of ten thousand columns", rego(&wide), "is longer than 8192 characters"),
        ("brackets two hundred deep", rego(&bracketed), "brackets and braces"),
        ("a name that turns", rego("package a\n\nx\u{202e}y := 1\n"), "`U+202E` is not seen"),
        ("a package without width", rego("package a\u{200b}b\n"), "`U+200B` is not seen"),
        ("a string that turns", rego("package a\n\nx := \"a\u{2066}b\"\n"), "`U+2066` is not seen"),
        ("a comment that turns", rego("package a\n\n# \u{202e} x\n"), "`U+202E` is not seen"),
        ("a letter that looks like another", rego("package a\n\nd\u{435}cision := 1\n"), "more.rego:3:"),
        ("data two hundred deep", data(&deep), "some/data.json: `data` nested deeper than 64"),
        ("a number beyond all", data("{\"a\": 1e400}"), "some/data.json"),
        ("a number below all", data("{\"a\": 1e-400}"), "a number of more digits than are kept"),
        ("a hundred thousand digits", data(&ten_thousand), "a number of more digits than are kept"),
        (
            "two numbers that would be one",
            data("[123456789012345678901, 123456789012345678902]"),
            "more digits",
        ),
        ("data that is not UTF-8", data(b"{\"a\": \"\xff\"}"), "some/data.json: not UTF-8"),
        (
            "data in the place of a rule",
            data(r#"{"decision": 1}"#)
                .into_iter()
                .chain([file("postern/data.json", r#"{"decision": true}"#)])
                .collect(),
            "data.postern.decision",
        ),
        ("an input that is none", input("{"), "inputs/one.json:1:1: `input` not JSON"),
        (
            "an input that no request has",
            input("{\"caler\": 1}"),
            "inputs/one.json: `input.caler` is never in",
        ),
        ("an input two hundred deep", input(&deep), "inputs/one.json: `input` nested deeper"),
        ("an input beyond all numbers", input("{\"now\": 1e400}"), "inputs/one.json: `input`"),
        ("an input of many digits", input(&ten_thousand), "inputs/one.json: `input` a number of more digits"),
        ("an input that is not UTF-8", input(b"{\"a\": \"\xff\"}"), "inputs/one.json: not UTF-8"),
        (
            "an input of too many values",
            input(format!("[{}1]", "1,".repeat(200_000))),
            "inputs/one.json: `input` too many values",
        ),
    ];
    cases.into_iter().map(|(what, entries, why)| (what, packed(&entries), why)).collect()
}

/// In one step, and told of at once.
fn publish(site: &Site, into: &Path, bundle: &[u8]) {
    let next = into.with_extension("next");
    fs::write(&next, bundle).unwrap();
    fs::rename(&next, into).unwrap();
    site.sidecar.signal(Signal::HUP).unwrap();
}

#[test]
fn whatever_a_bundle_holds_that_it_may_not_is_said_and_the_one_before_serves_on() {
    if !postern_tests::parts::present(
        "whatever_a_bundle_holds_that_it_may_not_is_said_and_the_one_before_serves_on",
        &["curl"],
    ) {
        return;
    }
    let folder = place();
    let main = folder.path().join("main.tar.gz");
    let good = |revision: &str| {
        let manifest = format!(r#"{{"revision": "{revision}"}}"#);
        packed(&[file("main.rego", rules(true)), file(".manifest", manifest)])
    };
    fs::write(&main, good("before")).unwrap();
    let site = Site::start(folder, "main: { path: main.tar.gz }");
    assert_eq!(site.request().0, 200);

    let mut missed = Vec::new();
    for (what, bundle, why) in archives().into_iter().chain(contents()) {
        let before = site.policies().len();
        publish(&site, &main, &bundle);
        until(what, || site.policies().len() > before);
        let told = site.policies().split_off(before);
        let fits = |record: &Value| {
            record["code"] == "PST-OP-003" && record["detail"].as_str().is_some_and(|it| it.contains(why))
        };
        if !told.iter().any(fits) {
            missed.push(format!("{what}, `{why}`: {told:?}"));
        }
        let (status, record) = site.request();
        if (status, &record["decision"]["policy"]["main"]) != (200, &"before".into()) {
            missed.push(format!("{what}: {status} {record}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    publish(&site, &main, &good("after"));
    site.reload(|record| record["revision"] == "after");
}

/// Files with the signature of this secret over them, of this scope.
fn signed(secret: &str, scope: &str, files: &[(&str, &str)]) -> Vec<Entry> {
    let folder = super::folder(files);
    let key = SigningKey::new(secret.as_bytes(), "HS256".parse().unwrap()).unwrap();
    let claims = format!(r#"{{"keyid": "ci", "scope": "{scope}"}}"#);
    let signer = Signer::new(key, 1_795_300_000).with_claims(claims.as_bytes()).unwrap();
    let signatures = signer.sign_bundle(folder.path()).unwrap();
    let mut entries: Vec<Entry> = files.iter().map(|(name, text)| file(name, text)).collect();
    entries.push(file(".signatures.json", signatures));
    entries
}

const SECRET: &str = "a secret of at least sixteen bytes";

#[test]
fn a_signature_that_is_not_for_this_bundle_is_said_and_the_one_before_serves_on() {
    let test = "a_signature_that_is_not_for_this_bundle_is_said_and_the_one_before_serves_on";
    if !postern_tests::parts::present(test, &["curl"]) {
        return;
    }
    let text = rules(true);
    let files: &[(&str, &str)] = &[("main.rego", &text), (".manifest", r#"{"revision": "before"}"#)];
    let good = || signed(SECRET, "read", files);
    let folder = place();
    let main = folder.path().join("main.tar.gz");
    fs::write(&main, packed(&good())).unwrap();
    fs::write(folder.path().join("secret"), SECRET).unwrap();
    let verify = "verify: { scope: read, keys: { ci: { file: secret, algorithm: HS256 } } }";
    let site = Site::start(folder, &format!("main: {{ path: main.tar.gz, {verify} }}"));
    assert_eq!(site.request().0, 200);

    let replaced = |name: &str, text: &str| {
        let mut entries = good();
        entries.retain(|Entry(of, ..)| of.as_slice() != name.as_bytes());
        entries.push(file(name, text));
        entries
    };
    let Entry(.., one) = good().pop().unwrap();
    let one: Value = serde_json::from_slice(&one).unwrap();
    let token = &one["signatures"][0];
    let doubled = serde_json::json!({"signatures": [token, token]}).to_string();
    let mut more = good();
    more.push(file("more.rego", "package more\n"));
    let mut fewer = good();
    fewer.remove(1);
    let mut unsigned = good();
    unsigned.pop();
    let cases: [(&str, Vec<Entry>, &str); 7] = [
        ("another key", signed("another secret of enough bytes", "read", files), "is not a signature by"),
        ("another scope", signed(SECRET, "write", files), "`read` is asked for"),
        ("another file", replaced("main.rego", &rules(false)), "main.rego: is not the file that was signed"),
        ("a file more", more, "more.rego: is not in the signature"),
        ("a file less", fewer, ".manifest"),
        ("doubled", replaced(".signatures.json", &doubled), "none or several"),
        ("not signed", unsigned, "is missing"),
    ];
    for (what, entries, why) in cases {
        let before = site.policies().len();
        publish(&site, &main, &packed(&entries));
        let fits = |record: &Value| {
            record["code"] == "PST-OP-003" && record["detail"].as_str().is_some_and(|it| it.contains(why))
        };
        until(what, || site.policies().len() > before);
        let told = site.policies().split_off(before);
        assert!(told.iter().any(fits), "{what}: {told:?}");
        let (status, record) = site.request();
        assert_eq!((status, &record["decision"]["policy"]["main"]), (200, &"before".into()), "{what}");
    }
}

#[test]
fn what_only_looks_alike_is_another_as_it_is_to_opa() {
    if !postern_tests::parts::present("what_only_looks_alike_is_another_as_it_is_to_opa", &["opa"]) {
        return;
    }
    // Letters of two alphabets, a member named twice, numbers at the edge of what is kept.
    let text = "package a\n\nalike if data.names[\"\u{430}dmin\"] == 1\n\nplain if data.names[\"admin\"]\n\n\
                twice := data.twice\n\nedge if data.big == 18446744073709551615\n\nnext if data.big == 18446744073709551614\n";
    let data = "{\"names\": {\"\u{430}dmin\": 1}, \"twice\": 1, \"twice\": 2, \"big\": 18446744073709551615}";
    let source = super::folder(&[("a.rego", text), ("data.json", data)]);
    let theirs: Value =
        serde_json::from_str(&super::opa(source.path(), &["eval", "-b", ".", "data.a", "-f", "raw"]))
            .unwrap();
    let sources = postern_policy::Sources::read(source.path(), postern_policy::Signed::NoKey).unwrap();
    let question = postern_policy::Question {
        query: "data.a",
        input: None,
        now: None,
        fuse: std::time::Duration::from_secs(5),
        lines: false,
    };
    let ours = postern_policy::ask(&sources, question).unwrap();
    assert_eq!(ours.rows[0].expressions[0].value, theirs);
    assert_eq!(theirs, serde_json::json!({"alike": true, "edge": true, "twice": 2}));
}
