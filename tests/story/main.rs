//! The whole path on real parts: SPIRE issues, OpenBao leases accounts of PostgreSQL, an old service logs in to
//! PostgreSQL with whatever arrives, curl calls.

use std::time::Duration;

use postern_tests::estate::{CLERK, Estate, GUEST, Plan};
use postern_tests::parts;

mod canary;
mod churn;
mod crash;
mod examples;
mod incident;
mod lease;
mod limits;
mod operate;
mod policy;
mod records;
mod rotation;
mod state;
mod tcp;
mod tokens;

/// Starts the estate, or records that this test could not run.
fn estate(test: &str, plan: &Plan) -> Option<Estate> {
    parts::present(test, &Estate::programs()).then(|| Estate::start(plan))
}

#[test]
fn a_workload_without_a_password_opens_a_service_that_knows_only_passwords() {
    let test = "a_workload_without_a_password_opens_a_service_that_knows_only_passwords";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));

    let (allowed, said) = estate.curl(&clerk, "/ledger", &[]).unwrap();
    let (denied, refusal) = estate.curl(&guest, "/ledger", &[]).unwrap();

    assert_eq!(allowed, 200, "{said}\n{}", estate.log());
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let account = said["user"].as_str().unwrap();
    assert_eq!(estate.postgres.accounts(), [account]);
    assert_eq!(denied, 403, "{refusal}");
    assert!(refusal.contains("PST-AZ-010"), "{refusal}");
    assert_eq!(estate.ledger.seen().served, 1, "the denied request reached the old service");

    let served = estate.record("request", Duration::from_secs(2), |record| record["outcome"] == "forwarded");
    assert_eq!(served["caller"]["id"], estate.spire.id(CLERK));
    assert_eq!(served["caller"]["proof"], "x509_svid");
    assert_eq!(served["decision"]["rule"], "clerks");
    assert_eq!(served["upstream"]["status"], 200);
    let access = served["credential"]["access"].clone();
    let opened = estate.record("access.opened", Duration::from_secs(2), |record| record["access"] == access);
    assert_eq!(opened["lease"], served["credential"]["lease"]);
    let refused = estate.record("request", Duration::from_secs(2), |record| record["outcome"] == "refused");
    assert_eq!(
        (&refused["code"], &refused["decision"]["rule"]),
        (&"PST-AZ-010".into(), &"clerks_alone".into())
    );
    assert!(refusal.contains(refused["id"].as_str().unwrap()), "{refusal}");
}

#[test]
fn a_caller_without_an_svid_is_refused_in_the_handshake_and_recorded() {
    let test = "a_caller_without_an_svid_is_refused_in_the_handshake_and_recorded";
    let Some(estate) = estate(test, &Plan::default()) else { return };
    let url = format!("https://{}:{}/", postern_tests::estate::NAME, estate.port);
    let resolve = format!("{}:{}:127.0.0.1", postern_tests::estate::NAME, estate.port);
    let mut curl = std::process::Command::new("curl");
    let answered = curl
        .args(["--silent", "--max-time", "10", "--insecure", "--resolve", &resolve, &url])
        .output()
        .unwrap();

    assert!(!answered.status.success(), "{answered:?}");
    let refused = estate.record("refused", Duration::from_secs(2), |_| true);
    assert_eq!(refused["code"], "PST-ID-001");
    assert!(estate.ledger.seen().credentials.is_empty());
}

#[test]
fn when_the_process_ends_it_takes_its_accounts_with_it() {
    let test = "when_the_process_ends_it_takes_its_accounts_with_it";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    assert_eq!(estate.postgres.accounts().len(), 1);

    drop(estate.postern.take());

    assert_eq!(estate.postgres.accounts(), Vec::<String>::new(), "{}", estate.log());
    let ended = estate.record("access.ended", Duration::from_secs(1), |_| true);
    assert_eq!((&ended["reason"], &ended["requests"]), (&"drained".into(), &1.into()));
    let (user, password) = &estate.ledger.seen().credentials[0];
    assert!(!estate.postgres.lets_in(user, password));
}
