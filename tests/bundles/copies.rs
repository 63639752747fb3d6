//! The state folder that copies of bundles lie in, as whoever breaks it leaves it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use postern_lab::sidecar::{self, SidecarError};
use postern_tests::parts::{not_run, present};
use postern_tests::process::{told_by, until};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::json;

use super::double::{Double, Step, whole};
use super::services::{offering, put};
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
    // It takes its time to be written.
    let bundles = [large(1, 400_000), large(2, 400_000)];
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

/// A bundle with so many numbers of sixteen digits, which do not compress much.
fn large(revision: u64, numbers: u64) -> Vec<u8> {
    let numbers =
        (revision * numbers..(revision + 1) * numbers).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let noise: String = numbers.map(|n| format!("{n:x}")).collect();
    let data = format!(r#"{{"noise": "{noise}"}}"#);
    archive_with(&[("b/postern/data.json", &data)], revision, &rules(true), &[])
}

/// What lies in the folder of the copy, by how its name ends, in order.
fn kept(copies: &Path) -> Vec<String> {
    let names = fs::read_dir(copies).unwrap().flatten().map(|entry| entry.file_name().display().to_string());
    let mut endings: Vec<_> =
        names.map(|name| name.trim_start_matches(|c: char| c.is_ascii_hexdigit()).to_owned()).collect();
    endings.sort_unstable();
    endings
}

/// How often a copy could not be kept, by the metric.
fn unkept(site: &Site) -> u64 {
    let metrics = site.metrics();
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.contains("outcome=\"unkept\"") && line.contains("PST-OP-008"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

/// A site of one service, which answers by `ETag`; ready, with its first bundle kept.
fn followed(folder: tempfile::TempDir, url: &str) -> Site {
    fs::write(folder.path().join("token"), "t").unwrap();
    let often = "polling: { min: 20ms, max: 40ms }, token_file: token";
    let mut site = Site::begin(folder, &format!("bundles: {{ main: {{ url: \"{url}\", {often} }} }}"));
    site.ready();
    until("a copy is kept", || site.path("state/bundles/main/current.json").exists());
    assert_eq!(kept(&site.path("state/bundles/main")), [".tar.gz", "urrent.json"]);
    site
}

/// What must be so while `r2`, which is too large for the disk, serves and cannot be kept.
fn is_said_and_serves(site: &Site) {
    let said = |record: &serde_json::Value| record["code"] == "PST-OP-008";
    site.reload(|record| record["revision"] == "r2");
    let why = site.reload(said);
    assert!(why["detail"].as_str().unwrap().contains("state/bundles/main/"), "{why}");
    let tries = unkept(site);
    until("it is tried again", || unkept(site) > tries + 2);
    assert_eq!(site.records("reload").into_iter().filter(said).count(), 1, "told again and again");
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r2"}));
    let state = site.sidecar.ask("/state").unwrap().1;
    assert!(state.contains("PST-OP-008"), "{state}");
}

#[test]
fn a_copy_that_is_too_large_for_the_disk_is_said_leaves_the_old_whole_and_is_kept_once_there_is_room() {
    let test =
        "a_copy_that_is_too_large_for_the_disk_is_said_leaves_the_old_whole_and_is_kept_once_there_is_room";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (double, offer) = offering("t");
    put(&offer, archive(1, &rules(true)));
    let mut site = followed(place(), &double.url("/main"));
    let copies = site.path("state/bundles/main");
    // No file of the process grows past this: what is longer ends in the middle.
    let limit = |site: &Site, current: Option<u64>| {
        let pid = Pid::from_raw(site.sidecar.pid().cast_signed());
        let maximum = prlimit(pid, Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap().maximum;
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    let next = large(2, 40_000);
    assert!(next.len() > 200_000, "{}", next.len());

    limit(&site, Some(128 << 10));
    put(&offer, next.clone());
    is_said_and_serves(&site);
    until("nothing of the half is left", || kept(&copies) == [".tar.gz", "urrent.json"]);

    // Killed while it tries, and started without its service: the one before, whole.
    site.sidecar.signal(Signal::KILL).unwrap();
    *offer.lock().unwrap() = None;
    let before = site.records("reload").len();
    site.restart();
    site.ready();
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r1"}));
    let damaged =
        site.records("reload").into_iter().skip(before).find(|record| record["code"] == "PST-OP-008");
    assert!(damaged.is_none(), "{damaged:?}");

    // Although its service has nothing new to say, it is kept once that can be done.
    limit(&site, Some(128 << 10));
    put(&offer, next.clone());
    until("it cannot be kept", || unkept(&site) > 2);
    limit(&site, None);
    let is_whole = |entry: fs::DirEntry| fs::read(entry.path()).is_ok_and(|kept| kept == next);
    until("it is kept", || fs::read_dir(&copies).unwrap().flatten().any(is_whole));
    let downloads = || {
        let metrics = site.metrics();
        metrics.lines().find(|line| line.contains("outcome=\"downloaded\"")).map(str::to_owned)
    };
    let asked = double.heads().len();
    until("it is asked again", || double.heads().len() > asked + 3);
    let downloaded = downloads();
    let asked = double.heads().len();
    until("it is asked again", || double.heads().len() > asked + 3);
    assert_eq!(downloads(), downloaded, "what is kept is not downloaded again");
    *offer.lock().unwrap() = None;
    site.restart();
    site.ready();
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r2"}));
}

/// A file system of its own over a folder, for as long as this lives.
struct Mount(PathBuf);

impl Mount {
    fn over(folder: &Path, size: &str) -> Result<Self, String> {
        fs::create_dir_all(folder).unwrap();
        let options = format!("size={size},mode=700");
        let mut mount = Command::new("mount");
        told_by(mount.args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder))?;
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(told_by(Command::new("umount").arg("-l").arg(&self.0)));
    }
}

#[test]
fn a_state_folder_that_is_full_is_said_and_what_serves_serves_on() {
    let test = "a_state_folder_that_is_full_is_said_and_what_serves_serves_on";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let folder = place();
    let mount = match Mount::over(&folder.path().join("state"), "192k") {
        Ok(mount) => mount,
        Err(why) => return not_run(test, &why),
    };
    let (double, offer) = offering("t");
    put(&offer, archive(1, &rules(true)));
    let mut site = followed(folder, &double.url("/main"));
    let copies = site.path("state/bundles/main");

    put(&offer, large(2, 40_000));
    is_said_and_serves(&site);
    let full = site.reload(|record| record["code"] == "PST-OP-008");
    assert!(full["detail"].as_str().unwrap().contains("No space left on device"), "{full}");
    until("nothing of the half is left", || kept(&copies) == [".tar.gz", "urrent.json"]);

    // Not one byte is left, neither at the end nor at a start.
    let filler = site.path("state/filler");
    let mut dd = Command::new("dd");
    let filled = told_by(dd.args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", filler.display())));
    assert!(filled.unwrap_err().contains("No space left"));
    put(&offer, archive(3, &rules(true)));
    site.reload(|record| record["revision"] == "r3");
    for _ in 0..20 {
        assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r3"}));
    }
    fs::remove_file(&filler).unwrap();
    let note = || fs::read_to_string(copies.join("current.json")).unwrap();
    let before = note();
    until("it is kept once there is room", || note() != before);
    *offer.lock().unwrap() = None;
    site.restart();
    site.ready();
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r3"}));
    drop((site, mount));
}

/// Where something is put, what is said of it, and how it is done.
type Break<'a> = (&'a str, &'a str, &'a dyn Fn(&Path));

#[test]
fn what_somebody_else_put_in_the_place_of_a_copy_is_refused_and_never_followed() {
    let test = "what_somebody_else_put_in_the_place_of_a_copy_is_refused_and_never_followed";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (double, offer) = offering("t");
    let first = archive(1, &rules(true));
    put(&offer, first.clone());
    let mut site = followed(place(), &double.url("/main"));
    let (state, elsewhere) = (site.path("state"), site.path("elsewhere"));
    let aside = |path: &Path| fs::rename(path, &elsewhere).unwrap();
    let link = |path: &Path| {
        aside(path);
        symlink(&elsewhere, path).unwrap();
    };
    let pipe = |path: &Path| {
        aside(path);
        told_by(Command::new("mkfifo").arg(path)).unwrap();
    };
    let give = |path: &Path| {
        let copied = Command::new("cp").arg("-a").arg(path).arg(&elsewhere).status();
        assert!(copied.unwrap().success());
        std::os::unix::fs::chown(path, Some(65533), None).unwrap();
    };
    let mut breaks: Vec<Break<'_>> = vec![
        ("bundles", "is a link, which is not followed", &link),
        ("bundles/main", "is a link, which is not followed", &link),
        ("bundles/main/current.json", "is a link, which is not followed", &link),
        ("bundles/main/current.json", "is no file", &pipe),
    ];
    if rustix::process::geteuid().is_root() {
        // Nobody else may give files away.
        let places = ["bundles", "bundles/main", "bundles/main/current.json"];
        breaks.extend(
            places.map(|at| (at, "belongs to user 65533 and not to user 0", &give as &dyn Fn(&Path))),
        );
    }
    // All of it is whole and right but for where it lies and whose it is: with the service gone, nothing serves.
    for (at, words, breaks) in breaks {
        *offer.lock().unwrap() = None;
        let (path, before) = (state.join(at), site.records("reload").len());
        site.restart_after(|| breaks(&path));
        let refused = |record: &serde_json::Value| {
            let why = record["detail"].as_str().unwrap_or_default();
            record["code"] == "PST-OP-008" && why.contains(&format!("{at} {words}"))
        };
        until(&format!("{at} {words}"), || site.records("reload").iter().skip(before).any(refused));
        site.until_refused("PST-AZ-019");

        // What the service gives serves; and nothing is written through the link.
        put(&offer, first.clone());
        site.ready();
        assert_eq!(site.request().0, 200);
        let outside = fs::symlink_metadata(&elsewhere).unwrap();
        assert!(outside.is_file() || fs::read_dir(&elsewhere).unwrap().count() <= 2, "{at}");
        site.sidecar.stop().unwrap();
        for path in [state.join("bundles"), elsewhere.clone()] {
            if fs::remove_dir_all(&path).is_err() {
                fs::remove_file(&path).unwrap();
            }
        }
        site.restart();
        site.ready();
        until("a copy is kept", || state.join("bundles/main/current.json").exists());
    }
}

#[test]
fn a_state_folder_that_is_not_ours_is_refused_with_its_code_and_what_to_do() {
    let mut site = Site::begin(place(), "bundles: { main: { path: main } }");
    site.sidecar.stop().unwrap();
    let ours = site.path("state");
    fs::create_dir_all(&ours).unwrap();
    // Who may not give files away has one that is another's anyway, and cannot harm it.
    let foreign = if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&ours, Some(65533), None).unwrap();
        ours.clone()
    } else {
        "/usr".into()
    };
    let mut at = ours;
    for (state, words) in [
        (foreign, "belongs to user "),
        (site.path("postern.yaml"), "postern.yaml cannot be used"),
        // Where nobody can make a folder.
        ("/proc/self/task/state".into(), "/proc/self/task/state cannot be used"),
    ] {
        site.configure(&format!("state: {}\n", at.display()), &format!("state: {}\n", state.display()));
        at = state;
        site.restart();
        let told = match site.sidecar.wait_until_ready(Duration::from_secs(30)) {
            Err(SidecarError::Ended { words, .. }) => words,
            other => panic!("{words}: {other:?}"),
        };
        assert!(told.contains("PST-OP-011: ") && told.contains(words) && told.contains("chown it"), "{told}");
    }

    // One that may only be read; whoever may do everything runs it as somebody who may not.
    let open = place();
    let (config, state) = (open.path().join("postern.yaml"), open.path().join("state"));
    let text = fs::read_to_string(site.path("postern.yaml")).unwrap();
    fs::write(&config, text.replace(&at.display().to_string(), &state.display().to_string())).unwrap();
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut postern = Command::new(sidecar::locate().unwrap());
    postern.args(["run", "--config"]).arg(&config);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&state, Some(65533), Some(65533)).unwrap();
        postern.uid(65533).gid(65533);
    }
    let told = told_by(&mut postern).unwrap_err();
    assert!(
        told.contains("PST-OP-011: ") && told.contains("state/lock cannot be used: Permission"),
        "{told}"
    );
}
