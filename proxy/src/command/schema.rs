use clap::ValueEnum;
use serde_json::Value;

use super::{Exit, Outcome};
use crate::config::draft;

/// What there is a schema of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Of {
    /// The file that `run` is given
    Configuration,
    /// What policy sees as `input`
    Input,
    /// What policy answers
    Decision,
}

pub(super) fn schema(of: Of) -> Outcome {
    let schema: Value = match of {
        Of::Configuration => draft::schema().into(),
        Of::Input => postern_policy::input_schema(),
        Of::Decision => postern_policy::decision_schema(),
    };
    match serde_json::to_string_pretty(&schema) {
        Ok(text) => Outcome::said(text + "\n"),
        Err(error) => Outcome::failed(Exit::Failed, format!("the schema cannot be written: {error}\n")),
    }
}
