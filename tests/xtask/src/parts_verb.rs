//! `cargo x parts`: the table of parts, after installing those that are missing.

use std::error::Error;
use std::path::Path;
use std::time::SystemTime;
use xtask::parts::{self, InstallError, Installed, PARTS, Part, Source};

/// Installs the parts named, or all, prints what became of each, and fails naming those that are not there.
pub(crate) fn install(names: &[String]) -> Result<(), Box<dyn Error>> {
    let chosen = chosen(names)?;
    let cache = parts::cache();
    println!("{:<12} {:<9} {:<17} PATH", "PART", "VERSION", "STATE");
    let mut missing = Vec::new();
    for part in chosen {
        if let Err(error) = one(part, &cache) {
            missing.push(format!("  {} {}: {error}", part.name, part.version));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("could not be installed:\n{}", missing.join("\n")).into())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Part>, String> {
    if names.is_empty() {
        return Ok(PARTS.iter().collect());
    }
    let known = || PARTS.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
    let find =
        |name: &String| parts::named(name).ok_or_else(|| format!("no part `{name}`; there are {}", known()));
    names.iter().map(find).collect()
}

fn one(part: &Part, cache: &Path) -> Result<(), InstallError> {
    if !part.is_installed(cache) {
        let wait =
            if matches!(part.source, Source::Go { .. }) { " from source, which takes minutes" } else { "" };
        eprintln!("{} {}: installing{wait} …", part.name, part.version);
    }
    let started = now();
    let done = parts::install(part, cache);
    let seconds = now().duration_since(started).unwrap_or_default().as_secs();
    let state = match &done {
        Ok(Installed::Before) => "there".to_owned(),
        Ok(Installed::Now) => format!("installed, {seconds} s"),
        Err(_) => "MISSING".to_owned(),
    };
    let path = part.programs.first().and_then(|(program, _)| parts::find(program).ok());
    let path = path.map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    println!("{:<12} {:<9} {state:<17} {path}", part.name, part.version);
    done.map(|_| ())
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long an installation took; Postern's Clock is not for tools"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
