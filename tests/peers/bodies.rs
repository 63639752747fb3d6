use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::real::Nginx;
use serde_json::Value;

use super::present;

const GIGABYTE: u64 = 1 << 30;
/// How far Postern's memory may grow while a gigabyte passes.
const GROWTH: u64 = 64 << 20;

#[test]
fn a_gigabyte_passes_both_ways_in_constant_memory() {
    if !present("a_gigabyte_passes_both_ways_in_constant_memory", Nginx::PROGRAMS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gigabyte");
    File::create(&file).unwrap().set_len(GIGABYTE).unwrap();
    let file = file.display().to_string();
    let nginx = Nginx::start(None, &format!("location = /down {{ alias {file}; }}"));
    let keys = format!("address: \"{}\"", nginx.address());
    let mut estate = Estate::start(&Plan::default().with_upstream("down", "/down", &keys));
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    let before = memory(&estate, "VmRSS");

    for version in ["--http1.1", "--http2"] {
        let long = ["--max-time", "300", version];
        let down =
            [&long[..], &["--output", "/dev/null", "--write-out", "%{size_download}\n%{http_code}"]].concat();
        assert_eq!(estate.curl(&clerk, "/down", &down), Ok((200, GIGABYTE.to_string())), "{version}");
        let up = [&long[..], &["--upload-file", &file]].concat();
        let (status, told) = estate.curl(&clerk, "/up", &up).unwrap();
        assert_eq!(status, 200, "{version}: {told}");
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["bytes"], GIGABYTE, "{version}");
    }

    let grown = memory(&estate, "VmHWM") - before;
    assert!(grown < GROWTH, "{} MiB more at the worst moment", grown >> 20);
    let moved = |way: &str| {
        estate.record("request", Duration::from_secs(2), |record| record["bytes"][way] == GIGABYTE)
    };
    assert_eq!(
        (&moved("in")["outcome"], &moved("out")["outcome"]),
        (&"forwarded".into(), &"forwarded".into())
    );
}

/// A line of Postern's `/proc/…/status`, in bytes: `VmRSS` now, `VmHWM` at its worst so far.
fn memory(estate: &Estate, name: &str) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", estate.postern.as_ref().unwrap().pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn an_event_arrives_before_the_next_one_is_sent() {
    if !present("an_event_arrives_before_the_next_one_is_sent", &["curl"]) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = format!("address: \"{}\"", listener.local_addr().unwrap());
    let mut estate = Estate::start(&Plan::default().with_upstream("events", "/events", &keys));
    let clerk = estate.caller(CLERK);
    let (go, told) = channel();
    let source = thread::spawn(move || tell_two_events(&listener, &told));

    let mut curl =
        estate.curl_command(&clerk, "/events").arg("--no-buffer").stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(curl.stdout.take().unwrap());
    let mut first = String::new();
    events.read_line(&mut first).unwrap();
    let opened =
        estate.record("session.opened", Duration::from_secs(5), |record| record["session"] == "stream");
    go.send(()).unwrap();
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();

    assert_eq!((first.as_str(), rest.as_str()), ("data: first\n", "\ndata: last\n\n"), "{}", estate.log());
    assert!(curl.wait().unwrap().success());
    source.join().unwrap();
    let ended = estate
        .record("session.ended", Duration::from_secs(2), |record| record["request"] == opened["request"]);
    assert_eq!(ended["code"], Value::Null);
}

/// Answers one request with an event, and with another one when it is told to.
fn tell_two_events(listener: &TcpListener, go: &Receiver<()>) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
    while head.next().unwrap().unwrap() != "" {}
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: first\n\n";
    stream.write_all(answer.as_bytes()).unwrap();
    go.recv().unwrap();
    stream.write_all(b"data: last\n\n").unwrap();
}
