use postern_tests::parts;
use postern_tests::real::OpenBao;
use postern_tests::real::openbao::{JwtKeys, JwtRole};
use postern_tests::real::spire::{Options, Spire};
use serde_json::json;

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
