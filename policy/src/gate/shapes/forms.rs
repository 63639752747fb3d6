//! Texts of the input that have a form: a text in another form is equal to none of them, and none begins with it.

use super::place::Place;
use crate::builtins::{is_spiffe_id, is_spiffe_segment};

/// Methods that no policy is asked about.
const REFUSED: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

/// What HTTP is called; databases have names of their own.
const PROTOCOLS: [&str; 2] = ["http/1.1", "http/2"];

fn is_http(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with("http") || matches!(text.as_str(), "h2" | "h2c")
}

/// What is true of all texts here and not of this one, and what to write instead.
pub(super) fn never(place: &Place<'_>, text: &str) -> Option<(&'static str, String)> {
    let upper = || text.bytes().any(|byte| byte.is_ascii_uppercase());
    match place.path() {
        "input.request.method" if text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            Some(("is in upper case", quoted(&text.to_ascii_uppercase())))
        }
        "input.request.protocol" if !PROTOCOLS.contains(&text) && is_http(text) => {
            let instead = "`startswith(input.request.protocol, \"http/\")`, or `input.request.scheme`";
            Some(("is `http/1.1` or `http/2` for HTTP", instead.to_owned()))
        }
        "input.request.method" if REFUSED.contains(&text) => Some((
            "is none of CONNECT, TRACE and TRACK, which are refused before",
            "another method".to_owned(),
        )),
        "input.request.path" if !text.starts_with('/') => {
            Some(("begins with `/`", quoted(&format!("/{text}"))))
        }
        "input.request.path" => path(text),
        "input.request.host" if upper() => Some(("is in lower case", quoted(&text.to_ascii_lowercase()))),
        "input.request.host" if !text.starts_with('[') => {
            let (host, _) = text.split_once(':')?;
            Some(("is without a port", quoted(host)))
        }
        path @ ("input.caller.id" | "input.context.sidecar") if text.starts_with("spiffe://") => {
            (!is_spiffe_id(text)).then(|| id(path, text))
        }
        "input.caller.trust_domain" if text.starts_with("spiffe://") => {
            let name = text.trim_start_matches("spiffe://").split('/').next().unwrap_or_default();
            Some(("is a name without `spiffe://`", quoted(name)))
        }
        at if at.starts_with("input.caller.path[") && !is_spiffe_segment(text) => {
            let instead = "one segment; for others `spiffe.matches(\"spiffe://…\", input.caller.id)`";
            Some(("is a segment of letters, digits, `.`, `-` and `_`", instead.to_owned()))
        }
        _ => None,
    }
}

/// The same of a text that one here would begin with.
pub(super) fn never_begins(place: &Place<'_>, text: &str) -> Option<(&'static str, String)> {
    match place.path() {
        "input.request.path" if !text.is_empty() && !text.starts_with('/') => {
            Some(("begins with `/`", quoted(&format!("/{text}"))))
        }
        "input.request.path" => path(text),
        path @ ("input.caller.id" | "input.context.sidecar")
            if text.starts_with("spiffe://") && text.contains('*') =>
        {
            Some(id(path, text))
        }
        _ => None,
    }
}

fn path(text: &str) -> Option<(&'static str, String)> {
    if let Some((before, _)) = text.split_once('?') {
        return Some(("is without the query", format!("{}, and `input.request.query`", quoted(before))));
    }
    let seen = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
    let instead = "`input.request.segments`, which are decoded";
    (!seen).then(|| ("is as it is sent, with all but visible ASCII as `%…`", instead.to_owned()))
}

fn id(path: &str, text: &str) -> (&'static str, String) {
    let instead = if text.contains('*') {
        format!("`spiffe.matches({}, {path})`", regorus::Value::from(text))
    } else {
        "an id such as `\"spiffe://example.org/ns/a\"`: its trust domain in lower case, no segment empty"
            .to_owned()
    };
    ("is a SPIFFE ID", instead)
}

fn quoted(text: &str) -> String {
    format!("`{}`", regorus::Value::from(text))
}
