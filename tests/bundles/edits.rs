//! Configurations that are edited while bundles arrive: new services, services that are gone, other keys, addresses and
//! entrypoints.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use postern_tests::parts::present;
use postern_tests::process::until;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::double::{Double, Step, whole};
use super::served::keys;
use super::services::{Offer, by_team, now, offering, put, signed, team};
use super::site::{Site, place};
use super::{archive, folder, opa, rules};

const OFTEN: &str = "polling: { min: 20ms, max: 40ms }";

/// A service of the bundle `name`, in YAML flow.
fn of(name: &str, double: &Double, more: &str) -> String {
    format!("{name}: {{ url: \"{}\", token_file: token, {OFTEN}{more} }}", double.url(&format!("/{name}")))
}

/// A site with these bundles; every service takes the token `t`.
fn begin(bundles: &[&str]) -> Site {
    let folder = place();
    fs::write(folder.path().join("token"), "t").unwrap();
    Site::begin(folder, &format!("bundles: {{ {} }}", bundles.join(", ")))
}

fn hup(site: &Site) {
    site.sidecar.signal(Signal::HUP).unwrap();
}

/// The records of configurations so far.
fn configs(site: &Site) -> Vec<Value> {
    let mut records = site.records("reload");
    records.retain(|record| record["what"] == "config");
    records
}

/// The one that follows the first `before`.
fn next_config(site: &Site, before: usize) -> Value {
    until("the next record of a configuration", || configs(site).len() > before);
    configs(site).swap_remove(before)
}

/// What the request of now is decided by.
fn policy(site: &Site) -> Value {
    site.request().1["decision"]["policy"].clone()
}

#[test]
fn a_new_service_that_hangs_holds_up_no_other_bundle_and_no_other_edit() {
    let test = "a_new_service_that_hangs_holds_up_no_other_bundle_and_no_other_edit";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (main, offer) = offering("t");
    put(&offer, archive(1, &rules(true)));
    let hanging = Double::start(|_| vec![Step::Hang]);
    let only = of("main", &main, "");
    let mut site = begin(&[&only]);
    site.ready();

    let with = format!("{only}, {}", of("team", &hanging, ", timeout: 1h"));
    site.configure(&only, &with);
    until("the new service is asked", || hanging.heads().len() == 1);
    for revision in 2..5 {
        put(&offer, archive(revision, &rules(revision % 2 == 0)));
        site.reload(|record| record["revision"] == format!("r{revision}").as_str());
        assert_eq!(site.request().0, if revision % 2 == 0 { 200 } else { 403 });
        // The same edit once more is no other edit.
        hup(&site);
    }
    assert_eq!((hanging.heads().len(), configs(&site).len()), (1, 0), "the edit began anew");

    // Another edit takes its place, and what has arrived meanwhile serves on.
    site.configure(&with, &only);
    site.configure("fuse: 1s", "fuse: 900ms");
    assert_eq!(next_config(&site, 0)["accepted"], true);
    until("nobody waits for it any more", || hanging.open() == 0);
    assert_eq!(policy(&site), json!({"main": "r4"}));

    // What hangs for its own `timeout` ends the edit; all are asked at once.
    let (second, third) = (Double::start(|_| vec![Step::Hang]), Double::start(|_| vec![Step::Hang]));
    let late = [&hanging, &second, &third].into_iter().enumerate();
    let late = late.map(|(at, double)| of(&format!("late{at}"), double, ", timeout: 3s")).collect::<Vec<_>>();
    let begun = Instant::now();
    site.configure(&only, &format!("{only}, {}", late.join(", ")));
    let refused = next_config(&site, 1);
    assert!(begun.elapsed() < Duration::from_secs(8), "one after another: {:?}", begun.elapsed());
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("bundle late") && detail.ends_with("no whole answer within 3s"), "{detail}");
    assert_eq!((&refused["code"], policy(&site)), (&"PST-OP-002".into(), json!({"main": "r4"})));
}

