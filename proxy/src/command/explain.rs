mod decision;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

pub(in crate::command) use decision::Recorded;

use super::at_hand::AtHand;
use super::policy::Format;
use super::reasons::{line, lines, printable};
use super::{ConfigFile, Exit, Failure, Outcome, pretty_json};
use crate::config;
use crate::fault::{Code, Owner, codes};
use decision::Again;

/// The longest line of a record that is read, in bytes; ours are far shorter.
const LONGEST: u64 = 1 << 20;

pub(super) const HELP: &str = "\
Examples:
  postern explain r-7q2m4d1x9z0k --config postern.yaml
  postern explain r-7q2m4d1x9z0k --records /var/log/postern/records.jsonl --policy policy/
  grep r-7q2m4d1x9z0k records.jsonl | postern explain - --policy policy/ --policy library/
  postern explain PST-CR-003

The id stands in the record and in the body of a refusal. A code alone is explained without records. A decision is \
judged again, with the policy of the configuration or the one named here: which clauses held, at which statement the \
others stopped, and what that read. A bundle of a service is read from the copy that the state folder keeps of it, \
verified as at a start; a note says its revision and how long it has been kept. What it judges is what the record kept of the input (`records.input`), in which \
values that callers wrote are masked.

Exits with 0 when there is such a record, with 7 if there is no such record or code, and with 3 if the records, or \
the policy or the configuration that is named, cannot be read. With --format json, what went wrong is a list `errors` \
on standard output.";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The record's id, like r-7q2m4d1x9z0k; a code, like PST-CR-003; or `-` for a record on standard input
    #[arg(value_name = "RECORD")]
    what: String,
    /// The file of records; without it, `records.file` of the configuration
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// Folder or bundle of the policy; may be repeated; without it, that of the configuration
    #[arg(long, value_name = "PATH")]
    policy: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, short, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn explain(arguments: &Arguments) -> Outcome {
    told(arguments).unwrap_or_else(|failure| failure.outcome(arguments.format))
}

fn told(arguments: &Arguments) -> Result<Outcome, Failure> {
    let what = arguments.what.as_str();
    if let Some(code) = code_of(what) {
        return Ok(Outcome::said(match arguments.format {
            Format::Pretty => {
                let mut text = String::new();
                describe_code(&mut text, code, code.hint);
                text
            }
            Format::Json => pretty_json(&json!({"code": code_json(code, code.hint)})),
        }));
    }
    if what.to_ascii_uppercase().starts_with("PST-") {
        return Err(Failure::Said(Exit::NotFound, format!("no code is called {}", printable(what))));
    }
    let found = found(what, arguments.records.as_deref(), &arguments.config.config)?;
    let again = match found.again(arguments) {
        Ok(again) => again,
        Err(why) if !arguments.policy.is_empty() => {
            return Err(Failure::Said(Exit::Configuration, why));
        }
        Err(why) => Some(Err(why)),
    };
    Ok(Outcome::said(match arguments.format {
        Format::Pretty => found.text(again.as_ref()),
        Format::Json => found.json(again.as_ref()),
    }))
}

/// A record by its id, in the file that is named or configured; or the one on standard input.
pub(in crate::command) fn found(what: &str, records: Option<&Path>, file: &Path) -> Result<Found, Failure> {
    if what == "-" {
        return read_one(io::stdin());
    }
    let records = records.map(Path::to_owned).map_or_else(|| configured(file), Ok)?;
    match find(&records, what) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(unread)) => {
            let unread = unread.map_or_else(String::new, |line| {
                format!("; line {line} is not read, for it is no JSON object: each record stands on one line")
            });
            let why = format!("{}: no record is called {}{unread}", records.display(), printable(what));
            Err(Failure::Said(Exit::NotFound, why))
        }
        Err(error) => {
            let why = format!("{}: cannot be read: {error}", records.display());
            Err(Failure::Said(Exit::Configuration, why))
        }
    }
}

