//! `postern-lab`: a guided tour of Postern on one bare machine. Not for production.

use std::{
    error::Error,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};
use postern_lab::{
    caller,
    tour::{self, TourError},
};
use rustix::process::{Signal, set_parent_process_death_signal};

/// A guided tour of Postern on this machine: an authority, a vault, a service that knows only passwords, and
/// the real `postern` between them. Offline, unprivileged, on loopback. NOT FOR PRODUCTION.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Leave everything running after the tour, with commands to copy.
    #[arg(long)]
    keep: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// What the tour runs copies of this program as.
    #[command(hide = true)]
    Caller(caller::Call),
    /// Becomes the `bin/postern` beside the configuration, told to drain when the lab is killed.
    #[command(hide = true)]
    Run {
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let went = match arguments.part {
        Some(Part::Caller(call)) => as_caller(call),
        Some(Part::Run { config }) => as_postern(&config),
        None => match tour::run(arguments.keep) {
            Err(TourError::Stopped(by)) => {
                complain(&TourError::Stopped(by));
                return ExitCode::from(by.exit_code());
            }
            went => went.map_err(Into::into),
        },
    };
    match went {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &dyn Error) {
    // Nowhere else to tell that standard error is gone.
    writeln!(io::stderr(), "{}", chain(error)).unwrap_or_default();
}

fn as_postern(config: &Path) -> Result<bool, Box<dyn Error>> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let program = config.with_file_name("bin").join("postern");
    Err(Command::new(program).args(["run", "--config"]).arg(config).exec().into())
}

fn as_caller(call: caller::Call) -> Result<bool, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(caller::call(call))?;
    io::stdout().write_all(answer.as_bytes())?;
    Ok(true)
}

/// An error with its causes, those left out that it tells itself.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
