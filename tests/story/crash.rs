use std::thread;
use std::time::{Duration, Instant};

use postern_tests::estate::{CLERK, Plan};

use super::estate;

#[test]
fn kills_at_random_moments_leave_no_account_behind() {
    let plan = Plan { lease: ("5m", "10m"), token: ("20s", "60s"), ..Plan::default() };
    let Some(mut estate) = estate("kills_at_random_moments_leave_no_account_behind", &plan) else { return };
    let clerk = estate.caller(CLERK);
    let kills: u64 = std::env::var("POSTERN_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(50);

    for _ in 0..kills {
        // A random moment of a request's life, login, fetch and journal included.
        let mut random = [0; 1];
        aws_lc_rs::rand::fill(&mut random).unwrap();
        let moment = Duration::from_millis(u64::from(random[0]));
        thread::scope(|scope| {
            scope.spawn(|| drop(estate.curl(&clerk, "/", &["--max-time", "3"])));
            thread::sleep(moment);
            estate.postern.as_ref().unwrap().signal(rustix::process::Signal::KILL).unwrap();
        });
        estate.postern = None;
        estate.run();
    }

    // What was journalled is revoked at start; what the kill hid from the journal ends with its vault token.
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline && !estate.postgres.accounts().is_empty() {
        thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(estate.postgres.accounts(), Vec::<String>::new(), "{}", estate.log());
    let gaps = estate.records().iter().filter(|record| record["kind"] == "gap").count();
    assert!(gaps >= 1, "no gap record after {kills} kills");
}
