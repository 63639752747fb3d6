use std::time::Duration;

use postern_tests::estate::{CLERK, Plan, clerks_alone};

use super::estate;

#[test]
fn a_bad_policy_changes_nothing_but_a_metric_and_a_record() {
    let Some(mut estate) = estate("a_bad_policy_changes_nothing_but_a_metric_and_a_record", &Plan::default())
    else {
        return;
    };
    let clerk = estate.caller(CLERK);

    estate.push_policy("package postern\n\ndecision := {\"allow\": true} if http.send({\"url\": \"x\"})\n");

    let refused = estate.record("reload", Duration::from_secs(10), |record| record["accepted"] == false);
    assert_eq!((&refused["what"], &refused["code"]), (&"policy".into(), &"PST-OP-003".into()));
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("main.rego") && detail.contains("http.send"), "{detail}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    let metrics = estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    assert!(metrics.contains("postern_reloads_total{accepted=\"false\",what=\"policy\"} 1"), "{metrics}");
}

#[test]
fn a_good_policy_judges_the_next_request() {
    let Some(mut estate) = estate("a_good_policy_judges_the_next_request", &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    estate.push_policy(&clerks_alone().replace("[\"clerk\"]", "[\"nobody\"]"));

    let accepted = estate.record("reload", Duration::from_secs(10), |record| record["what"] == "policy");
    assert_eq!(accepted["accepted"], true, "{accepted}");
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 403);
}
