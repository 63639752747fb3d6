//! What keeps a request from being served, each with its own code, in the answer and in the one record alike.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::origin::ok;
use super::site::{Bench, Plan, on_a_worker, read};
use crate::fault::{Code, codes};
use crate::identify::mint;
use crate::protocol::Alpn;
use crate::record::{Entry, Outcome};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const UPGRADE: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Asks once: the answer has the code's status and id, and so has the only record of a request.
async fn refused(bench: &Bench, request: &[u8], code: &Code, outcome: Outcome) {
    let answer = bench.raw(request).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {} ", code.status)), "{}: {answer}", code.id);
    assert!(answer.contains(code.id), "{}: {answer}", code.id);
    let record = bench.record().await;
    assert_eq!((record.code, record.outcome), (Some(code.id), outcome));
    assert!(answer.contains(&record.id.text()), "{answer}");
    assert!(!bench.records().iter().any(|entry| matches!(entry, Entry::Request(_))), "two records");
}

#[test]
fn a_decision_that_cannot_be_honoured_is_a_refusal_that_says_why() {
    on_a_worker(async {
        for (decision, code) in [
            ("true if to_number(\"zzz\") > 1", codes::POLICY_ERROR),
            (
                "true if input.now > 1\n\ndecision := {\"allow\": true} if input.now > 2",
                codes::POLICY_CONFLICT,
            ),
            ("object.union({\"allow\": true}, {\"alow\": 1}) if input.now > 1", codes::DECISION_MALFORMED),
            (
                r#"{"allow": true, "headers": {"set": {lower("HOST"): ["other"]}}} if input.now > 1"#,
                codes::DECISION_MALFORMED,
            ),
            ("{\"allow\": true, \"credential\": \"other\"}", codes::CREDENTIAL_NOT_PERMITTED),
        ] {
            let bench = Plan { decision, ..Plan::default() }.start().await;
            refused(&bench, GET, code, Outcome::Refused).await;
            assert!(bench.origin.seen().is_empty(), "{decision}");
        }
    });
}

#[test]
fn a_refusal_names_whom_to_ask_where_the_policy_does() {
    let decision = "object.union({\"allow\": true}, {\"alow\": 1}) if input.now > 1\n\n# METADATA\n# custom:\n\
        #   contact: 'Désk \"5%\" <desk@example.org>'\ndecision := {\"allow\": false, \"deny\": {\"body\": \"no\"}} if \
        input.request.path == \"/a\"";
    on_a_worker(async {
        for (target, detail) in [("/a", Some("no")), ("/b", None)] {
            let only = if detail.is_some() {
                decision.replace("input.now > 1", "input.now < 1")
            } else {
                decision.to_owned()
            };
            let bench = Plan { decision: only.leak(), ..Plan::default() }.start().await;
            let answer = bench.raw(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("application/problem+json"), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["contact"], "Désk \"5%\" <desk@example.org>");
            assert_eq!(body["detail"].as_str(), detail);
            assert_eq!(body["record"].as_str(), Some(bench.record().await.id.text().as_str()));
            let call = format!(
                "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"
            );
            let answer = bench.raw(call.as_bytes()).await;
            assert!(answer.contains("; contact: D%C3%A9sk \"5%25\" <desk@example.org>\r\n"), "{answer}");
        }
    });
}

#[test]
fn a_request_that_no_route_takes_is_not_judged() {
    on_a_worker(async {
        let routes = "all: { path: /only, upstream: app, credentials: [app] }";
        let bench = Plan { routes, ..Plan::default() }.start().await;
        refused(&bench, GET, codes::NO_ROUTE, Outcome::Refused).await;
    });
}

