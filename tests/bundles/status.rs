//! What an operator and a status service are told of bundles.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use postern_tests::parts::{present, program};
use postern_tests::process::{Process, free_port, told_by, until};
use serde_json::Value;
use tempfile::TempDir;

use super::double::{Double, Step, whole};
use super::site::{Site, place};
use super::{archive, folder, rules};

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

#[test]
fn whatever_a_status_service_does_wrong_is_counted_and_holds_up_nothing() {
    let test = "whatever_a_status_service_does_wrong_is_counted_and_holds_up_nothing";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let bundles = Double::start(move |_| whole("200 OK", "", &good));
    let status = Double::start(|_| vec![Step::Hang]);
    let (url, to) = (bundles.url("/main"), status.url(""));
    let often = "polling: { min: 20ms, max: 40ms }";
    let told = format!("status: {{ url: \"{to}\", timeout: 200ms, token_file: token }}");
    let folder = place();
    fs::write(folder.path().join("token"), "hunter2").unwrap();
    let policy = format!("bundles: {{ main: {{ url: \"{url}\", {often} }} }}, {told}");
    let mut site = Site::begin(folder, &policy);
    site.ready();
    let reports = |code: &str| {
        let (metrics, name) = (site.metrics(), format!("postern_status_reports_total{{code=\"{code}\"}} "));
        let count = metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok());
        count.unwrap_or(0_u64)
    };
    let flood = |head: &str, again: &str| {
        vec![
            Step::Send(format!("HTTP/1.1 {head}\r\n").into_bytes()),
            Step::Flood(again.repeat(64).into_bytes()),
        ]
    };
    for steps in [
        vec![Step::Hang],
        flood("200 OK", "x: y\r\n"),
        flood("100 Continue\r\n", "HTTP/1.1 102 Processing\r\n\r\n"),
        whole("307 Go", "location: http://127.0.0.1:1/hunter2\r\n", b""),
        whole("401 No", "", b""),
        Vec::new(),
    ] {
        let (failed, taken) = (reports("PST-OP-009"), reports(""));
        status.say(move |_| steps.clone());
        until("it fails", || reports("PST-OP-009") > failed);
        assert_eq!(site.request().0, 200);
        // An answer whose body never ends is an answer: the body is not read.
        let endless = flood("200 OK\r\nconnection: close\r\n", "more");
        status.say(move |_| endless.clone());
        until("a report is taken", || reports("") > taken);
    }
    status.say(|_| whole("200 OK", "", b""));
    until("no connection is left open", || status.open() <= 1);
    assert!(!fs::read_to_string(site.path("log")).unwrap().contains("hunter2"));
}

/// The real `opa`, with one bundle of this service, reporting to the other.
fn opa_run(place: &TempDir, bundles: &Double, status: &Double) -> Process {
    let config = format!(
        "services: {{ b: {{ url: \"{}\" }}, s: {{ url: \"{}\" }} }}\nlabels: {{ env: test }}\n\
         bundles: {{ main: {{ service: b, resource: main, \
         polling: {{ min_delay_seconds: 1, max_delay_seconds: 1 }} }} }}\nstatus: {{ service: s }}\n",
        bundles.url(""),
        status.url("")
    );
    fs::write(place.path().join("opa.yaml"), config).unwrap();
    let mut opa = Command::new(program("opa"));
    let address = format!("127.0.0.1:{}", free_port());
    opa.current_dir(place.path()).args(["run", "--server", "--disable-telemetry", "--addr", &address]);
    Process::start("opa", opa.args(["-c", "opa.yaml"]), &place.path().join("opa.log"))
}

/// The newest report that fits.
fn newest(service: &Double, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let find = || {
        let reports = service.bodies().into_iter().rev().filter_map(|body| serde_json::from_str(&body).ok());
        reports.into_iter().find(|report: &Value| fits(&report["bundles"]["main"]))
    };
    until(what, || find().is_some());
    find().unwrap()
}

