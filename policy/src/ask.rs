//! Any query of any policy: what the workbench and the conformance tests ask, on the same path as a decision.

mod package;

use std::collections::BTreeSet;
use std::time::Duration;

use regorus::unstable::{Expr, Literal, LiteralStmt, Rule, Span};
use regorus::{Engine, QueryResult, QueryResults, Value};

use crate::builtins::turn;
use crate::compile::load;
use crate::document::Document;
use crate::evaluate::{Stopwatch, arm, fenced};
use crate::gate::Purpose;
use crate::gate::binds::{self, Binds};
use crate::gate::packages::WHOLE;
use crate::problem::{LoadError, Problem};
use crate::sources::Sources;
use crate::translate::{Translated, prints, templates};
use crate::trial::{Coverage, coverage, was_cut};
use crate::verdict::Cause;
pub(crate) use package::Package;

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

/// Asks a query of a policy that has been through the gate, but needs no entrypoint.
pub fn ask(sources: &Sources, question: Question<'_>) -> Result<Answer, AskError> {
    let watch = Stopwatch::start();
    let mut engine = load(sources, Purpose::Queries)?.engine;
    let package = Package::of(question.query, engine.get_modules());
    let query = query_of(question.query)?;
    arm(&mut engine, question.fuse);
    let load = watch.elapsed();
    let question_of = Asked { query: question.query, now: question.now, fuse: question.fuse };
    engine.set_input(question.input.map_or(Value::Undefined, Document::into_value));
    engine.set_enable_coverage(question.lines);
    let watch = Stopwatch::start();
    let outcome = fenced(question.fuse, question.now, || {
        turn::let_print(PRINTS);
        answered(&mut engine, package.as_ref(), &query, question.fuse)
    });
    let elapsed = watch.elapsed();
    let said = turn::said();
    let mut rows = rows(&outcome?, &query, question.query)?;
    if package.is_none() {
        complete(&mut engine, &question_of, &mut rows)?;
    }
    let mut prints: Vec<String> =
        said.lines.into_iter().map(|(place, line)| format!("{place}: {line}")).collect();
    prints.extend(was_cut(said.cut));
    let lines = question.lines.then(|| coverage(&mut engine, sources));
    Ok(Answer { rows, prints, lines, load, elapsed })
}

/// What the engine answers to a query, or our own way through a package.
pub(crate) fn answered(
    engine: &mut Engine,
    package: Option<&Package>,
    query: &Translated,
    fuse: Duration,
) -> anyhow::Result<QueryResults> {
    match package {
        Some(package) => package.answer(engine, fuse),
        None => engine.eval_query(query.text.clone(), false),
    }
}

/// The rows of an answer as they are printed.
pub(crate) fn rows(results: &QueryResults, query: &Translated, author: &str) -> Result<Vec<Row>, AskError> {
    let rows = results.result.iter().filter_map(|row| self::row(row, query, author).transpose());
    let unprintable = |error: serde_json::Error| AskError::Failed(Cause::Error { detail: error.to_string() });
    rows.collect::<Result<_, _>>().map_err(unprintable)
}

/// A query as the engine reads it, with our builtin in the place of `print`.
pub(crate) fn query_of(query: &str) -> Result<Translated, LoadError> {
    Ok(prints::kept_in_query(templates(query)?, BEFORE))
}

/// A query as the engine reads it.
fn templates(query: &str) -> Result<Translated, LoadError> {
    templates::calls(QUERY, query).map_err(|problem| LoadError { problems: vec![*problem] })
}

/// What is asked once more.
struct Asked<'a> {
    query: &'a str,
    now: Option<u64>,
    fuse: Duration,
}

/// Where a query is more than one expression, the engine leaves out what was bound before its last loop, and gives what
/// does not hold; a comprehension over the same query has it right.
fn complete(engine: &mut Engine, asked: &Asked<'_>, rows: &mut Vec<Row>) -> Result<(), AskError> {
    let (bound, alone) = bound(asked.query);
    if !alone {
        let no = serde_json::Value::Bool(false);
        rows.retain(|row| row.expressions.iter().all(|expression| expression.value != no));
    }
    let Some(first) = rows.first() else { return Ok(()) };
    if alone && bound.iter().all(|name| first.bindings.contains_key(name)) {
        return Ok(());
    }
    let names: BTreeSet<&String> = bound.iter().chain(first.bindings.keys()).collect();
    let members: Vec<String> = names.iter().map(|name| format!("\"{name}\": {name}")).collect();
    let query = format!("[{{{}}} | {}\n]", members.join(", "), asked.query);
    let query = templates(&query)?.text;
    let results = fenced(asked.fuse, asked.now, || engine.eval_query(query, false))?;
    let expression = results.result.first().and_then(|row| row.expressions.first());
    let value = expression.map(|expression| serde_json::to_value(&expression.value));
    let all = value.and_then(Result::ok).and_then(|value| value.as_array().cloned()).unwrap_or_default();
    if all.is_empty() {
        rows.clear();
    }
    if all.len() != rows.len() {
        let detail = "the engine does not give all variables of this query".to_owned();
        return Err(AskError::Failed(Cause::Error { detail }));
    }
    for (row, bindings) in rows.iter_mut().zip(all) {
        row.bindings = bindings.as_object().cloned().unwrap_or_default();
    }
    Ok(())
}