#[test]
fn who_asks_again_and_again_keeps_no_bundle_from_arriving() {
    let test = "who_asks_again_and_again_keeps_no_bundle_from_arriving";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (first, second) = (archive(1, &rules(true)), archive(2, &rules(false)));
    let double = Double::start(move |_| whole("200 OK", "", &first));
    let mut site = begin(&[&of("main", &double, "")]);
    site.ready();
    double.say(move |_| {
        [vec![Step::Pause(Duration::from_millis(2500))], whole("200 OK", "", &second)].concat()
    });

    until("it arrives all the same", || {
        for _ in 0..5 {
            hup(&site);
            thread::sleep(Duration::from_millis(10));
        }
        site.policies().iter().any(|record| record["revision"] == "r2")
    });
    assert_eq!(site.request().0, 403);
}

#[test]
fn edits_bundles_and_signals_in_any_order_end_in_what_is_newest_and_refuse_nobody() {
    let test = "edits_bundles_and_signals_in_any_order_end_in_what_is_newest_and_refuse_nobody";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let ((main, main_offer), (side, side_offer)) = (offering("t"), offering("t"));
    put(&main_offer, by_team(1));
    put(&side_offer, team("t1", "team", true));
    let (with_main, with_team) = (of("main", &main, ""), of("team", &side, ""));
    let mut site = begin(&[&with_main, &with_team]);
    site.ready();
    let fuses = ["1s", "900ms"];
    // Another address, where the same is offered: it is downloaded anew.
    let elsewhere = with_team.replace("/team", "/team2");
    let places = [&with_team, &elsewhere];
    for round in 2..22_usize {
        put(&main_offer, by_team(round as u64));
        if round % 3 == 0 {
            site.configure(
                &format!("fuse: {}", fuses[(round / 3 + 1) % 2]),
                &format!("fuse: {}", fuses[(round / 3) % 2]),
            );
        }
        put(&side_offer, team(&format!("t{round}"), "team", true));
        if round % 4 == 0 {
            site.configure(places[(round / 4 + 1) % 2], places[(round / 4) % 2]);
        }
        for _ in 0..round {
            hup(&site);
        }
        thread::sleep(Duration::from_millis(37 * (round as u64 % 5)));
        let (status, record) = site.request();
        assert_eq!(status, 200, "{record}");
    }
    hup(&site);
    until("the newest of each serves", || policy(&site) == json!({"main": "r21", "team": "t21"}));
    assert!(configs(&site).iter().all(|record| record["accepted"] == true), "{:?}", configs(&site));
    let text = fs::read_to_string(site.path("postern.yaml")).unwrap();
    let team = if text.contains("/team2") { "get /team2 " } else { "get /team " };
    let asked = side.heads().len();
    until("the address of now is asked", || {
        side.heads().iter().skip(asked).any(|head| head.starts_with(team))
    });
}

/// A bundle whose package, and root, is this.
fn of_package(package: &str, revision: &str) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{revision}", "roots": ["{package}"]}}"#);
    let text = rules(true).replace("package postern", &format!("package {package}"));
    let source = folder(&[("rules.rego", &text), (".manifest", &manifest)]);
    opa(source.path(), &["build", "-b", ".", "-o", "built.tar.gz"]);
    fs::read(source.path().join("built.tar.gz")).unwrap()
}

