use std::time::{Duration, SystemTime};

use super::*;

const MAIN: &str =
    "package postern\n\ndefault decision := false\n\ndecision if data.roles[input.caller.id] == \"clerk\"\n";
const TEST: &str =
    "package postern_test\n\nimport data.postern\n\ntest_nobody if not postern.decision with input as {}\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const FILES: &[(&str, &str)] = &[
    ("main.rego", MAIN),
    ("main_test.rego", TEST),
    ("roles/data.json", r#"{"x": "clerk"}"#),
    ("readme.md", "not a part of it"),
    (".git/config", "nor this"),
];

fn drafted(files: &[(&str, &str)], ignore: &[&str]) -> Result<Draft, SourceError> {
    let ignore: Vec<Pattern> = ignore.iter().map(|text| text.parse().unwrap()).collect();
    Draft::read(&[folder(files).path()], &ignore)
}

fn names(draft: &Draft) -> Vec<&str> {
    draft.names().collect()
}

fn check(draft: &Draft) -> Result<Sources, BuildError> {
    let (entrypoint, fuse) = ("data.postern.decision".to_owned(), Duration::from_secs(1));
    let terms = Terms { entrypoint, fuse, tests: true, largest: crate::Largest::default() };
    let checked = draft.check(&terms, &Deadline::after(crate::ADMISSION));
    checked.map(|(sources, ..)| sources)
}

