//! The state folder that copies of bundles lie in, as whoever breaks it leaves it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use postern_tests::parts::present;
use postern_tests::process::until;
use rustix::process::Signal;

use super::double::{Double, Step, whole};
use super::site::{Site, place};
use super::{archive, archive_with, rules};

fn bundle(archive: &[u8]) -> Vec<Step> {
    whole("200 OK", "content-type: application/gzip\r\n", archive)
}

fn policy(double: &Double) -> String {
    let url = double.url("/main");
    format!("bundles: {{ main: {{ url: \"{url}\", polling: {{ min: 10ms, max: 20ms }} }} }}")
}

#[test]
fn a_copy_that_cannot_be_written_is_said_and_the_bundle_serves_all_the_same() {
    let test = "a_copy_that_cannot_be_written_is_said_and_the_bundle_serves_all_the_same";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let first = archive(1, &rules(true));
    let double = Double::start(move |_| bundle(&first));
    let mut site = Site::begin(place(), &policy(&double));
    site.ready();
    let state = site.path("state/bundles");
    until("a copy is kept", || state.join("main/current.json").exists());
    // A file where a folder should be; a link that leads round in a circle; a folder in the place of the note.
    let breaks: [&dyn Fn(); 3] = [
        &|| fs::write(&state, "no folder").unwrap(),
        &|| std::os::unix::fs::symlink(&state, &state).unwrap(),
        &|| fs::create_dir_all(state.join("main/current.json")).unwrap(),
    ];
    for (index, breaks) in breaks.into_iter().enumerate() {
        let before = site.records("reload").len();
        site.restart_after(|| {
            if fs::remove_dir_all(&state).is_err() {
                fs::remove_file(&state).unwrap();
            }
            breaks();
        });
        let revision = index as u64 + 2;
        let next = archive(revision, &rules(true));
        double.say(move |_| bundle(&next));
        site.ready();
        until("it is said", || {
            site.records("reload").iter().skip(before).any(|record| record["code"] == "PST-OP-008")
        });
        site.reload(|record| record["revision"] == format!("r{revision}").as_str());
        assert_eq!(site.request().0, 200);
    }
}

#[test]
fn a_copy_that_is_behind_does_not_take_the_place_of_what_serves_when_the_configuration_is_edited() {
    let test =
        "a_copy_that_is_behind_does_not_take_the_place_of_what_serves_when_the_configuration_is_edited";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let [first, second] = [archive(1, &rules(true)), archive(2, &rules(false))];
    let double = Double::start(move |_| bundle(&first));
    let mut site = Site::begin(place(), &policy(&double));
    site.ready();
    let note = site.path("state/bundles/main/current.json");
    until("a copy is kept", || note.exists());
    // What is written before it replaces the note cannot be written any more.
    fs::create_dir_all(note.with_extension("new").join("full")).unwrap();
    double.say(move |_| bundle(&second));
    site.reload(|record| record["revision"] == "r2");
    site.reload(|record| record["code"] == "PST-OP-008");

    site.configure("fuse: 1s", "fuse: 900ms");
    site.reload(|record| record["what"] == "config" && record["accepted"] == true);
    let asked = double.heads().len();
    until("it is asked again", || double.heads().len() > asked + 2);

    assert_eq!(site.request().0, 403);
    let kept = site.policies().into_iter().find(|record| record["detail"] == "the copy that was kept");
    assert!(kept.is_none(), "{kept:?}");
}

#[test]
fn a_kill_in_the_middle_of_writing_leaves_a_copy_that_serves() {
    let test = "a_kill_in_the_middle_of_writing_leaves_a_copy_that_serves";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    // What does not compress takes its time to be written.
    let noise: String =
        (0..400_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let data = format!(r#"{{"noise": "{noise}"}}"#);
    let large = |revision| archive_with(&[("b/postern/data.json", &data)], revision, &rules(true), &[]);
    let bundles = [large(1), large(2)];
    let mut turn = 0;
    let offered = bundles.clone();
    let swap = move |_: &str| {
        turn += 1;
        bundle(&offered[turn % 2])
    };
    let double = Double::start(swap.clone());
    let mut site = Site::begin(place(), &policy(&double));
    site.ready();
    let copies = site.path("state/bundles/main");
    until("a copy is kept", || copies.join("current.json").exists());
    let written =
        || -> Vec<PathBuf> { fs::read_dir(&copies).unwrap().flatten().map(|entry| entry.path()).collect() };
    for round in 0..6 {
        let is_half = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "new");
        until("a copy is being written", || written().iter().any(is_half));
        std::thread::sleep(Duration::from_micros(300 * round));
        site.sidecar.signal(Signal::KILL).unwrap();
        double.say(|_| whole("503 Later", "", b""));
        let before = site.records("reload").len();
        site.restart();
        site.ready();
        let (status, record) = site.request();
        assert_eq!(status, 200, "{record}");
        let damaged =
            site.records("reload").into_iter().skip(before).find(|record| record["code"] == "PST-OP-008");
        assert!(damaged.is_none(), "{damaged:?}");
        double.say(swap.clone());
    }
}
