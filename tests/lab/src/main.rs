//! `postern-lab`: a guided tour of Postern on one bare machine. Not for production.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use postern_lab::caller;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// What the tour runs copies of this program as.
    #[command(hide = true)]
    Caller(caller::Call),
}

fn main() -> ExitCode {
    match Arguments::parse().part {
        Part::Caller(call) => as_caller(call),
    }
}

fn as_caller(call: caller::Call) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer =
        runtime.map_err(caller::CallError::Connect).and_then(|runtime| runtime.block_on(caller::call(call)));
    match answer {
        Ok(text) => print(&mut io::stdout(), &text),
        Err(error) => {
            print(&mut io::stderr(), &format!("{error}\n"));
            ExitCode::FAILURE
        }
    }
}

fn print(to: &mut impl Write, text: &str) -> ExitCode {
    to.write_all(text.as_bytes()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
