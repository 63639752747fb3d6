//! Any query of any policy: what the workbench and the conformance tests ask, on the same path as a decision.

use std::time::Duration;

use regorus::Value;

use crate::compile::load;
use crate::document::Document;
use crate::evaluate::{arm, fenced};
use crate::problem::LoadError;
use crate::sources::Sources;
use crate::translate;
use crate::verdict::Cause;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The policy is refused at load.
    #[error("{0}")]
    Refused(#[from] LoadError),
    /// The query failed, hit a cap or came late.
    #[error("{0}")]
    Failed(#[from] Cause),
}

/// A query, and what it is asked of.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Rego: `data.postern.decision = x`.
    pub query: &'a str,
    /// The input document, if any.
    pub input: Option<Document>,
    /// The time that `time.now_ns` answers, in Unix seconds.
    pub now: Option<u64>,
    /// Longest time for the answer.
    pub fuse: Duration,
}

/// Asks a query of a policy that has been through the gate, but needs no entrypoint. Gives the bindings of each
/// answer as JSON objects; none when the query is undefined.
pub fn ask(sources: &Sources, question: Question<'_>) -> Result<Vec<serde_json::Value>, AskError> {
    let mut engine = load(sources, None)?.engine;
    let query = translate::templates("query", question.query)
        .map_err(|problem| LoadError { problems: vec![*problem] })?;
    arm(&mut engine, question.fuse);
    engine.set_input(question.input.map_or(Value::Undefined, Document::into_value));
    let results = fenced(question.fuse, question.now, || engine.eval_query(query.text, false))?;
    let json = |value: &Value| serde_json::to_value(value);
    let rows = results.result.iter().map(|row| json(&row.bindings)).collect::<Result<_, _>>();
    rows.map_err(|error| AskError::Failed(Cause::Error { detail: error.to_string() }))
}
