use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use postern_tests::certificates::Authority;
use postern_tests::estate::{CLERK, Estate, Plan};
use postern_tests::real::Nginx;
use postern_tests::real::nginx::Tls;
use postern_tests::real::spire::SvidFiles;

use super::present;

#[test]
fn a_server_of_tls_1_2_is_served_once_it_has_proven_itself_and_gets_no_credential_before() {
    let test = "a_server_of_tls_1_2_is_served_once_it_has_proven_itself_and_gets_no_credential_before";
    if !present(test, Nginx::PROGRAMS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().server(folder.path(), &["old.example"]);
    let stranger = folder.path().join("stranger.pem");
    fs::write(&stranger, Authority::new().pem()).unwrap();
    let (certificate, key) = (files.certificate.clone(), files.key.clone());
    let tls = Tls { certificate, key, versions: "TLSv1.2", client_authorities: None };
    let nginx = Nginx::start(Some(&tls), "location / { return 200 '$ssl_protocol $remote_user'; }");
    let (roots, stranger) = (files.roots.display(), stranger.display());
    let named = "server_name: old.example";
    let cases = [
        ("roots", format!("roots: {roots}, {named}"), 200),
        ("pin", format!("pin: \"{}\", {named}", files.pin), 200),
        ("other-roots", format!("roots: {stranger}, {named}"), 502),
        ("other-name", format!("roots: {roots}, server_name: other.example"), 502),
        ("other-pin", format!("pin: \"sha256:{}\", {named}", "0".repeat(64)), 502),
        ("other-proof", format!("spiffe_id: \"spiffe://example.org/old\", {named}"), 502),
        ("other-version", format!("roots: {roots}, {named}, min: \"1.3\""), 502),
    ];
    let plan = cases.iter().fold(Plan::default(), |plan, (name, proof, _)| {
        let keys = format!("address: \"{}\", tls: {{ {proof} }}", nginx.address());
        plan.with_upstream(name, &format!("/{name}"), &keys)
    });
    let mut estate = Estate::start(&plan);
    let clerk = estate.caller(CLERK);

    for (name, _, expected) in &cases {
        let (status, body) = estate.curl(&clerk, &format!("/{name}"), &[]).unwrap();

        assert_eq!(status, *expected, "{name}: {body}\n{}", estate.log());
        match expected {
            200 => assert_eq!(body, format!("TLSv1.2 {}", estate.postgres.accounts()[0]), "{name}"),
            _ => assert!(body.contains("PST-FW-002"), "{name}: {body}"),
        }
    }
    let asked = nginx.access_log();
    assert_eq!(asked.lines().count(), 2, "what did not prove itself was asked:\n{asked}");
}

#[test]
fn the_listener_speaks_tls_1_3_and_nothing_older() {
    if !present("the_listener_speaks_tls_1_3_and_nothing_older", &["openssl"]) {
        return;
    }
    let mut estate = Estate::start(&Plan::default());
    let clerk = estate.caller(CLERK);

    let new = handshake(&estate, &clerk, "-tls1_3");
    let old = handshake(&estate, &clerk, "-tls1_2");

    let said = String::from_utf8_lossy(&new.stdout).into_owned();
    assert!(new.status.success() && said.contains("New, TLSv1.3"), "{new:?}");
    assert!(!old.status.success(), "{old:?}");
    assert!(String::from_utf8_lossy(&old.stderr).contains("alert protocol version"), "{old:?}");
    let refused = estate.record("refused", Duration::from_secs(2), |record| record["code"] == "PST-ID-016");
    assert_eq!(refused["listener"], "front");
}

fn handshake(estate: &Estate, svid: &SvidFiles, version: &str) -> Output {
    let mut client = Command::new("openssl");
    client.args([
        "s_client",
        version,
        "-verify_return_error",
        "-connect",
        &format!("127.0.0.1:{}", estate.port),
    ]);
    client.arg("-cert").arg(&svid.certificate).arg("-key").arg(&svid.key).arg("-CAfile").arg(&svid.bundle);
    client.stdin(Stdio::null()).output().unwrap()
}
