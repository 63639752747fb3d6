use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::json;

use super::{Format, print};
use crate::command::Outcome;

pub(super) const HELP: &str = "\
A scenario is a small bundle that is complete: a policy, its data and tests that pass and cover it. Change the names in \
its data to yours and go on from there. Its .manifest says which packages and data are its own (`roots`), so that other \
bundles are served beside it: what you add below another name, add there. It has no revision: `policy build --revision` writes \
one. No file is ever overwritten.

Examples:
  postern policy new --list
  postern policy new readers policy/
  postern policy new jobs && postern policy test policy --watch

Exits with 0 when it is written; with 2 when there is no such scenario; with 3 when it cannot be written, or a file of it \
is there already.";

/// A bundle to begin with.
struct Scenario {
    name: &'static str,
    about: &'static str,
    /// Names below its folder, and what stands there.
    files: &'static [(&'static str, &'static str)],
}

/// A folder below `new/`, and the files in it.
macro_rules! scenario {
    ($name:literal, $about:literal, $($file:literal),+) => {
        Scenario {
            name: $name,
            about: $about,
            files: &[$(($file, include_str!(concat!("new/", $name, "/", $file)))),+],
        }
    };
}

const SCENARIOS: &[Scenario] = &[
    scenario!(
        "readers",
        "An intranet application: readers read, clerks write",
        ".manifest",
        "main.rego",
        "main_test.rego",
        "roles/data.json"
    ),
    scenario!(
        "jobs",
        "A batch pipeline: each job has its own paths and hours",
        ".manifest",
        "main.rego",
        "main_test.rego",
        "jobs/data.json"
    ),
    scenario!(
        "database",
        "A database over tcp: who connects, and for how long",
        ".manifest",
        "main.rego",
        "main_test.rego",
        "connections/data.json"
    ),
];

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// What it is for
    #[arg(value_parser = names(), required_unless_present = "list")]
    scenario: Option<String>,
    /// Folder that it is written to
    #[arg(value_name = "DIR", default_value = "policy")]
    folder: PathBuf,
    /// Say which scenarios there are
    #[arg(long, conflicts_with = "scenario")]
    list: bool,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(
        SCENARIOS.iter().map(|scenario| PossibleValue::new(scenario.name).help(scenario.about)),
    )
}

pub(super) fn new(arguments: &Arguments) -> Outcome {
    let named = |scenario: &&Scenario| Some(scenario.name) == arguments.scenario.as_deref();
    let Some(scenario) = SCENARIOS.iter().find(named) else { return list(arguments.format) };
    let (folder, mut written) = (arguments.folder.as_path(), Vec::new());
    // The folder, or one above it, may be a file.
    if let Some(file) = folder.ancestors().find(|path| path.is_file()) {
        let why = format!("{}: is a file: name a folder, which is made where there is none", file.display());
        return print::unusable(&why, arguments.format);
    }
    if let Some((name, _)) = scenario.files.iter().find(|(name, _)| folder.join(name).exists()) {
        let there = folder.join(name).display().to_string();
        let why = format!("{there}: is there already, and nothing was written: name another folder");
        return print::unusable(&why, arguments.format);
    }
    for (name, text) in scenario.files {
        let path = folder.join(name);
        if let Err(error) = put(&path, text) {
            return print::unusable(&format!("{}: {error}", path.display()), arguments.format);
        }
        written.push(path.display().to_string());
    }
    let folder = folder.display();
    let next = [
        format!("postern policy check {folder}"),
        format!("postern policy test {folder} --coverage"),
        format!("postern policy build {folder} -o bundle.tar.gz --revision 1"),
    ];
    Outcome::said(match arguments.format {
        Format::Pretty => format!("{}\n\nNext:\n  {}\n", written.join("\n"), next.join("\n  ")),
        Format::Json => print::lines(&json!({"scenario": scenario.name, "files": written, "next": next})),
    })
}

fn list(format: Format) -> Outcome {
    Outcome::said(match format {
        Format::Pretty => {
            let line = |scenario: &Scenario| format!("{:<10} {}", scenario.name, scenario.about);
            SCENARIOS.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
        }
        Format::Json => print::lines(
            &SCENARIOS
                .iter()
                .map(|scenario| json!({"name": scenario.name, "about": scenario.about}))
                .collect(),
        ),
    })
}

/// Only where nothing stands.
fn put(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
