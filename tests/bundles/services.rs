//! Bundle services over time: a start beside one that hangs, several of them, SIGHUP, and old bundles that were signed
//! well.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use postern_lab::sidecar;
use postern_tests::parts::present;
use postern_tests::process::{told_by, until};
use rustix::process::Signal;
use serde_json::json;

use super::double::{Double, Step, whole};
use super::served::keys;
use super::site::{Site, place};
use super::{archive, archive_with, folder, opa, rules};

/// What a service offers until something else is put there; nothing, while there is none.
pub(super) type Offer = Arc<Mutex<Option<Vec<u8>>>>;

/// A service that answers by `ETag` as OPA's do, whoever asks with this token.
pub(super) fn offering(token: &'static str) -> (Double, Offer) {
    let offer = Offer::default();
    let offered = Arc::clone(&offer);
    let double = Double::start(move |head| {
        let Some(archive) = offered.lock().unwrap().clone() else { return whole("503 Later", "", b"") };
        if !head.contains(&format!("authorization: bearer {token}\r\n")) {
            return whole("403 No", "", b"");
        }
        let etag =
            format!("\"{}-{}\"", archive.len(), archive.iter().map(|byte| u64::from(*byte)).sum::<u64>());
        if head.contains(&format!("if-none-match: {etag}\r\n")) {
            return whole("304 Not Modified", &format!("etag: {etag}\r\n"), b"");
        }
        whole("200 OK", &format!("content-type: application/gzip\r\netag: {etag}\r\n"), &archive)
    });
    (double, offer)
}

pub(super) fn put(offer: &Offer, archive: Vec<u8>) {
    *offer.lock().unwrap() = Some(archive);
}

const DAILY: &str = "polling: { min: 1d, max: 1d }, timeout: 1h";

#[test]
fn a_kept_copy_serves_while_its_service_hangs_and_sighup_asks_again_at_once() {
    let test = "a_kept_copy_serves_while_its_service_hangs_and_sighup_asks_again_at_once";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (first, second) = (archive(1, &rules(true)), archive(2, &rules(false)));
    let double = Double::start(move |_| whole("200 OK", "etag: \"1\"\r\n", &first));
    let bundle = format!("bundles: {{ main: {{ url: \"{}\", {DAILY} }} }}", double.url("/main"));
    let mut site = Site::begin(place(), &bundle);
    site.ready();
    until("a copy is kept", || site.path("state/bundles/main/current.json").exists());
    double.say(|_| vec![Step::Hang]);
    let asked = double.heads().len();

    // Well under the hour that the service may take.
    site.restart();
    site.ready();
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r1"}));
    until("the service is asked beside it", || double.heads().len() > asked);
    // Not by what the copy was called: whoever may write the copy could name an old one as the newest.
    assert!(double.heads()[asked].contains("if-none-match: \r\n"), "{}", double.heads()[asked]);

    double.say(move |_| whole("200 OK", "etag: \"2\"\r\n", &second));
    site.sidecar.signal(Signal::HUP).unwrap();
    site.reload(|record| record["revision"] == "r2");
    assert_eq!(site.request().0, 403);
}

/// A bundle of data alone, below `team`, or below what `main` owns.
pub(super) fn team(revision: &str, root: &str, open: bool) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{revision}", "roots": ["{root}"]}}"#);
    let data = format!(r#"{{"open": {open}}}"#);
    let source = folder(&[(&format!("{root}/data.json"), &data), (".manifest", &manifest)]);
    opa(source.path(), &["build", "-b", ".", "-o", "built.tar.gz"]);
    fs::read(source.path().join("built.tar.gz")).unwrap()
}

/// What allows where the team's data says so.
pub(super) fn by_team(revision: u64) -> Vec<u8> {
    archive(
        revision,
        "package postern\n\nimport data.team\n\ndefault decision := false\n\n\
         decision := {\"allow\": true, \"rule\": \"open\"} if team.open\n",
    )
}

