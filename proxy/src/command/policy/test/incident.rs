//! A recorded decision as a test that says what should have come of it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use postern_policy::MASKED;
use serde::Serialize as _;
use serde_json::Value;

use crate::command::at_hand::ENTRYPOINT;
use crate::command::explain::{self, Recorded};
use crate::command::policy::entrypoint;
use crate::command::reasons::printable;
use crate::command::{ConfigFile, Exit, Failure, Outcome};

/// Deepest nesting of an input that can be written into a module; the gate has a limit for all of it.
const DEPTH: usize = 9;

#[derive(Debug, Args)]
pub(super) struct Incident {
    /// Write a test out of a recorded decision: the id of a record, or `-` for one on standard input
    #[arg(long, value_name = "RECORD", conflicts_with = "paths")]
    pub(super) from_record: Option<String>,
    /// The file of records; without it, `records.file` of the configuration
    #[arg(long, value_name = "FILE", requires = "from_record")]
    records: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    /// What should come of it; without it the opposite of what was recorded
    #[arg(long, value_enum, requires = "from_record")]
    expect: Option<Expected>,
    /// The test's name behind `test_`; without it `incident_` and the record's id
    #[arg(long, value_name = "NAME", requires = "from_record", value_parser = name)]
    name: Option<String>,
    /// Where it is written, a new file *_test.rego; without it, to standard output
    #[arg(long, short, value_name = "FILE", requires = "from_record")]
    output: Option<PathBuf>,
    /// The rule that decides, as for `check`; without it, `policy.entrypoint` of the configuration, or
    /// `data.postern.decision`
    #[arg(long, short, value_name = "RULE", requires = "from_record", value_parser = entrypoint)]
    entrypoint: Option<String>,
}

/// What should come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Expected {
    /// It is let through
    Allow,
    /// It is not
    Deny,
}

fn name(text: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = (1..=100).contains(&text.len()) && text.bytes().all(plain);
    fits.then(|| text.to_owned()).ok_or("expected letters, digits and _")
}

impl Incident {
    /// The rule that decides.
    fn decides(&self) -> Result<String, String> {
        if let Some(entrypoint) = &self.entrypoint {
            return Ok(entrypoint.clone());
        }
        let config = self.config.if_any()?;
        Ok(config.map_or_else(|| ENTRYPOINT.to_owned(), |config| config.policy.entrypoint))
    }
}

/// Writes the test of the record with this id.
pub(super) fn write(arguments: &Incident, id: &str) -> Result<Outcome, Failure> {
    let record = explain::found(id, arguments.records.as_deref(), &arguments.config.config)?.record;
    let entrypoint = arguments.decides().map_err(|errors| Failure::Said(Exit::Configuration, errors))?;
    let text = text(&record, &entrypoint, arguments.expect, arguments.name.as_deref())
        .map_err(|why| Failure::Said(Exit::NotFound, format!("{}: {why}", printable(id))))?;
    let Some(file) = &arguments.output else { return Ok(Outcome::said(text)) };
    put(file, &text)
        .map_err(|why| Failure::Said(Exit::Configuration, format!("{}: {why}", file.display())))?;
    Ok(Outcome::said(format!("{}: written; {}\n", file.display(), prospect(&record, arguments.expect))))
}

/// What becomes of the test, as far as the record tells.
fn prospect(record: &Value, expected: Option<Expected>) -> String {
    let recorded = Recorded::of(record);
    let masked = recorded.iter().flat_map(|recorded| &recorded.input).flat_map(|input| &input.masked);
    let masked: Vec<&str> = masked.map(String::as_str).collect();
    let same = recorded
        .as_ref()
        .is_some_and(|recorded| expected.is_some_and(|it| (it == Expected::Allow) == recorded.allow));
    if !masked.is_empty() {
        let masked = masked.join(", ");
        format!(
            "the record masks {masked}: write what matters of it, or the test may fail whatever the policy says"
        )
    } else if same {
        "it expects what was recorded, and fails when the policy answers otherwise".to_owned()
    } else {
        "it fails until the policy is mended".to_owned()
    }
}