/// The variables that a query declares by `:=` and `some`, and whether it is one expression alone.
fn bound(query: &str) -> (Vec<String>, bool) {
    let text = format!("{BEFORE}{query}\n}}\n");
    let (mut names, mut parser) = (Vec::new(), Engine::new());
    let Ok(text) = templates(&text) else { return (names, true) };
    if parser.add_policy(QUERY.to_owned(), text.text).is_err() {
        return (names, true);
    }
    let rule = parser.get_modules().first().and_then(|module| module.policy.first().cloned());
    let Some(Rule::Spec { bodies, .. }) = rule.as_deref() else { return (names, true) };
    let stmts: Vec<_> = bodies.iter().flat_map(|body| &body.query.stmts).collect();
    let alone = matches!(stmts.as_slice(), [stmt] if matches!(stmt.literal, Literal::Expr { .. }));
    for stmt in stmts {
        binds::of(stmt, &mut |binds| binds.names(&mut |name| note(name, &mut names)));
    }
    (names, alone)
}

/// The variables that have a value once this statement holds; `some x` alone gives it none.
pub(crate) fn given(stmt: &LiteralStmt, names: &mut Vec<String>) {
    binds::of(stmt, &mut |binds| match binds {
        Binds::Declared(_) => {}
        binds => binds.names(&mut |name| note(name, names)),
    });
}

/// The variables of a pattern.
pub(crate) fn variables(pattern: &Expr, names: &mut Vec<String>) {
    binds::variables(pattern, &mut |name| note(name, names));
}

fn note(name: &Span, names: &mut Vec<String>) {
    if name.text() != "_" {
        names.push(name.text().to_owned());
    }
}

/// What would be refused of a query if it stood in the policy: it is asked behind the same gate.
pub fn check_query(sources: &Sources, query: &str) -> Result<(), LoadError> {
    let mut engine = load(sources, Purpose::Queries)?.engine;
    if Package::of(query, engine.get_modules()).is_some() {
        return Ok(());
    }
    // Its own lines, whatever stands in them.
    let text = format!("{BEFORE}{query}\n}}\n");
    let Err(mut error) = load(&sources.clone().with_module(QUERY, &text), Purpose::Queries) else {
        return Ok(());
    };
    for problem in error.problems.iter_mut().filter(|problem| problem.file == QUERY) {
        problem.line = problem.line.saturating_sub(u32::try_from(BEFORE.lines().count()).unwrap_or(0)).max(1);
        for_queries(problem);
    }
    Err(error)
}

/// What a rule is told of a whole package is another thing to who asks.
fn for_queries(problem: &mut Problem) {
    let itself = problem.construct.starts_with(ASKED);
    if itself {
        // What reads all of `data` reads the query too.
        "data".clone_into(&mut problem.construct);
        "is read as a whole by a query that does more".clone_into(&mut problem.why);
    }
    if itself || problem.why == WHOLE {
        "`data.x` as the whole query, or its rules by their names".clone_into(&mut problem.instead);
    }
}

/// What a query is called in a problem.
const QUERY: &str = "query";
const BEFORE: &str = "package postern_query\n\nasked if {\n";
/// The full name of that rule.
pub(crate) const ASKED: &str = "data.postern_query.asked";

/// None when a part of it is undefined, and the row with it.
fn row(row: &QueryResult, query: &Translated, author: &str) -> Result<Option<Row>, serde_json::Error> {
    if row.expressions.iter().any(|expression| expression.value == Value::Undefined) {
        return Ok(None);
    }
    let expression = |expression: &regorus::Expression| {
        let (engines, place) = (expression.text.to_string(), &expression.location);
        let (line, column) = query.restored(author, place.row, place.col);
        let text = query.written_at(author, place.row, place.col, engines.len());
        let text = text.map_or(engines, str::to_owned);
        Ok(Expression { value: serde_json::to_value(&expression.value)?, text, line, column })
    };
    let expressions = row.expressions.iter().map(expression).collect::<Result<_, serde_json::Error>>()?;
    let bindings = match serde_json::to_value(&row.bindings)? {
        serde_json::Value::Object(bindings) => bindings,
        _ => serde_json::Map::new(),
    };
    Ok(Some(Row { expressions, bindings }))
}
