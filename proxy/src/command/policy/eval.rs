mod profile;
mod shape;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use postern_policy::{
    Answer, AskError, Facts as _, Pattern, ProfiledLine, Question, Recorded, Sources, Tests, ask,
};

use super::{Format, given, print};
use crate::command::{Exit, Outcome};
use crate::config;

pub(super) const HELP: &str = "\
Asks a query of a policy behind the gate and inside the fence of a live decision; time.now_ns is the input's `now`. \
A builtin that fails is an error here, as it is there: OPA asks for that with --strict-builtin-errors. Tests, *_test.rego, \
are read as OPA reads them; `--ignore '*_test.rego'` leaves them out.

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
with 3 when a PATH or the input cannot be read; with 4 when the policy would not be loaded.";

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
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = config::duration_argument)]
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
    let sources = match given::sources(&arguments.data, Tests::Read, &arguments.ignore, format) {
        Ok(sources) => sources,
        Err(outcome) => return outcome,
    };
    let (query, input) = match query(arguments).and_then(|query| Ok((query, input(arguments)?))) {
        Ok(asked) => asked,
        Err(why) => return print::unusable(&why, format),
    };
    let question = Question {
        query: &query,
        now: input.as_ref().and_then(Recorded::now),
        input: input.map(|input| input.document()),
        fuse: arguments.timeout,
        lines: arguments.coverage,
    };
    let (answer, profile) = match answered(&sources, question, arguments) {
        Ok(answered) => answered,
        Err(AskError::Refused(error)) => return print::refused(&error, format),
        Err(AskError::Failed(cause)) => {
            return print::failed(Exit::TEST_FAILED, print::code(&cause), &cause.to_string(), format);
        }
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

fn query(arguments: &Arguments) -> Result<String, String> {
    arguments.query.clone().map_or_else(given::stdin, Ok)
}

fn input(arguments: &Arguments) -> Result<Option<Recorded>, String> {
    match &arguments.input {
        Some(file) => given::input(file).map(Some),
        None if arguments.stdin_input => given::parsed(given::STDIN, &given::stdin()?).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
