use std::time::Duration;

use postern_tests::estate::{CLERK, Plan};

use super::estate;

#[test]
fn a_full_disk_refuses_requests_if_so_configured() {
    let plan = Plan { records: Some("{ file: /dev/full, when_full: refuse }"), ..Plan::default() };
    let Some(mut estate) = estate("a_full_disk_refuses_requests_if_so_configured", &plan) else { return };
    let clerk = estate.caller(CLERK);

    let (status, body) = estate.curl(&clerk, "/", &[]).unwrap();

    assert_eq!(status, 503, "{body}");
    assert!(body.contains("PST-RC-001"), "{body}");
    assert!(estate.ledger.seen().credentials.is_empty(), "it reached the old service unrecorded");
}

#[test]
fn a_full_disk_counts_what_is_missing_if_so_configured() {
    let plan = Plan { records: Some("{ file: /dev/full, when_full: count }"), ..Plan::default() };
    let Some(mut estate) = estate("a_full_disk_counts_what_is_missing_if_so_configured", &plan) else {
        return;
    };
    let clerk = estate.caller(CLERK);

    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    let metrics = estate.postern.as_ref().unwrap().ask("/metrics").unwrap().1;
    let lost = metrics.lines().find_map(|line| line.strip_prefix("postern_records_lost_total ")).unwrap();
    assert!(lost.parse::<u64>().unwrap() >= 2, "{lost}");
}

#[test]
fn a_record_is_in_the_kernel_when_the_answer_has_been_read() {
    let Some(mut estate) =
        estate("a_record_is_in_the_kernel_when_the_answer_has_been_read", &Plan::default())
    else {
        return;
    };
    let clerk = estate.caller(CLERK);
    let written = || estate.records().iter().filter(|record| record["kind"] == "request").count();
    let mut late = 0;
    for request in 1..=20 {
        assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
        std::thread::sleep(Duration::from_millis(10));
        // A machine that is busy with other tests may take longer, now and then.
        late += u32::from(written() < request);
        let there = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            written() == request
        });
        assert!(there, "record {request} was never written");
    }
    assert!(late <= 5, "{late} of 20 came later than ten milliseconds");
    let numbers: Vec<_> = estate.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a number is missing: {numbers:?}");
}
