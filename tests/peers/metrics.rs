use postern_tests::estate::{CLERK, Estate, GUEST, NAME, Plan};
use postern_tests::process::told_by;
use postern_tests::real::callers::promtool_objects_to;

use std::time::Duration;

use super::present;

#[test]
fn promtool_finds_the_metrics_of_a_running_postern_clean() {
    if !present("promtool_finds_the_metrics_of_a_running_postern_clean", &["promtool", "curl"]) {
        return;
    }
    let mut estate = Estate::start(&Plan::default());
    let (clerk, guest) = (estate.caller(CLERK), estate.caller(GUEST));
    assert_eq!(estate.curl(&clerk, "/", &[]).unwrap().0, 200);
    assert_eq!(estate.curl(&guest, "/", &[]).unwrap().0, 403);
    let nobody = format!("https://{NAME}:{}/", estate.port);
    let resolve = format!("{NAME}:{}:127.0.0.1", estate.port);
    let stranger = ["--silent", "--insecure", "--max-time", "10", "--resolve", &resolve, &nobody];
    assert!(told_by(std::process::Command::new("curl").args(stranger)).is_err());

    // Counted when it is recorded.
    let _refused = estate.record("refused", Duration::from_secs(5), |record| record["code"] == "PST-ID-001");
    let (status, page) = estate.postern.as_ref().unwrap().ask("/metrics").unwrap();

    assert_eq!(status, 200);
    for code in ["PST-AZ-010", "PST-ID-001"] {
        assert!(page.contains(code), "{page}");
    }
    assert_eq!(promtool_objects_to(&page), None, "{page}");
}
