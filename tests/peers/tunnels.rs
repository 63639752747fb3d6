use std::process::Command;
use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::process::{free_port, told_by};
use postern_tests::real::{Ghostunnel, Nginx};

use super::present;

#[test]
fn ghostunnel_brings_a_caller_without_tls() {
    if !present("ghostunnel_brings_a_caller_without_tls", &[Ghostunnel::PROGRAMS, &["curl"]].concat()) {
        return;
    }
    let mut estate = Estate::start(&Plan::default());
    let tunnel = tunnel(&mut estate, CLERK, None);

    let said =
        ask(&tunnel, "/ledger").unwrap_or_else(|error| panic!("{error}\n{}\n{}", tunnel.log(), estate.log()));

    assert!(said.contains(&estate.postgres.accounts()[0]), "{said}");
    let served = estate.record("request", Duration::from_secs(2), |record| record["outcome"] == "forwarded");
    assert_eq!(
        (&served["caller"]["id"], &served["request"]["protocol"]),
        (&estate.spire.id(CLERK).into(), &"http/1.1".into())
    );
}

#[test]
fn a_tcp_listener_decides_once_for_each_connection() {
    let needs = [Ghostunnel::PROGRAMS, Nginx::PROGRAMS, &["curl"]].concat();
    if !present("a_tcp_listener_decides_once_for_each_connection", &needs) {
        return;
    }
    let nginx = Nginx::start(None, "location / { return 200 'byte for byte'; }");
    let mut plan = Plan::default();
    let port = free_port();
    plan.upstreams.push(format!("raw: {{ address: \"{}\" }}", nginx.address()));
    let listener =
        format!("bind: \"127.0.0.1:{port}\", protocol: tcp, routes: {{ all: {{ upstream: raw }} }}");
    plan.listeners.push(format!("raw: {{ {listener} }}"));
    let mut estate = Estate::start(&plan);
    let tunnel = tunnel(&mut estate, CLERK, Some(port));

    let said =
        ask(&tunnel, "/").unwrap_or_else(|error| panic!("{error}\n{}\n{}", tunnel.log(), estate.log()));
    estate.push_policy(&plan.policy.replace("[\"clerk\"]", "[\"nobody\"]"));
    let _ = estate.record("reload", Duration::from_secs(10), |record| record["what"] == "policy");
    let denied = ask(&tunnel, "/");

    assert_eq!(said, "byte for byte");
    assert!(denied.is_err(), "{denied:?}");
    assert_eq!(nginx.access_log().lines().count(), 1, "the denied connection reached the upstream");
    // ghostunnel was looked for with a connection of its own, on which nothing passed.
    let served =
        estate.record("request", Duration::from_secs(2), |record| record["bytes"]["out"].as_u64() > Some(13));
    assert_eq!((&served["listener"], &served["request"]["protocol"]), (&"raw".into(), &"tcp".into()));
    assert_eq!(
        (&served["outcome"], &served["caller"]["id"]),
        (&"forwarded".into(), &estate.spire.id(CLERK).into())
    );
    let refused = estate.record("request", Duration::from_secs(2), |record| record["outcome"] == "refused");
    assert_eq!(refused["code"], "PST-AZ-010");
}

/// ghostunnel as the workload at `path`, before one of Postern's listeners.
fn tunnel(estate: &mut Estate, path: &str, port: Option<u16>) -> Ghostunnel {
    estate.spire.entry(path, &[&format!("unix:path:{}", Ghostunnel::path().display())]);
    let target = ([127, 0, 0, 1], port.unwrap_or(estate.port)).into();
    Ghostunnel::client(&estate.spire.endpoint(), target, &[&estate.spire.id("/gate")])
}

fn ask(tunnel: &Ghostunnel, path: &str) -> Result<String, String> {
    let url = format!("http://{}{path}", tunnel.address());
    told_by(Command::new("curl").args(["--silent", "--show-error", "--fail", "--max-time", "20", &url]))
}
