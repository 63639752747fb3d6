mod profile;
mod shape;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use postern_policy::{
    Answer, AskError, Document, Pattern, ProfiledLine, Question, Sources, Tests, ask, check_query,
};
use serde_json::{Value, json};

use super::{Format, print};
use crate::command::{Exit, Outcome};
use crate::config;

pub(super) const HELP: &str = "\
Asks a query of a policy behind the gate and inside the fence of a live decision; time.now_ns is the input's `now`. \
A builtin that fails is an error here, as it is there: OPA asks for that with --strict-builtin-errors.

Examples:
  postern policy eval -d policy/ -i request.json data.postern.decision
  postern policy eval -d policy/ --stdin-input --format pretty 'data.postern.decision.allow' < request.json
  postern policy eval -d policy/ --fail data.postern.decision.allow && echo defined
  postern policy eval 'x := 1; y := x + 1'
  postern policy eval -d policy/ -i request.json --profile --format pretty data.postern.decision

--profile asks twice more, the second time with each statement noting that it begins, and tells, of each line, how often a statement on it was begun and the time from there \
until the next one was, wherever that stands: OPA's measure. A loop within a statement begins it with each turn; a \
statement that writes into the last argument of a call counts with the one before it.

Exits with 0; with 1 when --fail finds nothing or --fail-defined something; with 2 when the query cannot be answered; \
with 3 when a PATH cannot be read; with 4 when the policy would not be loaded.";

/// The largest input that is read, in bytes.
const LARGEST: u64 = 32 << 20;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, each by itself")]
pub(in crate::command) struct Arguments {
    /// Rego: data.postern.decision, or any other query
    #[arg(value_name = "QUERY", required_unless_present = "stdin")]
    query: Option<String>,
    /// Read the query from standard input
    #[arg(long, conflicts_with_all = ["query", "stdin_input"])]
    stdin: bool,
    /// Folder, archive or single file *.rego or *.json of the policy; may be repeated
    #[arg(long, short, visible_short_alias = 'b', visible_alias = "bundle", value_name = "PATH")]
    data: Vec<PathBuf>,
    /// The input, a file of JSON
    #[arg(long, short, value_name = "FILE", conflicts_with = "stdin_input")]
    input: Option<PathBuf>,
    /// Read the input from standard input
    #[arg(long, short = 'I')]
    stdin_input: bool,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Shape::Json)]
    format: Shape,
    /// Leave out files and folders of such a name, like drafts; may be repeated
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<Pattern>,
    /// A builtin that fails is an error; here it always is
    #[arg(long)]
    strict_builtin_errors: bool,
    /// Exit with 1 when the query is undefined
    #[arg(long)]
    fail: bool,
    /// Exit with 1 when the query is defined
    #[arg(long, conflicts_with = "fail")]
    fail_defined: bool,
    /// Tell how long it took to load and to answer
    #[arg(long)]
    metrics: bool,
    /// Tell which lines of the policy were gone through
    #[arg(long)]
    coverage: bool,
    #[command(flatten)]
    profiling: profile::Profiling,
    /// Longest time for the answer; a live decision has `policy.fuse`
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = config::duration)]
    timeout: Duration,
}

/// How an answer is printed: OPA's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// All there is to know
    Json,
    /// For people
    Pretty,
    /// A list of values for each answer
    Values,
    /// Values alone, texts without their quotes
    Raw,
    /// An object of variables for each answer
    Bindings,
    /// Only whether there is an answer
    Discard,
}

pub(super) fn eval(arguments: &Arguments) -> Outcome {
    let format = if arguments.format == Shape::Json { Format::Json } else { Format::Pretty };
    let sources = match Sources::read_paths(&arguments.data, Tests::Left) {
        Ok(sources) => sources.ignoring(&arguments.ignore, &arguments.data),
        Err(error) => return print::unreadable(&error, format),
    };
    let query = match query(arguments) {
        Ok(query) => query,
        Err(text) => return failed(&text, "read_error", format),
    };
    let input = match input(arguments) {
        Ok(input) => input,
        Err(text) => return failed(&text, "read_error", format),
    };
    if let Err(error) = check_query(&sources, &query) {
        return print::refused(&error, format);
    }
    let question = Question {
        query: &query,
        now: input.as_ref().and_then(now),
        input: input.map(|(document, _)| document),
        fuse: arguments.timeout,
        lines: arguments.coverage,
    };
    let (answer, profile) = match answered(&sources, question, arguments) {
        Ok(answered) => answered,
        Err(AskError::Refused(error)) => return print::refused(&error, format),
        Err(AskError::Failed(cause)) => return failed(&cause.to_string(), print::code(&cause), format),
    };
    let metrics = arguments.metrics || profile.is_some();
    let out = match arguments.format {
        Shape::Json => shape::json(&answer, metrics, profile.as_deref()),
        Shape::Pretty => shape::pretty(&answer, metrics, &query, profile.as_deref()),
        Shape::Values => shape::values(&answer),
        Shape::Raw => shape::raw(&answer),
        Shape::Bindings => shape::bindings(&answer),
        Shape::Discard => shape::discard(&answer),
    };
    let defined = !answer.rows.is_empty();
    let unwanted = (arguments.fail && !defined) || (arguments.fail_defined && defined);
    let exit = if unwanted { Exit::UNDEFINED } else { Exit::Done };
    // What a policy prints goes where `opa eval` sends it.
    let err = if answer.prints.is_empty() { String::new() } else { answer.prints.join("\n") + "\n" };
    Outcome { exit, out, err }
}

/// The answer, and its profile where that is asked for.
fn answered(
    sources: &Sources,
    question: Question<'_>,
    arguments: &Arguments,
) -> Result<(Answer, Option<Vec<ProfiledLine>>), AskError> {
    let profile = arguments.profiling.of(sources, &question)?;
    Ok((ask(sources, question)?, profile))
}

fn failed(message: &str, code: &str, format: Format) -> Outcome {
    match format {
        Format::Pretty => Outcome::failed(Exit::TEST_FAILED, format!("{message}\n")),
        Format::Json => Outcome {
            exit: Exit::TEST_FAILED,
            ..Outcome::said(print::lines(&json!({"errors": [{"message": message, "code": code}]})))
        },
    }
}

fn query(arguments: &Arguments) -> Result<String, String> {
    match &arguments.query {
        Some(query) => Ok(query.clone()),
        None => read(std::io::stdin()).map_err(|error| format!("standard input: {error}")),
    }
}

type Input = (Document, Value);

fn input(arguments: &Arguments) -> Result<Option<Input>, String> {
    let (name, text) = match &arguments.input {
        Some(file) => (file.as_path(), std::fs::File::open(file).and_then(read)),
        None if arguments.stdin_input => (Path::new("standard input"), read(std::io::stdin())),
        None => return Ok(None),
    };
    let name = name.display();
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let document = Document::json(&text).map_err(|error| format!("{name}: {error}"))?;
    Ok(Some((document, value)))
}

fn read(from: impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// What `time.now_ns` answers from, as in a live decision.
fn now((_, input): &Input) -> Option<u64> {
    input.get("now")?.as_u64()
}

#[cfg(test)]
mod tests;
