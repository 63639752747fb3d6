use super::{Exit, Outcome};
use crate::config::draft;

pub(super) fn schema() -> Outcome {
    match serde_json::to_string_pretty(&draft::schema()) {
        Ok(text) => Outcome::said(text + "\n"),
        Err(error) => Outcome::failed(Exit::Failed, format!("the schema cannot be written: {error}\n")),
    }
}
