use std::thread;
use std::time::Duration;

use postern_tests::estate::{CLERK, Plan};

use super::estate;

#[test]
fn a_vault_outage_leaves_a_good_lease_working_and_nothing_after_its_end() {
    let test = "a_vault_outage_leaves_a_good_lease_working_and_nothing_after_its_end";
    let plan = Plan { lease: ("12s", "12s"), ..Plan::default() };
    let Some(mut estate) = estate(test, &plan) else { return };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    estate.bao.kill();

    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200, "the lease still held");
    thread::sleep(Duration::from_secs(13));
    let (status, body) = estate.curl(&clerk, "/", &[]).unwrap();
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("PST-CR-"), "{body}");

    estate.bao.start_again();
    let back = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(200));
        estate.curl(&clerk, "/", &[]).is_ok_and(|(status, _)| status == 200)
    });
    assert!(back, "{}", estate.log());
}

#[test]
fn a_password_that_was_revoked_behind_our_back_is_replaced_once() {
    let test = "a_password_that_was_revoked_behind_our_back_is_replaced_once";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    let first = estate.ledger.seen().credentials;

    estate.bao.write("sys/leases/revoke-prefix/database/creds/app", serde_json::json!({}));
    let (status, body) = estate.curl(&clerk, "/", &["--data", "a body that is sent twice"]).unwrap();

    assert_eq!(status, 200, "{body}\n{}", estate.log());
    let sent = estate.ledger.seen().credentials;
    assert_eq!(sent.len(), 3, "one retry: {sent:?}");
    assert_eq!(sent[1], first[0]);
    assert_ne!(sent[2], first[0]);
    assert!(body.contains("\"bytes\":25"), "{body}");
}
