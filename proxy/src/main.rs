//! Postern. Parses the arguments, runs the verb, prints, exits; everything else is the library.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = postern::command::main(std::env::args_os());
    let printed = io::stdout()
        .write_all(outcome.out.as_bytes())
        .and_then(|()| io::stderr().write_all(outcome.err.as_bytes()));
    match printed {
        Ok(()) => outcome.exit.into(),
        // Whoever reads us has gone, as `head` does.
        Err(_) => ExitCode::FAILURE,
    }
}
