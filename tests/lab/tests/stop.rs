//! However the lab is ended, its `postern` ends with it.
#![expect(clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// A lab that runs as far as a line of what it tells.
struct Lab {
    process: Child,
    told: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Lab {
    fn told_until(arguments: &[&str], line: &str) -> Self {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_postern-lab"));
        lab.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = lab.spawn().expect("the lab starts");
        let mut told = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut folder = None;
        let mut text = String::new();
        while !text.contains(line) {
            text.clear();
            assert_ne!(told.read_line(&mut text).expect("text"), 0, "the lab ended before it told `{line}`");
            let named = text.split_once("all on this machine, in ").map(|(_, rest)| rest.trim_end());
            folder = named.and_then(|named| named.strip_suffix('.')).map(PathBuf::from).or(folder);
        }
        let folder = folder.expect("it tells where its folder is");
        assert!(folder.join("admin.sock").exists() && !processes_of(&folder).is_empty(), "postern runs");
        Self { process, told, folder }
    }

    /// Its exit code, if it had one, and what it said to standard error.
    fn after(mut self, signal: Signal) -> (Option<i32>, String, PathBuf) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("it still runs");
        self.told.read_to_string(&mut String::new()).expect("text");
        let said = self.process.wait_with_output().expect("it ends");
        (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned(), self.folder)
    }
}

/// The processes that were started with a path in this folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let commands = fs::read_dir("/proc").expect("processes").flatten();
    let commands = commands.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(&folder)).collect()
}

#[test]
fn a_signal_in_the_tour_ends_postern_and_removes_the_folder() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::HUP, "SIGHUP")] {
        let (code, said, folder) = Lab::told_until(&[], "1. A known caller").after(signal);
        assert_eq!(code, Some(128 + signal.as_raw()), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("stopped by {name}:")), "{said}");
        assert!(!folder.exists(), "{} is left", folder.display());
        assert_eq!(processes_of(&folder), [""; 0]);
    }
}

#[test]
fn a_lab_that_is_kept_ends_so_too_and_well_for_ctrl_c() {
    for (signal, expected) in [(Signal::TERM, 143), (Signal::INT, 0)] {
        let (code, said, folder) = Lab::told_until(&["--keep"], "svid.pem is good for").after(signal);
        assert_eq!(code, Some(expected), "{said}");
        assert!(!folder.exists(), "{} is left", folder.display());
        assert_eq!(processes_of(&folder), [""; 0]);
    }
}

#[test]
fn postern_does_not_outlive_a_lab_that_was_killed() {
    let lab = Lab::told_until(&[], "1. A known caller");
    let folder = lab.folder.clone();
    let mut process = lab.process;
    process.kill().unwrap();
    process.wait().unwrap();
    // It drains first; the callers end by themselves.
    for _ in 0..600 {
        if processes_of(&folder).is_empty() {
            return fs::remove_dir_all(&folder).unwrap();
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("still there: {:?}", processes_of(&folder));
}
