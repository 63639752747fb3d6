//! Bundles that change together, alone and for the worse.

use std::path::Path;
use std::time::Duration;

use super::*;

/// A policy of bundles in folders below one.
fn policy(folder: &Path, names: &[&str]) -> config::Policy {
    let bundle = |name: &&str| config::Bundle { source: BundleSource::Path(folder.join(name)), verify: None };
    let bundles = names.iter().map(|name| ((*name).to_owned(), bundle(name))).collect();
    let entrypoint = "data.main.decision".to_owned();
    let largest = postern_policy::Largest::default();
    config::Policy { entrypoint, bundles, fuse: Duration::from_secs(1), tests: true, largest, status: None }
}

fn write(folder: &Path, bundle: &str, revision: &str, text: &str) {
    std::fs::create_dir_all(folder.join(bundle)).unwrap();
    let manifest = format!(r#"{{"revision": "{revision}", "roots": ["{bundle}"]}}"#);
    std::fs::write(folder.join(bundle).join(".manifest"), manifest).unwrap();
    std::fs::write(folder.join(bundle).join("a.rego"), format!("package {bundle}\n\n{text}\n")).unwrap();
}

fn start(names: &[&str]) -> (tempfile::TempDir, config::Policy, LoadedPolicy) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "main", "m1", "default decision := false\n\ndecision if data.team.open");
    for name in names.iter().filter(|name| **name != "main") {
        write(folder.path(), name, "t1", "open := true");
    }
    let policy = policy(folder.path(), names);
    let loaded = load(&policy, Bundles::new()).unwrap();
    (folder, policy, loaded)
}

fn revisions(loaded: &LoadedPolicy) -> Vec<&str> {
    loaded.revisions.values().map(String::as_str).collect()
}

#[test]
fn each_bundle_has_its_revision_and_what_did_not_change_is_not_compiled_again() {
    let (_folder, policy, loaded) = start(&["main", "team"]);

    assert_eq!(revisions(&loaded), ["m1", "t1"]);
    let again = reread(&policy, &loaded.bundles, &Bundles::new());
    assert!(again.policy.is_none() && again.refused.is_empty(), "{again:?}");
}

#[test]
fn bundles_that_only_pass_together_are_taken_together() {
    let (folder, policy, loaded) = start(&["main", "team"]);
    write(folder.path(), "main", "m2", "default decision := false\n\ndecision if data.team.is_open(1)");
    write(folder.path(), "team", "t2", "is_open(x) if x == 1");

    let next = reread(&policy, &loaded.bundles, &Bundles::new());

    assert_eq!(revisions(next.policy.as_ref().unwrap()), ["m2", "t2"]);
    assert_eq!(next.accepted, ["main", "team"]);
}

#[test]
fn a_bad_bundle_keeps_its_old_state_and_holds_no_other_back() {
    let (folder, policy, loaded) = start(&["main", "team", "zone"]);
    for bad in ["open := http.send({\"url\": \"x\"})", "open if {", "package other"] {
        write(folder.path(), "main", "m2", "default decision := false\n\ndecision if data.team.is_open(1)");
        write(folder.path(), "team", "t2", "open := true\n\nis_open(x) if x == 1");
        write(folder.path(), "zone", "z2", bad);

        let next = reread(&policy, &loaded.bundles, &Bundles::new());

        // The first needs the second, which is only seen once that was taken.
        assert_eq!(revisions(next.policy.as_ref().unwrap()), ["m2", "t2", "t1"], "{bad}");
        assert_eq!(next.accepted, ["team", "main"]);
        let refused: Vec<_> =
            next.refused.iter().map(|(name, error)| (name.as_str(), error.to_string())).collect();
        assert!(matches!(&refused[..], [("zone", why)] if why.contains("zone/a.rego")), "{refused:?}");
    }
}

#[test]
fn a_bundle_that_cannot_be_read_holds_no_other_back_either() {
    let (folder, policy, loaded) = start(&["main", "team"]);
    write(folder.path(), "main", "m2", "default decision := false\n\ndecision if data.team.open == true");
    std::fs::write(folder.path().join("team/.manifest"), "{").unwrap();

    let next = reread(&policy, &loaded.bundles, &Bundles::new());

    assert_eq!(revisions(next.policy.as_ref().unwrap()), ["m2", "t1"]);
    assert_eq!(next.refused[0].0, "team");
}

