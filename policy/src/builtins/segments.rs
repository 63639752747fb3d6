//! `spiffe.parse`, `spiffe.matches` and `path.matches`: names are compared segment by segment, so that a pattern never
//! reaches further than it looks.

use regorus::Value;
use regorus::value::Object;

use super::row::{Builtin, By, Page};
use super::signatures::{BOOL, LIST, OBJECT, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("path.matches", &[TEXT, TEXT.or(LIST)], BOOL, By::Own(path_matches, &PATH_MATCHES))
        .constants(&[(0, wrong_path_pattern)]),
    Builtin::new("spiffe.matches", &[TEXT, TEXT], BOOL, By::Own(id_matches, &ID_MATCHES))
        .constants(&[(0, wrong_id_pattern)]),
    Builtin::new("spiffe.parse", &[TEXT], OBJECT, By::Own(parse, &PARSE)).constants(&[(0, wrong_id)]),
];

const PATH_MATCHES: Page = Page {
    arguments: "pattern, path",
    what: "Whether a path is as the pattern says, segment by segment: `*` is one segment that is not empty, `**` as \
           the last one is the rest, which may be none; all else stands for itself. The path is text as it was \
           written, or `input.request.segments`, where an encoded slash stays inside its segment. A pattern that \
           has `*` inside a segment or `**` before the end is refused at load; a path with `.` or `..` as a segment \
           is an error.",
    examples: &[
        (r#"path.matches("/postings/*/lines", "/postings/7/lines")"#, "true"),
        (r#"path.matches("/postings/*", "/postings/7/lines")"#, "false"),
        (r#"path.matches("/postings/**", "/postings/7/lines")"#, "true"),
        (r#"path.matches("/postings/**", "/postings")"#, "true"),
        (r#"path.matches("/postings/**", "/postings-old")"#, "false"),
        (r#"path.matches("/files/*", ["files", "a/b"])"#, "true"),
    ],
};

const ID_MATCHES: Page = Page {
    arguments: "pattern, id",
    what: "Whether a SPIFFE ID is as the pattern says: the trust domain is always said in full, the path is compared \
           as by `path.matches`. What is no SPIFFE ID matches nothing.",
    examples: &[
        (
            r#"spiffe.matches("spiffe://bank.example/ns/*/sa/eod", "spiffe://bank.example/ns/batch/sa/eod")"#,
            "true",
        ),
        (
            r#"spiffe.matches("spiffe://bank.example/ns/batch/**", "spiffe://bank.example/ns/batch/sa/eod")"#,
            "true",
        ),
        (
            r#"spiffe.matches("spiffe://bank.example/ns/batch/**", "spiffe://bank.example/ns/batch-test/sa/eod")"#,
            "false",
        ),
        (r#"spiffe.matches("spiffe://bank.example/**", "spiffe://bank.example.org/ns/a")"#, "false"),
        (r#"spiffe.matches("spiffe://bank.example/**", "alice@bank.example")"#, "false"),
    ],
};

const PARSE: Page = Page {
    arguments: "id",
    what: "The trust domain and the segments of a SPIFFE ID; an error for what is none. The caller's own stand in \
           `input.caller` already.",
    examples: &[(
        r#"spiffe.parse("spiffe://bank.example/ns/batch")"#,
        r#"{"trust_domain": "bank.example", "path": ["ns", "batch"]}"#,
    )],
};

/// Longest SPIFFE ID, in bytes.
const LONGEST_ID: usize = 2_048;
/// Longest trust domain, in bytes.
const LONGEST_DOMAIN: usize = 255;
/// Longest path and pattern, in bytes.
const LONGEST: usize = 8 * 1024;

const WANT_ID: Fail = Fail::Argument("takes a SPIFFE ID");
const WANT_PATTERN: Fail =
    Fail::Argument("takes a pattern whose segments are text, `*` or, as the last, `**`");
const WANT_ID_PATTERN: Fail = Fail::Argument(
    "takes a pattern spiffe://TRUST_DOMAIN/… whose segments are text, `*` or, as the last, `**`",
);

/// What is wrong with a constant pattern of `path.matches`, and what to write instead.
fn wrong_path_pattern(pattern: &str) -> Option<(Fail, &'static str)> {
    let instead = "such as `/postings/*/lines`, or `/postings/**` for all below; else regex.match";
    path_pattern(pattern).err().map(|fail| (fail, instead))
}

/// What is wrong with a constant pattern of `spiffe.matches`, and what to write instead.
fn wrong_id_pattern(pattern: &str) -> Option<(Fail, &'static str)> {
    let instead =
        "such as `spiffe://bank.example/ns/*/sa/eod`, or `spiffe://bank.example/ns/**` for all below";
    id_pattern(pattern).err().map(|fail| (fail, instead))
}

/// What is wrong with a constant SPIFFE ID, and what to write instead.
fn wrong_id(id: &str) -> Option<(Fail, &'static str)> {
    id_of(id).is_none().then_some((WANT_ID, "such as `spiffe://bank.example/ns/batch/sa/eod`"))
}

/// `spiffe.parse(id)`.
fn parse(args: &[Value]) -> Result<Value, Fail> {
    let [id] = args else { return Err(Fail::Argument("takes one SPIFFE ID")) };
    let (domain, path) = id_of(text(id)?).ok_or(WANT_ID)?;
    let mut parts = Object::new();
    parts.insert(Value::from("trust_domain"), Value::from(domain));
    parts.insert(Value::from("path"), Value::from(path.into_iter().map(Value::from).collect::<Vec<_>>()));
    Ok(parts.into_value())
}

/// `spiffe.matches(pattern, id)`; what is no SPIFFE ID matches none.
fn id_matches(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, id] = args else { return Err(Fail::Argument("takes a pattern and a SPIFFE ID")) };
    let (domain, pattern) = id_pattern(text(pattern)?)?;
    let Some((of, path)) = id_of(text(id)?) else { return Ok(Value::Bool(false)) };
    Ok(Value::Bool(domain == of && matches(&pattern, &path)))
}

/// `path.matches(pattern, path)`, the path as text or as its segments.
fn path_matches(args: &[Value]) -> Result<Value, Fail> {
    let [pattern, path] = args else { return Err(Fail::Argument("takes a pattern and a path")) };
    weigh::linear(args)?;
    let pattern = path_pattern(text(pattern)?)?;
    let path = match path {
        Value::Array(segments) => segments.iter().map(text).collect::<Result<Vec<_>, _>>()?,
        path => segments(text(path)?).ok_or(Fail::Argument("takes a path that begins with /"))?,
    };
    if path.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(Fail::Argument("takes a path without . and .. as segments"));
    }
    Ok(Value::Bool(matches(&pattern, &path)))
}

/// `*` is one segment that is not empty; `**` the rest, which may be none.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    let (pattern, rest) = match pattern.split_last() {
        Some((&"**", before)) => (before, true),
        _ => (pattern, false),
    };
    let long_enough = if rest { path.len() >= pattern.len() } else { path.len() == pattern.len() };
    let fits = |(want, segment): (&&str, &&str)| {
        if *want == "*" { !segment.is_empty() } else { want == segment }
    };
    long_enough && pattern.iter().zip(path).all(fits)
}

/// The segments of a path; none for `/`.
fn segments(path: &str) -> Option<Vec<&str>> {
    let rest = path.strip_prefix('/')?;
    Some(if rest.is_empty() { Vec::new() } else { rest.split('/').collect() })
}

fn path_pattern(pattern: &str) -> Result<Vec<&str>, Fail> {
    if pattern.len() > LONGEST {
        return Err(Fail::Limit("a pattern of at most 8192 bytes"));
    }
    let segments = segments(pattern).ok_or(Fail::Argument("takes a pattern that begins with /"))?;
    wild_only_whole(segments, |segment| !matches!(segment, "." | "..")).ok_or(WANT_PATTERN)
}

fn id_pattern(pattern: &str) -> Result<(&str, Vec<&str>), Fail> {
    let (domain, path) = domain_and_path(pattern).ok_or(WANT_ID_PATTERN)?;
    Ok((domain, wild_only_whole(path, is_spiffe_segment).ok_or(WANT_ID_PATTERN)?))
}

/// The pattern, when `*` stands for whole segments and `**` at the end alone, and the others are as they may be.
fn wild_only_whole(segments: Vec<&str>, fits: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
    let last = segments.len().saturating_sub(1);
    let plain = |(at, segment): (usize, &&str)| {
        *segment == "*" || (*segment == "**" && at == last) || (!segment.contains('*') && fits(segment))
    };
    segments.iter().enumerate().all(plain).then_some(segments)
}

fn id_of(id: &str) -> Option<(&str, Vec<&str>)> {
    domain_and_path(id).filter(|(_, path)| path.iter().all(|segment| is_spiffe_segment(segment)))
}

/// Whether this is a SPIFFE ID.
pub(crate) fn is_spiffe_id(id: &str) -> bool {
    id_of(id).is_some()
}

fn domain_and_path(id: &str) -> Option<(&str, Vec<&str>)> {
    let rest = id.strip_prefix("spiffe://").filter(|_| id.len() <= LONGEST_ID)?;
    let mut parts = rest.split('/');
    let domain = parts.next().filter(|domain| (1..=LONGEST_DOMAIN).contains(&domain.len()))?;
    let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    domain.bytes().all(fits).then(|| (domain, parts.collect()))
}

/// Whether this may be one segment of a SPIFFE ID's path.
pub(crate) fn is_spiffe_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}
