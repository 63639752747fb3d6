//! Each flag that the real `opa` has is one of ours, or refused with what takes its place, as the page of the reference
//! says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::Command;

use postern::command;
use postern_tests::parts::{present, program};

const PAGE: &str = include_str!("../../proxy/docs/reference/flags.md");
const VERBS: &[&str] = &["check", "test", "eval", "build", "sign", "inspect", "bench"];

/// The flags of a help, by their long names: `-f, --format …` and `--fail …`.
fn flags(help: &str) -> BTreeSet<(String, Option<char>)> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flag = |line: &str| {
        let name = line.split_once("--")?.1;
        let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let letter = line.strip_prefix('-')?.chars().next().filter(|c| *c != '-');
        name.starts_with(|c: char| c.is_ascii_alphanumeric()).then_some((name, letter))
    };
    lines.filter_map(flag).collect()
}

fn postern(words: &[&str]) -> command::Outcome {
    command::main(["postern", "policy"].iter().chain(words).map(OsString::from))
}

#[test]
fn every_flag_of_opa_is_taken_or_told_what_takes_its_place() {
    let test = "every_flag_of_opa_is_taken_or_told_what_takes_its_place";
    if !present(test, &["opa"]) {
        return;
    }
    let mut known = 0;
    for verb in VERBS {
        let help = Command::new(program("opa")).args([verb, "--help"]).output().expect("opa runs");
        let help = String::from_utf8_lossy(&help.stdout);
        let theirs = flags(help.rsplit("\nFlags:\n").next().unwrap_or_default());
        let help_of = postern(&[verb, "--help"]).out;
        let ours = flags(&help_of);
        assert!(theirs.len() > 3 && ours.len() > 3, "{verb}: {theirs:?} {ours:?}");
        for (name, letter) in &theirs {
            known += 1;
            // One that stands beside another has no line of its own.
            let beside = help_of.contains(&format!("aliases: -{}, --{name}]", letter.unwrap_or(' ')));
            if beside || ours.iter().any(|(taken, _)| taken == name) {
                let same = beside || letter.is_none() || ours.contains(&(name.clone(), *letter));
                assert!(same, "{verb}: -{letter:?} of --{name}");
                continue;
            }
            let told = postern(&[verb, &format!("--{name}"), "x"]);
            let says = format!("--{name} is a flag of `opa {verb}` and is not taken here; in its place: ");
            assert!(
                told.exit == command::Exit::Usage && told.err.contains(&says),
                "{verb} --{name}: {told:?}"
            );
            let row = PAGE.lines().find(|line| {
                let mut cells = line.split(" | ");
                let flag = cells.next().is_some_and(|cell| cell.starts_with(&format!("| `--{name}`")));
                flag && cells.next().is_some_and(|verbs| verbs.split(", ").any(|one| one == *verb))
            });
            assert!(row.is_some(), "{verb} --{name} is not on the page");
        }
        // What is on the page and gone from opa is to be taken off it.
        for line in PAGE.lines().filter_map(|line| line.strip_prefix("| `--")) {
            let (name, verbs) = line.split_once('`').expect("a name");
            let verbs = verbs.split(" | ").nth(1).expect("verbs");
            if verbs.split(", ").any(|one| one == *verb) {
                assert!(theirs.iter().any(|(theirs, _)| theirs == name), "opa {verb} has no --{name}");
            }
        }
    }
    assert!(known > 90, "{known}");
}

#[test]
fn every_command_of_opa_is_here_or_told_what_takes_its_place() {
    let test = "every_command_of_opa_is_here_or_told_what_takes_its_place";
    if !present(test, &["opa"]) {
        return;
    }
    let opa = |words: &[&str]| {
        let help = Command::new(program("opa")).args(words).output().expect("opa runs");
        String::from_utf8_lossy(&help.stdout).into_owned()
    };
    let help = opa(&["--help"]);
    let commands = help.split("Available Commands:\n").nth(1).expect("a list of commands");
    let commands: Vec<_> = commands
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 12, "{commands:?}");
    let rows = PAGE.split("## Commands of opa").nth(1).expect("the table of commands");
    // Two are not in its help.
    for name in commands.iter().chain(&["oracle", "refactor"]) {
        assert!(rows.contains(&format!("\n| `{name}` | ")), "opa {name} is not on the page");
        if VERBS.contains(name) || *name == "help" {
            continue;
        }
        let told = postern(&[name]);
        let says = format!("{name} is a command of `opa` and is not here; in its place: ");
        assert!(told.exit == command::Exit::Usage && told.err.contains(&says), "{name}: {told:?}");
    }
    for row in rows.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().expect("a name");
        let named = opa(&[name, "--help"]).contains(&format!("opa {name}"));
        assert!(commands.contains(&name) || named, "opa has no {name}");
    }
}
