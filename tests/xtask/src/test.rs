//! `cargo x test`: the parts, every test, and then what was not run.

use crate::parts_verb;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::{parts, run};

/// Installs the parts and runs the tests. `words` go to `cargo test`.
pub(crate) fn everything(words: &[String]) -> Result<(), Box<dyn Error>> {
    let installed = parts_verb::install(&[]);
    let list = NotRun::fresh()?;
    let mut test = Command::new("cargo");
    test.args(["test", "--workspace", "--no-fail-fast"]).args(words);
    test.env("POSTERN_PARTS", parts::cache()).env("POSTERN_NOT_RUN", &list.file);
    let tested = run::shown_to_the_reader(&mut test);
    print!("{}", list.summary()?);
    // Both are told: a part that is missing explains tests that did not run.
    if let Err(error) = &installed {
        eprintln!("parts: {error}");
    }
    tested?;
    installed.map_err(|_| "the tests that could run passed, but parts are missing (above)".into())
}

/// The file that tests write to when they cannot run: `NAME<tab>REASON` a line.
struct NotRun {
    file: PathBuf,
}

impl NotRun {
    fn fresh() -> Result<Self, Box<dyn Error>> {
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        fs::create_dir_all(&target)?;
        let file = target.join(format!("not-run-{}.txt", std::process::id()));
        fs::write(&file, "")?;
        Ok(Self { file })
    }

    fn summary(&self) -> Result<String, Box<dyn Error>> {
        let text = fs::read_to_string(&self.file)?;
        fs::remove_file(&self.file)?;
        Ok(summary_of(&text))
    }
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

fn summary_of(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    if lines.is_empty() {
        return "\nNOT RUN: 0\n".into();
    }
    let listed = lines.join("\n  NOT RUN  ").replace('\t', ": ");
    format!("\nNOT RUN: {}\n  NOT RUN  {listed}\n", lines.len())
}

#[cfg(test)]
mod tests {
    use super::summary_of;

    #[test]
    fn what_was_not_run_is_counted_and_named_with_its_reason() {
        let told = summary_of("b\tno suites\na\tspire is missing\n");
        assert_eq!(told, "\nNOT RUN: 2\n  NOT RUN  a: spire is missing\n  NOT RUN  b: no suites\n");
    }
}