/// Every member of a report by its path, with the kind of its value, or the value where both must say the same.
fn members(report: &Value) -> BTreeSet<String> {
    fn walk(at: &str, value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                walk(&format!("{at}/{name}"), value, into);
            }),
            // What never happened: the zero of Go, which stands for a member that is missing.
            Value::String(text) if text == "0001-01-01T00:00:00Z" => {}
            Value::Array(items) => items.iter().for_each(|item| walk(&format!("{at}/0"), item, into)),
            _ => {
                let name = at.rsplit('/').next().unwrap_or_default();
                let said = match value {
                    // Which of its stages refused: ours are others.
                    Value::String(code) if name == "code" && code.starts_with("rego_") => "a code".to_owned(),
                    Value::String(text) if name.starts_with("last_") => {
                        let time: jiff::Timestamp = text.parse().expect("a time as RFC 3339 has it");
                        assert!(text.ends_with('Z') && time.as_second() > 1_700_000_000, "{at}: {text}");
                        "a time".to_owned()
                    }
                    Value::String(_) if matches!(name, "message" | "id" | "version") => "a text".to_owned(),
                    _ => value.to_string(),
                };
                into.insert(format!("{at}: {said}"));
            }
        }
    }
    let mut all = BTreeSet::new();
    walk("", report, &mut all);
    all
}

#[test]
fn a_report_has_the_members_of_the_real_opas() {
    let test = "a_report_has_the_members_of_the_real_opas";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let bundles = Double::start(|_| whole("500 Broken", "", b""));
    let [theirs, ours] = [(); 2].map(|()| Double::start(|_| whole("200 OK", "", b"{}")));
    let place = place();
    let _opa = opa_run(&place, &bundles, &theirs);
    let (url, to) = (bundles.url("/main"), ours.url(""));
    let mut site = Site::begin(
        super::site::place(),
        &format!(
            "bundles: {{ main: {{ url: \"{url}\", polling: {{ min: 900ms, max: 1s }} }} }}, status: {{ url: \"{to}\" }}"
        ),
    );
    site.configure("version: 1", "version: 1\nlabels: { env: test }");
    site.restart();
    // By then the sidecar has its own SVID.
    until("it says who it is", || ours.bodies().last().is_some_and(|body| body.contains("\"id\"")));

    let compare = |what: &str, fits: &dyn Fn(&Value) -> bool| {
        let (theirs, ours) = (members(&newest(&theirs, what, fits)), members(&newest(&ours, what, fits)));
        // What each has alone: figures of Go and of times taken, the plugin that reads configuration; and our code.
        let figures = |line: &&String| {
            !["/metrics/", "/bundles/main/metrics/", "/plugins/discovery/"]
                .iter()
                .any(|at| line.starts_with(at))
        };
        let code = |line: &&String| !line.starts_with("/bundles/main/postern_code: ");
        let lines = |all: &BTreeSet<String>, but: &dyn Fn(&&String) -> bool| -> Vec<String> {
            all.iter().filter(but).cloned().collect()
        };
        assert_eq!(lines(&ours, &code), lines(&theirs, &figures), "{what}: ours, and the real opa's");
        lines(&ours, &|line| line.starts_with("/bundles/main/"))
    };

    compare("a failure before anything serves", &|main| main["http_code"] == 500);
    let good = archive(1, &rules(true));
    bundles.say(move |head| {
        if head.contains("if-none-match: \"1\"") {
            return whole("304 Not Modified", "etag: \"1\"\r\n", b"");
        }
        whole("200 OK", "content-type: application/gzip\r\netag: \"1\"\r\n", &good)
    });
    let is_active = |main: &Value| main["active_revision"] == "r1" && main["code"].is_null();
    let active = compare("an activation", &is_active);
    assert!(active.len() >= 8, "{active:?}");
    // Both report what each poll brought, also where that is nothing.
    for service in [&theirs, &ours] {
        let reports = service.bodies().len();
        until("it goes on reporting", || service.bodies().len() > reports + 1);
    }

    bundles.say(|_| whole("503 Later", "", b""));
    compare("a failed download", &|main| main["http_code"] == 503);

    let bad = folder(&[
        (".manifest", r#"{"revision": "r2", "roots": ["postern"]}"#),
        ("postern/rules.rego", "package postern\n\ndefault decision := false\ndecision := nope(1)\n"),
    ]);
    let pack = ["-czf", "bad.tar.gz", ".manifest", "postern"];
    told_by(Command::new("tar").current_dir(bad.path()).args(pack)).unwrap();
    let bad = fs::read(bad.path().join("bad.tar.gz")).unwrap();
    bundles.say(move |_| whole("200 OK", "content-type: application/gzip\r\netag: \"2\"\r\n", &bad));
    let refused = compare("a bundle that does not compile", &|main| main["errors"][0].is_object());
    assert!(refused.contains(&"/bundles/main/errors/0/location/row: 4".to_owned()), "{refused:?}");

    bundles.say(|_| whole("200 OK", "content-type: application/gzip\r\n", b"junk"));
    let is_unread = |main: &Value| main["code"] == "bundle_error" && main["errors"].is_null();
    compare("what is no archive", &|main| is_unread(main) && main["http_code"].is_null());
}