#[test]
fn an_entrypoint_and_the_bundle_that_has_it_are_taken_together_whichever_comes_first() {
    let test = "an_entrypoint_and_the_bundle_that_has_it_are_taken_together_whichever_comes_first";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (main, offer) = offering("t");
    put(&offer, of_package("postern", "r1"));
    let mut site = begin(&[&of("main", &main, "")]);
    site.ready();
    let points = ["", "entrypoint: data.gate.decision, ", "entrypoint: data.door.decision, "];
    let enter = |from: usize, to: usize| {
        site.configure(
            &format!("policy: {{ {}bundles", points[from]),
            &format!("policy: {{ {}bundles", points[to]),
        );
    };

    // The bundle first: refused by the configuration of now.
    put(&offer, of_package("gate", "r2"));
    site.reload(|record| record["code"] == "PST-OP-003");
    assert_eq!(policy(&site), json!({"main": "r1"}));
    enter(0, 1);
    assert_eq!(next_config(&site, 0)["accepted"], true);
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r2"})));

    // The edit first: refused with the bundle of now, and told once, however often it is tried.
    enter(1, 2);
    let refused = next_config(&site, 1);
    assert_eq!(refused["code"], "PST-OP-002", "{refused}");
    put(&offer, of_package("nowhere", "r3"));
    until("what fits neither is refused", || {
        site.policies()
            .iter()
            .any(|it| it["detail"].to_string().contains("nowhere") || it["code"] == "PST-OP-003")
    });
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r2"})));
    put(&offer, of_package("door", "r4"));
    until("both are taken", || configs(&site).iter().skip(2).any(|record| record["accepted"] == true));
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r4"})));
    assert_eq!(configs(&site).len(), 3, "{:?}", configs(&site));

    // Both at once, and it is kept.
    put(&offer, of_package("gate", "r5"));
    enter(2, 1);
    hup(&site);
    until("both are taken", || policy(&site) == json!({"main": "r5"}));
    let kept = site.path("state/bundles/main");
    until("it is kept", || {
        let copy = fs::read_dir(&kept).into_iter().flatten().flatten().map(|entry| entry.path());
        let copy = copy.filter(|path| path.extension().is_some_and(|it| it == "gz"));
        copy.map(|path| fs::read(path).unwrap_or_default()).any(|kept| Some(kept) == *offer.lock().unwrap())
    });
    *offer.lock().unwrap() = None;
    site.restart();
    site.ready();
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r5"})));
}

/// Where bundles signed by these keys come from, and one that the first has signed so long ago.
fn guarded(double: &Double, key: &str) -> String {
    let verify = format!(
        "verify: {{ keys: {{ ci: {{ file: {key}.pem, algorithm: ES256 }} }}, since: \"1970-01-01T00:00:00Z\" }}"
    );
    of("main", double, &format!(", {verify}"))
}

#[test]
fn another_key_and_what_it_signed_are_taken_together_and_the_old_key_signs_nothing_any_more() {
    let test = "another_key_and_what_it_signed_are_taken_together_and_the_old_key_signs_nothing_any_more";
    if !present(test, &["opa", "curl", "openssl"]) {
        return;
    }
    let folder = place();
    keys(folder.path(), "ci");
    keys(folder.path(), "other");
    fs::write(folder.path().join("token"), "t").unwrap();
    let [ci, other] = ["ci.key", "other.key"].map(|key| folder.path().join(key));
    let (main, offer) = offering("t");
    put(&offer, signed(&ci, 1, Some(now() - 3000)));
    let mut site = Site::begin(folder, &format!("bundles: {{ {} }}", guarded(&main, "ci")));
    site.ready();

    // At the same moment.
    put(&offer, signed(&other, 2, Some(now() - 2000)));
    site.configure("ci.pem", "other.pem");
    let taken = next_config(&site, 0);
    assert_eq!((&taken["accepted"], policy(&site)), (&true.into(), json!({"main": "r2"})), "{taken}");

    // What the old key signed is refused, however new it is; and so is going back to the old key while that is served.
    put(&offer, signed(&ci, 3, Some(now() - 1000)));
    let refused = site.reload(|record| record["what"] == "policy" && record["code"] == "PST-OP-003");
    assert!(refused["detail"].as_str().unwrap().contains("signature"), "{refused}");
    put(&offer, signed(&ci, 1, Some(now() - 3000)));
    site.configure("other.pem", "ci.pem");
    let refused = next_config(&site, 1);
    assert!(refused["detail"].as_str().unwrap().contains("to go back, sign it anew"), "{refused}");
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r2"})));

    // The copy counts by the key of now.
    site.configure("ci.pem", "other.pem");
    *offer.lock().unwrap() = None;
    site.restart();
    site.ready();
    assert_eq!(policy(&site), json!({"main": "r2"}));
    site.configure("other.pem", "ci.pem");
    site.restart();
    site.until_refused("PST-AZ-019");
}

