//! The guide for authors does what it says: its files are written, its commands run, what they say compared.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postern_lab::sidecar;
use postern_tests::parts::{present, program};
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

/// The folder that the guide is followed in.
struct Desk {
    folder: TempDir,
    path: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let postern = sidecar::locate().expect("postern can be built");
        let parts = ["curl", "openssl", "nginx"].map(program);
        let homes = std::iter::once(&postern).chain(&parts).filter_map(|program| program.parent());
        let path = homes.map(|home| home.display().to_string()).collect::<Vec<_>>().join(":");
        let desk = Self { folder, path: format!("{path}:{}", env::var("PATH").unwrap_or_default()) };
        desk.copy(&ours("rego"), "library");
        desk
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.at(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    }

    fn copy(&self, from: &Path, to: &str) {
        for file in fs::read_dir(from).expect("a folder").flatten() {
            let text = fs::read_to_string(file.path()).expect("text");
            self.write(&format!("{to}/{}", file.file_name().display()), &text);
        }
    }

    /// What a command says, on both ways together.
    fn run(&self, line: &str) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{line} 2>&1")]).current_dir(self.folder.path()).env("PATH", &self.path);
        let output = shell.output().expect("a shell");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn who_follows_the_guide_sees_what_it_says() {
    let test = "who_follows_the_guide_sees_what_it_says";
    if !present(test, &["curl", "openssl", "nginx"]) {
        return;
    }
    let desk = Desk::new();
    let mut commands = 0;
    for (kind, text) in blocks() {
        match kind.split_once(' ') {
            Some(("rego" | "json" | "yaml" | "nginx", file)) => desk.write(file, text),
            None if kind == "console" => {
                for run in format!("\n{text}\n").split("\n$ ").skip(1) {
                    let (line, expected) = run.split_once('\n').expect("a command and what it says");
                    let said = desk.run(line);
                    assert!(fits(expected.trim(), said.trim()), "{line}\n{said}\ninstead of\n{expected}");
                    commands += 1;
                }
            }
            _ => panic!("a block of the guide that nothing runs: {kind}"),
        }
    }
    assert!(commands >= 10, "{commands}");
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
