//! Who asks, how often, and what happens when something of ours breaks.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::origin::ok;
use super::site::{Plan, on_a_worker, read};
use crate::clock::{Clock, SystemClock};
use crate::fault::{Fault, codes};
use crate::identify::mint;
use crate::protocol::{Alpn, TokenReader};
use crate::record::Outcome;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// Takes the token for the caller's path.
fn tokens() -> TokenReader {
    Rc::new(|token| match token {
        "bad" => Err(Fault::of(codes::TOKEN_UNTRUSTED)),
        "broken" => panic!("a reader that breaks"),
        name => {
            Ok(mint::peer(&format!("spiffe://td.example/{name}"), SystemClock.now(), Duration::from_mins(1)))
        }
    })
}

fn with_tokens(upstream: &'static str, routes: &'static str) -> Plan {
    let callers = "any_of: [x509_svid, jwt_svid], audience: \"spiffe://td.example/us\"";
    Plan { callers, tokens: Some(tokens()), upstream, routes, ..Plan::default() }
}

#[test]
fn a_token_proves_the_caller_and_goes_no_further() {
    on_a_worker(async {
        let bench = with_tokens("", "all: { path: /, upstream: app }").start().await;
        let (mut caller, _ender) = bench.connect_as(Alpn::Http1, None);
        caller.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: bearer joe\r\n\r\n").await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 200 "));
        assert!(!bench.origin.only().contains("joe"));
        assert_eq!(bench.record().await.caller.unwrap().id.as_str(), "spiffe://td.example/joe");
    });
}

#[test]
fn certificate_and_token_must_name_the_same() {
    on_a_worker(async {
        let bench =
            with_tokens("login: basic", "all: { path: /, upstream: app, credentials: [app] }").start().await;
        for (authorization, code) in [
            ("Bearer caller", None),
            ("Basic eDp5", None),
            ("Bearer other", Some(codes::IDENTITIES_DIFFER)),
            ("Bearer bad", Some(codes::TOKEN_UNTRUSTED)),
        ] {
            let answer = bench
                .raw(
                    format!("GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\n\r\n")
                        .as_bytes(),
                )
                .await;
            assert_eq!(bench.record().await.code, code.map(|code| code.id), "{authorization}");
            assert_eq!(answer.contains("www-authenticate: Bearer"), code.is_some(), "{answer}");
        }
        let (mut nobody, _ender) = bench.connect_as(Alpn::Http1, None);
        nobody.write_all(GET).await.unwrap();
        assert!(read(&mut nobody).await.starts_with("HTTP/1.1 401 "));
        assert_eq!(bench.record().await.code, Some(codes::NO_TOKEN.id));
        assert_eq!(bench.origin.seen().len(), 2);
    });
}

#[test]
fn a_panic_ends_one_request_and_nothing_else() {
    on_a_worker(async {
        let bench =
            with_tokens("login: basic", "all: { path: /, upstream: app, credentials: [app] }").start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller
            .write_all(b"GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer broken\r\n\r\n")
            .await
            .unwrap();
        let answer = read(&mut caller).await;
        assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains(codes::PANICKED.id), "{answer}");
        let record = bench.record().await;
        assert_eq!((record.outcome, record.code), (Outcome::Failed, Some(codes::PANICKED.id)));
        assert!(answer.contains(&record.id.text()));

        caller.write_all(GET).await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn connections_to_the_upstream_are_kept_and_bounded() {
    on_a_worker(async {
        let bench = Plan::default().start().await;
        for _ in 0..5 {
            assert!(bench.raw(GET).await.starts_with("HTTP/1.1 200 "));
        }
        assert_eq!(bench.origin.connections(), 1);

        let answers = Rc::new(|request: &str| if request.contains("/slow") { String::new() } else { ok("") });
        let upstream = "login: basic, connections: 1, timeouts: { response: 5s }";
        let bench = Plan { upstream, answers, ..Plan::default() }.start().await;
        let (mut slow, _ender) = bench.connect(Alpn::Http1);
        slow.write_all(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = bench.raw(GET).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(codes::UPSTREAM_BUSY.id), "{answer}");
        drop(slow);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(bench.raw(GET).await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn a_connection_that_the_upstream_closed_is_not_used_again() {
    on_a_worker(async {
        let once = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let bench = Plan { answers: Rc::new(|_| once.to_owned()), ..Plan::default() }.start().await;
        for _ in 0..3 {
            let answer = bench.raw(GET).await;
            assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("connection"), "{answer}");
        }
        assert_eq!(bench.origin.connections(), 3);
    });
}

#[test]
fn json_is_shown_to_policy_and_goes_on_byte_for_byte() {
    on_a_worker(async {
        let routes = "all: { path: /, upstream: app, credentials: [app], body: { inspect: 64KiB } }";
        let decision = r#"{"allow": input.request.body.value.amount == 12, "record": input.request.body}"#;
        let bench = Plan { decision, routes, ..Plan::default() }.start().await;
        let post = |kind: &str, body: &str| {
            format!(
                "POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let body = "{ \"amount\" : 12 }";
        assert!(bench.raw(post("application/json", body).as_bytes()).await.starts_with("HTTP/1.1 200 "));
        assert!(bench.origin.only().ends_with(body));
        let record = bench.record().await;
        assert_eq!(record.decision.unwrap().record.unwrap()["state"], "parsed");
        assert_eq!(record.bytes.received, body.len() as u64);

        let long = format!("{{\"amount\": 12, \"x\": \"{}\"}}", "y".repeat(70_000));
        for (kind, body, code) in [
            ("application/json", "{\"amount\": 12, \"amount\": 13}", codes::BODY_MALFORMED),
            ("text/plain", body, codes::BODY_MALFORMED),
            ("application/json", long.as_str(), codes::BODY_TOO_LARGE),
        ] {
            bench.raw(post(kind, body).as_bytes()).await;
            assert_eq!(bench.record().await.code, Some(code.id));
        }
        assert_eq!(bench.origin.seen().len(), 1);
    });
}

#[test]
fn callers_with_leases_of_their_own_never_share_a_connection_to_the_upstream() {
    on_a_worker(async {
        let bench = Plan { lease_per: "caller", ..Plan::default() }.start().await;
        let life = Duration::from_mins(10);
        let one = bench.peer(life);
        let other = mint::peer("spiffe://td.example/other", bench.clock.now(), life);

        for peer in [&one, &other, &one, &other] {
            let (mut caller, _ender) = bench.connect_as(Alpn::Http1, Some(Arc::clone(peer)));
            caller.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
            assert!(read(&mut caller).await.starts_with("HTTP/1.1 200"));
        }

        assert_eq!(bench.origin.seen().len(), 4);
        assert_eq!(bench.origin.connections(), 2, "one for each lease, kept");
    });
}