#[test]
fn another_address_is_no_way_back_to_an_older_bundle() {
    let test = "another_address_is_no_way_back_to_an_older_bundle";
    if !present(test, &["opa", "curl", "openssl"]) {
        return;
    }
    let folder = place();
    keys(folder.path(), "ci");
    fs::write(folder.path().join("token"), "t").unwrap();
    let key = folder.path().join("ci.key");
    let sign = |revision: u64, ago: u64| signed(&key, revision, Some(now() - ago));
    let ((here, here_offer), (there, there_offer)) = (offering("t"), offering("t"));
    put(&here_offer, sign(3, 3000));
    put(&there_offer, sign(2, 4000));
    let [at_first, then] = [&here, &there].map(|double| guarded(double, "ci"));
    let mut site = Site::begin(folder, &format!("bundles: {{ {at_first} }}"));
    site.ready();

    site.configure(&at_first, &then);
    let refused = next_config(&site, 0);
    assert!(refused["detail"].as_str().unwrap().contains("to go back, sign it anew"), "{refused}");
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r3"})));

    // Newer when it was asked for, and older when it is there: the one of now has moved on meanwhile.
    let slow = sign(4, 2000);
    there.say(move |_| [vec![Step::Pause(Duration::from_secs(4))], whole("200 OK", "", &slow)].concat());
    let asked = there.heads().len();
    hup(&site);
    until("it is asked", || there.heads().len() > asked);
    put(&here_offer, sign(5, 1000));
    site.reload(|record| record["revision"] == "r5");
    let refused = next_config(&site, 1);
    assert!(refused["detail"].as_str().unwrap().contains("to go back, sign it anew"), "{refused}");
    assert_eq!(policy(&site), json!({"main": "r5"}));

    let newest = sign(6, 500);
    there.say(move |_| whole("200 OK", "", &newest));
    hup(&site);
    assert_eq!(next_config(&site, 2)["accepted"], true);
    assert_eq!((site.request().0, policy(&site)), (200, json!({"main": "r6"})));
}

#[test]
fn two_services_that_own_the_same_are_no_policy_in_either_order_until_one_gives_way() {
    let test = "two_services_that_own_the_same_are_no_policy_in_either_order_until_one_gives_way";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    for (first, gives_way) in [("main", "main"), ("main", "team"), ("team", "main"), ("team", "team")] {
        let (main, side) = (offering("t"), offering("t"));
        let mut site = begin(&[&of("main", &main.0, ""), &of("team", &side.0, "")]);
        // `main` wants what is the other's too.
        let both = || {
            let manifest = r#"{"revision": "r1", "roots": ["postern", "team/x"]}"#;
            let source = folder(&[("postern/rules.rego", &rules(true)), (".manifest", manifest)]);
            opa(source.path(), &["build", "-b", ".", "-o", "built.tar.gz"]);
            fs::read(source.path().join("built.tar.gz")).unwrap()
        };
        let mut parts: [(&str, &Offer, Vec<u8>); 2] =
            [("main", &main.1, both()), ("team", &side.1, team("t1", "team", true))];
        parts.sort_by_key(|(name, ..)| *name != first);
        let asked = |name: &str| if name == "main" { main.0.heads().len() } else { side.0.heads().len() };
        for (name, offer, archive) in parts {
            let before = asked(name);
            put(offer, archive);
            until("it is taken", || asked(name) > before + 2);
        }
        let refused = site.reload(|record| record["code"] == "PST-OP-003");
        let why = refused["detail"].as_str().unwrap();
        assert!(why.contains("bundles main and team both own"), "{first}: {why}");
        site.until_refused("PST-AZ-019");

        match gives_way {
            "main" => put(&main.1, archive(2, &rules(true))),
            _ => put(&side.1, team("t2", "desk", true)),
        }
        site.ready();
        let expected = if gives_way == "main" { ["r2", "t1"] } else { ["r1", "t2"] };
        assert_eq!(policy(&site), json!({"main": expected[0], "team": expected[1]}), "{first}, {gives_way}");
    }
}

