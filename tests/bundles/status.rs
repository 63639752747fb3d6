//! What an operator and a status service are told of bundles.

use postern_tests::parts::present;
use postern_tests::process::until;
use serde_json::Value;

use super::double::{Double, whole};
use super::site::{Site, place};
use super::{archive, rules};

/// The newest report in which this bundle has this member.
fn report(service: &Double, member: &str) -> Value {
    let find = || {
        let reports =
            service.bodies().into_iter().rev().filter_map(|body| serde_json::from_str::<Value>(&body).ok());
        reports.into_iter().find(|report| !report["bundles"]["main"][member].is_null())
    };
    until(&format!("a report with {member}"), || find().is_some());
    find().unwrap()
}

#[test]
fn a_status_service_is_told_what_became_of_each_bundle() {
    let test = "a_status_service_is_told_what_became_of_each_bundle";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let size = good.len();
    let bundles = Double::start(move |_| whole("200 OK", "content-type: application/gzip\r\n", &good));
    // It refuses the first report.
    let mut count = 0;
    let status = Double::start(move |_| {
        count += 1;
        whole(if count == 1 { "503 Later" } else { "200 OK" }, "", b"{}")
    });
    let folder = place();
    std::fs::create_dir(folder.path().join("team")).unwrap();
    std::fs::write(folder.path().join("team/.manifest"), r#"{"revision": "t1", "roots": ["team"]}"#).unwrap();
    let (url, to) = (bundles.url("/main"), status.url("/opa"));
    let mut site = Site::begin(
        folder,
        &format!(
            "bundles: {{ main: {{ url: \"{url}\", polling: {{ min: 20ms, max: 40ms }} }}, team: {{ path: team }} }}, \
             status: {{ url: \"{to}\", partition: eu }}"
        ),
    );
    site.ready();

    let told = report(&status, "last_successful_activation");
    let main = &told["bundles"]["main"];
    assert!(status.heads()[0].starts_with("post /opa/status/eu http/1.1\r\n"), "{}", status.heads()[0]);
    assert!(status.heads()[0].contains("content-type: application/json\r\n"));
    assert_eq!((&main["name"], &main["active_revision"]), (&"main".into(), &"r1".into()), "{told}");
    assert_eq!((&main["type"], &main["size"]), (&"snapshot".into(), &size.into()), "{told}");
    for member in ["last_request", "last_successful_request", "last_successful_download"] {
        assert!(
            main[member].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')),
            "{told}"
        );
    }
    assert_eq!(told["bundles"]["team"]["active_revision"], "t1");

    let bad = archive(2, "package postern\n\ndecision := true\n");
    bundles.say(move |_| whole("200 OK", "content-type: application/gzip\r\n", &bad));
    let errors = report(&status, "errors");
    let main = &errors["bundles"]["main"];
    assert_eq!(
        (&main["postern_code"], &main["active_revision"]),
        (&"PST-OP-003".into(), &"r1".into()),
        "{errors}"
    );
    assert!(main["errors"][0]["message"].as_str().unwrap().contains("default"), "{errors}");

    bundles.say(|_| whole("500 Broken", "", b""));
    let failed = report(&status, "http_code");
    assert_eq!(failed["bundles"]["main"]["http_code"], 500);
    assert_eq!(failed["bundles"]["main"]["postern_code"], "PST-OP-007");

    // By then the sidecar has its own SVID.
    assert_eq!(failed["labels"]["id"], "spiffe://lab.example/gate");

    let metrics = site.metrics();
    for line in [
        "postern_bundle_outcomes_total{bundle=\"main\",code=\"\",outcome=\"unchanged\"} ",
        "postern_bundle_outcomes_total{bundle=\"main\",code=\"\",outcome=\"activated\"} 1",
        "postern_bundle_outcomes_total{bundle=\"main\",code=\"PST-OP-007\",outcome=\"failed\"} ",
        "postern_bundle_last_timestamp_seconds{bundle=\"main\",what=\"activation\"} ",
        "postern_status_reports_total{code=\"PST-OP-009\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("postern_generation{what=\"policy\"} 2"), "the same is no new policy");
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(["PST-OP-009", "status 503"].iter().all(|word| log.contains(word)), "{log}");
    let state: Value = serde_json::from_str(&site.sidecar.ask("/state").unwrap().1).unwrap();
    assert_eq!(state["bundles"]["main"]["http_code"], 500, "{state}");
}