#[test]
fn the_same_files_give_the_same_bytes_wherever_they_stand_and_whenever_they_were_written() {
    let built = |files: &[(&str, &str)], time: SystemTime| {
        let folder = folder(files);
        for (name, _) in files {
            let file = fs::File::options().write(true).open(folder.path().join(name)).unwrap();
            file.set_modified(time).unwrap();
        }
        let mut draft = Draft::read(&[folder.path()], &[]).unwrap();
        draft.describe(Some("r1"), &[]).unwrap();
        draft.pack().unwrap()
    };
    let reversed: Vec<(&str, &str)> = FILES.iter().rev().copied().collect();
    let first = built(FILES, SystemTime::UNIX_EPOCH);

    assert_eq!(first, built(&reversed, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
    let read = archive::unpack(&first).unwrap();
    let expected = [".manifest", "main.rego", "main_test.rego", "roles/data.json"];
    assert_eq!(read.keys().map(String::as_str).collect::<Vec<_>>(), expected);
    assert_eq!(read["main.rego"], MAIN.as_bytes());
}

#[test]
fn a_long_name_and_a_name_of_many_letters_are_packed_as_they_are() {
    let long = format!("{}/data.json", "straße".repeat(30));
    let draft = drafted(&[("main.rego", MAIN), (&long, "{}")], &[]).unwrap();

    assert!(archive::unpack(&draft.pack().unwrap()).unwrap().contains_key(&long));
}

#[test]
fn what_is_ignored_is_left_out_by_the_name_of_a_file_or_a_folder() {
    let draft = drafted(FILES, &["*_test.rego"]).unwrap();
    assert_eq!(names(&draft), ["main.rego", "roles/data.json"]);
    let draft = drafted(FILES, &["rol?s", "main.rego"]).unwrap();
    assert_eq!(names(&draft), ["main_test.rego"]);
}

#[test]
fn the_manifest_says_what_is_given_and_else_what_the_bundles_own_says() {
    let own = r#"{"metadata": {"b": 1, "a": 2}, "roots": ["postern", "roles"], "revision": "r0"}"#;
    let described = |files: &[(&str, &str)], revision: Option<&str>, roots: &[&str]| {
        let mut draft = drafted(files, &[]).unwrap();
        let roots: Vec<String> = roots.iter().map(ToString::to_string).collect();
        draft.describe(revision, &roots).map_err(|error| error.to_string())?;
        Ok::<_, String>(String::from_utf8(draft.files[MANIFEST].clone()).unwrap())
    };
    let both: Vec<(&str, &str)> = FILES.iter().copied().chain([(".manifest", own)]).collect();

    assert_eq!(
        described(&both, None, &[]).unwrap(),
        "{\"revision\":\"r0\",\"roots\":[\"postern\",\"roles\"],\"rego_version\":1,\"metadata\":{\"b\":1,\"a\":2}}\n"
    );
    assert_eq!(
        described(FILES, Some("r1"), &["a/b"]).unwrap(),
        "{\"revision\":\"r1\",\"roots\":[\"a/b\"],\"rego_version\":1}\n"
    );
    assert_eq!(
        described(FILES, None, &[]).unwrap(),
        "{\"revision\":\"\",\"roots\":[\"\"],\"rego_version\":1}\n"
    );
    assert!(described(FILES, Some("a\nb"), &[]).unwrap_err().contains("revision"));
    assert!(described(&[(".manifest", "[]")], None, &[]).unwrap_err().contains("not a manifest"));
}

#[test]
fn what_would_not_be_loaded_is_refused_with_the_place_where_it_was_read() {
    let folder =
        folder(&[("main.rego", "package postern\n\ndefault decision := false\n\nx := http.send({})\n")]);
    let draft = Draft::read(&[folder.path()], &[]).unwrap();
    let Err(BuildError::Refused(error)) = check(&draft) else { panic!("it was taken") };
    assert_eq!(error.problems[0].file, folder.path().join("main.rego").display().to_string());

    let mut outside = drafted(FILES, &[]).unwrap();
    outside.describe(None, &["postern".to_owned()]).unwrap();
    let error = check(&outside).unwrap_err().to_string();
    assert!(error.contains("roles/data.json: holds data at /roles, outside"), "{error}");

    let mut tests = drafted(&FILES[..2], &[]).unwrap();
    tests.describe(None, &["postern".to_owned()]).unwrap();
    let error = check(&tests).unwrap_err().to_string();
    assert!(error.contains("main_test.rego") && error.contains("roots"), "{error}");

    let nothing = check(&drafted(&[("data.json", "{}")], &[]).unwrap()).unwrap_err().to_string();
    assert!(nothing.contains("no .rego file"), "{nothing}");
}

#[test]
fn tests_that_fail_or_do_not_compile_keep_it_from_being_built_and_are_not_asked_where_they_are_left_out() {
    let bad = "package postern_test\n\ntest_no if data.postern.decision with input as {}\n";
    let files = [("main.rego", MAIN), ("main_test.rego", bad), ("roles/data.json", "{}")];
    let folder = folder(&files);
    let failing = check(&Draft::read(&[folder.path()], &[]).unwrap()).unwrap_err().to_string();
    let place =
        format!("{}:3:1: `data.postern_test.test_no` failed", folder.path().join("main_test.rego").display());
    assert!(failing.starts_with(&place), "{failing}");
    assert!(check(&drafted(&files, &["*_test.rego"]).unwrap()).is_ok());

    let broken = check(&drafted(&[("main.rego", MAIN), ("a_test.rego", "package a\nx if")], &[]).unwrap());
    assert!(matches!(broken, Err(BuildError::Refused(_))), "{broken:?}");
    assert!(check(&drafted(FILES, &[]).unwrap()).is_ok());
}

#[test]
fn several_paths_are_one_bundle_unless_they_hold_a_file_of_one_name() {
    let (one, other) =
        (folder(&[("main.rego", MAIN)]), folder(&[("roles/data.json", "{}"), ("data.json", "{}")]));
    let single = other.path().join("data.json");
    let draft = Draft::read(&[one.path(), other.path()], &[]).unwrap();
    assert_eq!(names(&draft), ["data.json", "main.rego", "roles/data.json"]);

    let twice = Draft::read(&[other.path(), &single], &[]).unwrap_err().to_string();
    assert!(twice.contains("data.json: stands in") && twice.contains("too"), "{twice}");
    let draft = Draft::read(&[one.path(), &single], &[]).unwrap();
    assert_eq!(names(&draft), ["data.json", "main.rego"]);
    assert!(matches!(Draft::read(&["/dev/null"], &[]), Err(SourceError::NotAFile { .. })));
}

#[test]
fn what_no_bundle_may_hold_is_refused() {
    for (name, why) in [("patch.json", "delta"), ("a/x.manifest", "root")] {
        let error = drafted(&[("main.rego", MAIN), (name, "{}")], &[]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(why), "{error}");
    }
}
