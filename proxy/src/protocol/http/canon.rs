//! The one canonical form of a request's target. Policy judges it, the upstream receives it, and
//! what can be read in more than one way is refused, never mended: a dot segment that a proxy
//! removes and a server does not is how a rule is walked around.

use std::borrow::Cow;

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};

use crate::fault::{Code, codes};

/// What a request asks for, read in the only way there is.
#[derive(Debug)]
pub(super) struct Target {
    /// Path and query as they are judged and sent.
    pub(super) sent: PathAndQuery,
    /// Segments of the path: split first, decoded after. A trailing slash is an empty last one.
    pub(super) segments: Vec<String>,
    /// Decoded pairs of the query, in their order.
    pub(super) query: Vec<(String, String)>,
    /// Whether a segment holds an encoded slash, which only some routes allow.
    pub(super) encoded_slash: bool,
    /// Host and port, lower case.
    pub(super) authority: String,
    host_end: usize,
}

type Refused = &'static Code;

impl Target {
    /// Reads method, target and Host.
    pub(super) fn read(head: &Parts) -> Result<Self, Refused> {
        let method = head.method.as_str();
        let refused = ["CONNECT", "TRACE", "TRACK"].contains(&method);
        // To a server that does not look at case `delete` is what to policy is not `DELETE`.
        if refused || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(codes::METHOD_REFUSED);
        }
        let (authority, host_end) = authority(&head.uri, &head.headers).ok_or(codes::TARGET_AMBIGUOUS)?;
        let given = head.uri.path_and_query().ok_or(codes::TARGET_AMBIGUOUS)?;
        let path = Path::read(given.path()).ok_or(codes::TARGET_AMBIGUOUS)?;
        let query = pairs(given.query()).ok_or(codes::TARGET_AMBIGUOUS)?;
        let sent = match (path.canonical, given.query()) {
            (None, _) => given.clone(),
            (Some(path), None) => PathAndQuery::try_from(path).map_err(|_| codes::TARGET_AMBIGUOUS)?,
            (Some(path), Some(query)) => {
                PathAndQuery::try_from(format!("{path}?{query}")).map_err(|_| codes::TARGET_AMBIGUOUS)?
            }
        };
        let (segments, encoded_slash) = (path.segments, path.encoded_slash);
        Ok(Self { sent, segments, query, encoded_slash, authority, host_end })
    }

    /// The host, lower case, without port.
    pub(super) fn host(&self) -> &str {
        self.authority.get(..self.host_end).unwrap_or_default()
    }
}

struct Path {
    /// The path, if it is not what was given.
    canonical: Option<String>,
    segments: Vec<String>,
    encoded_slash: bool,
}

impl Path {
    fn read(given: &str) -> Option<Self> {
        let inner = given.strip_prefix('/')?;
        let mut read = Self { canonical: None, segments: Vec::new(), encoded_slash: false };
        if !is_visible_ascii(inner) {
            return None;
        }
        if !inner.is_empty() {
            let last = inner.split('/').count() - 1;
            for (at, segment) in inner.split('/').enumerate() {
                read.segments.push(segment_read(segment, at == last)?);
            }
        }
        if given.contains('%') {
            read.encoded_slash = read.segments.iter().any(|segment| segment.contains('/'));
            read.canonical = Some(normal(given)).filter(|normal| normal != given);
        }
        Some(read)
    }
}

/// One segment, decoded. Matrix parameters (`;`) stay in it, but what stands before them may not be
/// empty or dots: servers that strip them would find another path.
fn segment_read(segment: &str, last: bool) -> Option<String> {
    let decoded = decoded(segment, Plus::IsPlus)?;
    let name = |part: &str| part.find(';').unwrap_or(part.len());
    let empty = name(&decoded) == 0 && !(last && decoded.is_empty());
    // An encoded slash may be kept; what it parts is still not to climb for a server that decodes it.
    let dots = decoded.split('/').any(|part| matches!(part.get(..name(part)), Some("." | "..")));
    let hostile = decoded.contains(|c: char| c == '\\' || c.is_control());
    (!empty && !dots && !hostile).then(|| decoded.into_owned())
}

/// With needless encodings undone and hexadecimal digits in upper case (RFC 3986, 6.2.2).
fn normal(given: &str) -> String {
    let mut normal = String::with_capacity(given.len());
    let mut rest = given;
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let (digits, tail) = after.split_at_checked(2).unwrap_or((after, ""));
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
            }
            _ => {
                normal.push('%');
                normal.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = tail;
    }
    normal.push_str(rest);
    normal
}

fn pairs(query: Option<&str>) -> Option<Vec<(String, String)>> {
    let Some(query) = query else { return Some(Vec::new()) };
    if !is_visible_ascii(query) {
        return None;
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name, Plus::IsSpace)?, decoded(value, Plus::IsSpace)?);
            let clean = !name.contains('\0') && !value.contains('\0');
            clean.then(|| (name.into_owned(), value.into_owned()))
        })
        .collect()
}

fn is_visible_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsPlus,
    IsSpace,
}

