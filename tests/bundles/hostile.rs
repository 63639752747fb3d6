//! What a bundle service may do wrong: each is said as what it is, and changes nothing.

use std::process::Command;
use std::time::Duration;

use postern_tests::parts::present;
use postern_tests::process::{told_by, until};

use super::double::{Double, Step, whole};
use super::site::{Site, place};
use super::{archive, folder, rules};

const GZIP: &str = "content-type: application/gzip\r\n";

/// An answer that holds a bundle named `etag`.
fn bundle(etag: &str, archive: &[u8]) -> Vec<Step> {
    whole("200 OK", &format!("{GZIP}etag: \"{etag}\"\r\n"), archive)
}

fn start(double: &Double, more: &str) -> Site {
    let url = double.url("/bundles/main.tar.gz");
    let polling = "polling: { min: 20ms, max: 40ms }, timeout: 500ms";
    Site::begin(place(), &format!("bundles: {{ main: {{ url: \"{url}\", {polling}{more} }} }}"))
}

/// What is answered, the code, and words of the record's detail.
fn table() -> Vec<(Vec<Step>, &'static str, &'static str)> {
    let half = format!("HTTP/1.1 200 OK\r\n{GZIP}content-length: 9999\r\n\r\nhalf");
    let drip = (0..20).flat_map(|_| [Step::Send(b"x".to_vec()), Step::Pause(Duration::from_millis(60))]);
    let slow = vec![Step::Send(format!("HTTP/1.1 200 OK\r\n{GZIP}content-length: 20\r\n\r\n").into_bytes())];
    let elsewhere = "location: /elsewhere?token=hunter2\r\n";
    vec![
        (vec![Step::Hang], "PST-OP-005", "no whole answer within 500ms"),
        (whole("500 Broken", "", b"words"), "PST-OP-007", "status 500"),
        (slow.into_iter().chain(drip).collect(), "PST-OP-005", "no whole answer within 500ms"),
        (
            whole("302 Found", elsewhere, b""),
            "PST-OP-007",
            "status 302, a redirect to /elsewhere, which is not followed",
        ),
        (
            whole("200 OK", "content-type: text/html\r\n", b"<p>log in"),
            "PST-OP-007",
            "an answer of `text/html`",
        ),
        (vec![Step::Send(half.into_bytes())], "PST-OP-005", "the exchange broke off"),
        (whole("200 OK", GZIP, b""), "PST-OP-007", "an empty answer"),
        (vec![Step::Send(b"SSH-2.0-OpenSSH\r\n".to_vec())], "PST-OP-005", "the exchange broke off"),
        (
            whole("304 Not Modified", "", b""),
            "PST-OP-007",
            "status 304, although it was not told of any bundle",
        ),
        (whole("401 Unauthorized", "", b""), "PST-OP-006", "status 401"),
        (whole("200 OK", GZIP, &vec![0; 70_000]), "PST-OP-007", "an answer of more than 65536 bytes"),
        (whole("200 OK", GZIP, b"not an archive"), "PST-OP-003", "main.tar.gz: archive: cannot be unpacked"),
        (whole("200 OK", GZIP, &delta()), "PST-OP-003", "patch.json: is not read: a delta bundle"),
    ]
}

