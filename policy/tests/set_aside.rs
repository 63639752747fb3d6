//! More threads than cores. Alone in its file: it disturbs whatever runs beside it.
use std::sync::Arc;
use std::time::Duration;

use postern_policy::{Judge, PolicySet, Recorded, Sources, Verdict};

/// Each thread is set aside for whole milliseconds, in a decision of microseconds too.
#[test]
fn a_thread_that_the_machine_sets_aside_does_not_make_a_policy_late() {
    let text = "package postern\ndefault decision := false\ndecision if sum(numbers.range(1, 50)) == 1275";
    let sources = Sources::from_modules([("main.rego", text)], []);
    let policy =
        Arc::new(PolicySet::compile(&sources, "data.postern.decision", Duration::from_millis(1)).unwrap());
    let request = Recorded::parse(r#"{"now": 1795300123}"#).unwrap();
    let late = || {
        let mut judge = Judge::new(Arc::clone(&policy));
        (0..2_000).filter(|_| matches!(judge.judge(&request), Verdict::Deny(_))).count()
    };

    let late: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(late)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });

    assert!(late < 10, "{late} of 32,000");
}
