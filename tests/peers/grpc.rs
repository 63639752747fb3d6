use std::time::Duration;

use postern_tests::certificates::Authority;
use postern_tests::estate::{CLERK, Estate, GUEST, NAME, Plan};
use postern_tests::real::spire::SvidFiles;
use postern_tests::real::{Envoy, callers, old_services};
use serde_json::{Value, json};

use super::present;

#[test]
fn every_kind_of_grpc_call_passes_with_its_trailers_and_a_denied_one_gets_a_status() {
    let test = "every_kind_of_grpc_call_passes_with_its_trailers_and_a_denied_one_gets_a_status";
    if !present(test, &["python"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new().server(folder.path(), &["old.example"]);
    let service = old_services::grpc(Some(&files));
    let tls = format!("tls: {{ roots: {}, server_name: old.example }}", files.roots.display());
    let keys = format!("address: \"{}\", http2: true, {tls}", service.address());
    let mut estate = Estate::start(&Plan::default().with_upstream("grpc", "/old.Echo", &keys));
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));

    let told = call(&estate, &clerk);
    let denied = call(&estate, &guest);

    let account = &estate.postgres.accounts()[0];
    assert_eq!(told["unary"]["gave"], "hello", "{told:#}\n{}", estate.log());
    assert_eq!(told["unary"]["trailers"], json!({"x-user": account, "x-trace-bin": "00ff"}));
    assert_eq!(told["stream"]["gave"], json!(["0", "1", "2", "3", "4"]));
    assert_eq!(told["collect"]["gave"], "2000000");
    assert_eq!(told["chat"]["gave"], json!(["a", "b", "c"]));
    assert_eq!(told["refuse"], json!({"code": "RESOURCE_EXHAUSTED", "text": "as it was told: no"}));
    for (method, answer) in denied.as_object().unwrap() {
        assert_eq!(answer["code"], "PERMISSION_DENIED", "{method}: {answer}");
        assert!(answer["text"].as_str().unwrap().contains("PST-AZ-010"), "{method}: {answer}");
    }
    let served = estate
        .record("request", Duration::from_secs(2), |record| record["request"]["path"] == "/old.Echo/Collect");
    assert_eq!((&served["request"]["protocol"], &served["route"]), (&"http/2".into(), &"grpc".into()));
}

fn call(estate: &Estate, svid: &SvidFiles) -> Value {
    let asked = json!({
        "target": format!("127.0.0.1:{}", estate.port), "name": NAME,
        "roots": svid.bundle, "certificate": svid.certificate, "key": svid.key,
    });
    callers::grpc(&asked).unwrap_or_else(|error| panic!("{error}\n{}", estate.log()))
}

#[test]
fn envoy_is_asked_over_http_2() {
    if !present("envoy_is_asked_over_http_2", Envoy::PROGRAMS) {
        return;
    }
    let envoy = Envoy::answering("from envoy");
    let keys = format!("address: \"{}\", http2: true", envoy.address());
    let mut estate = Estate::start(&Plan::default().with_upstream("envoy", "/envoy", &keys));
    let clerk = estate.caller(CLERK);

    for version in ["--http1.1", "--http2"] {
        let answer = estate.curl(&clerk, "/envoy", &[version]);
        assert_eq!(answer, Ok((200, "from envoy".to_owned())), "{version}\n{}", estate.log());
    }

    assert_eq!(envoy.stat("http.front.downstream_rq_http2_total"), Some(2));
    assert_eq!(envoy.stat("http.front.downstream_cx_http2_total"), Some(1), "one connection serves both");
}
