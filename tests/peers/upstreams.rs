use std::fs;

use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::real::{Ghostunnel, Nginx};

use super::present;

#[test]
fn an_old_service_on_a_unix_socket_is_served() {
    if !present("an_old_service_on_a_unix_socket_is_served", Nginx::PROGRAMS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("old.sock").display().to_string();
    let _nginx = Nginx::start(
        None,
        &format!("listen unix:{socket}; location / {{ return 200 '$server_addr $remote_user'; }}"),
    );
    let keys = format!("address: \"unix:{socket}\"");
    let mut estate = Estate::start(&Plan::default().with_upstream("old", "/old", &keys));
    let clerk = estate.caller(CLERK);

    let answer = estate.curl(&clerk, "/old", &[]);

    let expected = format!("unix:{socket} {}", estate.postgres.accounts()[0]);
    assert_eq!(answer, Ok((200, expected)), "{}", estate.log());
}

#[test]
fn ghostunnel_before_the_old_service_and_postern_know_each_other_by_spiffe_id() {
    let name = "ghostunnel_before_the_old_service_and_postern_know_each_other_by_spiffe_id";
    if !present(name, Ghostunnel::PROGRAMS) {
        return;
    }
    // Where ghostunnel is, is known once SPIRE runs.
    let somewhere = "127.0.0.1:9";
    let known_as = |path| {
        let proof = format!("spiffe_id: \"spiffe://example.org{path}\", present_svid: true");
        format!("address: \"{somewhere}\", tls: {{ {proof} }}")
    };
    let plan = Plan::default().with_upstream("tunnel", "/tunnel", &known_as("/tunnel")).with_upstream(
        "other",
        "/other",
        &known_as("/other"),
    );
    let mut estate = Estate::start(&plan);
    let clerk = estate.caller(CLERK);
    estate.spire.entry("/tunnel", &[&format!("unix:path:{}", Ghostunnel::path().display())]);
    let tunnel =
        Ghostunnel::server(&estate.spire.endpoint(), estate.ledger.address(), &[&estate.spire.id("/gate")]);
    drop(estate.postern.take());
    let file = estate.path("postern.yaml");
    let text = fs::read_to_string(&file).unwrap().replace(somewhere, &tunnel.address().to_string());
    fs::write(&file, text).unwrap();
    estate.run();

    let (served, answer) = estate.curl(&clerk, "/tunnel", &[]).unwrap();
    let (refused, why) = estate.curl(&clerk, "/other", &[]).unwrap();

    assert_eq!(served, 200, "{answer}\n{}\n{}", tunnel.log(), estate.log());
    assert!(answer.contains(&estate.postgres.accounts()[0]), "{answer}");
    assert_eq!(refused, 502, "{why}");
    assert!(why.contains("PST-FW-002"), "{why}");
    assert_eq!(
        estate.ledger.seen().credentials.len(),
        1,
        "a credential went to one that did not prove itself"
    );
}
