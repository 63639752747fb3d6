//! `uri.*`: a reference by RFC 3986, as Go's `net/url` reads it, which OPA calls.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use regorus::Value;

use super::row::{Builtin, By};
use super::signatures::{BOOL, OBJECT, TEXT};
use super::{Fail, text, weigh};

pub(super) const ROWS: &[Builtin] = &[
    Builtin::new("uri.is_valid", &[TEXT], BOOL, By::Added(is_valid)),
    Builtin::new("uri.parse", &[TEXT], OBJECT, By::Added(parse)),
];

const CONTROL: Fail = Fail::Argument("has a control character");
const ESCAPE: Fail =
    Fail::Argument("has a % without two hex digits after it, or one that its place does not allow");
const HOST: Fail = Fail::Argument("has no host that is one");
const PORT: Fail = Fail::Argument("has no port that is one");
const SCHEME: Fail = Fail::Argument("begins with a colon, or has one in its first segment");
const USER: Fail = Fail::Argument("has a character before `@` that cannot stand there");
const UTF8: Fail = Fail::Argument("is not UTF-8 when decoded");

/// Whether it can be read; what is empty or no text cannot.
fn is_valid(args: &[Value]) -> Result<Value, Fail> {
    weigh::linear(args)?;
    let [Value::String(uri)] = args else { return Ok(Value::Bool(false)) };
    Ok(Value::Bool(!uri.is_empty() && Parts::of(uri).is_ok()))
}

/// The parts that are not empty.
fn parse(args: &[Value]) -> Result<Value, Fail> {
    let [uri] = args else { return Err(Fail::Argument("takes one text")) };
    weigh::linear(args)?;
    let parts = Parts::of(text(uri)?)?;
    let (path, fragment) = (utf8(&parts.path)?, utf8(&parts.fragment)?);
    // OPA gives the path as it was written only where writing it anew would not give the same.
    let raw_path = if written(&parts.path) == parts.raw_path { path } else { parts.raw_path };
    let (hostname, port) = host_and_port(&parts.host)?;
    let members = [
        ("scheme", parts.scheme.as_str()),
        ("hostname", hostname),
        ("port", port),
        ("path", path),
        ("raw_path", raw_path),
        ("raw_query", parts.raw_query),
        ("fragment", fragment),
    ];
    let members = members.into_iter().filter(|(_, part)| !part.is_empty());
    let members: BTreeMap<Value, Value> =
        members.map(|(name, part)| (Value::from(name), Value::from(part))).collect();
    Ok(Value::from(members))
}

/// A reference in its parts; what is decoded may be any bytes.
#[derive(Default)]
struct Parts<'a> {
    scheme: String,
    host: Vec<u8>,
    path: Vec<u8>,
    raw_path: &'a str,
    raw_query: &'a str,
    fragment: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Result<Self, Fail> {
        let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
        if uri.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(CONTROL);
        }
        let mut parts = Self { fragment: decoded(fragment, Place::Any)?, ..Self::default() };
        let (scheme, rest) = scheme(uri)?;
        parts.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        parts.raw_query = query;
        let mut path = rest;
        if !rest.starts_with('/') {
            // `mailto:a@b` has nothing else.
            if !scheme.is_empty() {
                return Ok(parts);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err(SCHEME);
            }
        } else if let Some(behind) = rest.strip_prefix("//")
            && (!scheme.is_empty() || !behind.starts_with('/'))
        {
            let (authority, from) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
            parts.host = host(&parts.scheme, authority)?;
            path = from;
        }
        parts.path = decoded(path, Place::Any)?;
        parts.raw_path = path;
        Ok(parts)
    }
}

/// What stands before the first colon, where that can be a scheme, and what behind it.
fn scheme(uri: &str) -> Result<(&str, &str), Fail> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let behind = uri.trim_start_matches(inside);
    let scheme = uri.strip_suffix(behind).unwrap_or_default();
    match behind.strip_prefix(':') {
        Some(_) if scheme.is_empty() => Err(SCHEME),
        Some(rest) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) => Ok((scheme, rest)),
        _ => Ok(("", uri)),
    }
}

