//! Where the process itself has no more to give, or is about to go: each has its code.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::process::{free_port, until};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use super::estate;

const SOON: Duration = Duration::from_secs(10);

#[test]
fn what_the_process_cannot_take_is_refused_by_its_own_code_and_it_serves_on() {
    let test = "what_the_process_cannot_take_is_refused_by_its_own_code_and_it_serves_on";
    let (few, shy) = (free_port(), free_port());
    let listener = |name: &str, port: u16, limits: &str| {
        format!(
            "{name}: {{ bind: \"127.0.0.1:{port}\", protocol: http, limits: {{ handshake: 10s, {limits} }}, \
             routes: {{ all: {{ path: /, upstream: app, credentials: [app] }} }} }}"
        )
    };
    let listeners = vec![
        listener("few", few, "connections: 1, handshakes: 1"),
        listener("shy", shy, "connections: 50, handshakes: 1"),
    ];
    let Some(mut estate) = estate(test, &Plan { listeners, ..Plan::default() }) else { return };
    let clerk = estate.caller(CLERK);
    drop(estate.postern.take());
    let file = estate.path("postern.yaml");
    let patient = fs::read_to_string(&file).unwrap();
    fs::write(&file, patient.replacen("version: 1\n", "version: 1\ndrain: 1s\n", 1)).unwrap();
    estate.run();

    for (listener, port, code) in [("few", few, "PST-AC-001"), ("shy", shy, "PST-AC-002")] {
        let stalled: Vec<_> = (0..4).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        let refused = estate.record("refused", SOON, |record| record["code"] == code);
        assert_eq!(refused["listener"], listener);
        drop(stalled);
    }
    descriptors_run_short(&estate);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    // A handshake that nobody finishes holds the end up until it is cut.
    let _stalled = TcpStream::connect(("127.0.0.1", shy)).unwrap();
    let in_flight = || estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    until("the handshake is begun", || {
        in_flight().contains("postern_handshakes_in_flight{listener=\"shy\"} 1")
    });
    let postern = estate.postern.as_ref().unwrap();
    postern.signal(Signal::TERM).unwrap();
    until("it says that it drains", || {
        postern.ask("/ready").is_ok_and(|(status, why)| status == 503 && why.contains("PST-OP-001"))
    });
    let cut = estate.record("refused", SOON, |record| record["code"] == "PST-OP-001");
    assert_eq!(cut["listener"], "shy");
    assert_eq!(estate.postern.as_mut().unwrap().stop().unwrap().code(), Some(0));
}

/// The kernel gives it no more descriptors, and then does again.
fn descriptors_run_short(estate: &Estate) {
    let pid = estate.postern.as_ref().unwrap().pid();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let ours = getrlimit(Resource::Nofile);
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: Some(open), ..ours }).unwrap();
    let waiting: Vec<_> = (0..4).map(|_| TcpStream::connect(("127.0.0.1", estate.port)).unwrap()).collect();
    until("the shortage is told", || estate.log().contains("PST-AC-008"));
    prlimit(pid, Resource::Nofile, before).unwrap();
    drop(waiting);
}
