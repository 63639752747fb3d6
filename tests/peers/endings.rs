use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::real::spire::SvidFiles;
use rustix::process::Signal;

use super::present;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_stream_that_is_still_open_when_its_connection_is_as_old_as_it_may_get_is_cut_and_recorded() {
    let test = "a_stream_that_is_still_open_when_its_connection_is_as_old_as_it_may_get_is_cut_and_recorded";
    if !present(test, &["curl"]) {
        return;
    }
    let plan = Plan { listener: "limits: { age: 4s }".to_owned(), ..Plan::default() };
    let mut estate = with_ticker(plan);
    let clerk = estate.caller(CLERK);

    for (version, protocol) in [("--http2", "http/2"), ("--http1.1", "http/1.1")] {
        let begun = Instant::now();
        let mut caller = listen(&estate, &clerk, version);
        let cut = estate.record("request", SOON, |record| {
            record["request"]["protocol"] == protocol && record["request"]["path"] == "/ticks"
        });
        assert_eq!((&cut["outcome"], &cut["code"]), (&"failed".into(), &"PST-AC-010".into()), "{cut}");
        // The connection is younger than `begun`, so it was not cut early however long its request took to come.
        assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}: {cut}", begun.elapsed());
        assert!(cut["us"].as_u64().unwrap() < 10_000_000, "{cut}");
        assert!(!caller.wait().unwrap().success(), "{protocol}: curl took it for a whole answer");
    }
}

#[test]
fn a_stream_that_is_still_open_at_the_drain_deadline_is_cut_and_recorded() {
    let test = "a_stream_that_is_still_open_at_the_drain_deadline_is_cut_and_recorded";
    if !present(test, &["curl"]) {
        return;
    }
    let mut estate = with_ticker(Plan::default());
    let clerk = estate.caller(CLERK);
    let file = estate.path("postern.yaml");
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("drain: 2s\n{before}")).unwrap();
    let _accepted = estate.record("reload", SOON, |record| record["what"] == "config");
    let mut callers = ["--http2", "--http1.1"].map(|version| listen(&estate, &clerk, version));

    estate.postern.as_ref().unwrap().signal(Signal::TERM).unwrap();

    for (caller, protocol) in callers.iter_mut().zip(["http/2", "http/1.1"]) {
        let cut = estate.record("request", SOON, |record| record["request"]["protocol"] == protocol);
        assert_eq!((&cut["outcome"], &cut["code"]), (&"failed".into(), &"PST-OP-001".into()), "{cut}");
        assert!(!caller.wait().unwrap().success(), "{protocol}: curl took it for a whole answer");
    }
}

/// An estate with an upstream that never ends its answer, below `/ticks`.
fn with_ticker(plan: Plan) -> Estate {
    let keys = format!("address: \"{}\"", ticker());
    Estate::start(&plan.with_upstream("ticks", "/ticks", &keys))
}

fn ticker() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || tick(stream.unwrap()));
        }
    });
    address
}

fn tick(mut stream: TcpStream) {
    let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
    while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let mut open = stream.write_all(answer.as_bytes()).is_ok();
    while open {
        open = stream.write_all(b"data: tick\n\n").is_ok();
        thread::sleep(Duration::from_millis(200));
    }
}

/// Starts curl on the ticks and waits for the first of them.
fn listen(estate: &Estate, svid: &SvidFiles, version: &str) -> Child {
    let mut curl = estate.curl_command(svid, "/ticks");
    let mut caller = curl.args(["--no-buffer", version]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut ticks = BufReader::new(caller.stdout.take().unwrap());
    ticks.read_line(&mut first).unwrap();
    assert_eq!(first, "data: tick\n", "{}", estate.log());
    thread::spawn(move || ticks.lines().for_each(drop));
    caller
}
