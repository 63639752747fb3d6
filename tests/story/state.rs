//! A state directory that cannot be written: at start, and from some moment on.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use postern_tests::estate::Plan;
use postern_tests::parts::not_run;
use postern_tests::process::{told_by, until};

use super::churn::{Caller, OURS, held, minted};
use super::estate;

#[test]
fn a_state_directory_that_cannot_be_written_lets_nothing_new_happen_and_orphans_nothing() {
    let test = "a_state_directory_that_cannot_be_written_lets_nothing_new_happen_and_orphans_nothing";
    let everybody = "package postern\n\ndefault decision := false\n\ndecision := true if input.caller.id\n";
    let listener = format!("callers: {{ any_of: [jwt_svid], audience: \"{OURS}\" }}");
    let long = ("5m", "10m");
    let plan = Plan {
        policy: everybody.to_owned(),
        fuse: "1s",
        listener,
        lease: long,
        token: long,
        ..Plan::default()
    };
    let Some(mut estate) = estate(test, &plan) else { return };
    let svid = estate.caller("/any");
    let tokens: Vec<_> = (0..30).map(|number| minted(&estate, number)).collect();
    drop(estate.postern.take());
    let state = match Mounted::over(estate.path("state")) {
        Ok(state) => state,
        Err(refused) => return not_run(test, &format!("a file system must be mounted: {refused}")),
    };

    state.is("ro").unwrap();
    let refused = Command::new(estate.path("postern"))
        .args(["run", "--config"])
        .arg(estate.path("postern.yaml"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{told}");
    assert!(told.contains(estate.path("state").to_str().unwrap()) && told.contains("Read-only"), "{told}");

    state.is("rw").unwrap();
    estate.run();
    let ask = |token: &str| Caller { estate: &estate, svid: &svid, token, kept: None }.ask().unwrap();
    let (status, body) = ask(&tokens[0]);
    assert_eq!(status, 200, "{body}");
    state.fill();
    // What fits into the page that was begun is written down yet, and then nothing more.
    let (mut leased, mut failed) = (1, Vec::new());
    for token in &tokens[1..] {
        match ask(token) {
            (200, _) => leased += 1,
            (503, body) if body.contains("PST-CR-016") => failed.push(token),
            other => panic!("{other:?}"),
        }
    }
    assert!(failed.len() > 5, "{leased} leases were written down, {} were not", failed.len());
    until("what could not be written down is given back", || {
        estate.postgres.accounts().len() == held(&estate)
    });
    let (served, body) =
        until_refused(Caller { estate: &estate, svid: &svid, token: &tokens[0], kept: None });
    assert!(body.contains("PST-RC-001"), "{body}");
    assert_eq!(estate.ledger.seen().served, leased + served, "something was done that has no record");

    state.has_room();
    until("it serves again", || failed.iter().all(|token| ask(token).0 == 200));
    drop(estate.postern.take());
    assert_eq!(estate.postgres.accounts(), Vec::<String>::new(), "{}", estate.log());
    let records = estate.records();
    let forwarded = records.iter().filter(|record| record["outcome"] == "forwarded").count() as u64;
    assert_eq!(forwarded, estate.ledger.seen().served);
}

/// Asks until something else than 200 is answered: how often it was, and that answer.
fn until_refused(mut caller: Caller<'_>) -> (u64, String) {
    for served in 0..20_000 {
        let (status, body) = caller.ask().unwrap();
        if status != 200 {
            return (served, body);
        }
    }
    panic!("requests are served although their records cannot be numbered");
}

/// A file system of its own over a folder, gone when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn over(folder: PathBuf) -> Result<Self, String> {
        fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        told_by(
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]).arg(&folder),
        )?;
        Ok(Self(folder))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        while filler.write(&[0; 4096]).is_ok() {}
    }

    fn has_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }

    /// `ro` or `rw` from now on.
    fn is(&self, mode: &str) -> Result<String, String> {
        told_by(Command::new("mount").args(["-o", &format!("remount,{mode}")]).arg(&self.0))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        told_by(Command::new("umount").arg("--lazy").arg(&self.0)).map(drop).unwrap_or_default();
    }
}
