//! Every builtin of OPA, ours beside them, and what stands between each and a policy.
//!
//! The engine's fuse looks at the clock between steps, and one call of a builtin is one step: what a call costs
//! must be bounded by its arguments before it begins. So each builtin is let through as it is, asked about the
//! size of its arguments first, answered by us, or refused at load. A builtin that is not in the table, because a
//! newer engine brought it, is refused too.
//!
//! A new builtin is one file here, declared as every module is, and one line in [`FILES`]; beside others of its kind
//! it is one row in the `ROWS` of their file. The row says all that is known of a builtin: from the rows come what the
//! gate lets through and what it asks of constants, the kinds that messages tell, and the page of the reference, which
//! `cargo x docs` writes. What OPA does not have is [`By::Own`], with sentences and examples for that page. What
//! answers by the clock has a second row `internal.now.…`, which takes the time first, as in `window`. What may be dear
//! asks `weigh` before it begins, and its dearest call stands in `tests/costs.rs`. The tests of this module say what a row lacks.

mod add_date;
mod arithmetic;
mod array;
mod aws;
mod base64;
mod capabilities;
mod cidr;
mod concat;
mod count;
mod duration;
mod engine;
mod fraction;
mod glob;
mod globs;
mod graph;
mod hash;
mod index;
mod json;
mod jwt;
mod letters;
mod list;
mod member;
mod metadata;
mod numbers;
mod order;
mod paths;
mod pattern;
mod pattern_names;
mod print;
mod refused;
mod regex;
mod render;
mod replace;
mod row;
mod schema;
mod segments;
mod semver;
pub(crate) mod signatures;
mod split;
mod sprintf;
mod subset;
mod template;
mod time_diff;
mod time_format;
mod time_layout;
mod time_now;
mod time_parse;
pub(crate) mod turn;
mod union;
mod units;
mod uri;
mod urlquery;
mod uuid;
mod weigh;
mod window;
mod x509;
mod zone;

pub use capabilities::capabilities;
pub(crate) use list::list;
pub(crate) use segments::{is_spiffe_id, is_spiffe_segment};
pub use signatures::signatures;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regorus::unstable::{BUILTINS as ENGINE, BuiltinFcn, Expr, Ref, Span};
use regorus::{Engine, Source, Value};

use crate::nearest::nearest;
use crate::problem::Said;
use row::{Builtin, By};

/// Why a builtin gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fail {
    /// It was asked for more than its cap.
    #[error("{0}")]
    Limit(&'static str),
    /// An argument is not what it takes.
    #[error("{0}")]
    Argument(&'static str),
    /// A verb of a format does not fit what it is given.
    #[error("%{} for argument {at} {why}", letter.escape_debug())]
    Verb {
        /// What it is called by.
        letter: char,
        /// The argument, from 1.
        at: usize,
        /// What is wrong, and what fits.
        why: &'static str,
    },
}

/// The files, one line for each: a builtin that stands in no file named here is not there.
const FILES: &[&[Builtin]] = &[
    add_date::ROWS,
    arithmetic::ROWS,
    array::ROWS,
    aws::ROWS,
    base64::ROWS,
    cidr::ROWS,
    concat::ROWS,
    count::ROWS,
    duration::ROWS,
    engine::ROWS,
    glob::ROWS,
    globs::ROWS,
    graph::ROWS,
    hash::ROWS,
    index::ROWS,
    json::ROWS,
    jwt::ROWS,
    letters::ROWS,
    member::ROWS,
    metadata::ROWS,
    numbers::ROWS,
    order::ROWS,
    paths::ROWS,
    print::ROWS,
    refused::ROWS,
    regex::ROWS,
    render::ROWS,
    replace::ROWS,
    schema::ROWS,
    segments::ROWS,
    semver::ROWS,
    split::ROWS,
    sprintf::ROWS,
    subset::ROWS,
    template::ROWS,
    time_diff::ROWS,
    time_format::ROWS,
    time_now::ROWS,
    time_parse::ROWS,
    union::ROWS,
    units::ROWS,
    uri::ROWS,
    urlquery::ROWS,
    uuid::ROWS,
    window::ROWS,
    x509::ROWS,
];

/// The rows by their names.
static TABLE: LazyLock<BTreeMap<&'static str, &'static Builtin>> =
    LazyLock::new(|| FILES.iter().copied().flatten().map(|row| (row.name, row)).collect());

fn row(name: &str) -> Option<&'static Builtin> {
    TABLE.get(name).copied()
}