#[test]
fn a_service_that_is_removed_takes_its_policy_and_its_copy_along() {
    let test = "a_service_that_is_removed_takes_its_policy_and_its_copy_along";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let ((main, main_offer), (side, side_offer)) = (offering("t"), offering("t"));
    put(&main_offer, by_team(1));
    put(&side_offer, team("t1", "team", true));
    let (with_main, with_team) = (of("main", &main, ""), of("team", &side, ""));
    let mut site = begin(&[&with_main, &with_team]);
    site.ready();
    let copies = ["main", "team"].map(|name| site.path(&format!("state/bundles/{name}")));
    let is_kept = |at: &Path| at.join("current.json").exists();
    until("both are kept", || copies.iter().all(|at| is_kept(at)));
    assert_eq!(site.request().0, 200);

    // By an edit while it runs.
    let both = format!("{with_main}, {with_team}");
    site.configure(&both, &with_main);
    assert_eq!(next_config(&site, 0)["accepted"], true);
    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]), (403, &json!({"main": "r1"})));
    until("its copy is gone", || !copies[1].exists());
    assert!(is_kept(&copies[0]));

    // Nothing of it comes back with its name: neither beside a service that is down, nor at a start.
    *side_offer.lock().unwrap() = None;
    site.configure(&with_main, &both);
    assert_eq!(next_config(&site, 1)["code"], "PST-OP-002");
    assert_eq!(site.request().0, 403);
    site.restart();
    site.until_refused("PST-AZ-019");

    // By an edit while it does not run.
    put(&side_offer, team("t2", "team", true));
    site.ready();
    until("it is kept again", || is_kept(&copies[1]));
    let config = site.path("postern.yaml");
    let edit = |from: &str, to: &str| {
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace(from, to)).unwrap();
    };
    site.restart_after(|| edit(&both, &with_main));
    site.ready();
    until("its copy is gone", || !copies[1].exists());
    *side_offer.lock().unwrap() = None;
    site.restart_after(|| edit(&with_main, &both));
    site.until_refused("PST-AZ-019");
    assert!(is_kept(&copies[0]));

    // What another address gave before does not come back with it either.
    put(&side_offer, team("t3", "team", true));
    site.ready();
    until("it is kept again", || is_kept(&copies[1]));
    let there = Double::start(|_| vec![Step::Hang]);
    let elsewhere = both.replace(&side.url("/team"), &there.url("/team"));
    site.restart_after(|| edit(&both, &elsewhere));
    site.until_refused("PST-AZ-019");
    until("its copy is gone", || !copies[1].exists());
    *side_offer.lock().unwrap() = None;
    site.restart_after(|| edit(&elsewhere, &both));
    site.until_refused("PST-AZ-019");
}

#[test]
fn what_waits_for_another_service_counts_by_the_key_of_when_it_is_taken() {
    let test = "what_waits_for_another_service_counts_by_the_key_of_when_it_is_taken";
    if !present(test, &["opa", "curl", "openssl"]) {
        return;
    }
    let folder = place();
    keys(folder.path(), "ci");
    keys(folder.path(), "other");
    fs::write(folder.path().join("token"), "t").unwrap();
    let at = |name: &str| folder.path().join(name);
    let [ci, other, pem, next] = [at("ci.key"), at("other.key"), at("ci.pem"), at("other.pem")];
    let ((main, main_offer), (side, side_offer)) = (offering("t"), offering("t"));
    put(&main_offer, signed(&ci, 1, None));
    let verify = ", verify: { keys: { ci: { file: ci.pem, algorithm: ES256 } } }";
    let bundles = [of("main", &main, verify), of("team", &side, "")].join(", ");
    let mut site = Site::begin(folder, &format!("bundles: {{ {bundles} }}"));
    until("one waits for the other", || {
        main.heads().iter().any(|head| !head.contains("if-none-match: \r\n"))
    });

    fs::rename(&next, &pem).unwrap();
    let refused = site.reload(|record| record["code"] == "PST-OP-003");
    assert!(refused["detail"].as_str().unwrap().starts_with("bundle main: "), "{refused}");
    put(&side_offer, team("t1", "team", true));
    until("the other has arrived", || side.heads().iter().any(|head| !head.contains("if-none-match: \r\n")));
    site.until_refused("PST-AZ-019");

    put(&main_offer, signed(&other, 2, None));
    site.ready();
    assert_eq!(policy(&site), json!({"main": "r2", "team": "t1"}));
}
