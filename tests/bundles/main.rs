//! Bundles that the real `opa` builds, signs and reads: what it takes we take, and in the same sense.

mod agreement;
mod bad;
mod building;
mod copies;
mod decision;
mod double;
mod edits;
mod examples;
mod flags;
mod guide;
mod hostile;
mod library;
mod measured;
mod reading;
mod scenarios;
mod schema;
mod served;
mod services;
mod several;
mod signing;
mod site;
mod status;
mod swapping;
mod types;
mod unsafe_vars;
mod watching;
mod yaml;

use std::fs;
use std::path::Path;
use std::process::Command;

use postern_tests::parts::program;
use postern_tests::process::told_by;
use tempfile::TempDir;

/// A folder of files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }
    folder
}

/// What `opa WORDS` prints, run in `folder`; it must end well.
fn opa(folder: &Path, words: &[&str]) -> String {
    told_by(Command::new(program("opa")).current_dir(folder).args(words)).expect("opa ends well")
}

/// Everybody may do everything, or nobody anything.
fn rules(open: bool) -> String {
    format!(
        "package postern\n\ndefault decision := false\n\ndecision := {{\"allow\": true, \"rule\": \"open\"}} if {open}\n"
    )
}

/// A bundle that the real `opa` builds of one module.
fn archive(revision: u64, text: &str) -> Vec<u8> {
    archive_with(&[], revision, text, &[])
}

/// The same with more words, for which there are more files beside the bundle.
fn archive_with(beside: &[(&str, &str)], revision: u64, text: &str, words: &[&str]) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "r{revision}", "roots": ["postern"]}}"#);
    let files = [&[("b/postern/rules.rego", text), ("b/.manifest", &manifest)], beside].concat();
    let source = folder(&files);
    opa(source.path(), &[&["build", "-b", "b", "-o", "built.tar.gz"], words].concat());
    fs::read(source.path().join("built.tar.gz")).expect("it was built")
}
