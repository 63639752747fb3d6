//! Kept connections to an upstream that closes them as it likes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, DuplexStream};

use super::origin::{ok, whole};
use super::site::{Bench, Plan, on_a_worker, read};
use crate::fault::codes;
use crate::protocol::Alpn;

/// When an upstream closes a connection on which it has answered a request.
enum Closes {
    /// When it is told to.
    OnCue(Receiver<()>),
    /// When the next request begins to arrive; nothing is known of its method then.
    AtFirstByte,
}

/// What an upstream tells of, in its order.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Served(String),
    Closed,
}

/// An upstream on a thread of its own, with real sockets, which serves one connection after the other.
fn upstream(closes: Closes) -> (u16, Receiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            if serve(socket.unwrap(), &closes, &tell).is_err() {
                return;
            }
        }
    });
    (port, told)
}

fn serve(mut socket: TcpStream, closes: &Closes, tell: &Sender<Told>) -> Result<(), ()> {
    let mut read = Vec::new();
    while whole(&String::from_utf8_lossy(&read)).is_none() {
        let mut piece = [0; 4096];
        let count = socket.read(&mut piece).unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        read.extend_from_slice(&piece[..count]);
    }
    let method = String::from_utf8_lossy(&read).split(' ').next().unwrap().to_owned();
    tell.send(Told::Served(method)).map_err(drop)?;
    socket.write_all(ok("here").as_bytes()).map_err(drop)?;
    match closes {
        Closes::OnCue(cue) => cue.recv().map_err(drop)?,
        Closes::AtFirstByte if socket.read(&mut [0]).unwrap_or(0) == 0 => return Ok(()),
        Closes::AtFirstByte => {}
    }
    drop(socket);
    tell.send(Told::Closed).map_err(drop)
}

fn request(method: &str) -> String {
    let body = if method == "GET" { "" } else { "abc" };
    format!("{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

async fn ask(caller: &mut DuplexStream, method: &str) -> String {
    caller.write_all(request(method).as_bytes()).await.unwrap();
    read(caller).await
}

async fn bench(closes: Closes) -> (Bench, Receiver<Told>) {
    let (port, told) = upstream(closes);
    (Plan { port: Some(port), ..Plan::default() }.start().await, told)
}

#[test]
fn a_kept_connection_that_was_closed_costs_no_post() {
    on_a_worker(async {
        let (close, cue) = channel();
        let (bench, told) = bench(Closes::OnCue(cue)).await;
        let (mut caller, _ender) = bench.connect(Alpn::Http1);
        for _ in 0..20 {
            let answer = ask(&mut caller, "POST").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert_eq!(told.recv().unwrap(), Told::Served("POST".to_owned()));
            // The connection comes to rest; then it is closed, and has been for a while, but the worker has no turn
            // to notice before the next request comes.
            tokio::time::sleep(Duration::from_millis(20)).await;
            close.send(()).unwrap();
            assert_eq!(told.recv().unwrap(), Told::Closed);
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn a_request_that_may_have_been_read_is_sent_again_only_if_that_does_no_harm() {
    for (method, status, served) in [("GET", 200, 2), ("PUT", 200, 2), ("DELETE", 200, 2), ("POST", 502, 1)] {
        on_a_worker(async {
            let (bench, told) = bench(Closes::AtFirstByte).await;
            let (mut caller, _ender) = bench.connect(Alpn::Http1);
            assert!(ask(&mut caller, method).await.starts_with("HTTP/1.1 200 "));
            bench.record().await;

            let answer = ask(&mut caller, method).await;

            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method}: {answer}");
            let code = bench.record().await.code;
            assert_eq!(code, (status == 502).then_some(codes::UPSTREAM_CROSSED.id), "{method}");
            assert_eq!(answer.contains(codes::UPSTREAM_CROSSED.id), status == 502, "{method}: {answer}");
            let told: Vec<_> = told.try_iter().filter(|told| *told != Told::Closed).collect();
            assert_eq!(told.len(), served, "{method}: {told:?}");
        });
    }
}

/// Serves one connection at a time: tells of each request's path, and answers when it is told to.
fn upstream_on_cue() -> (u16, Receiver<String>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((tell, told), (answer, cue)) = (channel(), channel());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut read = [0; 4096];
            while let Ok(count @ 1..) = socket.read(&mut read) {
                let path = String::from_utf8_lossy(&read[..count]).split(' ').nth(1).unwrap().to_owned();
                if tell.send(path).is_err() || cue.recv().is_err() {
                    return;
                }
                socket.write_all(ok("here").as_bytes()).unwrap();
            }
        }
    });
    (port, told, answer)
}

#[test]
fn a_request_that_waited_for_a_connection_beyond_its_callers_time_is_not_sent() {
    on_a_worker(async {
        let (port, told, answer) = upstream_on_cue();
        let upstream = "login: basic, connections: 1";
        let bench = Plan { port: Some(port), upstream, ..Plan::default() }.start().await;
        let (mut first, _ender) = bench.connect(Alpn::Http1);
        first.write_all(b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let arrived = async {
            loop {
                match told.try_recv() {
                    Ok(path) => return path,
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        assert_eq!(arrived.await, "/first");
        let life = Duration::from_millis(300);
        let (mut second, _ender) = bench.connect_as(Alpn::Http1, Some(bench.peer(life)));
        second.write_all(b"GET /second HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        tokio::time::sleep(life + Duration::from_millis(50)).await;

        answer.send(()).unwrap();
        answer.send(()).unwrap();
        read(&mut first).await;
        let refused = read(&mut second).await;

        assert!(refused.starts_with("HTTP/1.1 4") || refused.starts_with("HTTP/1.1 5"), "{refused}");
        assert_eq!(told.try_iter().collect::<Vec<_>>(), Vec::<String>::new(), "it never went out");
        let codes = [bench.record().await, bench.record().await].map(|record| record.code);
        assert!(codes.iter().flatten().any(|code| *code == codes::PEER_EXPIRED_OPEN.id), "{codes:?}");
    });
}

#[test]
fn a_connection_is_not_used_beyond_the_time_that_its_upstream_keeps_it() {
    on_a_worker(async {
        let answers = |rest: &'static str| {
            std::rc::Rc::new(move |_: &str| {
                format!("HTTP/1.1 200 OK\r\nKeep-Alive: {rest}\r\nContent-Length: 0\r\n\r\n")
            })
        };
        for (rest, connections) in [("timeout=60", 1), ("timeout=1", 3)] {
            let bench = Plan { answers: answers(rest), ..Plan::default() }.start().await;
            let (mut caller, _ender) = bench.connect(Alpn::Http1);
            for _ in 0..3 {
                let answer = ask(&mut caller, "POST").await;
                assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("timeout"), "{answer}");
            }
            assert_eq!(bench.origin.connections(), connections, "{rest}");
        }
    });
}
