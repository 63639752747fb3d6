//! Bundles that are folders, archives, one or several.

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn a_folder_gives_modules_and_data_where_its_folders_say() {
    let folder = folder(&[
        ("main.rego", "package a"),
        ("main_test.rego", "package a"),
        ("teams/data.json", "{}"),
        ("teams/notes.json", "{}"),
        (".hidden/old.rego", "package b"),
        ("lib/roles.rego", "package c"),
    ]);

    let sources = Sources::read_folder(folder.path()).unwrap();

    let names: Vec<&str> = sources.modules.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["lib/roles.rego", "main.rego"]);
    assert_eq!(sources.data.len(), 1);
    assert_eq!(sources.data[0].path, ["teams"]);
}

#[test]
fn the_revision_is_the_manifests_or_hangs_on_every_name_and_byte() {
    let one = Sources::from_modules([("a.rego", "package a")], []);
    let renamed = Sources::from_modules([("b.rego", "package a")], []);
    let with_data = Sources::from_modules([("a.rego", "package a")], [("", "{}")]);
    assert_eq!(one.revision().len(), 12);
    assert_ne!(one.revision(), renamed.revision());
    assert_ne!(one.revision(), with_data.revision());

    let folder = folder(&[("a.rego", "package a"), (".manifest", r#"{"revision": "r42", "roots": [""]}"#)]);
    assert_eq!(Sources::read_folder(folder.path()).unwrap().revision(), "r42");
}

#[test]
fn data_that_is_added_changes_the_revision_but_not_the_bundles_name() {
    let folder = folder(&[("a.rego", "package a"), (".manifest", r#"{"revision": "r42"}"#)]);
    let bundle = Sources::read_folder(folder.path()).unwrap();

    let one = bundle.clone().with_data("context/freeze", "true");
    let other = bundle.with_data("context/freeze", "false");

    assert!(one.revision().starts_with("r42+") && other.revision().starts_with("r42+"));
    assert_ne!(one.revision(), other.revision());
    assert_eq!(one.data[0].path, ["context", "freeze"]);
}

#[test]
fn what_would_be_ignored_or_cut_is_refused() {
    let large = folder(&[("a.rego", &" ".repeat(1024 * 1024 + 1))]);
    let empty = folder(&[("readme.md", "")]);

    assert!(matches!(Sources::read_folder(large.path()), Err(SourceError::TooLarge { .. })));
    assert!(matches!(Sources::read_folder(empty.path()), Err(SourceError::Empty { .. })));
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    for name in ["b.rego", ".manifest"] {
        let folder = folder(&[("a.rego", "package a")]);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join(name)).unwrap();
        assert!(matches!(Sources::read_folder(folder.path()), Err(SourceError::NotAFile { .. })), "{name}");
    }
}

#[test]
fn another_text_has_another_digest_under_the_same_name() {
    let named = |text: &str| {
        let folder = folder(&[("a.rego", text), (".manifest", r#"{"revision": "r42"}"#)]);
        Sources::read_folder(folder.path()).unwrap()
    };
    let (one, other) = (named("package a"), named("package a\n\nx := 1"));
    assert_eq!(one.revision(), other.revision());
    assert_ne!(one.digest(), other.digest());
}

#[test]
fn a_folder_linked_into_itself_ends() {
    let folder = folder(&[("a.rego", "package a")]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();

    assert!(matches!(Sources::read_folder(folder.path()), Err(SourceError::TooMany { .. })));
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// The entry and the reason why a bundle is refused.
fn refused(files: &[(&str, &str)]) -> (String, String) {
    match Sources::from_archive(&archive(files), "here", Signed::NoKey).unwrap_err() {
        SourceError::Entry { entry, why, .. } => (entry, why),
        other => panic!("{other}"),
    }
}

#[test]
fn an_archive_is_the_same_policy_as_the_folder_that_it_was_made_from() {
    let files = [
        ("main.rego", "package a"),
        ("teams/data.json", r#"{"blue": ["ann"]}"#),
        ("teams/red/data.yaml", "lead: bob"),
        ("notes.json", "not read"),
        (".manifest", r#"{"roots": ["a", "teams"]}"#),
    ];
    let folder = folder(&files);
    let file = folder.path().join("bundle.tar.gz");
    std::fs::write(&file, archive(&files)).unwrap();

    let (one, other) =
        (Sources::read_folder(folder.path()).unwrap(), Sources::read(&file, Signed::NoKey).unwrap());

    assert_eq!(one.revision(), other.revision());
    assert_eq!(other.data[1].path, ["teams", "red"]);
    assert_eq!(other.data[1].text, r#"{"lead":"bob"}"#);
}

#[test]
fn an_archive_is_read_under_both_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.tar.gz", "b.tgz"] {
        let path = folder.path().join(name);
        std::fs::write(&path, archive(&[("main.rego", "package a")])).unwrap();
        let read = Sources::read_paths(&[&path], Tests::Left).unwrap();
        assert_eq!(read.names().collect::<Vec<_>>(), [path.join("main.rego").to_str().unwrap()]);
    }
}

#[test]
fn a_refusal_names_the_archive_and_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.tar.gz");
    std::fs::write(&file, archive(&[("a.rego", "package a"), ("x/data.json", "{")])).unwrap();
    std::fs::write(folder.path().join("other.tar.gz"), "not packed").unwrap();

    // Without roots data is judged where it is merged.
    assert!(Sources::read(&file, Signed::NoKey).is_ok());
    let other = Sources::read(&folder.path().join("other.tar.gz"), Signed::NoKey).unwrap_err().to_string();
    assert!(other.contains("other.tar.gz: archive: cannot be unpacked"), "{other}");

    let roots = (".manifest", r#"{"roots": ["x"]}"#);
    assert_eq!(refused(&[roots, ("x/data.json", "{")]).0, "x/data.json");
    assert_eq!(refused(&[("a.rego", "package a"), ("patch.json", "{}")]).0, "patch.json");
    assert_eq!(refused(&[(".hidden/data.json", "{}")]).0, ".hidden/data.json");
}

#[test]
fn data_outside_the_roots_is_refused_and_named() {
    let roots = (".manifest", r#"{"roots": ["teams/blue", "shop"]}"#);

    let (entry, why) = refused(&[roots, ("data.json", r#"{"shop": 1, "teams": {"red": 1}}"#)]);
    assert_eq!(entry, "data.json");
    assert!(why.contains("/teams/red") && why.contains("/teams/blue, /shop"), "{why}");
    assert_eq!(refused(&[roots, ("teams/data.yml", "red: 1")]).0, "teams/data.yml");

    let inside = [roots, ("data.json", r#"{"shop": 1}"#), ("teams/blue/data.json", "[]")];
    assert_eq!(Sources::from_archive(&archive(&inside), "here", Signed::NoKey).unwrap().data.len(), 2);
}

#[test]
fn a_package_outside_its_bundles_roots_is_refused_and_named() {
    let compile = |roots: &str| {
        let text = "package shop.front\n\ndefault decision := false\n";
        let manifest = format!(r#"{{"roots": [{roots}]}}"#);
        let bundle = archive(&[("a.rego", text), (".manifest", &manifest)]);
        let sources = Sources::from_archive(&bundle, "here", Signed::NoKey).unwrap();
        crate::PolicySet::compile(&sources, "data.shop.front.decision", std::time::Duration::from_millis(20))
    };

    assert!(compile(r#""shop""#).is_ok() && compile(r#""shop/front", "x""#).is_ok());
    for outside in ["\"shop/back\"", "\"sho\"", "\"shop/front/door\"", ""] {
        let problem = compile(outside).unwrap_err().problems.remove(0);
        assert_eq!(
            (problem.file.as_str(), problem.construct.as_str()),
            ("a.rego", "package data.shop.front")
        );
    }
}

#[test]
fn several_bundles_are_one_policy_unless_two_own_the_same() {
    let bundle =
        |files: &[(&str, &str)]| Sources::from_archive(&archive(files), "here", Signed::NoKey).unwrap();
    let main =
        || bundle(&[("a.rego", "package main"), (".manifest", r#"{"revision": "r1", "roots": ["main"]}"#)]);
    let teams = |roots: &str| {
        let manifest = format!(r#"{{"revision": "t1", "roots": [{roots}]}}"#);
        bundle(&[("teams/data.json", "{}"), (".manifest", &manifest)])
    };
    let together = |one: Sources, other: Sources| {
        Sources::together([("main".to_owned(), one), ("teams".to_owned(), other)])
    };

    let both = together(main(), teams(r#""teams""#)).unwrap();
    assert_eq!(
        (both.modules[0].name.as_str(), both.data[0].name.as_str()),
        ("main/a.rego", "teams/teams/data.json")
    );

    let error = together(main(), teams(r#""teams", "main/x""#)).unwrap_err().to_string();
    assert!(error.contains("main and teams both own /main/x"), "{error}");
    let error = together(bundle(&[("b.rego", "package b")]), teams(r#""teams""#)).unwrap_err();
    assert!(matches!(error, SourceError::Overlap { ref root, .. } if root == "/teams"), "{error}");
    let error = Sources::together([("teams".to_owned(), teams(r#""teams""#))]).unwrap_err();
    assert!(matches!(error, SourceError::Empty { .. }));
}
