//! Requests that are answered before their body has come.

use std::io::{Read, Write};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::floods::frame;
use super::site::{Bench, Plan, on_a_worker, read};
use crate::fault::codes;
use crate::protocol::Alpn;
use crate::record::Entry;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
/// What is read of a body that nobody wants, and how long it may take to come.
const MOST: usize = 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(1);

/// HEADERS of `POST / https h` by the static table, without `END_STREAM`.
fn post(stream: u8) -> Vec<u8> {
    frame(HEADERS, 4, stream, &[0x83, 0x84, 0x87, 0x41, 1, b'h'])
}

/// A caller of HTTP/2 that sees frames.
struct Caller(DuplexStream);

impl Caller {
    async fn send(&mut self, frames: &[Vec<u8>]) {
        self.0.write_all(&frames.concat()).await.unwrap();
    }

    /// The next frame: its stream, kind, flags and payload.
    async fn next(&mut self) -> (u8, u8, u8, Vec<u8>) {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.unwrap();
            let [a, b, c, kind, flags, .., of] = head;
            let mut payload = vec![0; usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)];
            self.0.read_exact(&mut payload).await.unwrap();
            // Settings and windows are no part of an exchange.
            if ![SETTINGS, WINDOW_UPDATE].contains(&kind) {
                return (of, kind, flags, payload);
            }
        }
    }

    /// The whole refusal of the request on `stream`.
    async fn refused(&mut self, stream: u8) {
        let (of, kind, flags, _) = self.next().await;
        assert_eq!((of, kind, flags & END_STREAM), (stream, HEADERS, 0));
        let (of, kind, flags, body) = self.next().await;
        assert_eq!((of, kind, flags & END_STREAM), (stream, DATA, END_STREAM));
        assert!(String::from_utf8_lossy(&body).contains(codes::POLICY_DENIED.id));
    }
}

async fn denying() -> Bench {
    Plan { decision: "false", limits: "{ head: 1s }", ..Plan::default() }.start().await
}

async fn http2(bench: &Bench) -> Caller {
    let mut caller = Caller(bench.connect(Alpn::Http2).0);
    caller.send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, b""), post(1)]).await;
    caller.refused(1).await;
    caller.send(&[frame(SETTINGS, ACK, 0, b"")]).await;
    caller
}

/// How many requests were refused; nothing else is on record.
fn refusals(bench: &Bench) -> usize {
    let records = bench.records();
    for record in &records {
        let Entry::Request(entry) = record else { panic!("more than requests") };
        assert_eq!(entry.code, Some(codes::POLICY_DENIED.id));
    }
    records.len()
}

#[test]
fn a_refused_stream_stays_until_its_body_has_come() {
    on_a_worker(async {
        let bench = denying().await;
        let mut caller = http2(&bench).await;
        assert_eq!(refusals(&bench), 1, "closed with the answer");
        caller.send(&[frame(PING, 0, 0, &[7; 8])]).await;
        assert_eq!(caller.next().await, (0, PING, ACK, vec![7; 8]), "no reset before it");

        caller.send(&[frame(DATA, 0, 1, b"amount"), frame(DATA, END_STREAM, 1, b"=12"), post(3)]).await;
        caller.refused(3).await;
        caller.send(&[frame(DATA, END_STREAM, 3, b"x")]).await;
        let more = tokio::time::timeout(LONGEST + LONGEST / 2, caller.next()).await;
        assert!(more.is_err(), "{more:?}");
        assert_eq!(refusals(&bench), 1, "the second");
    });
}

#[test]
fn a_refused_stream_whose_body_never_comes_is_reset_in_time() {
    on_a_worker(async {
        let bench = denying().await;
        let since = Instant::now();
        let mut caller = http2(&bench).await;
        assert_eq!(caller.next().await, (1, RST_STREAM, 0, vec![0; 4]), "NO_ERROR");
        assert!(since.elapsed() >= LONGEST, "{:?}", since.elapsed());
        caller.send(&[post(3)]).await;
        caller.refused(3).await;
        assert_eq!(refusals(&bench), 2);
    });
}

#[test]
fn a_refused_stream_whose_body_is_too_large_is_reset() {
    on_a_worker(async {
        let bench = denying().await;
        let mut caller = http2(&bench).await;
        let piece = 16 * 1024;
        for _ in 0..=MOST / piece {
            caller.send(&[frame(DATA, 0, 1, &vec![b'x'; piece])]).await;
        }
        assert_eq!(caller.next().await, (1, RST_STREAM, 0, vec![0; 4]), "NO_ERROR");
        caller.send(&[post(3)]).await;
        caller.refused(3).await;
        assert_eq!(refusals(&bench), 2);
    });
}

#[test]
fn http1_goes_on_behind_a_body_that_nobody_wanted() {
    on_a_worker(async {
        let bench = denying().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        let head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n";
        caller.write_all(head.as_bytes()).await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 403 "));
        caller.write_all(&vec![b'x'; 200_000]).await.unwrap();
        // Longer than a head may take: the body was none.
        tokio::time::sleep(LONGEST + LONGEST / 2).await;
        caller.write_all(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 403 "));
        assert_eq!(refusals(&bench), 2);
    });
}

#[test]
fn a_caller_that_writes_all_before_it_reads_is_told_on_http1() {
    on_a_worker(async {
        let bench = denying().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let caller = std::thread::spawn(move || {
            let mut caller = std::net::TcpStream::connect(address).unwrap();
            let head = "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n";
            caller.write_all(head.as_bytes())?;
            // The answer is there, and not read yet; what comes then is more than sockets hold.
            caller.peek(&mut [0])?;
            std::thread::sleep(Duration::from_millis(20));
            caller.write_all(&vec![b'x'; 1_000_000])?;
            let mut answer = String::new();
            caller.read_to_string(&mut answer).map(|_| answer)
        });
        let (stream, _) = listener.accept().await.unwrap();
        let _ender = bench.serve(stream, Alpn::Http1, Some(bench.peer(Duration::from_mins(10))));
        while !caller.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let answer = caller.join().unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        assert_eq!(refusals(&bench), 1);
    });
}

#[test]
fn http1_closes_on_a_body_that_never_comes_and_at_once_on_one_that_waits_to_be_asked_for() {
    on_a_worker(async {
        let bench = denying().await;
        let since = Instant::now();
        let closed = async |more: &str| {
            let (mut caller, _ender) = bench.connect(Alpn::Http1);
            let head = format!("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n{more}\r\n");
            caller.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            caller.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
            since.elapsed()
        };
        let (never, waiting) = tokio::join!(closed(""), closed("Expect: 100-continue\r\n"));
        assert!(never >= LONGEST && waiting < never, "{never:?} {waiting:?}");
        assert_eq!(refusals(&bench), 2);
    });
}

#[test]
fn a_caller_that_goes_away_instead_leaves_one_record() {
    on_a_worker(async {
        let bench = denying().await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        caller.write_all(b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
        assert!(read(&mut caller).await.starts_with("HTTP/1.1 403 "));
        drop(caller);
        drop(http2(&bench).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(refusals(&bench), 2);
    });
}
