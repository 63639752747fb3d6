//! Raw TCP through the real process: whatever either side does, one connection leaves one record.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, GUEST, Plan, Tls};
use postern_tests::process::{READY, free_port};
use postern_tests::real::spire::SvidFiles;
use serde_json::Value;
use tokio::net::TcpSocket;

use super::estate;

const MANY: usize = 8 << 20;
const SOON: Duration = Duration::from_secs(10);

#[test]
fn whatever_either_side_of_a_tcp_connection_does_leaves_one_record() {
    let test = "whatever_either_side_of_a_tcp_connection_does_leaves_one_record";
    let (raw, gone) = (free_port(), free_port());
    let (odd, holds) = odd();
    // Held, so that nobody else comes to listen there.
    let refusing = TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let upstreams = vec![
        format!("odd: {{ address: \"{odd}\" }}"),
        format!("gone: {{ address: \"{}\" }}", refusing.local_addr().unwrap()),
    ];
    let listeners = [("raw", raw, "odd"), ("none", gone, "gone")]
        .map(|(name, port, upstream)| {
            format!(
                "{name}: {{ bind: \"127.0.0.1:{port}\", protocol: tcp, limits: {{ idle: 60s }}, \
                 routes: {{ all: {{ upstream: {upstream} }} }} }}"
            )
        })
        .to_vec();
    let plan = Plan { upstreams, listeners, ..Plan::default() };
    let Some(mut estate) = estate(test, &plan) else { return };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));
    let connect = || estate.connect(raw, &clerk, true).unwrap();

    // Held until its caller's SVID ends, while everything else goes on.
    let mut held = estate.connect(raw, &short_lived(&estate), true).unwrap();
    hold(&mut held, &holds);
    half_close(connect());
    assert_eq!(large(connect()), MANY);
    slow(connect());
    upstream_closes(connect());
    reset(connect(), &holds);
    silent(connect());
    cut(estate.connect(gone, &clerk, true).unwrap());
    cut(estate.connect(raw, &guest, true).unwrap());
    cut(held);

    let expected = [
        ("half close", "raw", "forwarded", Value::Null, 5, 8),
        ("large", "raw", "forwarded", Value::Null, MANY + 1, MANY),
        ("slow", "raw", "forwarded", Value::Null, 21, 24),
        ("upstream closes", "raw", "forwarded", Value::Null, 1, 4),
        ("reset", "raw", "failed", "PST-FW-006".into(), 1, 0),
        ("silent", "raw", "forwarded", Value::Null, 0, 3),
        ("no upstream", "none", "failed", "PST-FW-001".into(), 0, 0),
        ("refused", "raw", "refused", "PST-AZ-010".into(), 0, 0),
        ("svid ended", "raw", "failed", "PST-ID-014".into(), 1, 0),
    ];
    let all = || -> Vec<Value> {
        estate.records().into_iter().filter(|record| record["kind"] == "request").collect()
    };
    let _last = estate.record("request", SOON, |_| all().len() >= expected.len());
    let mut left = all();
    for (name, listener, outcome, code, received, sent) in expected {
        let fits = |record: &Value| {
            record["listener"] == listener
                && record["outcome"] == outcome
                && record["code"] == code
                && record["bytes"]["in"] == received
                && record["bytes"]["out"] == sent
        };
        let at = left.iter().position(fits).unwrap_or_else(|| panic!("{name}: none of {left:#?}"));
        left.remove(at);
    }
    assert!(left.is_empty(), "more than one record for a connection: {left:#?}");
    of_sessions(&estate);
}

/// The clerk, for eight seconds.
fn short_lived(estate: &Estate) -> SvidFiles {
    let (id, folder) = (estate.spire.id(CLERK), estate.path("minted"));
    fs::create_dir(&folder).unwrap();
    let words = ["x509", "mint", "-spiffeID", &id, "-ttl", "8s", "-write", folder.to_str().unwrap()];
    estate.spire.server_says(&words).unwrap();
    let [certificate, key, bundle] = ["svid.pem", "key.pem", "bundle.pem"].map(|name| folder.join(name));
    SvidFiles { certificate, key, bundle }
}

