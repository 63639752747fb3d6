//! Bundles that are swapped, good and bad, while callers keep asking on connections that stay.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use postern_policy::Draft;
use postern_tests::certificates::Authority;
use postern_tests::load::read_answer;
use postern_tests::process::until;
use postern_tests::tls::Tls;
use rustix::process::Signal;
use serde_json::Value;

use super::folder;
use super::site::{Site, place};

const CALLERS: usize = 4;
const SWAPS: u64 = 20;

/// A bundle whose rule and whose data say the same number, in the record and in headers for the upstream.
fn numbered(number: u64) -> Vec<u8> {
    let text = format!(
        "package postern\n\ndefault decision := false\n\ndecision := {{\n\t\"allow\": true,\n\t\"rule\": \"r{number}\",\n\t\
         \"record\": {{\"rule\": \"{number}\", \"data\": data.number}},\n\t\
         \"headers\": {{\"set\": {{\"x-rule\": [\"{number}\"], \"x-data\": [data.number]}}}},\n}}\n"
    );
    let test = format!("package postern_test\n\ntest_it if data.postern.decision.rule == \"r{number}\"\n");
    packed(number, &[("main.rego", &text), ("main_test.rego", &test), ("data.json", &data(number))])
}

fn data(number: u64) -> String {
    format!(r#"{{"number": "{number}"}}"#)
}

/// An archive, whether or not it would be loaded.
fn packed(revision: u64, files: &[(&str, &str)]) -> Vec<u8> {
    let folder = folder(files);
    let mut draft = Draft::read(&[folder.path()], &[]).unwrap();
    draft.describe(Some(&format!("r{revision}")), &[]).unwrap();
    draft.pack().unwrap()
}

/// A bundle that is refused, each time for another reason, and the words that say so.
fn bad(number: u64) -> (Vec<u8>, &'static str) {
    let open = "package postern\n\ndefault decision := false\n\ndecision := true\n";
    let with = |name: &str, text: &str| packed(900 + number, &[("main.rego", open), (name, text)]);
    match number % 6 {
        0 => (b"no archive at all".to_vec(), "cannot be unpacked"),
        1 => (numbered(900).split_at(200).0.to_vec(), "cannot be unpacked: incomplete"),
        2 => (with("more.rego", "package more\n\nx := http.send({})\n"), "http.send"),
        3 => (with("main_test.rego", "package a_test\n\ntest_it if false\n"), "test_it"),
        4 => (with("data.json", r#"{"postern": {"decision": true}}"#), "data.postern.decision"),
        _ => (with("inputs/a.json", "{\"a\": 1e400}"), "inputs/a.json"),
    }
}

/// In one step, and told of at once.
fn publish(site: &Site, into: &Path, bundle: &[u8]) {
    let next = into.with_extension("next");
    fs::write(&next, bundle).unwrap();
    fs::rename(&next, into).unwrap();
    site.sidecar.signal(Signal::HUP).unwrap();
}

/// Ends the callers, however the test goes.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What one caller was answered: the path that it asked for, and the body.
type Answers = Vec<(String, Value)>;

/// Asks on one connection until it is over.
fn ask(mut tls: BufReader<Tls>, caller: usize, over: &AtomicBool) -> io::Result<Answers> {
    let mut answers = Answers::new();
    while !over.load(Ordering::Relaxed) {
        let path = format!("/{caller}/{}", answers.len());
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        tls.get_mut().write_all(head.as_bytes())?;
        let answered = read_answer(&mut tls)?;
        if answered.status != 200 || answered.last {
            let body = String::from_utf8_lossy(&answered.body);
            return Err(io::Error::other(format!("{path}: {} {body}", answered.status)));
        }
        answers.push((path, serde_json::from_slice(&answered.body)?));
        thread::sleep(Duration::from_millis(3));
    }
    Ok(answers)
}

#[test]
fn twenty_bundles_and_as_many_bad_ones_go_by_while_every_request_is_decided_whole_by_one() {
    let folder = place();
    let main = folder.path().join("main.tar.gz");
    fs::write(&main, numbered(0)).unwrap();
    let files = Authority::new().server(folder.path(), &["localhost"]);
    let mut site = Site::begin(folder, "bundles: { main: { path: main.tar.gz } }");
    let certificate = format!(
        "protocol: http, certificate: {{ chain: \"{}\", key: \"{}\" }}, ",
        files.certificate.display(),
        files.key.display()
    );
    site.configure("protocol: http, ", &certificate);
    site.restart();
    site.ready();
    let connections: Vec<_> =
        (0..CALLERS).map(|_| BufReader::new(site.connect(&files.roots).unwrap())).collect();

    let over = AtomicBool::new(false);
    let answers: Vec<Answers> = thread::scope(|scope| {
        let callers: Vec<_> = connections
            .into_iter()
            .enumerate()
            .map(|(caller, tls)| (caller, tls, &over))
            .map(|(caller, tls, over)| scope.spawn(move || ask(tls, caller, over)))
            .collect();
        let end = End(&over);
        for number in 1..=SWAPS {
            let before = site.policies().len();
            let (bundle, why) = bad(number);
            publish(&site, &main, &bundle);
            // Told once or twice: the signal and the watch may each find it.
            let refused = |record: &Value| {
                record["code"] == "PST-OP-003" && record["detail"].as_str().is_some_and(|it| it.contains(why))
            };
            until(why, || site.policies().iter().skip(before).any(refused));
            publish(&site, &main, &numbered(number));
            let accepted = site.reload(|record| record["revision"] == format!("r{number}"));
            assert_eq!(accepted["accepted"], true, "{accepted}");
            // The next comes while this one decides.
            thread::sleep(Duration::from_millis(20));
        }
        drop(end);
        let joined = callers.into_iter().map(|caller| caller.join().unwrap());
        joined.collect::<io::Result<_>>().unwrap_or_else(|error| panic!("{error}"))
    });

    let all: usize = answers.iter().map(Vec::len).sum();
    until("each has its record", || site.records("request").len() >= all);
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in site.records("request") {
        let path = record["request"]["path"].as_str().unwrap().to_owned();
        records.entry(path).or_default().push(record);
    }
    assert_eq!(records.len(), all, "a record without its request");
    let mut decided: BTreeMap<u64, usize> = BTreeMap::new();
    for answers in &answers {
        let mut before = 0;
        for (path, body) in answers {
            let number = one_number(&records[path], body).unwrap_or_else(|told| panic!("{path}: {told}"));
            assert!(number >= before, "{path}: r{number} after r{before} on one connection");
            before = number;
            *decided.entry(number).or_default() += 1;
        }
    }
    assert!(decided.keys().max() == Some(&SWAPS) && decided.len() > 15, "not under load: {decided:?}");
}

/// The number that everything about a request says: its one record, and what the upstream was sent.
fn one_number(records: &[Value], body: &Value) -> Result<u64, String> {
    let [record] = records else { return Err(format!("{} records", records.len())) };
    let decision = &record["decision"];
    let text = |value: &Value| value.as_str().unwrap_or_default().trim_start_matches('r').to_owned();
    let said = [
        text(&decision["policy"]["main"]),
        text(&decision["rule"]),
        text(&decision["record"]["rule"]),
        text(&decision["record"]["data"]),
        text(&body["headers"]["x-rule"][0]),
        text(&body["headers"]["x-data"][0]),
    ];
    if record["outcome"] != "forwarded" || said.iter().any(|other| *other != said[0]) {
        return Err(format!("{said:?}: {record} {body}"));
    }
    said[0].parse().map_err(|_| format!("no number: {record}"))
}

#[test]
fn what_mixes_two_revisions_would_be_seen() {
    let decision = |rule: &str, data: &str| {
        serde_json::json!({"outcome": "forwarded", "decision": {
            "policy": {"main": "r7"}, "rule": "r7", "record": {"rule": rule, "data": data},
        }})
    };
    let body = |rule: &str, data: &str| serde_json::json!({"headers": {"x-rule": [rule], "x-data": [data]}});
    assert_eq!(one_number(&[decision("7", "7")], &body("7", "7")), Ok(7));
    assert!(one_number(&[decision("7", "6")], &body("7", "7")).is_err());
    assert!(one_number(&[decision("7", "7")], &body("7", "8")).is_err());
    assert!(one_number(&[decision("7", "7"), decision("7", "7")], &body("7", "7")).is_err());
}
