use postern_tests::load::Load;
use postern_tests::parts;
use postern_tests::real::Nginx;
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(2);

#[test]
fn an_announced_end_of_a_connection_is_no_failure_and_a_sudden_one_is() {
    if !parts::present("an_announced_end_of_a_connection_is_no_failure_and_a_sudden_one_is", Nginx::PROGRAMS)
    {
        return;
    }
    let mut nginx = Nginx::start(None, "keepalive_requests 5; location / { return 200 'here'; }");

    let load = Load::start(nginx.address(), &[], 2, PAUSE);
    thread::sleep(Duration::from_millis(300));
    let polite = load.stop();
    let load = Load::start(nginx.address(), &[], 2, PAUSE);
    nginx.process().kill();
    thread::sleep(Duration::from_millis(100));
    let killed = load.stop();

    assert_eq!(polite.failures, 0, "{:?}", polite.told);
    assert!(polite.gets > 5 && polite.posts > 5 && polite.connections > 4, "{polite:?}");
    assert!(killed.failures > 0 && !killed.told.is_empty());
}

#[test]
fn another_status_is_a_failure() {
    if !parts::present("another_status_is_a_failure", Nginx::PROGRAMS) {
        return;
    }
    let nginx = Nginx::start(None, "location / { if ($request_method = POST) { return 503; } return 200; }");

    let load = Load::start(nginx.address(), &[], 1, PAUSE);
    thread::sleep(Duration::from_millis(100));
    let counts = load.stop();

    assert!(counts.gets > 0 && counts.posts == 0 && counts.failures > 0, "{counts:?}");
}