/// What the gate asks about a builtin.
pub(crate) enum Known {
    /// The engine has it; with how many arguments it takes.
    Engines(u8),
    /// The engine does not have it and Postern adds it; with how many arguments it takes.
    Added(u8),
    /// Not let through; with what to write instead.
    Refused(&'static str),
}

/// The builtin of this name; none when the engine or the table does not know it.
pub(crate) fn known(name: &str) -> Option<Known> {
    let row = row(name)?;
    match row.by {
        By::Added(_) | By::Own(..) | By::Before(_) => Some(Known::Added(row.arity())),
        By::Refused(instead) | By::Within(_, instead) => Some(Known::Refused(instead)),
        By::Engine | By::Guard(_) | By::Ours(_) => ENGINE.get(name).map(|(_, arity)| Known::Engines(*arity)),
    }
}

/// With how many arguments a builtin is called that only the translation writes.
pub(crate) fn within(name: &str) -> Option<u8> {
    row(name).filter(|row| matches!(row.by, By::Within(..))).map(Builtin::arity)
}

/// The names that the translation writes, and OPA none of an author's for; `x in xs` OPA writes so too.
pub(crate) fn written() -> impl Iterator<Item = &'static str> {
    let names = TABLE.keys().copied();
    names.filter(|name| name.starts_with("internal.") && !name.starts_with("internal.member_"))
}

/// What the translation writes for a builtin that answers by the clock: the same, with the time before its arguments.
pub(crate) fn clocked(name: &str) -> Option<&'static str> {
    let clocked = TABLE.values().find(
        |row| matches!(row.by, By::Within(_, of) if of == name && row.name.starts_with("internal.now.")),
    );
    clocked.map(|row| row.name)
}

/// What other languages call it.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["len", "length", "size", "strlen"], "count"),
    (&["tolower", "to_lower", "lowercase", "strings.lower", "strings.to_lower", "string.lower"], "lower"),
    (&["toupper", "to_upper", "uppercase", "strings.upper", "strings.to_upper", "string.upper"], "upper"),
    (&["starts_with", "hasprefix", "has_prefix", "strings.has_prefix", "strings.startswith"], "startswith"),
    (&["ends_with", "hassuffix", "has_suffix", "strings.has_suffix", "strings.endswith"], "endswith"),
    (&["includes", "strings.contains", "string.contains"], "contains"),
    (&["strings.split", "string.split"], "split"),
    (&["strings.join", "join"], "concat"),
    (&["strings.trim", "strip"], "trim"),
    (&["strings.replace"], "replace"),
    (&["int", "float", "number", "tonumber"], "to_number"),
    (&["match", "matches", "regex", "re_match"], "regex.match"),
    (&["now", "time.now"], "time.now_ns"),
];

/// The builtin that was probably meant.
pub(crate) fn meant(name: &str) -> Option<String> {
    let elsewhere = ELSEWHERE.iter().find(|(others, _)| others.contains(&name));
    if let Some((_, ours)) = elsewhere {
        return Some((*ours).to_owned());
    }
    let offered =
        TABLE.values().filter(|row| !matches!(row.by, By::Refused(_) | By::Within(..) | By::Before(_)));
    let names: Vec<&str> = offered.map(|row| row.name).collect();
    nearest(name, &names).map(str::to_owned)
}

/// Whether a builtin answers by the time of the request.
pub(crate) fn reads_now(name: &str) -> bool {
    name == "time.now_ns" || clocked(name).is_some()
}

/// A text that is written out in a policy, and where.
pub(crate) type Text<'a> = (&'a Span, &'a str);

