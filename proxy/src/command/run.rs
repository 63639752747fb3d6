use std::path::Path;

use tracing_subscriber::EnvFilter;

use super::{Exit, LogFormat, Outcome};
use crate::config;
use crate::fault::{Coded as _, causes, codes};
use crate::server::{self, ServerError, WorkerError};

/// Serves; returns when the process is to end.
pub(super) fn run(file: &Path, log: LogFormat) -> Outcome {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => return Outcome::failed(Exit::Configuration, format!("{errors}\n")),
    };
    start_logging(log);
    // A contained fault is a log line like any other, not a page on standard error.
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string);
        tracing::error!(
            code = codes::PANICKED.id,
            place,
            "{}",
            fault.payload_as_str().unwrap_or("a fault without words")
        );
    }));
    match server::run(config) {
        Ok(()) => Outcome::said(String::new()),
        Err(error) => Outcome::failed(exit_of(&error), told(&error)),
    }
}

/// Why it did not start, or ended.
fn told(error: &ServerError) -> String {
    let causes = causes(error);
    match error {
        ServerError::State(state) => {
            let code = state.code();
            format!("postern: {}: {causes}\n  {}\n", code.id, code.hint)
        }
        _ => format!("postern: {causes}\n"),
    }
}

/// Log lines go to standard error: standard output may carry records.
fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::warn!(%error, "logging was set up already");
    }
}

const fn exit_of(error: &ServerError) -> Exit {
    match error {
        ServerError::Policy(_) => Exit::Policy,
        ServerError::Misfit(_)
        | ServerError::Identify(_)
        | ServerError::Worker(
            WorkerError::Identify(_) | WorkerError::Forward(_) | WorkerError::Protocol(_),
        ) => Exit::Configuration,
        ServerError::WorkerPanicked | ServerError::Metrics(_) => Exit::Failed,
        _ => Exit::CannotStart,
    }
}