/// The first record of a stream, and nothing of what belongs to it.
fn read_one(from: impl Read) -> Result<Found, Failure> {
    let mut text = Vec::new();
    let wrong = |why: &str| Failure::Said(Exit::Configuration, format!("standard input: {why}"));
    let read = BufReader::new(from.take(LONGEST)).read_until(b'\n', &mut text);
    read.map_err(|error| wrong(&error.to_string()))?;
    match serde_json::from_slice(&text) {
        Ok(record) if record.get("kind").is_some_and(Value::is_string) => {
            Ok(Found { record, related: Vec::new() })
        }
        Ok(Value::Object(_)) => Err(wrong("an object without a `kind` is no record")),
        Ok(_) | Err(_) => Err(wrong("the first line is no record: one JSON object, of at most 1 MiB")),
    }
}

fn configured(file: &Path) -> Result<PathBuf, Failure> {
    let config = config::load_at_rest(file).map_err(|errors| {
        let without =
            if file.exists() { "" } else { "\nwithout a configuration: --records FILE names the records" };
        Failure::Said(Exit::Configuration, format!("{errors}{without}"))
    })?;
    let records = config.records.file;
    records.ok_or_else(|| {
        let why = "records go to standard output: name the file that holds them with --records";
        Failure::Said(Exit::Usage, why.to_owned())
    })
}

/// A record and those that belong to it.
pub(in crate::command) struct Found {
    pub(in crate::command) record: Value,
    /// `access.opened` and `access.ended` of its access, `session.opened` and `session.ended` of it, in order.
    related: Vec<Value>,
}

/// The records are read twice, for an access is opened before the record that names it is written. Without such a record
/// the first line that is none.
fn find(file: &Path, id: &str) -> io::Result<Result<Found, Option<u64>>> {
    let mut record = None;
    let unread = each(file, |value| {
        if part(&value, "/id").as_str() == Some(id) {
            record = Some(value);
        }
    })?;
    let Some(record) = record else { return Ok(Err(unread)) };
    let access = part(&record, "/credential/access");
    let mut related = Vec::new();
    each(file, |value| {
        let of_access = access.is_string() && part(&value, "/access") == access;
        if of_access || part(&value, "/request").as_str() == Some(id) {
            related.push(value);
        }
    })?;
    Ok(Ok(Found { record, related }))
}

/// The value at a JSON pointer; `null` where there is none.
fn part<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Every line that is a JSON object; a line cut short by a crash is passed over. Gives the number of the first one that
/// is passed over.
fn each(file: &Path, mut take: impl FnMut(Value)) -> io::Result<Option<u64>> {
    let mut lines = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    let (mut number, mut unread) = (1, None);
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(unread);
        }
        match serde_json::from_slice(&line) {
            Ok(value @ Value::Object(_)) => take(value),
            _ if line.trim_ascii().is_empty() => {}
            _ => unread = unread.or(Some(number)),
        }
        number += u64::from(line.ends_with(b"\n"));
    }
}

/// What is told of a record: a line each, of the values at these places.
const LINES: &[(&str, &[&str])] = &[
    ("record", &["/id", "/kind", "/at", "/outcome"]),
    ("caller", &["/caller/id", "/caller/proof"]),
    ("asked", &["/request/method", "/request/host", "/request/path", "/request/protocol"]),
    ("route", &["/listener", "/route"]),
    ("decision", &["/decision/id", "/decision/rule", "/decision/reason"]),
    ("credential", &["/credential/name", "/credential/access", "/credential/lease"]),
    ("upstream", &["/upstream/name", "/upstream/status"]),
];

impl Found {
    /// The decision judged again: none where policy was not asked, or why it cannot be.
    fn again(&self, arguments: &Arguments) -> Result<Option<Result<Again, String>>, String> {
        let Some(recorded) = Recorded::of(&self.record) else { return Ok(None) };
        let config = arguments.config.if_any()?;
        if arguments.policy.is_empty() && config.is_none() {
            return Err("name the policy with --policy, or its configuration with --config".to_owned());
        }
        let at_hand =
            AtHand::read(&arguments.policy, config.as_ref()).map_err(|failure| failure.to_string())?;
        Ok(Some(decision::again(&recorded, &at_hand)))
    }

