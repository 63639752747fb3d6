use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_policy::{Signed, Sources, Verifier, VerifyKey};
use postern_tests::parts::{present, program};
use postern_tests::process::told_by;
use tempfile::TempDir;

use super::site::Site;
use super::{folder, opa};

/// Files in every way of writing that is hashed by its value.
const FILES: &[(&str, &str)] = &[
    ("b/a.rego", "package a\n\nx := data.b.number\n"),
    ("b/a_test.rego", "package a_test\n\ntest_x if true\n"),
    (
        "b/b/data.json",
        "{ \"number\": 1.50, \"exponent\": 1E5, \"text\": \"<é\\u2028\\u00e9\\n\\u0001>\", \"none\": null,\n \"list\": [1, {\"z\": 1, \"a\": -0}] }",
    ),
    (
        "b/c/data.yaml",
        "number: 1.50\nwhole: 1.0\nlarge: 1e3\nhuge: 1e30\ntiny: 1e-9\noctal: 0777\nword: yes\nlist: [b, a]\n",
    ),
    ("b/readme.md", "# Not loaded, and signed all the same\n"),
    ("b/.manifest", "{\"revision\": \"r1\", \"roots\": [\"\"], \"metadata\": {\"b\": 1.0, \"a\": {}}}"),
];

/// A bundle in `b`, and a key pair for one algorithm beside it.
pub(super) struct Case {
    pub(super) place: TempDir,
    algorithm: &'static str,
}

