use std::fs;
use std::time::Duration;

use postern_tests::estate::{CLERK, Plan};
use postern_tests::real::spire::Options;
use rustix::process::Signal;

use super::estate;

#[test]
fn a_bad_configuration_changes_nothing_and_a_good_one_serves_at_once() {
    let test = "a_bad_configuration_changes_nothing_and_a_good_one_serves_at_once";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);
    let file = estate.path("postern.yaml");
    let good = fs::read_to_string(&file).unwrap();
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    fs::write(&file, good.replace("protocol: http", "protocol: htp")).unwrap();
    let refused = estate.record("reload", Duration::from_secs(10), |record| record["accepted"] == false);
    assert_eq!((&refused["what"], &refused["code"]), (&"config".into(), &"PST-OP-002".into()));
    assert!(refused["detail"].as_str().unwrap().contains("htp"), "{refused}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    fs::write(&file, good.replace("read: database/creds/app", "read: database/creds/other")).unwrap();
    let restart = estate.record("reload", Duration::from_secs(10), |record| {
        record["detail"].as_str().is_some_and(|detail| detail.contains("restart"))
    });
    assert!(restart["detail"].as_str().unwrap().contains("credentials"), "{restart}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    fs::write(&file, good.replace("all: { path: /,", "all: { path: /ledger,")).unwrap();
    estate.postern.as_ref().unwrap().signal(Signal::HUP).unwrap();
    let accepted = estate.record("reload", Duration::from_secs(10), |record| {
        record["what"] == "config" && record["accepted"] == true
    });
    assert_eq!(accepted["generation"], 2);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 404);
    assert_eq!(estate.curl(&clerk, "/ledger", &[]).unwrap().0, 200);
    let served =
        estate.record("request", Duration::from_secs(2), |record| record["generation"]["config"] == 2);
    assert_eq!(served["generation"]["config"], 2);
}

#[test]
fn requests_go_on_while_the_agent_is_dead_and_rotation_when_it_is_back() {
    let test = "requests_go_on_while_the_agent_is_dead_and_rotation_when_it_is_back";
    let spire = Options { x509_ttl: Duration::from_secs(40), ..Options::default() };
    let Some(mut estate) = estate(test, &Plan { spire, ..Plan::default() }) else { return };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    estate.spire.kill_agent();
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    let failing = estate.record("reload", Duration::from_secs(10), |record| record["what"] == "identity");
    assert_eq!(failing["accepted"], false, "{failing}");

    let before = estate.records().len() as u64;
    estate.spire.start_agent_again();
    let rotated =
        |record: &serde_json::Value| record["what"] == "svid" && record["seq"].as_u64().unwrap() > before;
    let _svid = estate.record("reload", Duration::from_secs(45), rotated);
    let client = estate.spire.client_at("clerk");
    let clerk = estate.spire.fetch_x509(&client).unwrap();
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
}

#[test]
fn callers_that_stall_delay_no_other() {
    let Some(mut estate) = estate("callers_that_stall_delay_no_other", &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);
    let stalled: Vec<_> =
        (0..30).map(|_| std::net::TcpStream::connect(("127.0.0.1", estate.port)).unwrap()).collect();

    assert_eq!(estate.curl(&clerk, "/", &["--max-time", "3"]).unwrap().0, 200);

    let late = estate.record("refused", Duration::from_secs(10), |record| record["code"] == "PST-AC-003");
    assert_eq!(late["listener"], "front");
    drop(stalled);
}

#[test]
fn the_service_manager_is_told_when_requests_are_served_and_when_no_more_are() {
    let test = "the_service_manager_is_told_when_requests_are_served_and_when_no_more_are";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    drop(estate.postern.take());
    let socket = estate.path("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let told = || {
        let mut message = [0; 256];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };

    let mut postern = std::process::Command::new(estate.path("postern"))
        .args(["run", "--config"])
        .arg(estate.path("postern.yaml"))
        .env("NOTIFY_SOCKET", &socket)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ready = told();
    rustix::process::kill_process(rustix::process::Pid::from_child(&postern), Signal::TERM).unwrap();
    let stopping = told();
    let ended = postern.wait().unwrap();

    assert!(ready.contains("READY=1"), "{ready}");
    assert!(stopping.contains("STOPPING=1"), "{stopping}");
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_second_postern_on_the_same_address_does_not_start_and_leaves_no_gap() {
    let test = "a_second_postern_on_the_same_address_does_not_start_and_leaves_no_gap";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let first = fs::read_to_string(estate.path("postern.yaml")).unwrap();
    let second = estate.path("second.yaml");
    let apart = |name: &str, text: String| {
        text.replace(
            &estate.path(name).display().to_string(),
            &estate.path(&format!("second-{name}")).display().to_string(),
        )
    };
    fs::write(&second, apart("state", apart("records.jsonl", apart("admin.sock", first)))).unwrap();
    let program = estate.path("postern");
    let run = || {
        let mut run = std::process::Command::new(&program);
        run.args(["run", "--config"]).arg(&second).stderr(std::process::Stdio::piped());
        run.spawn().unwrap()
    };

    let refused = run().wait_with_output().unwrap();
    drop(estate.postern.take());
    let mut alone = run();
    let records = estate.path("second-records.jsonl");
    let written = |what: &str| fs::read_to_string(&records).unwrap_or_default().contains(what);
    let started = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        written("\"what\":\"svid\"")
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&alone), Signal::TERM).unwrap();
    let ended = alone.wait().unwrap();

    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{said}");
    assert!(said.contains("cannot listen on 127.0.0.1"), "{said}");
    assert!(started && ended.success());
    assert!(!written("\"kind\":\"gap\""));
}
