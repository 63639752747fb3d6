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

/// Each row of the page, and commands that end so. `ok`, `bad`, `failing`, `skipped`, `untested` and `open` are policies.
const ENDS: &[(&str, &[&str])] = &[
    ("`check`: it would be loaded", &["check ok", "check -b untested"]),
    ("`check`, `build`: a file that does not compile", &["check bad", "build bad"]),
    (
        "`check`, `test`, `build`, `inspect`: no such file",
        &["check none", "test none", "build none", "inspect none"],
    ),
    (
        "`check`, `build`: no default that refuses, or a test of its own that fails",
        &["check open", "build open", "check failing", "build failing"],
    ),
    ("`test`: a test fails, is skipped, or has an error", &["test failing", "test skipped"]),
    ("`test --exit-zero-on-skipped`: tests are skipped, and no other failed", &["test -z skipped"]),
    (
        "`test`: no test, or none that `--run` names",
        &["test untested", "test ok --run none", "test -z untested"],
    ),
    ("`test`: a file that does not compile", &["test bad"]),
    (
        "`test --coverage`: a test fails",
        &["test failing --coverage", "test failing --coverage --format json"],
    ),
    ("`test`: `--run` is no pattern", &["test ok --run ("]),
    (
        "`eval`: an answer, or undefined",
        &["eval 1", "eval data.none", "eval --fail false", "eval --fail-defined data.none"],
    ),
    (
        "`eval --fail`: undefined; `eval --fail-defined`: defined",
        &["eval --fail data.none", "eval --fail-defined false"],
    ),
    ("`eval`: a query that does not compile", &["eval x+", "eval x", "eval f(1)"]),
    ("`eval`: no such file, for `--data` or `--input`", &["eval -d none 1", "eval -i none 1"]),
    ("`eval`: a policy that does not compile", &["eval -d bad 1"]),
    ("`eval`: a builtin fails, without `--strict-builtin-errors`", &["eval to_number(\"x\")", "eval 1/0"]),
    ("`bench`: undefined, without `--fail=false`", &["bench -d ok --count 1 data.none"]),
    ("`bench`: a query that does not compile", &["bench -d ok x+"]),
    ("`bench`: no such file, for `--data` or `--input`", &["bench -d none 1", "bench -d ok -i none 1"]),
    (
        "`sign`: no such file, for the bundle or the key",
        &["sign -b none --signing-key key", "sign -b ok --signing-key none"],
    ),
    ("`inspect`: a module that does not compile, which is not looked into here", &["inspect bad"]),
    (
        "any: arguments that cannot be understood",
        &["check --none ok", "eval", "build", "test ok --format none"],
    ),
];

#[test]
fn commands_end_as_the_page_says_beside_opa() {
    if !present("commands_end_as_the_page_says_beside_opa", &["opa"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = "package postern\n\ndefault decision := false\n\ndecision if input.now > 1\n";
    let test = |body: &str| format!("package postern_test\n\nimport data.postern\n\n{body}\n");
    let passes = test("test_it if not postern.decision with input as {}");
    let fails = test("test_it if postern.decision with input as {}");
    let later = test("todo_test_it if postern.decision");
    for (policy, main, tests) in [
        ("ok", rules, Some(passes)),
        ("bad", "package postern\n\nx := {\n", None),
        ("failing", rules, Some(fails)),
        ("skipped", rules, Some(later)),
        ("untested", rules, None),
        ("open", "package postern\n\ndecision if input.now > 1\n", None),
    ] {
        let place = folder.path().join(policy);
        std::fs::create_dir(&place).expect("it can be made");
        std::fs::write(place.join("main.rego"), main).expect("it can be written");
        if let Some(tests) = tests {
            std::fs::write(place.join("main_test.rego"), tests).expect("it can be written");
        }
    }
    std::fs::write(folder.path().join("key"), "a secret of more than thirty-two bytes, for HS256")
        .expect("written");
    let rows =
        PAGE.split("## Exit codes").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the table");
    let rows: Vec<&str> = rows.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(rows.len(), ENDS.len(), "{rows:?}");
    for (how, commands) in ENDS {
        for command in *commands {
            let names = ["ok", "bad", "failing", "skipped", "untested", "open", "none", "key"];
            let word = |word: &str| {
                let named = names.contains(&word).then(|| folder.path().join(word).display().to_string());
                named.unwrap_or_else(|| word.to_owned())
            };
            let words: Vec<String> = command.split(' ').map(word).collect();
            let theirs = Command::new(program("opa")).args(&words).current_dir(folder.path()).output();
            let theirs = theirs.expect("opa runs").status.code().expect("opa exits");
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ours = postern(&words).exit as u8;
            let row = format!("| {how} | {theirs} | {ours} |");
            assert!(
                rows.contains(&row.as_str()),
                "{command}: opa ends with {theirs}, postern with {ours}: {row}"
            );
        }
    }
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