impl Case {
    pub(super) fn new(algorithm: &'static str) -> Self {
        let case = Self { place: folder(FILES), algorithm };
        let openssl = |words: &[&str]| {
            told_by(Command::new(program("openssl")).current_dir(case.place.path()).args(words))
                .expect("openssl ends well")
        };
        let generate: &[&str] = match algorithm {
            "ES256" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "ES384" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "ES512" => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
            _ => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        if algorithm.starts_with("HS") {
            fs::write(case.at("key.pem"), "a secret that both sides share\n").unwrap();
            fs::copy(case.at("key.pem"), case.at("public.pem")).unwrap();
        } else {
            openssl(&[&["genpkey", "-out", "key.pem"], generate].concat());
            openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
        }
        case
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Signs the bundle's files as they stand.
    fn sign(&self, claims: &str) {
        fs::write(self.at("claims.json"), claims).unwrap();
        let (key, output) = (self.at("key.pem").display().to_string(), self.at("b").display().to_string());
        let words = [
            "sign",
            "--signing-key",
            &key,
            "--signing-alg",
            self.algorithm,
            "--claims-file",
            "../claims.json",
            "-o",
            &output,
            "-b",
            ".",
        ];
        opa(&self.at("b"), &words);
    }

    pub(super) fn verifier(&self, scope: &str, excluded: &[&str]) -> Verifier {
        let bytes = fs::read(self.at("public.pem")).unwrap();
        let key = VerifyKey::new(&bytes, self.algorithm.parse().unwrap(), None).unwrap();
        let scope = Some(scope.to_owned()).filter(|scope| !scope.is_empty());
        let verifier = Verifier::new([("ci".to_owned(), key)].into()).with_scope(scope);
        verifier.with_excluded(excluded.iter().map(ToString::to_string).collect()).unwrap()
    }

    /// Whether OPA and we take `what`, a folder or an archive.
    pub(super) fn taken(
        &self,
        what: &Path,
        scope: &str,
        excluded: &[&str],
    ) -> (bool, Result<Sources, String>) {
        let mut theirs = Command::new(program("opa"));
        theirs.args([
            "build",
            "-o",
            "/dev/null",
            "--verification-key-id",
            "ci",
            "--signing-alg",
            self.algorithm,
        ]);
        theirs.arg("--verification-key").arg(self.at("public.pem")).arg("-b").arg(what);
        for pattern in excluded {
            theirs.args(["--exclude-files-verify", pattern]);
        }
        if !scope.is_empty() {
            theirs.args(["--scope", scope]);
        }
        let ours = Sources::read(what, Signed::By(&self.verifier(scope, excluded)));
        let theirs = told_by(&mut theirs).inspect_err(|why| eprintln!("opa: {why}"));
        (theirs.is_ok(), ours.map_err(|error| error.to_string()))
    }
}

#[test]
fn what_opa_signs_with_any_algorithm_is_taken_and_a_changed_file_is_not() {
    let test = "what_opa_signs_with_any_algorithm_is_taken_and_a_changed_file_is_not";
    if !present(test, &["opa", "openssl"]) {
        return;
    }
    for algorithm in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384",
        "HS512",
    ] {
        let case = Case::new(algorithm);
        case.sign(r#"{"keyid": "ci"}"#);

        let ours = Sources::read(&case.at("b"), Signed::By(&case.verifier("", &[])));
        assert_eq!(ours.map_err(|error| error.to_string()).unwrap().revision(), "r1", "{algorithm}");

        fs::write(case.at("b/a.rego"), "package a\n\nx := data.b.other\n").unwrap();
        let error =
            Sources::read(&case.at("b"), Signed::By(&case.verifier("", &[]))).unwrap_err().to_string();
        assert!(error.contains("a.rego: is not the file that was signed"), "{algorithm}: {error}");
    }
}

#[test]
fn an_archive_that_opa_built_and_signed_is_taken() {
    if !present("an_archive_that_opa_built_and_signed_is_taken", &["opa", "openssl"]) {
        return;
    }
    let case = Case::new("ES256");
    put(case.place.path(), "claims.json", r#"{"keyid": "ci"}"#);
    let signing = ["--signing-key", "key.pem", "--signing-alg", "ES256", "--claims-file", "claims.json"];
    opa(case.place.path(), &[&["build", "-b", "b", "-o", "built.tar.gz"][..], &signing].concat());

    let (theirs, ours) = case.taken(&case.at("built.tar.gz"), "", &[]);

    assert!(theirs);
    assert_eq!(ours.unwrap().revision(), "r1");
    let unasked = Sources::read(&case.at("built.tar.gz"), Signed::NoKey).unwrap_err().to_string();
    assert!(unasked.contains("no key is configured"), "{unasked}");
}

/// What is done to a bundle that was signed with `keyid` `ci` and scope `read`; the scope that is asked for, what is
/// excluded, and whether it is taken then.
type Row = (&'static str, fn(&Path), &'static str, &'static [&'static str], bool);

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

const TABLE: &[Row] = &[
    ("as it was signed", |_| {}, "read", &[], true),
    ("for another scope", |_| {}, "write", &[], false),
    ("for no scope", |_| {}, "", &[], false),
    ("without its signature", |b| fs::remove_file(b.join(".signatures.json")).unwrap(), "read", &[], false),
    ("with an empty signature", |b| put(b, ".signatures.json", "{}"), "read", &[], false),
    (
        "with no signature in the list",
        |b| put(b, ".signatures.json", r#"{"signatures": []}"#),
        "read",
        &[],
        false,
    ),
    (
        "with data in another order",
        |b| {
            put(
                b,
                "c/data.yaml",
                "list: [b, a]\nword: 'yes'\nwhole: 1\noctal: 511\nnumber: 1.5\nlarge: 1000\nhuge: 1.0e30\ntiny: 0.000000001\n",
            );
        },
        "read",
        &[],
        true,
    ),
    ("with data in other words", |b| put(b, "c/data.yaml", "word: true\n"), "read", &[], false),
    ("with a number written otherwise", |b| put(b, "b/data.json", r#"{"number": 1.5}"#), "read", &[], false),
    ("with a file more", |b| put(b, "more.rego", "package more\n"), "read", &[], false),
    ("with a file more that means nothing", |b| put(b, "more.txt", "x"), "read", &[], false),
    ("with a file more that is excluded", |b| put(b, "more.txt", "x"), "read", &["*.txt"], true),
    ("with a file more in a folder that is not", |b| put(b, "c/more.txt", "x"), "read", &["*.txt"], false),
    ("with a file changed that is excluded", |b| put(b, "readme.md", "other"), "read", &["readme.*"], true),
    ("with a test changed", |b| put(b, "a_test.rego", "package a_test\n"), "read", &[], false),
    ("with a file fewer", |b| fs::remove_file(b.join("a.rego")).unwrap(), "read", &[], false),
    (
        "with a file fewer that is excluded",
        |b| fs::remove_file(b.join("readme.md")).unwrap(),
        "read",
        &["readme.md"],
        false,
    ),
    ("with another manifest", |b| put(b, ".manifest", r#"{"revision": "r2"}"#), "read", &[], false),
    (
        "with its manifest written otherwise",
        |b| put(b, ".manifest", r#"{"roots":[""],"metadata":{"a":{},"b":1.0},"revision":"r1"}"#),
        "read",
        &[],
        true,
    ),
];

#[test]
fn opa_and_we_take_and_refuse_the_same_signed_bundles() {
    if !present("opa_and_we_take_and_refuse_the_same_signed_bundles", &["opa", "openssl"]) {
        return;
    }
    let case = Case::new("ES256");
    for (what, change, scope, excluded, taken) in TABLE {
        for (name, text) in FILES {
            fs::write(case.at(name), text).unwrap();
        }
        for more in ["b/more.rego", "b/more.txt", "b/c/more.txt", "b/.signatures.json"] {
            drop(fs::remove_file(case.at(more)));
        }
        case.sign(r#"{"keyid": "ci", "scope": "read"}"#);
        change(&case.at("b"));

        // Of a folder OPA hashes names with the way to it; an archive has none.
        let mut tar = Command::new("tar");
        tar.args(["-czf", "../packed.tar.gz", "--"]).current_dir(case.at("b"));
        tar.args(fs::read_dir(case.at("b")).unwrap().map(|entry| entry.unwrap().file_name()));
        told_by(&mut tar).expect("tar ends well");
        let (theirs, ours) = case.taken(&case.at("packed.tar.gz"), scope, excluded);

        assert_eq!((theirs, ours.is_ok()), (*taken, *taken), "{what}: {ours:?}");
    }
}

#[test]
fn an_unsigned_bundle_never_takes_the_place_of_a_signed_one() {
    if !present("an_unsigned_bundle_never_takes_the_place_of_a_signed_one", &["opa", "openssl", "curl"]) {
        return;
    }
    let case = Case::new("ES256");
    let rules =
        "package postern\n\ndefault decision := false\n\ndecision if input.caller.path[0] == \"clerk\"\n";
    let build = |revision: &str, signing: &[&str]| {
        put(&case.at("b"), ".manifest", &format!(r#"{{"revision": "{revision}", "roots": [""]}}"#));
        put(&case.at("b"), "a.rego", rules);
        put(case.place.path(), "claims.json", r#"{"keyid": "ci"}"#);
        opa(case.place.path(), &[&["build", "-b", "b", "-o", "built.tar.gz"][..], signing].concat());
        fs::read(case.at("built.tar.gz")).unwrap()
    };
    let signing = ["--signing-key", "key.pem", "--signing-alg", "ES256", "--claims-file", "claims.json"];
    let folder = super::site::place();
    let into = folder.path().join("main.tar.gz");
    fs::write(&into, build("r1", &signing)).unwrap();
    fs::copy(case.at("public.pem"), folder.path().join("ci.pem")).unwrap();
    let verify = "verify: { keys: { ci: { file: ci.pem, algorithm: ES256 } } }";
    let site = Site::start(folder, &format!("main: {{ path: main.tar.gz, {verify} }}"));
    assert_eq!(site.request().0, 200);

    fs::write(&into, build("r2", &[])).unwrap();
    let refused = site.reload(|record| record["accepted"] == false);
    assert!(refused["detail"].as_str().unwrap().contains(".signatures.json: is missing"), "{refused}");
    assert_eq!(site.request().1["decision"]["policy"]["main"], "r1");

    fs::write(&into, build("r3", &signing)).unwrap();
    site.reload(|record| record["revision"] == "r3");
    assert_eq!(site.request().1["decision"]["policy"]["main"], "r3");
}
