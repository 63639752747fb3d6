//! Callers that prove themselves by a token, and those that would like to.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postern_tests::estate::{CLERK, Estate, GUEST, Plan};
use postern_tests::load::{Answered, read_answer};
use postern_tests::process::free_port;
use postern_tests::real::spire::SvidFiles;
use serde_json::json;

use super::estate;

const OURS: &str = "spiffe://example.org/gate";

#[test]
fn only_a_whole_token_for_us_alone_of_whom_the_certificate_names_opens_the_gate() {
    let test = "only_a_whole_token_for_us_alone_of_whom_the_certificate_names_opens_the_gate";
    let both = free_port();
    let listener = format!("callers: {{ any_of: [jwt_svid], audience: \"{OURS}\" }}");
    let second = format!(
        "both: {{ bind: \"127.0.0.1:{both}\", protocol: http, \
         callers: {{ any_of: [x509_svid, jwt_svid], audience: \"{OURS}\" }}, \
         routes: {{ all: {{ path: /, upstream: app, credentials: [app] }} }} }}"
    );
    let plan = Plan { listener, listeners: vec![second], ..Plan::default() };
    let Some(mut estate) = estate(test, &plan) else { return };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));
    let token = |audience: &str| {
        estate.spire.fetch_jwt(&estate.spire.client_at("clerk"), audience).expect("the clerk's token")
    };
    let (right, wrong) = (token(OURS), token("spiffe://example.org/other"));
    let past = ended_token(&estate);
    let giant = format!("{right}{}", "A".repeat(17 * 1024));
    let front = estate.port;
    let cases = [
        ("the right one", front, None, Some(&right), Ok(200)),
        ("another audience", front, None, Some(&wrong), Err("PST-ID-012")),
        ("none", front, None, None, Err("PST-ID-008")),
        ("a certificate where none counts", front, Some(&clerk), None, Err("PST-ID-008")),
        ("ended", front, None, Some(&past), Err("PST-ID-011")),
        ("unsigned", front, None, Some(&unsigned(&right)), Err("PST-ID-009")),
        ("its signature changed", front, None, Some(&spoiled(&right)), Err("PST-ID-010")),
        ("longer than any", front, None, Some(&giant), Err("PST-ID-009")),
        ("both of one", both, Some(&clerk), Some(&right), Ok(200)),
        ("a certificate alone", both, Some(&clerk), None, Ok(200)),
        ("both of two", both, Some(&guest), Some(&right), Err("PST-ID-013")),
        ("a certificate and a bad token", both, Some(&clerk), Some(&wrong), Err("PST-ID-012")),
    ];
    for (name, port, svid, token, expected) in &cases {
        let told = ask(&estate, *port, svid.unwrap_or(&clerk), svid.is_some(), token.map(String::as_str));
        let body = String::from_utf8_lossy(&told.body);
        match expected {
            Ok(status) => assert_eq!(told.status, *status, "{name}: {body}"),
            Err(code) => assert!(told.status == 401 && body.contains(code), "{name}: {} {body}", told.status),
        }
    }

    let _last = estate.record("request", Duration::from_secs(5), |_| {
        estate.records().iter().filter(|record| record["kind"] == "request").count() == cases.len()
    });
    let served: Vec<_> =
        estate.records().into_iter().filter(|record| record["outcome"] == "forwarded").collect();
    let proofs: Vec<_> = served.iter().map(|record| record["caller"]["proof"].as_str().unwrap()).collect();
    assert_eq!(proofs, ["jwt_svid", "x509_svid", "x509_svid"]);
    assert_eq!(estate.ledger.seen().served, 3, "a refused request reached the old service");
    for name in ["records.jsonl", "log"] {
        let said = fs::read_to_string(estate.path(name)).unwrap();
        for token in [&right, &wrong, &past] {
            assert!(
                !said.contains(token.rsplit('.').next().unwrap()),
                "a token's signature stands in {name}"
            );
        }
    }
}

/// A token that was good for a second.
fn ended_token(estate: &Estate) -> String {
    let id = estate.spire.id(CLERK);
    let words = ["jwt", "mint", "-spiffeID", &id, "-audience", OURS, "-ttl", "1s"];
    let minted = estate.spire.server_says(&words).expect("a token is minted").trim().to_owned();
    std::thread::sleep(Duration::from_millis(2100));
    minted
}

fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "kid": "any", "typ": "JWT"}).to_string());
    format!("{header}.{claims}.")
}

fn spoiled(token: &str) -> String {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[7] ^= 1;
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn ask(estate: &Estate, port: u16, svid: &SvidFiles, present: bool, token: Option<&str>) -> Answered {
    let mut tls = BufReader::new(estate.connect(port, svid, present).expect("a connection"));
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("GET / HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n{bearer}\r\n");
    tls.get_mut().write_all(head.as_bytes()).expect("it is read");
    let answered = read_answer(&mut tls).expect("an answer");
    // To the end, so that its record is there.
    tls.read_to_end(&mut Vec::new()).unwrap_or_default();
    answered
}
