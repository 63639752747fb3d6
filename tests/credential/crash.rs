//! Whatever moment we are killed at, no account stays.

use crate::leases::{Site, present};
use crate::rig::{Plan, leased, until};
use postern_tests::parts;
use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Set for the process that is killed: vault, SVID, state directory.
const VICTIM: [&str; 3] = ["POSTERN_VICTIM_VAULT", "POSTERN_VICTIM_SVID", "POSTERN_VICTIM_STATE"];

#[test]
fn fifty_kills_leave_no_account_behind() {
    if !present("fifty_kills_leave_no_account_behind") {
        return;
    }
    let site = Site::start("60s", "120s");
    site.bao.database_role("app", "60s", "120s");

    let mut left = 0;
    for kill in 0..50u64 {
        let mut victim = victim(&site);
        // Spread over its start, its login, its first leases and its steady state.
        thread::sleep(Duration::from_millis(20 + kill * 37 % 350));
        victim.kill().unwrap();
        victim.wait().unwrap();
        left += usize::from(!site.postgres.accounts().is_empty());
    }

    assert!(left > 10, "only {left} of fifty kills left accounts: they came too early to show anything");
    let rig = site.rig();
    until("what was left is revoked", || rig.keeper.figures().leftovers == 0);
    // What a revoked login had taken unwritten, the vault drops a moment later; its own end would come much later.
    let begun = Instant::now();
    until("no account is left", || site.postgres.accounts().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(site.bao.log().matches("failed to register lease").count(), 0, "the vault forgot a lease");
    let ends = rig.records("access.ended");
    assert!(!ends.is_empty() && ends.iter().all(|end| end["reason"] == "crash"), "{ends:?}");
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

/// Not a test of its own: the process that the tests above kill.
#[test]
#[ignore = "run by fifty_kills_leave_no_account_behind"]
fn victim_of_the_kills() {
    let [vault, svid, state] = VICTIM.map(|name| env::var(name).expect("run by the test that kills it"));
    let credentials = vec![leased("app", "database/creds/app").into()];
    let rig = Plan { vault, roots: None, svid, credentials }.start(&PathBuf::from(state));
    for round in 0.. {
        let callers: Vec<_> = (0..3).map(|n| format!("caller-{round}-{n}")).collect();
        for answer in rig.all("app", &callers) {
            drop(answer);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn victim(site: &Site) -> Child {
    let values = [site.bao.url(), site.svid.clone(), site.state().display().to_string()];
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "crash::victim_of_the_kills", "--ignored", "--nocapture"]);
    command.envs(VICTIM.into_iter().zip(values)).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| {
        parts::not_run("fifty_kills_leave_no_account_behind", &error.to_string());
        panic!("{error}")
    })
}