/// Decodes percent-encodings, strictly: each `%` has two digits, and the outcome is UTF-8.
fn decoded(text: &str, plus: Plus) -> Option<Cow<'_, str>> {
    let spaces = plus == Plus::IsSpace && text.contains('+');
    if !text.contains('%') && !spaces {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut given = text.bytes();
    while let Some(byte) = given.next() {
        bytes.push(match byte {
            b'%' => hex(given.next()?)? << 4 | hex(given.next()?)?,
            b'+' if spaces => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The authority, lower case, and where its host ends. Exactly one Host, which agrees with the
/// target where that has one too; never userinfo (RFC 9112, 3.2; RFC 9113, 8.3.1).
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<(String, usize)> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str()).transpose().ok()?;
    if hosts.next().is_some() {
        return None;
    }
    let given = match (uri.authority().map(http::uri::Authority::as_str), host) {
        (Some(target), Some(host)) => target.eq_ignore_ascii_case(host).then_some(target),
        (target, host) => target.or(host),
    }?;
    let authority = given.to_ascii_lowercase();
    let host_end = host_end(&authority)?;
    Some((authority, host_end))
}

/// Where the host ends, if this is a host and perhaps a port.
fn host_end(authority: &str) -> Option<usize> {
    let end = match authority.strip_prefix('[') {
        Some(v6) => {
            let end = v6.find(']')?;
            v6.get(..end)?.parse::<std::net::Ipv6Addr>().ok()?;
            end + 2
        }
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(end)?;
    let plain =
        host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) || host.starts_with('[');
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (plain && port_fits && !host.is_empty() && !host.ends_with('.')).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, hosts: &[&str]) -> Result<Target, Refused> {
        let mut request = http::Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        Target::read(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for target in [
            "/a/../b",
            "/a/./b",
            "/..",
            "/a/%2e%2e/b",
            "/a/%2E/b",
            "//a",
            "/a//b",
            "/a/..;x/b",
            "/a/;x/b",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0ab",
            "/a%zz",
            "/a%2",
            "/%ff",
            "/ä",
            "*",
            "/a/..%2fb",
            "/a/b%2f..%2f..%2fc",
            "/a/b%2f.;x",
            "/a?x=%zz",
            "/a?x=%00",
            "/?ä=1",
        ] {
            let Ok(uri) = target.parse::<Uri>() else { continue };
            assert_eq!(read(&uri.to_string(), &["h"]).unwrap_err(), codes::TARGET_AMBIGUOUS, "{target}");
        }
        for target in ["/a/../b", "//a", "/a%5cb", "/ä", "/a%zz"] {
            assert!(target.parse::<Uri>().is_ok(), "{target} is tried for real");
        }
    }

    #[test]
    fn segments_are_split_first_and_decoded_after() {
        let target = read("/post%69ngs/a%2fb/%7ex/?q=1+2&r=%2b&q=", &["H.example:8443"]).unwrap();

        assert_eq!(target.sent.as_str(), "/postings/a%2Fb/~x/?q=1+2&r=%2b&q=");
        assert_eq!(target.segments, ["postings", "a/b", "~x", ""]);
        assert!(target.encoded_slash);
        let pairs: Vec<_> =
            target.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("q", "1 2"), ("r", "+"), ("q", "")]);
        assert_eq!((target.host(), target.authority.as_str()), ("h.example", "h.example:8443"));
    }

    #[test]
    fn a_path_that_is_canonical_already_is_sent_as_it_came() {
        for path in ["/", "/a", "/a/", "/a/b?x=%20y", "/a%2Fb", "/a;v=1/b", "/%C3%A4"] {
            assert_eq!(read(path, &["h"]).unwrap().sent.as_str(), path);
        }
        assert!(read("/", &["h"]).unwrap().segments.is_empty());
    }

    #[test]
    fn there_is_one_host_and_the_target_agrees_with_it() {
        for (target, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "a"]),
            ("http://a/", &["b"]),
            ("http://u@a/", &["a"]),
            ("http://u@a/", &["u@a"]),
            ("/", &["a b"]),
            ("/", &["a,b"]),
            ("/", &["a:99999"]),
            ("/", &["a."]),
            ("/", &[""]),
            ("/", &["[::1"]),
        ] {
            assert_eq!(read(target, hosts).unwrap_err(), codes::TARGET_AMBIGUOUS, "{target} {hosts:?}");
        }
        assert_eq!(read("http://A:80/x", &["a:80"]).unwrap().host(), "a");
        assert_eq!(read("http://a/x", &[]).unwrap().host(), "a");
        assert_eq!(read("/", &["[::1]:80"]).unwrap().host(), "[::1]");
    }

    #[test]
    fn methods_that_reflect_or_tunnel_or_are_in_small_letters_are_refused() {
        for method in ["TRACE", "CONNECT", "TRACK", "trace", "Track", "delete", "Get"] {
            let head = http::Request::builder()
                .method(method)
                .uri("/")
                .header(HOST, "h")
                .body(())
                .unwrap()
                .into_parts()
                .0;
            assert_eq!(Target::read(&head).unwrap_err(), codes::METHOD_REFUSED);
        }
    }
}
