//! The page for authors says what is true: its files are written, its commands run, their output compared.

use std::ffi::OsString;
use std::path::Path;

use crate::command;

const PAGE: &str = include_str!("../../../docs/policy.md");

/// The fenced blocks of the page: what stands behind the fence, and the text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let parts = PAGE.split("\n```").collect::<Vec<_>>();
    parts.iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect()
}

/// The words of a command line, quotes taken off, paths below `folder`.
fn words(line: &str, folder: &Path) -> Vec<OsString> {
    let mut quoted = line.split('\'');
    let mut words: Vec<OsString> = Vec::new();
    while let Some(plain) = quoted.next() {
        for word in plain.split_whitespace() {
            // The second word is the verb, any other of this name the folder.
            let path = word.contains('/')
                || word.ends_with(".tar.gz")
                || word == "records.jsonl"
                || (word == "policy" && words.len() > 1);
            words.push(if path { folder.join(word).into() } else { word.into() });
        }
        words.extend(quoted.next().map(OsString::from));
    }
    words
}

/// Whether `said` is as `expected`, in which a line `…` stands for any lines, and `…` at the end of a line for the rest
/// of it.
fn fits(expected: &[&str], said: &[&str]) -> bool {
    match (expected, said) {
        ([], []) => true,
        (["…", rest @ ..], _) => (0..=said.len()).any(|skipped| fits(rest, &said[skipped..])),
        ([line, expected @ ..], [one, said @ ..]) => {
            let alike = line.strip_suffix('…').map_or(line == one, |begin| one.starts_with(begin));
            alike && fits(expected, said)
        }
        _ => false,
    }
}

#[test]
fn dots_stand_for_what_differs_and_nothing_else_does() {
    for (expected, said, is) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a", "a\nb", false),
        ("a…", "ab", true),
        ("a…", "b", false),
        ("a…", "a\nb", false),
        ("a\n…", "a\nb\nc", true),
        ("a\n…\nc", "a\nb\nb\nc", true),
        ("a\n…\nc", "a\nb", false),
    ] {
        let lines = |text: &'static str| text.lines().collect::<Vec<_>>();
        assert_eq!(fits(&lines(expected), &lines(said)), is, "{expected} {said}");
    }
}

#[test]
fn every_block_of_the_page_for_authors_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for (kind, text) in blocks() {
        match kind.split_once(' ') {
            Some(("rego" | "json", file)) => {
                // A record is one line of its file.
                let text = if file == "records.jsonl" { text.replace("\n ", " ") } else { text.to_owned() };
                let text = text + "\n";
                let file = folder.path().join(file);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, text).unwrap();
            }
            None if kind == "console" => {
                for run in format!("\n{text}\n").split("\n$ ").skip(1) {
                    let (line, expected) = run.split_once('\n').unwrap();
                    let outcome = command::main(words(line, folder.path()));
                    let here = format!("{}/", folder.path().display());
                    let said = format!("{}{}", outcome.out, outcome.err).replace(&here, "");
                    let lines = |text| str::lines(text).map(str::trim_end).collect::<Vec<_>>();
                    let alike = fits(&lines(expected.trim_end()), &lines(said.trim_end()));
                    assert!(alike, "{line}\n{said}\ninstead of\n{expected}");
                    commands += 1;
                }
            }
            _ => panic!("a block of the page that nothing runs: {kind}"),
        }
    }
    assert!(commands >= 5, "{commands}");
}
