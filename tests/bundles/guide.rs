//! The guide for authors does what it says: its files are written, its commands run, what they say compared.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use postern_lab::Accounts;
use postern_lab::authority::{Authority, Entry};
use postern_lab::legacy::Legacy;
use postern_lab::sidecar;
use postern_tests::parts::{present, program};
use postern_tests::process::{Process, READY, free_port};
use tempfile::TempDir;

use super::library::ours;

const GUIDE: &str = include_str!("../../proxy/docs/authors-guide.md");

/// A fenced block: what stands behind the fence, and the text.
fn blocks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts = GUIDE.split("\n```").collect::<Vec<_>>();
    parts.into_iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

/// Whether `said` is as `expected`, in which `…` stands for anything.
fn fits(expected: &str, said: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|begin| said.strip_prefix(begin)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// The folder that the guide is followed in, and what runs around it.
struct Desk {
    folder: TempDir,
    path: String,
    authority: Authority,
    /// What stands in the guide, and what it is here.
    ports: [(&'static str, String); 3],
    running: Vec<Process>,
    _ledger: Legacy,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let postern = sidecar::locate().expect("postern can be built");
        let parts = ["curl", "openssl", "nginx"].map(program);
        let homes = std::iter::once(&postern).chain(&parts).filter_map(|program| program.parent());
        let path = homes.map(|home| home.display().to_string()).collect::<Vec<_>>().join(":");
        let authority = Authority::start("corp.example", &folder.path().join("agent.sock")).unwrap();
        authority.admit(Entry::for_program("spiffe://corp.example/gate", &postern).unwrap());
        for name in ["clerk", "audit"] {
            let svid = authority.mint_x509(&format!("spiffe://corp.example/{name}")).unwrap();
            fs::create_dir(folder.path().join(name)).unwrap();
            svid.write_to(&folder.path().join(name)).unwrap();
        }
        let accounts = Accounts::new();
        accounts.put("app", "known to the ledger alone");
        let ledger = Legacy::start(accounts).unwrap();
        let ports = [
            ("127.0.0.1:8080", ledger.address()),
            ("8443", free_port().to_string()),
            ("9443", free_port().to_string()),
        ];
        let path = format!("{path}:{}", env::var("PATH").unwrap_or_default());
        let desk = Self { folder, path, authority, ports, running: Vec::new(), _ledger: ledger };
        desk.copy(&ours("rego"), "library");
        desk
    }

    fn here(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (guide, here)| text.replace(guide, here))
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, self.here(text)).expect("it can be written");
    }

    fn copy(&self, from: &Path, to: &str) {
        for file in fs::read_dir(from).expect("a folder").flatten() {
            let text = fs::read_to_string(file.path()).expect("text");
            self.write(&format!("{to}/{}", file.file_name().display()), &text);
        }
    }

    fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", &self.here(line)]).current_dir(self.folder.path()).env("PATH", &self.path);
        shell.env("SPIFFE_ENDPOINT_SOCKET", self.authority.endpoint());
        shell
    }

    /// What a command says, on both ways together.
    fn say(&self, line: &str) -> String {
        let output = self.shell(&format!("{{ {line}; }} 2>&1")).output().expect("a shell");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn start(&mut self, line: &str) {
        let log = self.folder.path().join(format!("log{}", self.running.len()));
        self.running.push(Process::start(line, &mut self.shell(&format!("exec {line}")), &log));
    }

    /// Runs a command until it says what is expected, for as long as `patience`.
    fn follow(&self, line: &str, expected: &str, patience: Duration) {
        let begun = Instant::now();
        loop {
            let said = self.say(line);
            if fits(expected.trim(), said.trim()) {
                return;
            }
            let logs = || self.running.iter().map(Process::log).collect::<String>();
            assert!(begun.elapsed() < patience, "{line}\n{said}\ninstead of\n{expected}\n{}", logs());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn who_follows_the_guide_sees_what_it_says() {
    let test = "who_follows_the_guide_sees_what_it_says";
    if !present(test, &["curl", "openssl", "nginx"]) {
        return;
    }
    let mut desk = Desk::new();
    let mut commands = 0;
    for (kind, text) in blocks() {
        let (patience, starts) = match kind.split_once(' ') {
            Some(("rego" | "json" | "yaml" | "nginx", file)) => {
                desk.write(file, text);
                continue;
            }
            Some(("console", "until")) => (READY, false),
            Some(("console", "starts")) => (READY, true),
            None if kind == "console" => (Duration::ZERO, false),
            _ => panic!("a block of the guide that nothing runs: {kind}"),
        };
        for run in format!("\n{text}\n").split("\n$ ").skip(1) {
            let (line, expected) = run.split_once('\n').unwrap_or((run, ""));
            if starts {
                desk.start(line.trim());
            } else {
                desk.follow(line, expected, patience);
            }
            commands += 1;
        }
    }
    assert!(commands >= 30, "{commands}");
}

#[test]
fn dots_stand_for_what_differs_and_nothing_else_does() {
    for (expected, said, is) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("", "a", false),
        ("a … c", "a bb c", true),
        ("a … c", "a bb d", false),
        ("…b", "a\nb", true),
        ("a…b…c", "a1c2c", false),
        ("a…b…c", "a1b2c", true),
        ("a…", "b", false),
    ] {
        assert_eq!(fits(expected, said), is, "{expected} {said}");
    }
}
