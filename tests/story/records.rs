use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use postern_tests::estate::{CLERK, Estate, Plan, clerks_alone};
use serde_json::Value;

use super::estate;

/// A record is with the kernel at most so long after its request ended.
const PROMISED: Duration = Duration::from_millis(10);

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
fn a_record_is_in_the_kernel_ten_milliseconds_after_its_request_ended() {
    let test = "a_record_is_in_the_kernel_ten_milliseconds_after_its_request_ended";
    let Some(mut estate) = estate(test, &Plan::default()) else { return };
    let clerk = estate.caller(CLERK);

    let looks = Looks::at(&estate.path("records.jsonl"));
    for _ in 0..20 {
        assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    }

    looks.none_is_late(&estate, 20);
    let numbers: Vec<_> = estate.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a number is missing: {numbers:?}");
}

#[test]
fn a_policy_that_takes_long_to_compile_delays_no_record() {
    let Some(mut estate) = estate("a_policy_that_takes_long_to_compile_delays_no_record", &Plan::default())
    else {
        return;
    };
    let clerk = estate.caller(CLERK);
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);

    let looks = Looks::at(&estate.path("records.jsonl"));
    for swap in 0..4 {
        estate.push_policy(&long_policy(swap));
        for _ in 0..5 {
            assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
            thread::sleep(Duration::from_millis(200));
        }
        let generation = swap + 2;
        let is = |record: &Value| record["what"] == "policy" && record["generation"] == generation;
        assert_eq!(estate.record("reload", Duration::from_secs(30), is)["accepted"], true);
    }

    looks.none_is_late(&estate, 20);
}

/// The usual policy, with enough beside it to keep the compiler busy; a different one each time.
fn long_policy(swap: u32) -> String {
    let mut policy = clerks_alone();
    for rule in 0..3000 {
        writeln!(
            policy,
            "unused_{swap}_{rule}[x] if {{ some x in input.request.segments; x != \"{rule}\" }}"
        )
        .unwrap();
    }
    policy
}

/// A file's length, looked at every millisecond.
struct Looks {
    over: Arc<AtomicBool>,
    looks: JoinHandle<Vec<(SystemTime, u64)>>,
}

impl Looks {
    fn at(file: &Path) -> Self {
        let (file, over) = (file.to_owned(), Arc::new(AtomicBool::new(false)));
        let is_over = Arc::clone(&over);
        let looks = thread::spawn(move || {
            let mut looks = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                // The time before the look: what it does not find was not there then.
                let now = SystemTime::now();
                looks.push((now, fs::metadata(&file).map_or(0, |found| found.len())));
                thread::sleep(Duration::from_millis(1));
            }
            looks
        });
        Self { over, looks }
    }

    /// No look that began more than ten milliseconds after a request had ended found its record missing. Looks that a
    /// busy machine held up prove nothing; most records must have been looked for in time.
    fn none_is_late(self, estate: &Estate, requests: usize) {
        let counted = || estate.records().iter().filter(|record| record["kind"] == "request").count();
        let deadline = SystemTime::now() + Duration::from_secs(30);
        while counted() < requests && SystemTime::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.over.store(true, Ordering::Relaxed);
        let looks = self.looks.join().unwrap();
        let text = fs::read_to_string(estate.path("records.jsonl")).unwrap();
        let (mut end, mut missing_for, mut looked_in_time) = (0, Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            end += line.len() as u64;
            let record: Value = serde_json::from_str(line).unwrap();
            let Some(over) = ended(&record).filter(|over| *over >= looks[0].0) else { continue };
            let missed = looks.iter().rfind(|(_, length)| *length < end).map_or(over, |(at, _)| *at);
            missing_for.push(missed.duration_since(over).unwrap_or_default());
            let in_time = |at: &SystemTime| at.duration_since(over).is_ok_and(|after| after <= PROMISED);
            looked_in_time += usize::from(looks.iter().any(|(at, _)| in_time(at)));
        }
        println!("missing for {missing_for:?}, {looked_in_time} looked for in time");
        assert_eq!(missing_for.len(), requests);
        assert!(looked_in_time * 4 >= requests * 3, "looked for {looked_in_time} of {requests} only");
        // A record says to the millisecond when its request began.
        let late = missing_for.iter().filter(|late| **late > PROMISED + Duration::from_millis(1)).count();
        assert_eq!(late, 0, "of {requests}, missing for {missing_for:?}");
    }
}

/// When a request was over, as its record says.
fn ended(record: &Value) -> Option<SystemTime> {
    if record["kind"] != "request" {
        return None;
    }
    let began: jiff::Timestamp = record["at"].as_str()?.parse().unwrap();
    Some(SystemTime::from(began) + Duration::from_micros(record["us"].as_u64()?))
}
