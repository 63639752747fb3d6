use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postern_tests::real::{Ledger, OpenBao, Postgres};
use postern_tests::{parts, plain_http};
use serde_json::{Value, json};

#[test]
fn the_old_service_serves_a_leased_account_until_its_lease_is_revoked() {
    let needs = [OpenBao::PROGRAMS, Postgres::PROGRAMS].concat();
    if !parts::present("the_old_service_serves_a_leased_account_until_its_lease_is_revoked", &needs) {
        return;
    }
    let postgres = Postgres::start();
    let ledger = Ledger::over(&postgres);
    let bao = OpenBao::start();
    bao.enable_database(&postgres);
    bao.database_role("app", "60s", "120s");
    let lease = bao.read("database/creds/app");
    let user = lease["data"]["username"].as_str().unwrap();
    let pair = format!("{user}:{}", lease["data"]["password"].as_str().unwrap());
    let basic = format!("Basic {}", STANDARD.encode(pair));
    let ask = |body| {
        plain_http::ask(ledger.address(), "POST", "/postings", &[("Authorization", &basic)], body).unwrap()
    };

    let served = ask("ten bytes!");
    bao.write("sys/leases/revoke", json!({"lease_id": lease["lease_id"], "sync": true}));
    let refused = ask("");
    let nobody = plain_http::ask(ledger.address(), "GET", "/", &[], "").unwrap();

    let told: Value = serde_json::from_str(&served.body).unwrap();
    assert_eq!(told, json!({"user": user, "method": "POST", "path": "/postings", "bytes": 10}));
    assert_eq!((refused.status, nobody.status), (401, 401));
    assert_eq!((ledger.seen().served, ledger.seen().refused), (1, 2));
}
