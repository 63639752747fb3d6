//! `postern-lab`: a guided tour of Postern on one bare machine. Not for production.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use postern_lab::{caller, tour};

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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let went = match arguments.part {
        Some(Part::Caller(call)) => as_caller(call),
        None => tour::run(arguments.keep).map_err(Into::into),
    };
    match went {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nowhere else to tell that standard error is gone.
            writeln!(io::stderr(), "{}", chain(error.as_ref())).unwrap_or_default();
            ExitCode::FAILURE
        }
    }
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