#[test]
fn two_services_are_one_policy_each_with_its_own_token_and_its_own_troubles() {
    let test = "two_services_are_one_policy_each_with_its_own_token_and_its_own_troubles";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let ((main, main_offer), (side, side_offer)) = (offering("for-main"), offering("for-team"));
    let folder = place();
    fs::write(folder.path().join("main-token"), "for-main\n").unwrap();
    fs::write(folder.path().join("team-token"), "for-team\n").unwrap();
    let often = "polling: { min: 20ms, max: 40ms }, timeout: 20s";
    let mut site = Site::begin(
        folder,
        &format!(
            "bundles: {{ main: {{ url: \"{}\", token_file: main-token, {often} }}, \
             team: {{ url: \"{}\", token_file: team-token, {often} }} }}",
            main.url("/main"),
            side.url("/team")
        ),
    );

    // One is there and the other down: a part of a policy never serves.
    put(&main_offer, by_team(1));
    site.reload(|record| record["detail"].as_str().is_some_and(|why| why.contains("/team: status 503")));
    site.until_refused("PST-AZ-019");
    put(&side_offer, team("t1", "team", true));
    site.ready();
    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]), (200, &json!({"main": "r1", "team": "t1"})));

    // One hangs: the other moves on.
    let asked = main.heads().len();
    main.say(|_| vec![Step::Hang]);
    until("the first hangs", || main.heads().len() > asked);
    put(&side_offer, team("t2", "team", false));
    site.reload(|record| record["revision"] == "t2");
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r1", "team": "t2"}));

    // It wants what the other owns: it stays as it was.
    put(&side_offer, team("t3", "postern/x", true));
    let refused = site.reload(|record| record["code"] == "PST-OP-003");
    let why = refused["detail"].as_str().unwrap();
    assert!(why.contains("bundles main and team both own /postern/x"), "{why}");
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r1", "team": "t2"}));
    put(&side_offer, team("t4", "team", true));
    site.reload(|record| record["revision"] == "t4");
    assert_eq!(site.request().0, 200);

    // One hangs and the other is down, from the start on.
    let copies = ["main", "team"].map(|name| site.path(&format!("state/bundles/{name}")));
    let kept = |at: &Path| fs::read_dir(at).is_ok_and(|entries| entries.count() == 2);
    until("both are kept", || copies.iter().all(|at| kept(at)));
    *side_offer.lock().unwrap() = None;
    site.restart();
    site.ready();
    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]), (200, &json!({"main": "r1", "team": "t4"})));

    for (double, foreign) in [(&main, "for-team"), (&side, "for-main")] {
        assert!(!double.heads().iter().any(|head| head.contains(foreign)), "a token went elsewhere");
    }
}

#[test]
fn sighup_asks_every_service_at_once() {
    let test = "sighup_asks_every_service_at_once";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let ((main, main_offer), (side, side_offer)) = (offering("t"), offering("t"));
    put(&main_offer, by_team(1));
    put(&side_offer, team("t1", "team", false));
    let folder = place();
    fs::write(folder.path().join("token"), "t").unwrap();
    let (main, side) = (main.url("/main"), side.url("/team"));
    let mut site = Site::begin(
        folder,
        &format!(
            "bundles: {{ main: {{ url: \"{main}\", token_file: token, {DAILY} }}, \
             team: {{ url: \"{side}\", token_file: token, {DAILY} }} }}",
        ),
    );
    site.ready();
    for round in 2..5 {
        put(&main_offer, by_team(round));
        put(&side_offer, team(&format!("t{round}"), "team", true));
        site.sidecar.signal(Signal::HUP).unwrap();
        for revision in [format!("r{round}"), format!("t{round}")] {
            site.reload(|record| record["revision"] == revision.as_str());
        }
        assert_eq!(site.request().0, 200);
    }
}

