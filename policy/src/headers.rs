//! Names of headers that end at Postern, and of those that are not the policy's to change.

/// Headers of one connection (RFC 9110, 7.6.1), and what old software took for such.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Who speaks in these is believed: they say who called and from where, or rewrite the target.
const BELIEVED: [&str; 6] = [
    "forwarded",
    "x-envoy-external-address",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const BELIEVED_FAMILIES: [&str; 3] = ["x-forwarded-", "x-postern-", "x-spiffe-"];
/// What they say of a message or of its sender is Postern's to say.
const SAID_BY_US: [&str; 6] =
    ["authorization", "content-length", "forwarded", "host", "traceparent", "tracestate"];

/// Whether a header of this name, in lower case, is taken from every request before policy sees it.
#[must_use]
pub fn ends_here(name: &str) -> bool {
    HOP_BY_HOP.contains(&name) || speaks_for_us(name)
}

/// Whether a header of this name, in lower case, is believed to come from a proxy. Names with an underscore are folded by
/// CGI and WSGI onto those with a dash: nobody needs them, and they deceive.
#[must_use]
pub fn speaks_for_us(name: &str) -> bool {
    name.contains('_')
        || BELIEVED.contains(&name)
        || BELIEVED_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether a decision may set or remove a header of this name, in lower case.
pub(crate) fn may_be_changed(name: &str) -> bool {
    let ours = HOP_BY_HOP.contains(&name)
        || SAID_BY_US.contains(&name)
        || name.starts_with("x-forwarded-")
        || name.starts_with("x-postern-")
        || name.contains('_');
    !ours
}