/// The same of what is done over a raw socket.
fn raw() -> Vec<(Vec<Step>, &'static str, &'static str)> {
    let says = |head: &str| vec![Step::Send(format!("HTTP/1.1 {head}\r\n").into_bytes())];
    let flood =
        |head: &str, again: &str| [says(head), vec![Step::Flood(again.as_bytes().repeat(64))]].concat();
    let (broken, late) = ("the exchange broke off", "no whole answer within 500ms");
    let encoded = format!("{GZIP}content-encoding: gzip\r\n");
    vec![
        (flood("200 OK", "x-more: and more\r\n"), "PST-OP-005", broken),
        (flood("200 OK\r\nx-endless: ", "x"), "PST-OP-005", broken),
        (flood("100 Continue\r\n", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"), "PST-OP-005", late),
        (
            says("101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n"),
            "PST-OP-007",
            "status 101",
        ),
        (whole("204 No Content", "", b""), "PST-OP-007", "status 204"),
        (whole("206 Partial Content", GZIP, b"x"), "PST-OP-007", "status 206"),
        (says("503 Later\r\nretry-after: 99999999\r\ncontent-length: 0\r\n"), "PST-OP-007", "status 503"),
        (says(&format!("200 OK\r\netag: \"{}\"\r\n", "e".repeat(1 << 20))), "PST-OP-005", broken),
        (says("200 OK\r\netag: \"a\u{1}b\"\r\n"), "PST-OP-005", broken),
        (says("200 OK\r\ncontent-length: 9\r\ncontent-length: 10\r\n\r\n123456789"), "PST-OP-005", broken),
        (says("200 OK\r\ncontent-length: -1\r\n\r\nx"), "PST-OP-005", broken),
        (says("200 OK\r\ncontent-length: 9223372036854775807\r\n"), "PST-OP-007", "more than 65536 bytes"),
        (says("200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), "PST-OP-005", broken),
        (says("200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), "PST-OP-005", broken),
        (says("200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello"), "PST-OP-005", broken),
        (flood("200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", "x"), "PST-OP-005", broken),
        (flood("200 OK\r\ntransfer-encoding: chunked\r\n\r\n0", "x: y\r\n"), "PST-OP-005", broken),
        (flood("200 OK\r\nconnection: close\r\n", "more"), "PST-OP-007", "more than 65536 bytes"),
        (vec![Step::Send(b"<p>of the year 1991".to_vec())], "PST-OP-005", broken),
        (vec![Step::Send(b"HTTP/0.9 200 OK\r\n\r\n".to_vec())], "PST-OP-005", broken),
        (vec![Step::Send(b"HTTP/2 200\r\n\r\n".to_vec())], "PST-OP-005", broken),
        (whole("200 OK", &encoded, &gzip(&vec![0; 4 << 20])), "PST-OP-003", "no .rego file"),
        (whole("200 OK", &encoded, &gzip(&archive(9, &rules(true)))), "PST-OP-003", "cannot be unpacked"),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("x"), bytes).unwrap();
    told_by(Command::new("gzip").current_dir(place.path()).args(["-9", "x"])).unwrap();
    std::fs::read(place.path().join("x.gz")).unwrap()
}

/// A bundle that says how to change another.
fn delta() -> Vec<u8> {
    let source = folder(&[("patch.json", r#"{"data": []}"#)]);
    told_by(Command::new("tar").current_dir(source.path()).args(["-czf", "d.tar.gz", "patch.json"])).unwrap();
    std::fs::read(source.path().join("d.tar.gz")).unwrap()
}

#[test]
fn whatever_a_service_does_wrong_nothing_is_allowed_before_and_nothing_changes_after() {
    let test = "whatever_a_service_does_wrong_nothing_is_allowed_before_and_nothing_changes_after";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let double = Double::start(|_| Vec::new());
    let mut site = start(&double, ", size: 64KiB");
    until("it answers", || site.sidecar.ask("/ready").is_ok());
    let (status, words) = site.sidecar.ask("/ready").unwrap();
    assert!(status == 503 && words.contains("PST-AZ-019"), "{words}");
    let refused = site.until_refused("PST-AZ-019");
    assert_eq!(refused["decision"]["allow"], false, "{refused}");

    misbehave(&double, &site, table());
    assert_eq!(site.request().1["code"], "PST-AZ-019");

    let good = archive(1, &rules(true));
    double.say(move |_| bundle("one", &good));
    site.ready();
    assert_eq!(site.request().0, 200);

    misbehave(&double, &site, table());
    misbehave(&double, &site, raw());
    double.say(|_| Vec::new());
    until("no connection is left open", || double.open() <= 1);
    let (status, record) = site.request();
    assert_eq!((status, &record["decision"]["policy"]["main"]), (200, &"r1".into()));
    assert!(!double.heads().iter().any(|head| head.contains("elsewhere")), "a redirect was followed");
}

fn misbehave(double: &Double, site: &Site, table: Vec<(Vec<Step>, &str, &str)>) {
    for (steps, code, words) in table {
        // A failure leaves a record where it is another than the one before.
        let before = site.records("reload").len();
        double.say(|_| whole("418 Teapot", "", b""));
        let teapot = |record: &serde_json::Value| record.to_string().contains("status 418");
        until("status 418", || site.records("reload").iter().skip(before).any(teapot));
        let before = site.records("reload").len();
        let told = steps.clone();
        double.say(move |_| told.clone());
        let fits = |record: &serde_json::Value| {
            record["code"] == code && record["detail"].as_str().is_some_and(|detail| detail.contains(words))
        };
        until(&format!("{words}, after {}", String::from_utf8_lossy(&shown(&steps))), || {
            site.records("reload").iter().skip(before).any(fits)
        });
        let all = std::fs::read_to_string(site.path("records.jsonl")).unwrap();
        assert!(!all.contains("hunter2"), "what stood in a query was recorded");
    }
}

/// The most memory that the sidecar ever had, in KiB.
fn peak(site: &Site) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", site.sidecar.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_body_in_pieces_of_a_byte_costs_its_size_and_no_more() {
    let test = "a_body_in_pieces_of_a_byte_costs_its_size_and_no_more";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let double = Double::start(move |_| bundle("one", &good));
    let more = "size: 512KiB, timeout: 10m, polling: { min: 20ms, max: 40ms }";
    let url = double.url("/main");
    let mut site = Site::begin(place(), &format!("bundles: {{ main: {{ url: \"{url}\", {more} }} }}"));
    site.ready();
    let before = peak(&site);

    let head = format!("HTTP/1.1 200 OK\r\n{GZIP}transfer-encoding: chunked\r\n\r\n").into_bytes();
    let pieces = b"1\r\nx\r\n".repeat(1 << 10);
    double.say(move |_| vec![Step::Send(head.clone()), Step::Flood(pieces.clone())]);
    site.reload(|record| record.to_string().contains("more than 524288 bytes"));

    let grown = peak(&site) - before;
    // Kept as they came they would be 18 MiB.
    assert!(grown < 8 << 10, "{grown} KiB for 512 KiB");
    assert_eq!(site.request().0, 200);
}

#[test]
fn a_bundle_is_asked_for_by_its_etag_which_an_error_makes_forgotten() {
    let test = "a_bundle_is_asked_for_by_its_etag_which_an_error_makes_forgotten";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let mut count = 0;
    let double = Double::start(move |_| {
        count += 1;
        match count {
            1 => bundle("one", &good),
            2 => whole("304 Not Modified", "", b""),
            3 => whole("304 Not Modified", "etag: \"two\"\r\n", b""),
            4 => whole("500 Broken", "", b""),
            // Another name for the same.
            _ => bundle(&format!("name-{count}"), &good),
        }
    });
    let mut site = start(&double, "");
    site.ready();
    until("it was asked eight times", || double.heads().len() > 8);

    let heads = double.heads();
    let asked = |nth: usize, line: &str| assert!(heads[nth].contains(line), "{nth}: {}", heads[nth]);
    asked(0, "get /bundles/main.tar.gz http/1.1\r\n");
    asked(0, "\r\nif-none-match: \r\n");
    asked(0, "\r\nprefer: modes=snapshot\r\n");
    asked(1, "\r\nif-none-match: \"one\"\r\n");
    asked(2, "\r\nif-none-match: \"one\"\r\n");
    asked(3, "\r\nif-none-match: \"two\"\r\n");
    asked(4, "\r\nif-none-match: \r\n");
    asked(5, "\r\nif-none-match: \"name-5\"\r\n");
    let policies = site.policies();
    let accepted = policies.iter().filter(|record| record["accepted"] == true).count();
    assert_eq!(accepted, 1, "the same is no new policy");
    assert_eq!(site.request().0, 200);
}

#[test]
fn a_service_that_can_wait_is_asked_at_once_and_waited_for() {
    let test = "a_service_that_can_wait_is_asked_at_once_and_waited_for";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let waits = |etag: &str, archive: &[u8]| {
        let headers = format!("content-type: application/vnd.openpolicyagent.bundles\r\netag: {etag}\r\n");
        whole("200 OK", &headers, archive)
    };
    let (first, second) = (archive(1, &rules(true)), archive(2, &rules(false)));
    let double = Double::start(move |head| match head {
        _ if head.contains("if-none-match: \r\n") => waits("one", &first),
        _ if head.contains("if-none-match: one\r\n") => {
            [vec![Step::Pause(Duration::from_millis(1500))], waits("two", &second)].concat()
        }
        _ => vec![Step::Hang],
    });
    let url = double.url("/main");
    let polling = "polling: { min: 1h, max: 1h, long: 20s }, timeout: 1s";
    let mut site = Site::begin(place(), &format!("bundles: {{ main: {{ url: \"{url}\", {polling} }} }}"));
    site.ready();

    site.reload(|record| record["revision"] == "r2");
    until("it is asked for a third", || double.heads().len() == 3);

    let heads = double.heads();
    assert!(heads[0].contains("prefer: modes=snapshot\r\n"), "{}", heads[0]);
    assert!(heads[1].contains("prefer: modes=snapshot;wait=20\r\n"), "{}", heads[1]);
    assert_eq!(site.request().0, 403);
}

#[test]
fn a_damaged_copy_is_said_and_not_used_and_the_service_mends_it() {
    let test = "a_damaged_copy_is_said_and_not_used_and_the_service_mends_it";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let again = good.clone();
    let double = Double::start(move |_| bundle("one", &good));
    let mut site = start(&double, "");
    site.ready();
    let kept = || {
        let folder = std::fs::read_dir(site_copy(&site)).into_iter().flatten().flatten();
        folder.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(".tar.gz"))
    };
    // Written after the archive: without it there is no copy to speak of.
    let note = site_copy(&site).join("current.json");
    let noted =
        || std::fs::read(&note).is_ok_and(|text| serde_json::from_slice::<serde_json::Value>(&text).is_ok());
    until("a copy is kept", || kept().is_some() && noted());
    let copy = kept().unwrap();
    double.say(|_| Vec::new());
    let damages: [&dyn Fn(); 3] = [
        &|| std::fs::write(&copy, &again[..100]).unwrap(),
        &|| std::fs::write(&copy, vec![b'x'; 65 << 20]).unwrap(),
        &|| std::fs::write(copy.with_file_name("current.json"), "{").unwrap(),
    ];
    for damage in damages {
        let before = site.policies().len();
        // A download on its way would mend it at once.
        site.restart_after(damage);
        let records = || site.policies().split_off(before);
        until("it is said", || records().iter().any(|record| record["code"] == "PST-OP-008"));
        site.until_refused("PST-AZ-019");

        let good = again.clone();
        double.say(move |_| bundle("one", &good));
        site.ready();
        assert_eq!(site.request().0, 200);
        double.say(|_| Vec::new());
        until("it is mended", || std::fs::read(&copy).is_ok_and(|bytes| bytes == again) && noted());
        site.restart();
        site.ready();
    }
}

fn site_copy(site: &Site) -> std::path::PathBuf {
    site.path("state/bundles/main")
}

#[test]
fn a_token_is_read_for_each_request_and_shown_to_nobody_else() {
    let test = "a_token_is_read_for_each_request_and_shown_to_nobody_else";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let double = Double::start(move |head| {
        if head.contains("\r\nauthorization: bearer second\r\n") {
            bundle("one", &good)
        } else {
            whole("403 No", "", b"")
        }
    });
    let folder = place();
    let (token, path) = (folder.path().join("token"), double.url("/main"));
    let more = "token_file: token, polling: { min: 20ms, max: 40ms }";
    let mut site = Site::begin(folder, &format!("bundles: {{ main: {{ url: \"{path}\", {more} }} }}"));
    let lacking = site.reload(|record| record["code"] == "PST-OP-006");
    assert!(lacking["detail"].as_str().unwrap().contains("token cannot be used"), "{lacking}");

    std::fs::write(&token, "first\n").unwrap();
    site.reload(|record| record["detail"].as_str().is_some_and(|detail| detail.ends_with("status 403")));
    std::fs::write(&token, "second\n").unwrap();
    site.ready();

    assert_eq!(site.request().0, 200);
    let told =
        ["records.jsonl", "log"].map(|file| std::fs::read_to_string(site.path(file)).unwrap()).concat();
    assert!(!told.contains("first") && !told.contains("second"), "{told}");
}

/// How an answer begins.
fn shown(steps: &[Step]) -> Vec<u8> {
    let Some(Step::Send(bytes)) = steps.first() else { return Vec::new() };
    bytes.iter().copied().take(80).collect()
}

#[test]
fn a_token_file_that_holds_no_token_is_said_and_nothing_is_sent() {
    let test = "a_token_file_that_holds_no_token_is_said_and_nothing_is_sent";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let double = Double::start(move |_| bundle("one", &good));
    let folder = place();
    let token = folder.path().join("token");
    std::fs::write(&token, "").unwrap();
    let url = double.url("/main");
    let more = "token_file: token, timeout: 2s, polling: { min: 20ms, max: 40ms }";
    let mut site = Site::begin(folder, &format!("bundles: {{ main: {{ url: \"{url}\", {more} }} }}"));
    let said = |record: &serde_json::Value| record["code"] == "PST-OP-006";
    let mut before = 0;
    let huge = "a".repeat(1 << 20);
    for (index, wrong) in ["", "two\nlines", "with\u{0}nul", "ünicode", &huge].iter().enumerate() {
        std::fs::write(&token, wrong).unwrap();
        // The same trouble twice leaves one record.
        if index == 0 || wrong.len() > 1000 {
            until("it is said", || site.records("reload").iter().skip(before).any(said));
            before = site.records("reload").len();
        }
        let tries = site.metrics();
        until("it is tried again", || site.metrics() != tries);
    }
    std::fs::remove_file(&token).unwrap();
    told_by(Command::new("mkfifo").arg(&token)).unwrap();
    until("a pipe is no file", || {
        site.records("reload").iter().any(|record| record.to_string().contains("no file"))
    });
    assert_eq!(double.heads(), Vec::<String>::new(), "asked without a token");

    std::fs::remove_file(&token).unwrap();
    std::fs::write(&token, "right").unwrap();
    site.ready();
    assert_eq!(site.request().0, 200);
}

#[test]
fn a_service_that_shows_our_token_to_us_does_not_bring_it_into_records_logs_and_reports() {
    let test = "a_service_that_shows_our_token_to_us_does_not_bring_it_into_records_logs_and_reports";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let token = "hunter2-of-this-test";
    let elsewhere = Double::start(|_| Vec::new());
    let answers = [
        ("307 Go", format!("location: {}\r\n", elsewhere.url(&format!("/a/{token}")))),
        ("302 Go", format!("location: https://{token}@b.example/\r\n")),
        ("301 Go", format!("location: http://169.254.169.254/{token}/{token}\r\n")),
        ("200 OK", format!("content-type: {}{token}{token}\r\n", "t".repeat(190))),
        ("401 No", format!("www-authenticate: Bearer {token}\r\n")),
        (&format!("499 {token}"), String::new()),
    ]
    .map(|(status, headers)| whole(status, &headers, b""));
    let count = answers.len();
    let mut next = answers.into_iter().cycle();
    let double = Double::start(move |_| next.next().unwrap());
    let status = Double::start(|_| whole("200 OK", "", b""));
    let folder = place();
    std::fs::write(folder.path().join("token"), token).unwrap();
    let (url, to) = (double.url("/main"), status.url(""));
    let more = "token_file: token, polling: { min: 20ms, max: 40ms }";
    let policy = format!("bundles: {{ main: {{ url: \"{url}\", {more} }} }}, status: {{ url: \"{to}\" }}");
    let site = Site::begin(folder, &policy);
    for words in ["a redirect to", "an answer of `tttt", "status 401", "status 499"] {
        site.reload(|record| record["detail"].as_str().is_some_and(|detail| detail.contains(words)));
    }
    until("each was answered", || double.heads().len() > count);

    let state = site.sidecar.ask("/state").unwrap().1;
    let files = ["records.jsonl", "log"].map(|file| std::fs::read_to_string(site.path(file)).unwrap());
    let told = [files.concat(), state, status.bodies().concat(), site.metrics()].concat();
    assert!(told.contains("a redirect to http://169.254.169.254/…/…"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    assert_eq!(elsewhere.heads(), Vec::<String>::new(), "a redirect was followed");
}

#[test]
fn an_etag_names_nothing_where_it_is_too_long_and_other_bytes_under_the_same_are_taken() {
    let test = "an_etag_names_nothing_where_it_is_too_long_and_other_bytes_under_the_same_are_taken";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let (first, second) = (archive(1, &rules(true)), archive(2, &rules(false)));
    let long = "e".repeat(2000);
    let double = Double::start(move |_| bundle(&long, &first));
    let mut site = start(&double, "");
    site.ready();
    until("it is asked again", || double.heads().len() > 3);
    assert!(double.heads().iter().all(|head| head.contains("if-none-match: \r\n")));
    let changed = double.heads().len();
    double.say(move |_| bundle("same", &second));
    site.reload(|record| record["revision"] == "r2");
    until("it is asked by it", || double.heads().iter().skip(changed).any(|head| head.contains("\"same\"")));
    let third = archive(3, &rules(true));
    double.say(move |_| bundle("same", &third));
    site.reload(|record| record["revision"] == "r3");
    assert_eq!(site.request().0, 200);
}

#[test]
fn a_long_poll_that_is_answered_too_late_or_by_halves_is_asked_anew() {
    let test = "a_long_poll_that_is_answered_too_late_or_by_halves_is_asked_anew";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let headers = "content-type: application/vnd.openpolicyagent.bundles\r\n";
    let answer =
        move |etag: &str, archive: &[u8]| whole("200 OK", &format!("{headers}etag: {etag}\r\n"), archive);
    let (first, second) = (archive(1, &rules(true)), archive(2, &rules(false)));
    let mut late = 0;
    let double = Double::start(move |head| {
        if head.contains("if-none-match: \r\n") && late == 0 {
            return answer("one", &first);
        }
        late += 1;
        match late {
            // The head in time and the body never; and nothing at all.
            1 => vec![
                Step::Send(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 9\r\n\r\n1").into_bytes()),
                Step::Hang,
            ],
            2 => answer("one", &first),
            3 => [vec![Step::Pause(Duration::from_mins(1))], answer("late", &first)].concat(),
            _ => answer("two", &second),
        }
    });
    let polling = "polling: { min: 20ms, max: 40ms, long: 1s }, timeout: 500ms";
    let url = double.url("/main");
    let mut site = Site::begin(place(), &format!("bundles: {{ main: {{ url: \"{url}\", {polling} }} }}"));
    site.ready();
    site.reload(|record| record["revision"] == "r2");
    let late = site.records("reload").into_iter().filter(|record| record["code"] == "PST-OP-005").count();
    assert!(late >= 1, "{late}");
    assert_eq!(site.request().0, 403);
}

#[test]
fn a_flood_of_interim_answers_leaves_the_rest_of_the_thread_its_turn() {
    let test = "a_flood_of_interim_answers_leaves_the_rest_of_the_thread_its_turn";
    if !present(test, &["opa", "curl"]) {
        return;
    }
    let good = archive(1, &rules(true));
    let double = Double::start(move |_| bundle("one", &good));
    let url = double.url("/main");
    let more = "timeout: 1h, polling: { min: 20ms, max: 40ms }";
    let mut site = Site::begin(place(), &format!("bundles: {{ main: {{ url: \"{url}\", {more} }} }}"));
    site.ready();
    let asked = double.heads().len();
    double.say(move |_| vec![Step::Flood(b"HTTP/1.1 102 P\r\n\r\n".repeat(4096))]);
    until("it is flooded", || double.heads().len() > asked);

    // Where the flood is read for as long as there is some, one answer takes seconds.
    let mut answers = 0;
    until("it answers others", || {
        answers += u32::from(site.sidecar.ask("/ready").is_ok());
        answers >= 200
    });
    assert_eq!(site.request().0, 200);
}