    fn json(&self, again: Option<&Result<Again, String>>) -> String {
        let explanation = match again {
            None => Value::Null,
            Some(Ok(again)) => again.json(),
            Some(Err(why)) => json!({"error": why}),
        };
        let code = part(&self.record, "/code").as_str().and_then(code_of);
        let code = code.map(|code| code_json(code, next(code)));
        pretty_json(&json!({
            "record": self.record, "related": self.related, "code": code, "explanation": explanation,
        }))
    }

    fn text(&self, again: Option<&Result<Again, String>>) -> String {
        let record = &self.record;
        let mut text = String::new();
        for (name, places) in LINES {
            row(&mut text, name, places.iter().map(|place| part(record, place)));
        }
        if let Some(allow) = part(record, "/decision/allow").as_bool() {
            line(&mut text, "policy", if allow { "allowed it" } else { "denied it" });
        }
        for (name, revision) in part(record, "/decision/policy").as_object().into_iter().flatten() {
            row(&mut text, "policy", [&Value::from(name.as_str()), revision]);
        }
        match again {
            None => {}
            Some(Ok(again)) => again.text(&mut text),
            Some(Err(why)) => lines(&mut text, "judged anew", &format!("no: {why}")),
        }
        self.describe_related(&mut text);
        if let Some(id) = part(record, "/code").as_str() {
            match code_of(id) {
                Some(code) => describe_code(&mut text, code, next(code)),
                None => row(&mut text, "code", [&Value::from(id), &Value::from("not known to this version")]),
            }
        }
        format!("{text}\n{}", pretty_json(record))
    }

    fn describe_related(&self, text: &mut String) {
        for one in &self.related {
            let requests = part(one, "/requests").as_u64();
            let served = requests.map_or(Value::Null, |count| format!("{count} requests").into());
            let places = ["/kind", "/at", "/reason", "/proof", "/code"];
            row(text, "then", places.iter().map(|place| part(one, place)).chain([&served]));
        }
        let ended = self.related.iter().any(|one| part(one, "/kind") == "access.ended");
        if part(&self.record, "/credential/access").is_string() && !ended {
            line(text, "then", "the access has not ended in these records");
        }
    }
}

/// One line of what is there; nothing, where nothing is.
fn row<'a>(text: &mut String, name: &str, values: impl IntoIterator<Item = &'a Value>) {
    let said: Vec<String> = values.into_iter().filter(|value| !value.is_null()).map(plain).collect();
    if !said.is_empty() {
        line(text, name, &said.join("  "));
    }
}

/// A value without what could move the reader's cursor: paths come from callers.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(word) => printable(word),
        None => value.to_string(),
    }
}

fn code_of(id: &str) -> Option<&'static Code> {
    codes::ALL.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
}

/// What to do once the record is explained.
fn next(code: &Code) -> &'static str {
    if code.id == codes::POLICY_DENIED.id {
        "the decision above says which rule and why; where this should be allowed, change the policy or the data it reads"
    } else {
        code.hint
    }
}

fn who_acts(code: &Code) -> &'static str {
    match code.owner {
        // Policy may be right, and may be wrong.
        _ if code.id == codes::POLICY_DENIED.id => {
            "whoever sent the request; where it should be allowed, whoever writes the policy"
        }
        Owner::Caller => "whoever sent the request",
        Owner::Operator => "whoever runs this sidecar, its policy or its vault",
        Owner::Upstream => "whoever runs the old system",
        Owner::Postern => "Postern's authors",
    }
}

fn code_json(code: &Code, hint: &str) -> Value {
    json!({"code": code.id, "summary": code.summary, "who_acts": who_acts(code), "next": hint})
}

fn describe_code(text: &mut String, code: &Code, hint: &str) {
    line(text, "code", &format!("{}  {}", code.id, code.summary));
    line(text, "who acts", who_acts(code));
    line(text, "next", hint);
}

#[cfg(test)]
mod tests;
