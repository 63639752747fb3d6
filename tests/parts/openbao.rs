use postern_tests::parts;
use postern_tests::process::told_by;
use postern_tests::real::{OpenBao, Postgres, openbao::ROOT_TOKEN};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn a_lease_makes_an_account_and_its_revocation_ends_it() {
    let needs = [OpenBao::PROGRAMS, Postgres::PROGRAMS].concat();
    if !parts::present("a_lease_makes_an_account_and_its_revocation_ends_it", &needs) {
        return;
    }
    let postgres = Postgres::start();
    let bao = OpenBao::start();
    bao.enable_database(&postgres);
    bao.database_role("app", "60s", "120s");

    let lease = bao.read("database/creds/app");

    let user = lease["data"]["username"].as_str().unwrap();
    let password = lease["data"]["password"].as_str().unwrap();
    assert_eq!(postgres.accounts(), [user]);
    assert!(postgres.lets_in(user, password));
    assert_eq!(bao.leases("database/creds/app").len(), 1);

    bao.write("sys/leases/revoke", json!({"lease_id": lease["lease_id"], "sync": true}));

    assert_eq!(postgres.accounts(), [""; 0]);
    assert!(!postgres.lets_in(user, password));
    assert_eq!(bao.leases("database/creds/app"), [""; 0]);
}

#[test]
fn what_openbao_holds_survives_a_seal_and_a_kill() {
    if !parts::present("what_openbao_holds_survives_a_seal_and_a_kill", OpenBao::PROGRAMS) {
        return;
    }
    let mut bao = OpenBao::start();
    bao.write("secret/data/app", json!({"data": {"password": "kept"}}));

    bao.seal();
    let sealed = bao.call(ROOT_TOKEN, "GET", "secret/data/app", &Value::Null);
    bao.unseal();
    bao.start_again();

    assert_eq!(sealed.status, 503);
    assert_eq!(bao.read("secret/data/app")["data"]["data"]["password"], "kept");
}

#[test]
fn openbao_proves_itself_by_tls_too() {
    if !parts::present("openbao_proves_itself_by_tls_too", &[OpenBao::PROGRAMS, &["curl"]].concat()) {
        return;
    }
    let bao = OpenBao::start();
    let health = format!("{}/v1/sys/health", bao.tls_url());
    let ask = || {
        let mut curl = Command::new(parts::program("curl"));
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "10", &health]);
        curl
    };

    let trusting = told_by(ask().arg("--cacert").arg(bao.roots()));
    let stranger = told_by(&mut ask());

    assert!(trusting.unwrap().contains("\"sealed\":false"));
    assert!(stranger.unwrap_err().contains("certificate"));
}