/// What was opened as a session was ended as one.
fn of_sessions(estate: &Estate) {
    let of = |kind: &str| -> Vec<Value> {
        let all = estate.records().into_iter().filter(|record| record["kind"] == kind);
        let mut names: Vec<Value> = all.map(|record| record["request"].clone()).collect();
        names.sort_by_key(Value::to_string);
        names
    };
    let opened = of("session.opened");
    assert!(!opened.is_empty(), "the one that was held");
    assert_eq!(opened, of("session.ended"));
}

fn half_close(mut tls: Tls) {
    tls.write_all(b"Eword").unwrap();
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    let mut told = String::new();
    tls.read_to_string(&mut told).unwrap();
    assert_eq!(told, "Ewordbye");
}

fn large(mut tls: Tls) -> usize {
    tls.write_all(b"L").unwrap();
    let piece = vec![7; 1 << 16];
    // Both ways in turn: the odd service writes as it reads.
    let mut got = 0;
    let mut buffer = vec![0; 1 << 16];
    for _ in 0..MANY / piece.len() {
        tls.write_all(&piece).unwrap();
        tls.read_exact(&mut buffer).unwrap();
        got += buffer.len();
    }
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    got += tls.read_to_end(&mut Vec::new()).unwrap();
    got
}

fn slow(mut tls: Tls) {
    tls.write_all(b"E").unwrap();
    for _ in 0..20 {
        tls.write_all(b"x").unwrap();
        thread::sleep(Duration::from_millis(30));
    }
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    let mut told = String::new();
    tls.read_to_string(&mut told).unwrap();
    assert_eq!(told.len(), 24);
}

fn upstream_closes(mut tls: Tls) {
    tls.write_all(b"C").unwrap();
    let mut told = String::new();
    tls.read_to_string(&mut told).unwrap();
    assert_eq!(told, "shut");
    tls.conn.send_close_notify();
    tls.flush().unwrap();
}

/// Waits until the odd service has read what it is asked.
fn hold(tls: &mut Tls, holds: &Receiver<()>) {
    tls.write_all(b"H").unwrap();
    holds.recv_timeout(READY).unwrap();
}

/// Gone without a word: for TLS that is not an end but a cut.
fn reset(mut tls: Tls, holds: &Receiver<()>) {
    hold(&mut tls, holds);
    tls.sock.shutdown(Shutdown::Both).unwrap();
}

/// Says nothing and ends politely.
fn silent(mut tls: Tls) {
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock).unwrap();
    }
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    tls.read_to_end(&mut Vec::new()).unwrap();
}

/// Is ended by Postern, whatever way.
fn cut(mut tls: Tls) {
    tls.sock.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    match tls.read_to_end(&mut Vec::new()) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => {
            assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        }
    }
}

/// A service that does as the first byte says: `E` echo, then `bye`; `L` echo alone; `C` say `shut` and close; `H` hold, and tell.
fn odd() -> (SocketAddr, Receiver<()>) {
    let (tell, holds) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || serve(stream, &tell).unwrap_or_default());
        }
    });
    (address, holds)
}

fn serve(mut stream: TcpStream, tell: &Sender<()>) -> std::io::Result<()> {
    let mut first = [0];
    if stream.read(&mut first)? == 0 {
        return stream.write_all(b"nil");
    }
    match first[0] {
        b'C' => return stream.write_all(b"shut"),
        b'H' => {
            tell.send(()).unwrap_or_default();
            return stream.read_to_end(&mut Vec::new()).map(drop);
        }
        b'E' => stream.write_all(&first)?,
        _ => {}
    }
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            break;
        }
        stream.write_all(&piece[..count])?;
    }
    if first[0] == b'E' { stream.write_all(b"bye") } else { Ok(()) }
}