/// The host with its port; who stands before `@` is not given.
fn host(scheme: &str, authority: &str) -> Result<Vec<u8>, Fail> {
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            let known = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(known) {
                return Err(USER);
            }
            decoded(user, Place::Any)?;
            host
        }
    };
    if let Some(open) = host.rfind('[') {
        return if open == 0 { literal(host) } else { Err(HOST) };
    }
    let first = host.find(':').unwrap_or(host.len());
    // Lists of hosts are taken where the scheme is none of the web's.
    let colon = if matches!(scheme, "http" | "https") { first } else { host.rfind(':').unwrap_or(first) };
    let port = host.get(colon..).unwrap_or_default();
    if is_port(port.as_bytes()) { decoded(host, Place::Host) } else { Err(PORT) }
}

/// `[::1]:80`.
fn literal(host: &str) -> Result<Vec<u8>, Fail> {
    let (inside, port) = host.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).ok_or(HOST)?;
    if !is_port(port.as_bytes()) {
        return Err(PORT);
    }
    let (address, zone) = inside.split_at(inside.find("%25").unwrap_or(inside.len()));
    let mut found = decoded(address, Place::Host)?;
    found.extend(decoded(zone, Place::Zone)?);
    let address = utf8(&found)?;
    let (address, zone) = address.split_once('%').map_or((address, None), |(own, zone)| (own, Some(zone)));
    if address.parse::<Ipv6Addr>().is_err() || zone.is_some_and(str::is_empty) {
        return Err(HOST);
    }
    Ok([b"[", found.as_slice(), b"]", port.as_bytes()].concat())
}

/// Nothing, or a colon and digits, of which there may be none.
fn is_port(port: &[u8]) -> bool {
    port.is_empty() || port.strip_prefix(b":").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

fn host_and_port(host: &[u8]) -> Result<(&str, &str), Fail> {
    let whole = utf8(host)?;
    let colon = whole.rfind(':').filter(|at| whole.get(*at..).is_some_and(|port| is_port(port.as_bytes())));
    let (host, port) = whole.split_at(colon.unwrap_or(whole.len()));
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    Ok((inside.unwrap_or(host), port.strip_prefix(':').unwrap_or_default()))
}

/// Where something escaped stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Any,
    /// Only bytes beyond ASCII and `%` itself are escaped there.
    Host,
    /// Behind the `%25` of an address: only what a host may have, and blanks.
    Zone,
}

/// What may stand in a host as it is.
const fn in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_'
                | b'.'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'['
                | b']'
                | b'<'
                | b'>'
                | b'"'
        )
}

fn decoded(part: &str, place: Place) -> Result<Vec<u8>, Fail> {
    let mut bytes = part.bytes();
    let mut found = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if place != Place::Any && byte.is_ascii() && !in_host(byte) {
                return Err(HOST);
            }
            found.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(ESCAPE);
        let byte = u8::try_from(digit()? * 16 + digit()?).map_err(|_| ESCAPE)?;
        let allowed = match place {
            Place::Any => true,
            Place::Host => !byte.is_ascii() || byte == b'%',
            Place::Zone => matches!(byte, b'%' | b' ') || in_host(byte),
        };
        if !allowed {
            return Err(ESCAPE);
        }
        found.push(byte);
    }
    Ok(found)
}

/// A path as it is written where only what must be is escaped.
fn written(path: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte);
    let mut written = String::with_capacity(path.len());
    for byte in path {
        if plain(*byte) {
            written.push(char::from(*byte));
        } else {
            written.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    written
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or_default().to_ascii_uppercase()
}

fn utf8(bytes: &[u8]) -> Result<&str, Fail> {
    std::str::from_utf8(bytes).map_err(|_| UTF8)
}

#[cfg(test)]
mod tests {
    use crate::builtins::tests::assert_gives;

    #[test]
    fn the_parts_that_are_there_are_given() {
        assert_gives(
            "uri.parse",
            r#""HTTPS://me:pw@[::1]:8443/a%2Fb?c=%20#d%20e""#,
            r#"{"scheme": "https", "hostname": "::1", "port": "8443", "path": "/a/b", "raw_path": "/a%2Fb",
                "raw_query": "c=%20", "fragment": "d e"}"#,
        );
        assert_gives("uri.parse", r#""mailto:a@b.example""#, r#"{"scheme": "mailto"}"#);
        assert_gives("uri.parse", r#""""#, "{}");
        for (uri, valid) in
            [("\"\"", "false"), ("\"a:b\"", "true"), ("\"1:b\"", "false"), ("\"//h:p\"", "false")]
        {
            assert_gives("uri.is_valid", uri, valid);
        }
    }
}
