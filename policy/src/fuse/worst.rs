//! The largest requests that the proxy lets through, in the shapes that cost most.

use serde_json::{Value, json};

use super::Sample;
use crate::document::{Document, MAX_VALUES};

/// The limits of the proxy on one request; of several listeners the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Largest {
    /// Bytes of its head.
    pub head: usize,
    /// Number of its headers.
    pub headers: usize,
    /// Bytes of its body that are shown to policy; 0 where none is.
    pub body: usize,
}

impl Default for Largest {
    /// As a listener has them that says nothing of limits, with a body of 64 KiB inspected.
    fn default() -> Self {
        Self { head: 32 * 1024, headers: 100, body: 64 * 1024 }
    }
}

/// Longest SPIFFE ID, in bytes (SPIFFE-ID, 2.3).
const SPIFFE_ID: usize = 2_048;

/// One request of each shape, named by it.
pub(super) fn requests(largest: Largest) -> Vec<Sample> {
    let Largest { head, headers, body } = largest;
    // A document holds no more, and text of this length is text enough.
    let most = |size: usize| size.clamp(1, MAX_VALUES / 2);
    let a = |size: usize| "a".repeat(size);
    let each = head / headers.max(1);
    let named = |n: usize| (format!("x-presented-{n:04}"), json!([a(each.saturating_sub(20))]));
    let shapes = [
        (
            format!("a request with {headers} headers of one prefix, {head} bytes in all"),
            json!({"headers": (0..headers).map(named).collect::<serde_json::Map<_, _>>()}),
        ),
        (
            format!("a request with one header {headers} times, {head} bytes in all"),
            json!({"headers": {"x-a": vec![a(each.saturating_sub(5)); headers]}}),
        ),
        (
            format!("a request with a path of {} segments", most(head / 2)),
            json!({"path": "/a".repeat(most(head / 2)), "segments": vec!["a"; most(head / 2)]}),
        ),
        (
            format!("a request with a path of one segment of {head} bytes"),
            json!({"path": format!("/{}", a(head)), "segments": [a(head)]}),
        ),
        (
            format!("a request with one query parameter {} times", most(head / 4)),
            json!({"query": {"a": vec!["a"; most(head / 4)]}}),
        ),
        (
            format!("a request with {} query parameters", most(head / 8)),
            json!({"query": (0..most(head / 8)).map(|n| (n.to_string(), json!(["a"]))).collect::<serde_json::Map<_, _>>()}),
        ),
        (
            format!("a request with a body of {body} bytes, a list of numbers"),
            json!({"body": {"state": "parsed", "bytes": body, "value": vec![1; most(body / 2)]}}),
        ),
        (
            format!("a request with a body of {body} bytes, one text"),
            json!({"body": {"state": "parsed", "bytes": body, "value": a(body)}}),
        ),
    ];
    let shapes = shapes.into_iter().filter(|(_, request)| body > 0 || request.get("body").is_none());
    shapes.filter_map(|(name, request)| sample(name, &request)).collect()
}

/// A plain request but for these members; its caller has the longest ID there is.
fn sample(name: String, members: &Value) -> Option<Sample> {
    let path = vec!["a"; (SPIFFE_ID - 16) / 2];
    let mut request = json!({
        "protocol": "http/1.1", "method": "GET", "scheme": "https", "host": "service.example", "path": "/",
        "segments": [""], "query": {}, "headers": {}, "body": {"state": "not_inspected"},
    });
    for (member, value) in members.as_object()? {
        request.as_object_mut()?.insert(member.clone(), value.clone());
    }
    let now = 1_795_300_123;
    let input = json!({
        "v": 1, "now": now, "direction": "inbound", "listener": "front", "route": "all", "request": request,
        "caller": {
            "id": format!("spiffe://a.example/{}", path.join("/")), "path": path, "trust_domain": "a.example",
            "kind": "workload", "proof": "x509_svid", "expires_at": now + 3_600, "actors": [], "jwt": null,
            "process": null, "x509": {"serial": "5f3a", "anchor": "sha256:9c"},
        },
        "upstream": {"name": "app", "proof": "roots"}, "credentials": {"app": {"state": "none"}},
        "context": {"sidecar": "spiffe://a.example/gate", "labels": {}, "peer": {"ip": "192.0.2.1"}},
    });
    Some(Sample { name, input: Document::from_json(&input).ok()?.into_value(), now: Some(now) })
}
