//! Whatever moment we are killed at, no account stays.

use crate::leases::{Site, present};
use crate::rig::{Plan, Rig};
use postern::fault::Coded;
use postern_tests::parts;
use postern_tests::process::until;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Set for the process that is killed: vault, SVID, state directory.
const VICTIM: [&str; 3] = ["POSTERN_VICTIM_VAULT", "POSTERN_VICTIM_SVID", "POSTERN_VICTIM_STATE"];

#[test]
fn fifty_kills_leave_no_account_behind() {
    if !present("fifty_kills_leave_no_account_behind") {
        return;
    }
    // Long lives: nothing ends by itself while this test looks.
    let site = Site::start("600s", "1200s");
    site.bao.database_role("app", "600s", "1200s");

    let mut left = 0;
    for kill in 0..50u64 {
        let mut victim = child(&site, "victim_of_the_kills");
        // Spread over its start, its login, its first leases and its steady state; the last one, whose ends this
        // process is to record, has surely come that far.
        let moment = if kill == 49 { 3000 } else { 20 + kill * 37 % 350 };
        thread::sleep(Duration::from_millis(moment));
        victim.kill().unwrap();
        victim.wait().unwrap();
        left += usize::from(!site.postgres.accounts().is_empty());
    }

    assert!(left > 10, "only {left} of fifty kills left accounts: they came too early to show anything");
    let rig = site.rig();
    until("what was left is revoked", || rig.keeper.figures().leftovers == 0);
    // What a revoked login had taken unwritten, the vault drops a moment later; its own end would come much later.
    let patience = Instant::now();
    while !site.postgres.accounts().is_empty() && patience.elapsed() < Duration::from_mins(1) {
        thread::sleep(Duration::from_millis(50));
    }
    let accounts = site.postgres.accounts();
    assert!(accounts.is_empty(), "left: {accounts:?}; the vault said: {}", site.bao.log());
    assert_eq!(site.bao.log().matches("failed to register lease").count(), 0, "the vault forgot a lease");
    until("ends are recorded", || !rig.records("access.ended").is_empty());
    let ends = rig.records("access.ended");
    assert!(ends.iter().all(|end| end["reason"] == "crash"), "{ends:?}");
}

#[test]
fn a_lease_of_a_lost_disk_ends_with_its_login() {
    if !present("a_lease_of_a_lost_disk_ends_with_its_login") {
        return;
    }
    let site = Site::start("4s", "8s");
    site.bao.database_role("app", "300s", "600s");
    let rig = site.rig();
    rig.access("app", "eod").unwrap();
    assert_eq!(site.postgres.accounts().len(), 1);

    drop(rig);
    std::fs::remove_dir_all(site.state()).unwrap();

    until("the login took the lease along", || site.postgres.accounts().is_empty());
}

#[test]
fn a_lease_that_cannot_be_journalled_is_given_back() {
    if !present("a_lease_that_cannot_be_journalled_is_given_back") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "60s", "120s");

    let ended = child(&site, "victim_of_a_full_disk").wait_with_output().unwrap();

    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    // Three were issued; the one that could not be written down is gone.
    assert_eq!(site.postgres.accounts().len(), 2);
    assert_eq!(site.bao.log().matches("revoked lease: lease_id=database/creds/app").count(), 1);
    // What was written down before and after is read back, whatever lay between.
    let rig = site.rig();
    until("what was left is revoked", || site.postgres.accounts().is_empty());
    until("both ends are recorded", || rig.records("access.ended").len() == 2);
}

/// The process that is killed: without its variables, nothing.
#[test]
fn victim_of_the_kills() {
    let Some((rig, _state)) = victim() else { return };
    for round in 0.. {
        let callers: Vec<_> = (0..3).map(|n| format!("caller-{round}-{n}")).collect();
        for answer in rig.all("app", &callers) {
            drop(answer);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A process whose files cannot grow any more, and then can again: without its variables, nothing.
#[test]
fn victim_of_a_full_disk() {
    let Some((rig, state)) = victim() else { return };
    rig.access("app", "one").unwrap();
    // Handled, the signal that comes with the limit does not kill.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let _handled = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).unwrap();
    let no_limit = getrlimit(Resource::Fsize);
    let journal = std::fs::metadata(state.join("leases.journal")).unwrap().len();
    // In the middle of the next line.
    setrlimit(Resource::Fsize, Rlimit { current: Some(journal + 20), ..no_limit }).unwrap();

    let refused = rig.access("app", "two").unwrap_err();

    assert_eq!(refused.code().id, "PST-CR-016", "{refused:?}");
    setrlimit(Resource::Fsize, no_limit).unwrap();
    until("the disk is used again", || rig.access("app", "three").is_ok());
}

/// What those processes run, where a test above started them.
fn victim() -> Option<(Rig, PathBuf)> {
    let [Ok(vault), Ok(svid), Ok(state)] = VICTIM.map(env::var) else { return None };
    let state = PathBuf::from(state);
    Some((Plan::new(vault, svid).start(&state), state))
}

fn child(site: &Site, name: &str) -> Child {
    let values = [site.bao.url(), site.svid.clone(), site.state().display().to_string()];
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &format!("crash::{name}"), "--nocapture"]);
    command.envs(VICTIM.into_iter().zip(values)).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| {
        parts::not_run("fifty_kills_leave_no_account_behind", &error.to_string());
        panic!("{error}")
    })
}
