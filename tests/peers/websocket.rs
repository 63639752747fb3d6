use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, GUEST, Plan};
use postern_tests::real::old_services::OldService;
use postern_tests::real::spire::{Options, SvidFiles};
use postern_tests::real::{callers, old_services};
use serde_json::{Value, json};

use super::present;

#[test]
fn a_websocket_echoes_and_is_a_session_in_the_records() {
    let Some((_service, mut estate)) =
        start("a_websocket_echoes_and_is_a_session_in_the_records", Plan::default())
    else {
        return;
    };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));

    let told = converse(&estate, &clerk, 0);
    let denied = converse(&estate, &guest, 0);

    let greeting = format!("hello {}", estate.postgres.accounts()[0]);
    assert_eq!(told["greeting"], greeting, "{told}\n{}", estate.log());
    assert_eq!((&told["echoed"], &told["closed"]), (&json!(2), &json!(1000)));
    assert_eq!(denied["status"], 403, "{denied}");
    let opened = opened(&estate);
    assert_eq!(opened["caller"], estate.spire.id(CLERK));
    assert_eq!(ended(&estate, &opened)["code"], Value::Null);
    let request = estate.record("request", SOON, |record| record["id"] == opened["request"]);
    assert_eq!((&request["outcome"], &request["upstream"]["status"]), (&json!("forwarded"), &json!(101)));
    // Both sides compress what they exchange.
    for way in ["in", "out"] {
        assert!(request["bytes"][way].as_u64() > Some(1000), "{request}");
    }
}

#[test]
fn a_websocket_ends_when_its_lease_is_revoked() {
    let plan = Plan { lease: ("6s", "2m"), ..Plan::default() };
    let Some((_service, mut estate)) = start("a_websocket_ends_when_its_lease_is_revoked", plan) else {
        return;
    };
    let clerk = estate.caller(CLERK);

    let told = std::thread::scope(|scope| {
        let talk = scope.spawn(|| converse(&estate, &clerk, 60));
        let _ = opened(&estate);
        // Longer than one lease: it is renewed under the open session.
        std::thread::sleep(Duration::from_secs(8));
        assert!(!talk.is_finished(), "{}", estate.log());
        estate.bao.write("sys/leases/revoke-prefix/database/creds/app", json!({}));
        talk.join().unwrap()
    });

    assert_eq!(told["closed"], Value::Null, "{told}");
    assert!(told["seconds"].as_f64() < Some(20.0), "{told}\n{}", estate.log());
    let cut = ended(&estate, &opened(&estate));
    assert!(cut["code"].as_str().is_some_and(|code| code.starts_with("PST-CR-")), "{cut}");
}

#[test]
fn a_websocket_ends_with_the_svid_that_opened_it() {
    let spire = Options { x509_ttl: Duration::from_secs(20), ..Options::default() };
    let plan = Plan { spire, ..Plan::default() };
    let Some((_service, mut estate)) = start("a_websocket_ends_with_the_svid_that_opened_it", plan) else {
        return;
    };
    let clerk = estate.caller(CLERK);

    let told = converse(&estate, &clerk, 60);

    assert_eq!(told["closed"], Value::Null, "{told}");
    let seconds = told["seconds"].as_f64().unwrap();
    assert!((10.0..22.0).contains(&seconds), "{told}\n{}", estate.log());
    assert_eq!(ended(&estate, &opened(&estate))["code"], "PST-ID-014");
}

const SOON: Duration = Duration::from_secs(10);

fn start(test: &str, plan: Plan) -> Option<(OldService, Estate)> {
    if !present(test, &["python"]) {
        return None;
    }
    let service = old_services::websocket(None);
    let keys = format!("address: \"{}\"", service.address());
    let estate = Estate::start(&plan.with_upstream("socket", "/socket", &keys));
    Some((service, estate))
}

/// Speaks for `stay` seconds or until it is cut off, and tells what came.
fn converse(estate: &Estate, svid: &SvidFiles, stay: u32) -> Value {
    let url = format!("wss://127.0.0.1:{}/socket", estate.port);
    let asked = json!({"url": url, "certificate": svid.certificate, "key": svid.key, "stay": stay});
    callers::websocket(&asked).unwrap_or_else(|error| panic!("{error}\n{}", estate.log()))
}

fn opened(estate: &Estate) -> Value {
    estate.record("session.opened", SOON, |record| record["session"] == "websocket")
}

fn ended(estate: &Estate, opened: &Value) -> Value {
    estate.record("session.ended", SOON, |record| record["request"] == opened["request"])
}
