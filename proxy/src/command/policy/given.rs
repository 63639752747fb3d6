//! What the words of a command line name: policies, and inputs in files or on standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use postern_policy::{Pattern, Recorded, Sources, Tests};

use super::{Format, print};
use crate::command::Outcome;

/// The largest query or input that is read, in bytes.
const LARGEST: u64 = 32 << 20;
/// What standard input is called.
pub(super) const STDIN: &str = "standard input";

/// The policy that these paths name, without what is ignored.
pub(super) fn sources(
    paths: &[PathBuf],
    tests: Tests,
    ignore: &[Pattern],
    format: Format,
) -> Result<Sources, Outcome> {
    let sources = Sources::read_paths(paths, tests).map_err(|error| print::unreadable(&error, format))?;
    Ok(sources.ignoring(ignore, paths))
}

/// The text of standard input; or why it cannot be read.
pub(super) fn stdin() -> Result<String, String> {
    text(STDIN, Ok(io::stdin()))
}

/// The input in a file; or why it is none.
pub(in crate::command) fn input(file: &Path) -> Result<Recorded, String> {
    let name = file.display().to_string();
    parsed(&name, &text(&name, File::open(file))?)
}

/// A file, or standard input where it is called `-`: its name and its text.
pub(in crate::command) fn said(file: &Path) -> Result<(String, String), String> {
    if file == Path::new("-") {
        return Ok((STDIN.to_owned(), stdin()?));
    }
    let name = file.display().to_string();
    let text = text(&name, File::open(file))?;
    Ok((name, text))
}

/// An input that was read under this name.
pub(in crate::command) fn parsed(name: &str, text: &str) -> Result<Recorded, String> {
    Recorded::parse(text).map_err(|error| format!("{name}: {error}"))
}

fn text(name: &str, from: io::Result<impl Read>) -> Result<String, String> {
    let said = |error: io::Error| format!("{name}: cannot be read: {error}");
    let mut text = String::new();
    let read = from.and_then(|from| from.take(LARGEST + 1).read_to_string(&mut text)).map_err(said)?;
    if read as u64 > LARGEST {
        return Err(format!("{name}: is larger than {} MiB", LARGEST >> 20));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Exit;

    #[test]
    fn what_is_too_large_is_told_and_not_cut_off() {
        let most = usize::try_from(LARGEST).unwrap();
        assert_eq!(text("a", Ok(" ".repeat(most).as_bytes())).unwrap().len(), most);
        assert_eq!(text("a", Ok(" ".repeat(most + 1).as_bytes())).unwrap_err(), "a: is larger than 32 MiB");
    }

    /// Each verb with a file that is not there, or is not what it should be.
    #[test]
    fn what_cannot_be_used_is_told_in_one_form_by_every_verb() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
        write("main.rego", "package postern\n\ndefault decision := false\n");
        write("broken", "{");
        let (policy, broken, none) = (at("main.rego"), at("broken"), at("none"));
        let (policy, broken, none) = (policy.as_str(), broken.as_str(), none.as_str());
        for (words, why) in [
            (&["check", none][..], none),
            (&["check", policy, "--config", none], none),
            (&["check", policy, "--config", broken], "broken"),
            (&["test", none], none),
            (&["eval", "1", "-d", none], none),
            (&["eval", "1", "-i", none], none),
            (&["eval", "1", "-i", broken], broken),
            (&["bench", "-d", none], none),
            (&["bench", "-d", policy, "-i", none], none),
            (&["bench", "-d", policy, "-i", broken], broken),
            (&["bench", "-d", policy, "--config", none], none),
            (&["build", none], none),
            (&["build", policy, "--config", none], none),
            (&["build", policy, "--signing-key", none, "--fuse", "5s"], none),
            (&["sign", policy, "--signing-key", none], none),
            (&["inspect", none], none),
            (&["inspect", policy, "--verification-key", none], none),
            (&["new", "jobs", broken], broken),
            (&["conformance", none], none),
        ] {
            let run = |format: &str| {
                let words = [&["postern", "policy"], words, &["--format", format]].concat();
                crate::command::main(words.iter().map(std::ffi::OsString::from))
            };
            let (json, pretty) = (run("json"), run("pretty"));
            assert_eq!((json.exit, pretty.exit), (Exit::Configuration, Exit::Configuration), "{words:?}");
            assert_eq!((json.err.as_str(), pretty.out.as_str()), ("", ""), "{words:?}");
            let said: serde_json::Value = serde_json::from_str(&json.out).unwrap();
            let error = &said["errors"][0];
            assert_eq!(error["code"], "read_error", "{words:?}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(why) && pretty.err == format!("{message}\n"), "{words:?}: {pretty:?}");
        }
    }
}