/// A new file: what somebody wrote by hand is not written over.
fn put(file: &Path, text: &str) -> Result<(), String> {
    let named = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !named.ends_with("_test.rego") {
        return Err("the name must end in _test.rego, or it would be a part of the policy".to_owned());
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => "is there already and is not written over: name a new file".to_owned(),
        _ => error.to_string(),
    })
}

/// The module, for Postern and OPA alike.
fn text(
    record: &Value,
    entrypoint: &str,
    expected: Option<Expected>,
    name: Option<&str>,
) -> Result<String, String> {
    let recorded = Recorded::of(record).ok_or("policy did not judge this one")?;
    let kept = recorded.input.as_ref();
    let kept = kept.ok_or("the record holds no input: `records.input.of` says of which it is kept")?;
    if depth(&kept.document) > DEPTH {
        return Err(format!("the input is nested more than {DEPTH} deep, which no module may be"));
    }
    let package = entrypoint.strip_prefix("data.").and_then(|rest| rest.rsplit_once('.'));
    let (package, _) = package.ok_or("the entrypoint is no rule of a package, like data.postern.decision")?;
    let allow = expected.map_or(!recorded.allow, |expected| expected == Expected::Allow);
    let id = record.get("id").and_then(Value::as_str).unwrap_or("unnamed");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name =
        name.map_or_else(|| format!("incident_{}", id.chars().map(plain).collect::<String>()), str::to_owned);
    let now = kept.document.get("now").and_then(Value::as_u64);
    // What `time.now_ns` answers in a live decision.
    let now = now.map_or_else(String::new, |now| format!(" with time.now_ns as {now}000000000"));
    let not = if allow { "" } else { "not " };
    Ok(format!(
        "{}package {package}\n\n{name} := {}\n\ntest_{name} if {{\n\tanswer := {entrypoint} with input as {name}{now}\n\t\
         {not}{name}_allows(answer)\n}}\n\n{name}_allows(answer) if answer == true\n\n{name}_allows(answer) if answer.allow == true\n",
        comments(&recorded, record, id, allow),
        rego(&kept.document),
    ))
}

/// What was recorded, what is wanted, and what the record does not tell.
fn comments(recorded: &Recorded, record: &Value, id: &str, allow: bool) -> String {
    let word = |allow: bool| if allow { "allowed" } else { "denied" };
    let at = record.get("at").and_then(Value::as_str).unwrap_or("an unknown time");
    let mut text =
        vec![format!("Record {id} of {at}: {}. It should be {}.", word(recorded.allow), word(allow))];
    for (what, said) in [("rule", &recorded.rule), ("reason", &recorded.reason), ("code", &recorded.code)] {
        text.extend(said.as_ref().map(|said| format!("Its {what}: {said}")));
    }
    let kept = recorded.input.as_ref();
    let masked = kept.map_or(&[][..], |kept| &kept.masked);
    if !masked.is_empty() {
        text.push(format!("{MASKED} in the record; write what matters: {}", masked.join(", ")));
    }
    let shortened = kept.map_or(&[][..], |kept| &kept.shortened);
    if !shortened.is_empty() {
        text.push(format!("Shortened in the record: {}", shortened.join(", ")));
    }
    // What callers wrote may hold an end of line, behind which no comment goes on.
    text.iter().map(|line| format!("# {}\n", printable(line))).collect()
}

/// JSON as Rego reads it, and as `opa fmt` writes it.
fn rego(value: &Value) -> String {
    let mut text = Vec::new();
    let style = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut writer = serde_json::Serializer::with_formatter(&mut text, style);
    // A value of JSON is written to memory: neither fails.
    let _written = value.serialize(&mut writer);
    String::from_utf8(text).unwrap_or_default()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
