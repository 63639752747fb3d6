//! What goes from one hop to the next and what does not: framing, connection headers, and every
//! header that speaks in Postern's name. Done before policy sees the headers, so that what it
//! sees is what is sent.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use postern_policy::speaks_for_us;

use crate::authorize::HeaderEdits;
use crate::fault::{Code, codes};
use crate::record::TraceContext;

/// Headers of one connection (RFC 9110, 7.6.1), and what old software took for such.
const HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    header::EXPECT,
];

/// Said twice, these are read differently by different servers.
const ONCE: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::EXPECT,
    header::ORIGIN,
    header::RANGE,
    header::UPGRADE,
];

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What the hop's own headers asked for, before they were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// `Upgrade: websocket`, properly connected.
    pub(super) websocket: bool,
    /// `TE: trailers`
    pub(super) trailers: bool,
}

/// Refuses what is ambiguous, and removes what ends here.
pub(super) fn cleanse(headers: &mut HeaderMap) -> Result<Wishes, &'static Code> {
    refuse_ambiguity(headers)?;
    let wishes = Wishes {
        websocket: names(headers, &header::CONNECTION, "upgrade")
            && names(headers, &header::UPGRADE, "websocket"),
        trailers: names(headers, &header::TE, "trailers"),
    };
    for name in named_by_connection(headers)? {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    let ours: Vec<_> = headers.keys().filter(|name| speaks_for_us(name.as_str())).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    Ok(wishes)
}

fn refuse_ambiguity(headers: &HeaderMap) -> Result<(), &'static Code> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || codings.next().is_some() {
        return Err(codes::FRAMING_AMBIGUOUS);
    }
    if ONCE.iter().any(|name| headers.get_all(name).iter().nth(1).is_some()) {
        return Err(codes::HEADER_REFUSED);
    }
    if headers.values().any(|value| std::str::from_utf8(value.as_bytes()).is_err()) {
        return Err(codes::HEADER_REFUSED);
    }
    match headers.get(header::EXPECT) {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(codes::EXPECTATION_REFUSED)
        }
        _ => Ok(()),
    }
}

/// What `Connection` says ends here. It may not end what frames or addresses the request.
fn named_by_connection(headers: &HeaderMap) -> Result<Vec<HeaderName>, &'static Code> {
    let mut named = Vec::new();
    for token in tokens(headers, &header::CONNECTION) {
        if token.eq_ignore_ascii_case("close") || token.eq_ignore_ascii_case("keep-alive") {
            continue;
        }
        let name = HeaderName::from_bytes(token.as_bytes()).map_err(|_| codes::HEADER_REFUSED)?;
        if [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE].contains(&name) {
            return Err(codes::HEADER_REFUSED);
        }
        named.push(name);
    }
    Ok(named)
}

fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    headers.contains_key(name) && tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// The caller's trace goes on under a span of ours; what is not exactly one valid context begins a new trace.
pub(super) fn trace(headers: &mut HeaderMap) -> TraceContext {
    let mut given = headers.get_all(&TRACEPARENT).iter();
    let only = given.next().filter(|_| given.next().is_none());
    let continued = only.and_then(|value| value.to_str().ok()).and_then(TraceContext::continued);
    if continued.is_none() {
        headers.remove(&TRACESTATE);
    }
    let trace = continued.unwrap_or_else(TraceContext::begin);
    if let Ok(value) = HeaderValue::try_from(trace.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
    trace
}

/// Applies what the decision changes. The place of the credential, framing and identity are not its to change.
pub(super) fn edit(headers: &mut HeaderMap, edits: &HeaderEdits, place: Option<&HeaderName>) {
    let free = |name: &&HeaderName| is_free(name) && place != Some(*name);
    for name in edits.remove.iter().filter(free) {
        headers.remove(name);
    }
    for (name, values) in edits.set.iter().filter(|(name, _)| free(&name)) {
        headers.remove(name);
        for value in values {
            headers.append(name, value.clone());
        }
    }
}

fn is_free(name: &HeaderName) -> bool {
    !HOP_BY_HOP.contains(name)
        && ![header::HOST, header::CONTENT_LENGTH, TRACEPARENT].contains(name)
        && !speaks_for_us(name.as_str())
}

/// The one switch of protocols that is passed on, and so shown to policy.
pub(super) fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Several `cookie` lines are one to HTTP/1.1 (RFC 9113, 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookie);
    }
}

/// Removes from a response what ends here.
pub(super) fn cleanse_response(headers: &mut HeaderMap) {
    let named = named_by_connection(headers).unwrap_or_default();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn what_belongs_to_the_hop_or_speaks_for_us_is_gone() {
        let mut given = headers(&[
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("http2-settings", "x"),
            ("x_forwarded_for", "1.1.1.1"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-client-cert", "x"),
            ("forwarded", "for=x"),
            ("x-postern-caller", "root"),
            ("proxy-authorization", "x"),
            ("expect", "100-continue"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ]);

        let wishes = cleanse(&mut given).unwrap();

        assert_eq!(given, headers(&[("accept", "*/*")]));
        assert_eq!(wishes, Wishes { websocket: false, trailers: true });
    }

    #[test]
    fn a_policy_that_reads_what_ends_here_is_told_so() {
        for name in HOP_BY_HOP.iter().map(HeaderName::as_str).chain(["x-real-ip", "x-forwarded-for", "a_b"]) {
            assert!(postern_policy::ends_here(name), "{name}");
        }
        for name in ["host", "accept", "x-access-token", "traceparent"] {
            assert!(!postern_policy::ends_here(name), "{name}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (lines, code) in [
            (&[("transfer-encoding", "gzip, chunked")][..], codes::FRAMING_AMBIGUOUS),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")], codes::FRAMING_AMBIGUOUS),
            (&[("authorization", "a"), ("authorization", "b")], codes::HEADER_REFUSED),
            (&[("connection", "host")], codes::HEADER_REFUSED),
            (&[("expect", "200-ok")], codes::EXPECTATION_REFUSED),
        ] {
            assert_eq!(cleanse(&mut headers(lines)).unwrap_err(), code, "{lines:?}");
        }
        let mut odd = HeaderMap::new();
        odd.insert("x-odd", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(cleanse(&mut odd).unwrap_err(), codes::HEADER_REFUSED);
    }

    #[test]
    fn a_decision_cannot_change_framing_identity_or_the_place_of_the_credential() {
        let mut given = headers(&[("host", "h"), ("x-debug", "1"), ("x-api-key", "")]);
        let place = HeaderName::from_static("x-api-key");
        let value = || vec![HeaderValue::from_static("evil")];
        let set = ["host", "content-length", "x-postern-caller", "x-api-key", "connection", "x-branch"];
        let edits = HeaderEdits {
            set: set.map(|name| (HeaderName::from_static(name), value())).into(),
            remove: vec![header::HOST, HeaderName::from_static("x-debug")],
        };

        edit(&mut given, &edits, Some(&place));

        assert_eq!(given, headers(&[("host", "h"), ("x-api-key", ""), ("x-branch", "evil")]));
    }

    #[test]
    fn a_trace_goes_on_or_begins_anew() {
        let mut given = headers(&[
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("tracestate", "a=b"),
        ]);
        let context = trace(&mut given);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(given.contains_key("tracestate"));

        let mut given = headers(&[("traceparent", "rubbish"), ("tracestate", "a=b")]);
        trace(&mut given);
        assert!(!given.contains_key("tracestate"));
        assert_eq!(given["traceparent"].len(), 55);
    }
}