/// The first text among the arguments of a builtin, or in the lists that they are, with which every call fails; with
/// what is wrong with it, and what to write instead.
pub(crate) fn wrong_constant<'a>(
    name: &str,
    arguments: &[Vec<Text<'a>>],
) -> Option<(&'a Span, Fail, &'static str)> {
    row(name)?.constants.iter().find_map(|(at, wrong)| {
        let texts = arguments.get(*at)?;
        texts.iter().find_map(|(span, text)| wrong(text).map(|(fail, instead)| (*span, fail, instead)))
    })
}

/// Puts guards and our own builtins in the place of the engine's.
pub(crate) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    for &row in TABLE.values() {
        let name = row.name;
        let builtin = ENGINE.get(name).copied();
        match (row.by, builtin) {
            (By::Engine | By::Refused(_), _) | (By::Ours(_) | By::Guard(_), None) => {}
            (By::Ours(answer), Some(_))
            | (By::Added(answer) | By::Own(answer, _) | By::Within(answer, _) | By::Before(answer), _) => {
                let called = if let By::Within(_, of) = row.by { of } else { name };
                let ours = move |args: Vec<Value>| answer(&args).map_err(|fail| report(called, &fail));
                engine.add_extension(name.to_owned(), row.arity(), Box::new(ours))?;
            }
            (By::Guard(guard), Some(builtin)) => {
                let guarded = move |args: Vec<Value>| {
                    guard(&args).map_err(|fail| report(name, &fail))?;
                    run_engines(builtin, &args).map_err(|error| engines_own(name, &error))
                };
                engine.add_extension(name.to_owned(), builtin.1, Box::new(guarded))?;
            }
        }
    }
    Ok(())
}

fn report(name: &'static str, fail: &Fail) -> anyhow::Error {
    if let Fail::Limit(limit) = fail {
        turn::exceed(said(name), limit);
    }
    anyhow::anyhow!("{}: {fail}", said(name))
}

/// What the engine's own builtin says, by its name and without a place, which the engine adds around it.
fn engines_own(name: &str, error: &anyhow::Error) -> anyhow::Error {
    let message = error.to_string();
    let why = Said::of(&message).why;
    if why.contains(name) { anyhow::anyhow!("{why}") } else { anyhow::anyhow!("{name}: {why}") }
}

/// The name of a builtin as authors write it: the translation writes some in the place of what they wrote.
pub(crate) fn said(name: &str) -> &str {
    match row(name) {
        Some(Builtin { by: By::Within(_, of), .. }) => of,
        Some(row) => row.said,
        None => name,
    }
}

/// Runs the engine's own builtin. It wants the source of its arguments for its messages; the engine adds the real
/// place of the call around ours.
fn run_engines(builtin: BuiltinFcn, args: &[Value]) -> anyhow::Result<Value> {
    static PLACE: LazyLock<Option<(Span, Vec<Ref<Expr>>)>> = LazyLock::new(|| {
        let source = Source::from_contents("call".to_owned(), "argument".to_owned()).ok()?;
        let span = Span { source, line: 1, col: 1, start: 0, end: 8 };
        let argument = || Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
        Some((span.clone(), vec![argument(), argument(), argument(), argument()]))
    });
    let Some((span, params)) = PLACE.as_ref() else { anyhow::bail!("no source text for messages") };
    let params = params.get(..args.len()).unwrap_or_default();
    builtin.0(span, params, args, true)
}

/// Answers by the time that stands before the arguments; where there is none, by that of the decision.
fn at(args: &[Value], answer: fn(&[Value]) -> Result<Value, Fail>) -> Result<Value, Fail> {
    let Some((Value::Array(now), args)) = args.split_first() else { return Err(time_now::NO_TIME) };
    match now.first() {
        None => answer(args),
        Some(now) => {
            let now =
                now.as_u64().map_err(|_| Fail::Argument("takes the time from input.now, a whole number"))?;
            turn::at(now, || answer(args))
        }
    }
}

/// What the engine's own builtin answers; none when it fails.
fn engines(name: &str, args: &[Value]) -> Option<Value> {
    run_engines(*ENGINE.get(name)?, args).ok().filter(|value| *value != Value::Undefined)
}

/// The text of an argument.
fn text(value: &Value) -> Result<&str, Fail> {
    value.as_string().map(AsRef::as_ref).map_err(|_| Fail::Argument("takes text"))
}

#[cfg(test)]
mod tests;
