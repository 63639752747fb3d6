use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Exit, Outcome};
use crate::config;
use crate::fault::{Code, Owner, codes};

/// The longest line of a record that is read, in bytes; ours are far shorter.
const LONGEST: u64 = 1 << 20;

pub(super) fn explain(what: &str, records: Option<&Path>, file: &Path) -> Outcome {
    if let Some(code) = code_of(what) {
        let mut text = String::new();
        describe_code(&mut text, code, code.hint);
        return Outcome::said(text);
    }
    if what.to_ascii_uppercase().starts_with("PST-") {
        return Outcome::failed(Exit::NotFound, format!("no code is called {what}\n"));
    }
    let records = match records.map(Path::to_owned).map_or_else(|| configured(file), Ok) {
        Ok(records) => records,
        Err(outcome) => return outcome,
    };
    match find(&records, what) {
        Ok(Some(found)) => Outcome::said(found.text()),
        Ok(None) => {
            Outcome::failed(Exit::NotFound, format!("{}: no record is called {what}\n", records.display()))
        }
        Err(error) => {
            let text = format!("{}: cannot be read: {error}\n", records.display());
            Outcome::failed(Exit::Configuration, text)
        }
    }
}

fn configured(file: &Path) -> Result<PathBuf, Outcome> {
    let config =
        config::load(file).map_err(|errors| Outcome::failed(Exit::Configuration, format!("{errors}\n")))?;
    let records = config.records.file;
    records.ok_or_else(|| {
        let text = "records go to standard output: name the file that holds them with --records\n";
        Outcome::failed(Exit::Usage, text.to_owned())
    })
}

/// A record and those that belong to it.
struct Found {
    record: Value,
    /// `access.opened` and `access.ended` of its access, `session.opened` and `session.ended` of it, in order.
    related: Vec<Value>,
}

/// The records are read twice, for an access is opened before the record that names it is written.
fn find(file: &Path, id: &str) -> io::Result<Option<Found>> {
    let mut record = None;
    each(file, |value| {
        if part(&value, "/id").as_str() == Some(id) {
            record = Some(value);
        }
    })?;
    let Some(record) = record else { return Ok(None) };
    let access = part(&record, "/credential/access");
    let mut related = Vec::new();
    each(file, |value| {
        let of_access = access.is_string() && part(&value, "/access") == access;
        if of_access || part(&value, "/request").as_str() == Some(id) {
            related.push(value);
        }
    })?;
    Ok(Some(Found { record, related }))
}

/// The value at a JSON pointer; `null` where there is none.
fn part<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Every line that is a JSON object; a line cut short by a crash is passed over.
fn each(file: &Path, mut take: impl FnMut(Value)) -> io::Result<()> {
    let mut lines = BufReader::new(File::open(file)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Ok(value @ Value::Object(_)) = serde_json::from_slice(&line) {
            take(value);
        }
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
    fn text(&self) -> String {
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
        self.describe_related(&mut text);
        if let Some(id) = part(record, "/code").as_str() {
            match code_of(id) {
                Some(code) => describe_code(&mut text, code, next(code)),
                None => row(&mut text, "code", [&Value::from(id), &Value::from("not known to this version")]),
            }
        }
        let whole = serde_json::to_string_pretty(record).unwrap_or_default();
        format!("{text}\n{whole}\n")
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

fn line(text: &mut String, name: &str, said: &str) {
    // Writing to a `String` cannot fail.
    let _written = writeln!(text, "{name:<11} {said}");
}

/// A value without what could move the reader's cursor: paths come from callers.
fn plain(value: &Value) -> String {
    match value.as_str() {
        Some(word) => word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
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

fn describe_code(text: &mut String, code: &Code, hint: &str) {
    let acts = match code.owner {
        Owner::Caller => "whoever sent the request",
        Owner::Operator => "whoever runs this sidecar or its vault",
        Owner::Upstream => "whoever runs the old system",
        Owner::Postern => "Postern's authors",
    };
    line(text, "code", &format!("{}  {}", code.id, code.summary));
    line(text, "who acts", acts);
    line(text, "next", hint);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = concat!(
        r#"{"kind":"access.opened","at":"2026-11-21T18:00:00Z","access":"a-1"}"#,
        "\n{\"kind\":\"request\",\"id\":\"r-1\",\"outcome\":\"refused\",\"code\":\"PST-AZ-010\",",
        r#""caller":{"id":"spiffe://td/a","proof":"x509_svid"},"request":{"method":"GET","path":"/\u001b[2J"},"#,
        r#""decision":{"id":"d-1","allow":false,"rule":"closed","reason":"after hours","policy":{"main":"r42"}},"#,
        r#""credential":{"name":"app","access":"a-1","lease":"h:3f"}}"#,
        "\nnot json\n",
        r#"{"kind":"access.ended","at":"2026-11-21T18:10:00Z","access":"a-1","reason":"idle","proof":"vault:revoked","requests":4}"#,
        "\n{\"kind\":\"requ",
    );

    fn explained(id: &str, records: &str) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records.jsonl");
        std::fs::write(&file, records).unwrap();
        explain(id, Some(&file), Path::new("/unread"))
    }

    #[test]
    fn a_record_is_told_with_its_rule_policy_lease_end_and_hint() {
        let outcome = explained("r-1", RECORDS);
        assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
        for word in [
            "spiffe://td/a",
            "d-1  closed  after hours",
            "denied it",
            "main  r42",
            "app  a-1  h:3f",
            "access.ended  2026-11-21T18:10:00Z  idle  vault:revoked  4 requests",
            "PST-AZ-010  policy denied the request",
            "next        the decision above says which rule",
        ] {
            assert!(outcome.out.contains(word), "`{word}` is not in:\n{}", outcome.out);
        }
        assert!(!outcome.out.contains("postern explain"), "sends in a circle:\n{}", outcome.out);
        assert!(!outcome.out.contains('\u{1b}'), "a caller's escape sequence came through");
    }

    #[test]
    fn an_access_that_goes_on_is_said_to_go_on() {
        let outcome = explained("r-1", RECORDS.lines().nth(1).unwrap());
        assert!(outcome.out.contains("the access has not ended in these records"), "{}", outcome.out);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(explained("r-2", RECORDS).exit, Exit::NotFound);
        // Records that cannot be read say nothing of what is in them.
        let unread = explain("r-2", Some(Path::new("/nonexistent")), Path::new("/unread"));
        assert_eq!(unread.exit, Exit::Configuration, "{}", unread.err);
    }

    #[test]
    fn a_code_is_explained_without_records() {
        let outcome = explain("pst-cr-002", None, Path::new("/unread"));
        assert!(outcome.out.contains("the vault is sealed"), "{}", outcome.out);
        let unknown = explain("PST-CR-999", None, Path::new("/unread"));
        assert_eq!((unknown.exit, unknown.err.as_str()), (Exit::NotFound, "no code is called PST-CR-999\n"));
    }
}
