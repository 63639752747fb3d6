use postern_tests::parts;
use postern_tests::real::OpenBao;
use postern_tests::real::openbao::{JwtKeys, JwtRole};
use postern_tests::real::spire::{Options, Spire};
use postern_tests::{folder, process};
use serde_json::json;
use std::time::{Duration, Instant};
use std::{fs, thread};

#[test]
fn the_agent_serves_a_caller_by_its_path_and_refuses_another() {
    if !parts::present("the_agent_serves_a_caller_by_its_path_and_refuses_another", Spire::PROGRAMS) {
        return;
    }
    let mut spire = Spire::start(&Options::default());
    let (known, unknown) = (spire.client_at("known"), spire.client_at("unknown"));
    spire.entry("/batch", &[&format!("unix:path:{}", known.display())]);

    let served = spire.fetch_x509(&known).unwrap();
    let refused = spire.fetch_x509(&unknown).unwrap_err();

    assert!(std::fs::read_to_string(&served.certificate).unwrap().contains("BEGIN CERTIFICATE"));
    assert!(refused.contains("PermissionDenied"), "{refused}");

    spire.kill_agent();
    assert!(spire.fetch_x509(&known).is_err());
    spire.start_agent_again();
    spire.fetch_x509(&known).unwrap();
}

#[test]
fn openbao_lets_a_jwt_svid_of_spire_in() {
    let needs = [OpenBao::PROGRAMS, Spire::PROGRAMS].concat();
    if !parts::present("openbao_lets_a_jwt_svid_of_spire_in", &needs) {
        return;
    }
    let mut spire = Spire::start(&Options::default());
    let caller = spire.client_at("caller");
    spire.entry("/gate", &[&format!("unix:path:{}", caller.display())]);
    let keys = spire.serve_jwks();
    let bao = OpenBao::start();
    bao.enable_jwt("jwt", &JwtKeys::Url(keys.url()));
    bao.policy("reader", "path \"secret/data/*\" { capabilities = [\"read\"] }");
    let subject = spire.id("/gate");
    bao.jwt_role(
        "jwt",
        JwtRole {
            name: "gate",
            subject: &subject,
            audience: "vault",
            policy: "reader",
            ttl: "60s",
            max_ttl: "5m",
        },
    );

    let right = spire.fetch_jwt(&caller, "vault").unwrap();
    let wrong = spire.fetch_jwt(&caller, "elsewhere").unwrap();
    let let_in = bao.call("", "POST", "auth/jwt/login", &json!({"role": "gate", "jwt": right}));
    let refused = bao.call("", "POST", "auth/jwt/login", &json!({"role": "gate", "jwt": wrong}));

    assert_eq!(let_in.status, 200, "{}", let_in.body);
    assert_eq!(refused.status, 400, "{}", refused.body);
}

#[test]
fn an_svid_of_twenty_seconds_is_replaced_long_before_its_end() {
    if !parts::present("an_svid_of_twenty_seconds_is_replaced_long_before_its_end", Spire::PROGRAMS) {
        return;
    }
    let mut spire = Spire::start(&Options { x509_ttl: Duration::from_secs(20), ..Options::default() });
    let caller = spire.client_at("caller");
    spire.entry("/short", &[&format!("unix:path:{}", caller.display())]);
    let svid = || fs::read_to_string(spire.fetch_x509(&caller).unwrap().certificate).unwrap();

    let first = svid();
    let since = Instant::now();
    while svid() == first {
        assert!(since.elapsed() < Duration::from_secs(15), "not replaced");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn the_agent_tells_callers_apart_by_uid() {
    if !parts::present("the_agent_tells_callers_apart_by_uid", Spire::PROGRAMS) {
        return;
    }
    let mut spire = Spire::start(&Options::default());
    let caller = spire.client_at("caller");
    let us = rustix::process::geteuid().as_raw();
    spire.entry("/us", &[&format!("unix:uid:{us}")]);
    spire.entry("/somebody", &[&format!("unix:uid:{}", folder::NOBODY)]);

    let ours = process::told_by(&mut spire.fetch(&caller, "x509")).unwrap();
    assert!(ours.contains("spiffe://example.org/us") && !ours.contains("/somebody"), "{ours}");

    // Only root can start a caller as somebody else.
    if folder::we_are_root() {
        let mut fetch = spire.fetch(&caller, "x509");
        folder::not_as_root(&mut fetch);
        let theirs = process::told_by(&mut fetch).unwrap();
        assert!(theirs.contains("spiffe://example.org/somebody") && !theirs.contains("/us"), "{theirs}");
    }
}
