//! Postern beside a floor and its peers, on loopback, in a few minutes: instructions and CPU time per request and
//! per handshake, memory, size, and the cost of a decision. `cargo x bench` builds and runs it.
//!
//! Everything is a process of its own: the proxies, and this program again as load generator and backend (the hidden
//! commands). The proxy under test has one CPU to itself, load and backend share another.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its reader")]
#![expect(clippy::disallowed_methods, reason = "Postern's Clock is not for what is measured from outside")]

mod backend;
mod child;
mod decide;
mod decision;
mod estate;
mod load;
mod measure;
mod meter;
mod pem;
mod site;
mod table;
mod target;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Any error of a tool that only tells it.
type Failure = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "Measures Postern beside a floor and nginx, and prints a table")]
struct Command {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    measured: measure::Plan,
    /// Also write the table here.
    #[arg(long)]
    results: Option<PathBuf>,
}

/// What this program is when it starts itself.
#[derive(Subcommand)]
#[command(hide = true)]
enum Part {
    /// Callers that prove themselves with an SVID.
    Load(load::Load),
    /// The old service.
    Backend(backend::Backend),
    /// Decisions alone.
    Decide(decide::Decide),
    /// Another program, which ends when we do.
    Child(child::Exec),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let done = match command.part {
        None => compare(&command.measured, command.results),
        Some(Part::Load(load)) => on_one_thread(load.run()),
        Some(Part::Backend(backend)) => on_one_thread(backend.serve()),
        Some(Part::Decide(decide)) => decide.run(),
        Some(Part::Child(child)) => child.exec(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("postern-benches: {why}");
            ExitCode::FAILURE
        }
    }
}

fn compare(plan: &measure::Plan, results: Option<PathBuf>) -> Result<(), Failure> {
    let report = table::report(plan, &measure::everything(plan)?);
    if report.contains(table::NOT_RUN) {
        eprintln!("postern-benches: NOT everything was measured; the report names what and why");
    }
    print!("{report}");
    if let Some(file) = results {
        std::fs::write(file, report)?;
    }
    Ok(())
}

fn on_one_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
