//! Any query of any policy: what the workbench and the conformance tests ask, on the same path as a decision.

mod package;
mod query;

use std::time::Duration;

use regorus::unstable::{Module, Ref};
use regorus::{Engine, QueryResults, Value};

use crate::builtins::turn;
use crate::compile::load;
use crate::document::Document;
use crate::evaluate::{Stopwatch, arm, fenced};
use crate::gate::Purpose;
use crate::problem::LoadError;
use crate::sources::Sources;
use crate::trial::{Coverage, coverage, was_cut};
use crate::verdict::Cause;
use package::Package;
pub(crate) use query::ASKED;
use query::Query;

/// Most bytes that are kept of what a query prints.
const PRINTS: usize = 1 << 20;

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
    /// Whether to tell which lines were gone through; it costs time.
    pub lines: bool,
}

/// What came of a query.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// One for each way in which the query holds; none when it is undefined.
    pub rows: Vec<Row>,
    /// What the policy printed, each line with its place, up to 1 MiB; that more was printed is the last line.
    pub prints: Vec<String>,
    /// The lines that were gone through and those that were not, where that was asked for.
    pub lines: Option<Coverage>,
    /// How long reading and checking took.
    pub load: Duration,
    /// How long the answer took.
    pub elapsed: Duration,
}

/// One way in which a query holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The query's expressions in order.
    pub expressions: Vec<Expression>,
    /// The query's variables.
    pub bindings: serde_json::Map<String, serde_json::Value>,
}

/// One expression of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// Its value.
    pub value: serde_json::Value,
    /// Its text.
    pub text: String,
    /// Where it stands in the query, from 1.
    pub line: u32,
    /// Where it stands in the query, from 1.
    pub column: u32,
}

/// Asks a query of a policy; both go through the gate, but no entrypoint is needed.
pub fn ask(sources: &Sources, question: Question<'_>) -> Result<Answer, AskError> {
    let watch = Stopwatch::start();
    let mut engine = load(sources, Purpose::Queries)?.engine;
    let asked = Asked::of(sources, question.query, engine.get_modules())?;
    arm(&mut engine, question.fuse);
    let load = watch.elapsed();
    engine.set_input(question.input.map_or(Value::Undefined, Document::into_value));
    engine.set_enable_coverage(question.lines);
    let watch = Stopwatch::start();
    let outcome = fenced(question.fuse, question.now, || {
        turn::let_print(PRINTS);
        asked.answer(&mut engine, question.fuse)
    });
    let elapsed = watch.elapsed();
    let said = turn::said();
    let rows = asked.rows(&outcome?)?;
    let line = |(place, line): (String, String)| format!("{}: {line}", query::place(&place));
    let mut prints: Vec<String> = said.lines.into_iter().map(line).collect();
    prints.extend(was_cut(said.cut));
    let lines = question.lines.then(|| coverage(&mut engine, sources));
    Ok(Answer { rows, prints, lines, load, elapsed })
}

/// What is asked: all of a package, or anything else.
pub(crate) enum Asked {
    Package(Package),
    Query(Query),
}

impl Asked {
    /// What the query asks of a policy of these modules.
    pub(crate) fn of(sources: &Sources, query: &str, modules: &[Ref<Module>]) -> Result<Self, LoadError> {
        match Package::of(query, modules) {
            Some(package) => Ok(Self::Package(package)),
            None => Query::of(sources, query).map(Self::Query),
        }
    }

    /// What the engine answers to a query, or our own way through a package.
    pub(crate) fn answer(&self, engine: &mut Engine, fuse: Duration) -> anyhow::Result<QueryResults> {
        match self {
            Self::Package(package) => package.answer(engine, fuse),
            Self::Query(query) => engine.eval_query(query.text().to_owned(), false),
        }
    }

    /// The rows of an answer as they are printed.
    pub(crate) fn rows(&self, results: &QueryResults) -> Result<Vec<Row>, AskError> {
        let rows = match self {
            Self::Package(_) => results.result.iter().map(package::row).collect(),
            Self::Query(query) => query.rows(results),
        };
        // Nothing else in a value cannot be written.
        let long = |error: serde_json::Error| {
            format!(
                "the answer has a number of more than 308 digits, which is written as text alone, by sprintf(\"%d\", [x]): {error}"
            )
        };
        rows.map_err(|error| AskError::Failed(Cause::Error { detail: long(error) }))
    }
}

/// What would be refused of a query if it stood in the policy: it is asked behind the same gate.
pub fn check_query(sources: &Sources, query: &str) -> Result<(), LoadError> {
    let mut engine = load(sources, Purpose::Queries)?.engine;
    Asked::of(sources, query, engine.get_modules()).map(drop)
}