#[test]
fn all_that_one_reading_brings_has_one_round_of_time_together_and_the_next_begins_anew() {
    let names = ["first", "main", "other", "slow", "zone"];
    let (folder, policy, loaded) = start(&names);
    let round = Duration::from_secs(4);
    for name in ["first", "other", "zone"] {
        write(folder.path(), name, "t2", "open := true\n\nshut := false");
    }
    // Never passes, so that each is tried by itself; and goes on for longer than anybody waits.
    std::fs::write(folder.path().join("main/b.rego"), "package main\n\nx := no_such(1)\n").unwrap();
    let slow = "package slow_test\n\ntest_slow if {\n\tmany := numbers.range(1, 5000)\n\tsome a in many\n\t\
                some b in many\n\tsome c in many\n\ta * b * c < 0\n}\n";
    std::fs::write(folder.path().join("slow/a_test.rego"), slow).unwrap();

    let (first, third) = (Deadline::after(round), Deadline::after(round * 3));
    let next = reread_within(round, &policy, &loaded.bundles, &Bundles::new());

    // One admission alone may take half a minute; three would have been left.
    assert!(first.is_over() && !third.is_over(), "{:?} left", third.left());
    assert_eq!(next.accepted, ["first", "other"], "{:?}", next.refused);
    let refused: BTreeMap<_, _> =
        next.refused.iter().map(|(name, why)| (name.as_str(), why.to_string())).collect();
    assert_eq!(refused.keys().copied().collect::<Vec<_>>(), ["main", "slow", "zone"]);
    let told = [("main", "no_such"), ("slow", "test_slow"), ("zone", "what came before it took all of 4s")];
    for (name, words) in told {
        assert!(refused[name].contains(words), "{name}: {}", refused[name]);
    }

    // Of the time of another nothing is taken.
    std::fs::remove_file(folder.path().join("slow/a_test.rego")).unwrap();
    let next = reread(&policy, &next.policy.unwrap().bundles, &Bundles::new());
    assert_eq!(next.accepted, ["zone"], "{:?}", next.refused);
}

#[test]
fn two_bundles_that_come_to_own_the_same_are_not_taken() {
    let (folder, policy, loaded) = start(&["main", "team"]);
    std::fs::write(
        folder.path().join("team/.manifest"),
        r#"{"revision": "t2", "roots": ["team", "main/x"]}"#,
    )
    .unwrap();

    let next = reread(&policy, &loaded.bundles, &Bundles::new());

    assert!(next.policy.is_none());
    assert!(next.refused[0].1.to_string().contains("main and team both own /main/x"), "{next:?}");
}

#[test]
fn the_tests_of_each_bundle_must_pass_with_the_policies_of_all() {
    let (folder, mut policy, loaded) = start(&["main", "team"]);
    let test = |bundle: &str, text: &str| {
        let text = format!("package {bundle}_test\n\n{text}\n");
        std::fs::write(folder.path().join(bundle).join("a_test.rego"), text).unwrap();
    };
    test("team", "test_main_opens if data.main.decision");
    let next = reread(&policy, &loaded.bundles, &Bundles::new());
    assert_eq!((next.accepted, next.refused.len()), (vec!["team".to_owned()], 0));
    let loaded = next.policy.unwrap();

    // The other bundle breaks what this one promises of it.
    write(folder.path(), "main", "m2", "default decision := false\n\ndecision if not data.team.open");
    let next = reread(&policy, &loaded.bundles, &Bundles::new());
    assert!(next.policy.is_none());
    let why = next.refused[0].1.to_string();
    assert!(why.contains("team/a_test.rego:3:1: `data.team_test.test_main_opens` failed"), "{why}");
    assert!(load(&policy, Bundles::new()).is_err());

    policy.tests = false;
    assert_eq!(revisions(&load(&policy, Bundles::new()).unwrap()), ["m2", "t1"]);
}