#[test]
fn a_stop_waits_neither_for_a_bundle_that_takes_long_to_judge_nor_for_a_service() {
    let test = "a_stop_waits_neither_for_a_bundle_that_takes_long_to_judge_nor_for_a_service";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let double = Double::start(move |_| whole("200 OK", "", &good));
    let often = "polling: { min: 20ms, max: 40ms }, timeout: 1h";
    let bundle = format!("bundles: {{ main: {{ url: \"{}\", {often} }} }}", double.url("/main"));
    let mut site = Site::begin(place(), &bundle);
    site.ready();
    let slow = "package postern_test\n\ntest_slow if {\n\tmany := numbers.range(1, 2000)\n\tsome a in many\n\t\
                some b in many\n\tsome c in many\n\ta * b * c < 0\n}\n";
    let manifest = r#"{"revision": "r2", "roots": ["postern", "postern_test"]}"#;
    let source = folder(&[
        ("postern/rules.rego", &rules(true)),
        ("postern/rules_test.rego", slow),
        (".manifest", manifest),
    ]);
    let pack = ["-czf", "slow.tar.gz", ".manifest", "postern"];
    told_by(Command::new("tar").current_dir(source.path()).args(pack)).unwrap();
    let slow = fs::read(source.path().join("slow.tar.gz")).unwrap();
    let served = Arc::new(AtomicBool::new(false));
    let serves = Arc::clone(&served);
    double.say(move |_| {
        serves.store(true, Ordering::Relaxed);
        whole("200 OK", "", &slow)
    });
    let downloads = || {
        let metrics = site.metrics();
        let line = metrics.lines().find(|line| line.contains("outcome=\"downloaded\"")).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    // It is asked again when that has been judged.
    until("it is downloaded", || {
        served.load(Ordering::Relaxed) && downloads() == double.heads().len() as u64
    });
    assert!(site.sidecar.stop().unwrap().success());
    let judged = site.records("reload").into_iter().find(|record| record["accepted"] == false);
    assert!(judged.is_none(), "the end waited for what was judged: {judged:?}");

    // An edited configuration whose service hangs.
    double.say(|_| vec![Step::Hang]);
    site.restart_after(|| {});
    site.ready();
    let asked = double.heads().len();
    site.configure(often, "polling: { min: 30ms, max: 40ms }, timeout: 1h");
    until("the edit is read", || double.heads().len() > asked);
    assert!(site.sidecar.stop().unwrap().success());
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A bundle that the real `opa` signed at this time, where it says one.
pub(super) fn signed(key: &Path, revision: u64, iat: Option<u64>) -> Vec<u8> {
    let claims = iat.map_or(json!({"keyid": "ci"}), |iat| json!({"keyid": "ci", "iat": iat})).to_string();
    let key = key.display().to_string();
    let words = ["--signing-alg", "ES256", "--signing-key", &key, "--claims-file", "claims.json"];
    archive_with(&[("claims.json", &claims)], revision, &rules(true), &words)
}

/// The same, signed by Postern just now.
fn signed_now(key: &Path, revision: u64) -> Vec<u8> {
    let source = folder(&[
        ("b/postern/rules.rego", &rules(true)),
        ("b/.manifest", &format!(r#"{{"revision": "r{revision}", "roots": ["postern"]}}"#)),
    ]);
    let mut build = Command::new(sidecar::locate().unwrap());
    build.current_dir(source.path()).args(["policy", "build", "b", "-o", "built.tar.gz"]);
    build.args(["--signing-alg", "ES256", "--verification-key-id", "ci", "--signing-key"]).arg(key);
    told_by(&mut build).unwrap();
    fs::read(source.path().join("built.tar.gz")).unwrap()
}

#[test]
fn a_bundle_that_was_signed_before_the_one_that_served_is_refused_where_that_is_asked_for() {
    let test = "a_bundle_that_was_signed_before_the_one_that_served_is_refused_where_that_is_asked_for";
    if !present(test, &["opa", "curl", "openssl"]) {
        return;
    }
    let folder = place();
    keys(folder.path(), "ci");
    let key = folder.path().join("ci.key");
    let (double, offer) = offering("t");
    fs::write(folder.path().join("token"), "t").unwrap();
    let [older, newer] = [3000, 2000].map(|ago| now() - ago);
    put(&offer, signed(&key, 2, Some(newer)));
    let since = jiff::Timestamp::from_second(i64::try_from(older).unwrap() + 1).unwrap();
    let (always, late) = ("since: \"1970-01-01T00:00:00Z\"".to_owned(), format!("since: \"{since}\""));
    let mut site = Site::begin(
        folder,
        &format!(
            "bundles: {{ main: {{ url: \"{}\", polling: {{ min: 20ms, max: 40ms }}, token_file: token, \
             verify: {{ keys: {{ ci: {{ file: ci.pem, algorithm: ES256 }} }}, {always} }} }} }}",
            double.url("/main")
        ),
    );
    site.ready();

    // An old one that was signed well, one that does not say when, and one of a time to come.
    for (archive, code, words) in [
        (signed(&key, 1, Some(older)), "PST-OP-010", "to go back, sign it anew"),
        (signed(&key, 5, None), "PST-OP-003", "does not say when it was made"),
        (signed(&key, 6, Some(now() + 4000)), "PST-OP-003", "is still to come"),
    ] {
        put(&offer, archive);
        let refused =
            site.reload(|record| record["detail"].as_str().is_some_and(|detail| detail.contains(words)));
        assert_eq!(refused["code"], code, "{refused}");
        assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r2"}));
    }

    // Neither does a start forget, for the copy says when it was signed.
    put(&offer, signed(&key, 1, Some(older)));
    let before = site.records("reload").len();
    site.restart();
    site.ready();
    until("it is refused again", || {
        site.records("reload").iter().skip(before).any(|record| record["code"] == "PST-OP-010")
    });
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r2"}));

    // Going back on purpose is signing anew.
    put(&offer, signed_now(&key, 1));
    site.reload(|record| record["revision"] == "r1" && record["accepted"] == true);
    assert_eq!(site.request().0, 200);

    // Whoever writes the state folder, while the service is down, is told by the configuration what is too old.
    *offer.lock().unwrap() = None;
    let copy = site.path("state/bundles/main");
    site.restart_after(|| plant(&copy, &signed(&key, 1, Some(older))));
    site.ready();
    site.configure(&always, &late);
    site.restart();
    let refused = site.reload(|record| record["code"] == "PST-OP-008");
    assert!(refused["detail"].as_str().unwrap().contains("sign the bundle anew"), "{refused}");
    site.until_refused("PST-AZ-019");

    // Where nothing is asked for, what happened is at least said.
    site.configure(&format!(", {late}"), "");
    put(&offer, signed(&key, 2, Some(newer)));
    site.restart();
    site.ready();
    put(&offer, signed(&key, 1, Some(older)));
    site.reload(|record| record["detail"] == "signed before the one that it replaces");
    assert_eq!(site.request().1["decision"]["policy"], json!({"main": "r1"}));
}

/// Puts another archive in the place of a copy, as somebody could who may write there.
fn plant(copy: &Path, archive: &[u8]) {
    let note = copy.join("current.json");
    let file = copy.join("planted");
    fs::write(&file, archive).unwrap();
    let digest = told_by(Command::new("sha256sum").arg(&file)).unwrap();
    let digest = digest.split(' ').next().unwrap();
    let mut noted: serde_json::Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    noted["sha256"] = digest.into();
    fs::write(&note, noted.to_string()).unwrap();
    fs::rename(&file, copy.join(format!("{digest}.tar.gz"))).unwrap();
}