#[test]
fn a_credential_that_is_too_old_for_the_decision_is_not_used() {
    on_a_worker(async {
        let bench = Plan { decision: r#"{"allow": true, "max_age": 0}"#, ..Plan::default() }.start().await;
        assert!(bench.raw(GET).await.starts_with("HTTP/1.1 200 "), "fetched for this request");
        bench.record().await;
        // The file says the same as before: nothing younger can be had.
        refused(&bench, GET, codes::LEASE_TOO_OLD, Outcome::Failed).await;
        assert_eq!(bench.origin.seen().len(), 1);
    });
}

#[test]
fn an_upstream_that_does_not_listen_is_said_to_be_unreachable() {
    on_a_worker(async {
        // Held, so that nobody else comes to listen there.
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = Some(silent.local_addr().unwrap().port());
        let bench = Plan { port, ..Plan::default() }.start().await;
        refused(&bench, GET, codes::UPSTREAM_UNREACHABLE, Outcome::Failed).await;
    });
}

#[test]
fn a_websocket_is_not_carried_to_an_upstream_of_http_2() {
    on_a_worker(async {
        let bench = Plan { upstream: "login: basic, http2: true", ..Plan::default() }.start().await;
        refused(&bench, UPGRADE, codes::UPGRADE_REFUSED, Outcome::Failed).await;
        assert_eq!(bench.origin.connections(), 0);
    });
}

#[test]
fn a_body_that_stands_still_is_given_up_whichever_way_it_goes() {
    on_a_worker(async {
        let limits = "{ idle: 1s, head: 1s }";
        let bench = Plan { limits, ..Plan::default() }.start().await;
        let stalls = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf";
        refused(&bench, stalls, codes::BODY_STALLED, Outcome::Refused).await;

        let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        let bench = Plan { limits, answers: Rc::new(|_| half.to_owned()), ..Plan::default() }.start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        let mut all = Vec::new();
        // The answer is cut short: whether that is an error or an end is the pipe's affair.
        caller.read_to_end(&mut all).await.ok();
        let record = bench.record().await;
        assert_eq!((record.outcome, record.code), (Outcome::Failed, Some(codes::BODY_STALLED.id)));
        assert_eq!(record.bytes.sent, 4);
    });
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    on_a_worker(async {
        let bench = Plan::default().start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        let mut served = 0;
        // Nobody takes the records away.
        let last = loop {
            caller.write_all(GET).await.unwrap();
            let answer = read(&mut caller).await;
            if !answer.starts_with("HTTP/1.1 200 ") {
                break answer;
            }
            served += 1;
            assert!(served < 2000, "there is always a place");
        };
        assert!(last.starts_with("HTTP/1.1 503 ") && last.contains(codes::RECORDS_BUSY.id), "{last}");
        let requests = bench.records().iter().filter(|entry| matches!(entry, Entry::Request(_))).count();
        assert_eq!((requests, bench.origin.seen().len()), (served, served));

        caller.write_all(GET).await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 200 "), "there is a place again");
    });
}

#[test]
fn a_stalled_upstream_does_not_outlast_its_caller() {
    on_a_worker(async {
        let bench = Plan {
            answers: Rc::new(|request| if request.contains("/hang") { String::new() } else { ok("") }),
            ..Plan::default()
        }
        .start()
        .await;
        let (mut caller, ender) = bench.connect(Alpn::Http1);
        caller.write_all(b"GET /hang HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        while bench.origin.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ender.now(codes::DRAINING);
        let mut rest = Vec::new();
        caller.read_to_end(&mut rest).await.ok();
        let record = bench.record().await;
        assert_eq!((record.outcome, record.code), (Outcome::Failed, Some(codes::DRAINING.id)));
    });
}

#[test]
fn a_caller_that_is_no_longer_trusted_leaves_one_record_whether_it_had_asked_or_not() {
    on_a_worker(async {
        for alpn in [Alpn::Http1, Alpn::Http2] {
            let bench = Plan::default().start().await;
            let (mut caller, ender) = bench.connect(alpn);
            tokio::task::yield_now().await;
            ender.now(codes::BUNDLE_CHANGED);
            caller.read_to_end(&mut Vec::new()).await.ok();
            let [Entry::Refused(refused)] = &bench.records()[..] else { panic!("{alpn:?}: not one record") };
            assert_eq!(refused.code, codes::BUNDLE_CHANGED.id);
            assert_eq!(refused.caller.as_ref().unwrap().id.to_string(), mint::CALLER);
        }

        let bench = Plan { answers: Rc::new(|_| String::new()), ..Plan::default() }.start().await;
        let (mut caller, ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        while bench.origin.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ender.now(codes::BUNDLE_CHANGED);
        caller.read_to_end(&mut Vec::new()).await.ok();
        assert_eq!(bench.record().await.code, Some(codes::BUNDLE_CHANGED.id));
        assert!(!bench.records().iter().any(|entry| matches!(entry, Entry::Refused(_))), "two records");
    });
}
