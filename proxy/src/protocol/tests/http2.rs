//! HTTP/2 on both sides: streams judged one by one, gRPC with its trailers, and a graceful end.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::site::{Bench, Plan, on_a_worker};
use crate::fault::codes;
use crate::forward::Local;
use crate::protocol::{Alpn, Ender};
use crate::record::{Entry, Outcome};

/// A gRPC-like origin that speaks HTTP/2 in clear text, with so many streams at a time.
async fn origin(streams: u32) -> (u16, Rc<Cell<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    tokio::task::spawn_local(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            count.set(count.get() + 1);
            let service = service_fn(|request: Request<Incoming>| async {
                let said = format!(
                    "{} {:?} {:?}",
                    request.uri(),
                    request.headers().get("te"),
                    request.headers().get("host")
                );
                if request.uri().path() == "/slow" {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let trailers =
                    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
                let body = Full::new(Bytes::from([said.as_bytes(), b" ", &body].concat()));
                let body = body.with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
                Ok::<_, Infallible>(Response::new(body))
            });
            let http = hyper::server::conn::http2::Builder::new(Local)
                .max_concurrent_streams(streams)
                .serve_connection(TokioIo::new(socket), service);
            tokio::task::spawn_local(http);
        }
    });
    (port, connections)
}

async fn client(bench: &Bench) -> (SendRequest<Full<Bytes>>, Ender) {
    let (caller, ender) = bench.connect(Alpn::Http2);
    let (client, driver) = hyper::client::conn::http2::handshake(Local, TokioIo::new(caller)).await.unwrap();
    tokio::task::spawn_local(driver);
    (client, ender)
}

fn call(path: &str) -> Request<Full<Bytes>> {
    Request::post(format!("https://h.example{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(b"ask")))
        .unwrap()
}

async fn http2_bench(decision: &'static str) -> Bench {
    let port = Some(origin(100).await.0);
    Plan { port, decision, upstream: "login: basic, http2: true", ..Plan::default() }.start().await
}

#[test]
fn grpc_passes_with_its_trailers() {
    on_a_worker(async {
        let bench = http2_bench(super::site::ALLOW).await;
        let (mut client, _ender) = client(&bench).await;
        let response = client.send_request(call("/x.Y/Z")).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        let said = String::from_utf8(collected.to_bytes().into()).unwrap();
        assert_eq!(said, "http://h.example/x.Y/Z Some(\"trailers\") None ask");
        let record = bench.record().await;
        assert_eq!((record.request.protocol, record.outcome), ("http/2", Outcome::Forwarded));
        assert_eq!((record.bytes.received, record.bytes.sent), (3, said.len() as u64));
    });
}

#[test]
fn each_stream_is_judged_and_a_grpc_caller_is_refused_in_its_own_words() {
    on_a_worker(async {
        let bench = http2_bench("input.request.path == \"/x.Y/Z\"").await;
        let (mut client, _ender) = client(&bench).await;
        let (allowed, denied) = tokio::join!(
            client.clone().send_request(call("/x.Y/Z")),
            client.send_request(call("/x.Y/Other"))
        );
        assert_eq!(allowed.unwrap().headers().get("grpc-status"), None);
        let denied = denied.unwrap();
        assert_eq!(
            (denied.status().as_u16(), &denied.headers()["grpc-status"]),
            (200, &HeaderValue::from_static("7"))
        );
        assert!(denied.headers()["grpc-message"].to_str().unwrap().contains(codes::POLICY_DENIED.id));
    });
}

#[test]
fn an_h2_connection_that_ends_soon_says_goaway_and_finishes_its_streams() {
    on_a_worker(async {
        let bench = http2_bench("true").await;
        let (mut client, ender) = client(&bench).await;
        let open = tokio::task::spawn_local(client.send_request(call("/slow")));
        tokio::time::sleep(Duration::from_millis(100)).await;
        ender.soon();
        let collected = open.await.unwrap().unwrap().into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(client.is_closed());
    });
}

/// How many connections the upstream sees when so many ask at once, after `before` have asked.
async fn connections_of_a_burst(streams: u32, before: usize, at_once: usize) -> usize {
    let (port, connections) = origin(streams).await;
    let upstream = "login: basic, http2: true";
    let bench = Plan { port: Some(port), upstream, ..Plan::default() }.start().await;
    let (client, _ender) = client(&bench).await;
    for asked in [before, at_once] {
        let calls = (0..asked).map(|_| tokio::task::spawn_local(client.clone().send_request(call("/slow"))));
        for call in calls.collect::<Vec<_>>() {
            let collected = call.await.unwrap().unwrap().into_body().collect().await.unwrap();
            assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        }
    }
    connections.get()
}

#[test]
fn a_burst_opens_one_connection_and_another_only_when_its_streams_are_taken() {
    on_a_worker(async {
        assert_eq!(connections_of_a_burst(100, 0, 30).await, 1);
        assert_eq!(connections_of_a_burst(5, 1, 5).await, 1);
        let more = connections_of_a_burst(5, 1, 6).await;
        assert_eq!(more, 2);
    });
}

#[test]
fn http1_on_an_h2_connection_is_not_guessed() {
    on_a_worker(async {
        let bench = Plan::default().start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http2);
        caller.write_all(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let mut all = Vec::new();
        caller.read_to_end(&mut all).await.unwrap();
        assert!(!all.starts_with(b"HTTP/1.1 200"));
        assert!(bench.origin.seen().is_empty());
    });
}

#[test]
fn a_caller_that_breaks_http2_leaves_a_record() {
    on_a_worker(async {
        let bench = Plan::default().start().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http2);
        // The preface, empty settings, and DATA on stream 0, which RFC 9113, 6.1 forbids.
        let mut frames = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frames.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        frames.extend([0, 0, 1, 0, 0, 0, 0, 0, 0, b'x']);
        caller.write_all(&frames).await.unwrap();

        let refused = bench.next(|entry| match entry {
            Entry::Refused(refused) => Some(refused),
            _ => None,
        });
        let refused = refused.await;

        assert_eq!(refused.code, codes::PROTOCOL_BROKEN.id);
        assert!(
            refused.detail.contains("PROTOCOL_ERROR") || refused.detail.contains("protocol"),
            "{}",
            refused.detail
        );
    });
}
