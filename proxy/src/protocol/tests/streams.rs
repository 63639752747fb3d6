//! What lives longer than a request's head: bodies, retries, tunnels, sessions, and their ends.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::origin::ok;
use super::site::{PASSWORD, Plan, on_a_worker, read};
use crate::fault::codes;
use crate::protocol::Alpn;
use crate::record::{Entry, Outcome};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_refused_credential_is_replaced_and_the_request_sent_once_more() {
    on_a_worker(async {
        let fresh = "authorization: Basic YXBwOm5ldy1zZWNyZXQ=";
        let answers = Rc::new(move |request: &str| {
            if request.contains(fresh) {
                return ok("let in");
            }
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=old\r\nContent-Length: 0\r\n\r\n"
                .to_owned()
        });
        let bench = Plan { answers, ..Plan::default() }.start().await;
        let first = bench.raw(GET).await;
        assert!(
            first.starts_with("HTTP/1.1 502 ") && first.contains(codes::CREDENTIAL_REFUSED.id),
            "{first}"
        );
        assert!(!first.to_lowercase().contains("www-authenticate"), "{first}");
        bench.records();
        drop(bench);

        let answers = Rc::new(move |request: &str| {
            if request.contains(fresh) {
                ok("let in")
            } else {
                "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
        });
        let bench = Plan { answers, ..Plan::default() }.start().await;
        let warm = bench.raw(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
        bench.rotate("new-secret");
        let answer = warm.await;
        assert!(answer.ends_with("let in"), "{answer}");
        let seen = bench.origin.seen();
        assert!(seen.iter().all(|request| request.ends_with("\r\n\r\nabc")), "{seen:?}");
        let record = bench.record().await;
        assert_eq!((record.outcome, record.bytes.received, record.bytes.sent), (Outcome::Forwarded, 3, 6));
    });
}

#[test]
fn an_upload_that_goes_on_and_on_ends_with_its_access() {
    on_a_worker(async {
        let decision = r#"{"allow": true, "until": floor(time.now_ns() / 1000000000) + 2}"#;
        let bench = Plan { decision, ..Plan::default() }.start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let dripping = async {
            loop {
                // A connection that was cut takes no more; the record says so.
                caller.write_all(b"1\r\na\r\n").await.ok();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let record = tokio::select! {
            record = bench.record() => record,
            () = dripping => unreachable!(),
            () = tokio::time::sleep(Duration::from_secs(10)) => panic!("it still goes on"),
        };
        // Whichever is seen first: the keeper ends a lease that serves nobody any more.
        let codes = [codes::ACCESS_OVER.id, codes::LEASE_ENDED.id];
        assert!(record.code.is_some_and(|code| codes.contains(&code)), "{record:?}");
        assert!(record.us < 4_000_000 && record.bytes.received > 5, "{record:?}");
    });
}

#[test]
fn a_secret_that_the_upstream_repeats_is_masked_and_recorded() {
    on_a_worker(async {
        let answers = Rc::new(|request: &str| {
            let echoed = request.split("authorization: ").nth(1).unwrap().split("\r\n").next().unwrap();
            let body = format!("you sent {echoed}, that is {PASSWORD}");
            format!("HTTP/1.1 200 OK\r\nX-Echo: {echoed}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        });
        let bench = Plan { answers, ..Plan::default() }.start().await;

        let answer = bench.raw(GET).await;

        assert!(answer.contains("x-echo: Basic ****") && answer.contains("that is ***********"), "{answer}");
        assert!(!answer.contains(PASSWORD) && !answer.contains("YXBwOnM"), "{answer}");
        let record = bench.record().await;
        assert_eq!((record.leak, record.code), (true, Some(codes::SECRET_LEAKED.id)));
    });
}

#[test]
fn a_websocket_is_a_tunnel_after_101_and_not_before() {
    const UPGRADE: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";
    on_a_worker(async {
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Accept: y\r\n\r\npushed";
        let bench = Plan { answers: Rc::new(|_| switch.to_owned()), ..Plan::default() }.start().await;
        let (mut caller, ender) = bench.connect(Alpn::Http1);
        caller.write_all(UPGRADE).await.unwrap();
        let mut text = String::new();
        while !text.contains("pushed") {
            let mut piece = [0; 1024];
            let count = caller.read(&mut piece).await.unwrap();
            assert!(count > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
        assert!(text.starts_with("HTTP/1.1 101 ") && text.contains("sec-websocket-accept: y"), "{text}");
        assert!(bench.origin.only().contains("upgrade: websocket"));
        ender.now(codes::PEER_EXPIRED_OPEN);
        assert_eq!(caller.read(&mut [0; 16]).await.unwrap_or(0), 0);
        let record = bench.record().await;
        assert_eq!((record.outcome, record.code), (Outcome::Failed, Some(codes::PEER_EXPIRED_OPEN.id)));

        let bench = Plan::default().start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(&[UPGRADE, b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"].concat()).await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 200 "));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(bench.origin.seen().iter().all(|request| !request.contains("GET /a HTTP/1.1\r\n\r\nGET")));
        assert!(matches!(bench.record().await.outcome, Outcome::Forwarded));
    });
}

#[test]
fn an_event_stream_is_a_session_and_ends_with_the_callers_proof() {
    on_a_worker(async {
        let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata\n\r\n";
        let bench = Plan { answers: Rc::new(|_| stream.to_owned()), ..Plan::default() }.start().await;
        let (mut caller, _ender) =
            bench.connect_as(Alpn::Http1, Some(bench.peer(Duration::from_millis(2500))));
        caller.write_all(GET).await.unwrap();
        let mut all = Vec::new();
        caller.read_to_end(&mut all).await.unwrap();
        assert!(String::from_utf8_lossy(&all).contains("data"));

        let opened = bench.next(|entry| matches!(entry, Entry::SessionOpened(_)).then_some(entry)).await;
        let Entry::SessionOpened(opened) = opened else { unreachable!() };
        assert_eq!(opened.session, "stream");
        let ended =
            bench.next(|entry| if let Entry::SessionEnded(ended) = entry { Some(ended) } else { None }).await;
        assert_eq!((ended.request, ended.code), (opened.request, Some(codes::PEER_EXPIRED_OPEN.id)));
        let record = bench.record().await;
        assert_eq!((record.outcome, record.code), (Outcome::Failed, Some(codes::PEER_EXPIRED_OPEN.id)));
    });
}

#[test]
fn a_request_that_waits_is_cut_with_its_connection_and_says_why() {
    on_a_worker(async {
        let bench = Plan { answers: Rc::new(|_| String::new()), ..Plan::default() }.start().await;
        let (mut caller, ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        ender.now(codes::BUNDLE_CHANGED);
        let mut rest = Vec::new();
        caller.read_to_end(&mut rest).await.unwrap();
        assert_eq!(bench.record().await.code, Some(codes::BUNDLE_CHANGED.id));
    });
}

#[test]
fn a_caller_that_goes_away_has_abandoned_its_request() {
    on_a_worker(async {
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        let bench = Plan { answers: Rc::new(|_| half.to_owned()), ..Plan::default() }.start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        assert!(caller.read(&mut [0; 1024]).await.unwrap() > 0);
        drop(caller);
        let record = bench.record().await;
        assert_eq!((record.outcome, record.bytes.sent), (Outcome::Abandoned, 4));
    });
}

#[test]
fn a_connection_that_ends_soon_finishes_what_is_open_and_takes_nothing_new() {
    on_a_worker(async {
        let bench = Plan::default().start().await;
        let (mut caller, ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        assert!(!read(&mut caller).await.contains("connection: close"));
        ender.soon();
        assert_eq!(caller.read(&mut [0; 16]).await.unwrap(), 0);
    });
}

#[test]
fn a_head_that_is_not_finished_in_time_is_answered_with_408_and_an_idle_connection_closed() {
    on_a_worker(async {
        let bench = Plan { limits: "{ head: 1s, idle: 1s }", ..Plan::default() }.start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        let begun = tokio::time::Instant::now();
        caller.write_all(b"GET /a HTTP/1.1\r\nHo").await.unwrap();
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.unwrap();
        let took = begun.elapsed();
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
        assert!(answer.contains(codes::HEAD_TIMEOUT.id), "{answer}");
        let refused =
            bench.next(|entry| if let Entry::Refused(entry) = entry { Some(entry) } else { None }).await;
        assert_eq!(refused.code, codes::HEAD_TIMEOUT.id);
        assert!(answer.contains(&refused.id.text()), "{answer}");
        assert!(took >= Duration::from_secs(1), "{took:?}");

        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        read(&mut caller).await;
        assert_eq!(caller.read(&mut [0; 16]).await.unwrap(), 0);
        assert_eq!(bench.record().await.outcome, Outcome::Forwarded);
        assert!(bench.records().is_empty());
    });
}

#[test]
fn a_limit_of_time_is_neither_early_nor_more_than_a_tenth_late() {
    on_a_worker(async {
        let bench = Plan { limits: "{ head: 2s, idle: 2s }", ..Plan::default() }.start().await;
        // What went before must not shift the limit: a request half way through it.
        let mut waits = Vec::new();
        for rest in [&b""[..], b"GET /a HTTP/1.1\r\n"] {
            let (mut caller, _ender) = bench.connect(Alpn::Http1);
            tokio::time::sleep(Duration::from_millis(1100)).await;
            let mut before = tokio::time::Instant::now();
            caller.write_all(GET).await.unwrap();
            read(&mut caller).await;
            if !rest.is_empty() {
                tokio::time::sleep(Duration::from_millis(700)).await;
                before = tokio::time::Instant::now();
                caller.write_all(rest).await.unwrap();
            }
            let after = tokio::time::Instant::now();
            caller.read_to_end(&mut Vec::new()).await.unwrap();
            waits.push((before.elapsed(), after.elapsed()));
        }
        // The limit began between the two, which a busy machine may hold apart.
        for (before, after) in waits {
            assert!(before >= Duration::from_secs(2), "{before:?}");
            // A tenth, and what a busy machine may add.
            assert!(after < Duration::from_millis(2200) + Duration::from_secs(1), "{after:?}");
        }
    });
}

#[test]
fn an_upstream_that_fails_is_told_apart_by_its_code() {
    on_a_worker(async {
        let bench =
            Plan { answers: Rc::new(|_| "rubbish\r\n\r\n".to_owned()), ..Plan::default() }.start().await;
        let answer = bench.raw(GET).await;
        assert!(
            answer.starts_with("HTTP/1.1 502 ") && answer.contains(codes::UPSTREAM_BROKE_OFF.id),
            "{answer}"
        );
        assert_eq!(bench.record().await.outcome, Outcome::Failed);

        let upstream = "login: basic, timeouts: { response: 1s }";
        let bench = Plan { answers: Rc::new(|_| String::new()), upstream, ..Plan::default() }.start().await;
        let answer = bench.raw(GET).await;
        assert!(
            answer.starts_with("HTTP/1.1 504 ") && answer.contains(codes::UPSTREAM_TIMEOUT.id),
            "{answer}"
        );
    });
}

#[test]
fn a_body_is_counted_and_streams_both_ways() {
    on_a_worker(async {
        let bench =
            Plan { answers: Rc::new(|request| ok(&"y".repeat(request.len() * 2))), ..Plan::default() }
                .start()
                .await;
        let request = format!(
            "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n{}",
            "x".repeat(1_000_000)
        );
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        let (mut reading, mut writing) = tokio::io::split(&mut caller);
        let mut answer = Vec::new();
        let send = async { writing.write_all(request.as_bytes()).await.unwrap() };
        let receive = async {
            while answer.len() < 2_000_000 {
                let mut piece = vec![0; 65536];
                let count = reading.read(&mut piece).await.unwrap();
                answer.extend_from_slice(&piece[..count]);
            }
        };
        tokio::join!(send, receive);
        drop(caller);
        let record = bench.record().await;
        assert_eq!(record.bytes.received, 1_000_000);
        assert!(record.bytes.sent >= 1_900_000, "{:?}", record.bytes);
    });
}

#[test]
fn tcp_is_one_request_with_half_close_and_count() {
    on_a_worker(async {
        let plan =
            Plan { protocol: "tcp", upstream: "", routes: "all: { upstream: app }", ..Plan::default() };
        let bench = plan.start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(GET).await.unwrap();
        caller.shutdown().await.unwrap();
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.unwrap();

        assert_eq!(answer, ok("hello"));
        assert_eq!(bench.origin.only().as_bytes(), GET);
        let record = bench.record().await;
        let bytes = (record.bytes.received, record.bytes.sent);
        assert_eq!((record.request.protocol, record.outcome), ("tcp", Outcome::Forwarded));
        assert_eq!(bytes, (GET.len() as u64, answer.len() as u64));

        let refusing = Plan {
            decision: "false",
            protocol: "tcp",
            upstream: "",
            routes: "all: { upstream: app }",
            ..Plan::default()
        };
        let bench = refusing.start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        assert_eq!(caller.read(&mut [0; 16]).await.unwrap(), 0);
        assert_eq!(bench.record().await.code, Some(codes::POLICY_DENIED.id));
        assert!(bench.origin.seen().is_empty());
    });
}
