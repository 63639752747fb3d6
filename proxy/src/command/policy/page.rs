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
            let path = word.ends_with(".tar.gz") || (word == "policy" && words.len() > 1);
            words.push(if path { folder.join(word).into() } else { word.into() });
        }
        words.extend(quoted.next().map(OsString::from));
    }
    words
}

#[test]
fn every_block_of_the_page_for_authors_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for (kind, text) in blocks() {
        match kind.split_once(' ') {
            Some(("rego", file)) => {
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
                    assert_eq!(said.trim_end(), expected.trim_end(), "{line}");
                    commands += 1;
                }
            }
            _ => panic!("a block of the page that nothing runs: {kind}"),
        }
    }
    assert!(commands >= 5, "{commands}");
}
