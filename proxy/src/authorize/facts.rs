//! The live request as policy input: the document of the contract, built straight from the
//! protocol's buffers.

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use postern_policy::{Document, Facts, Leaf, LeafId, object, word};

use super::recent::Recent;
use super::request::{Action, BodyFacts, HttpAction, Request};
use crate::config::{Login, Upstream, UpstreamProof};
use crate::identify::{Identities, Peer, Proof};
use crate::model::{CredentialState, Direction};

/// What every input says of this sidecar.
pub struct Surroundings {
    /// Where our own SPIFFE ID is read from.
    pub identities: Identities,
    /// `labels:` of the configuration.
    pub labels: BTreeMap<String, String>,
}

/// What inputs share: built once and cloned into each.
pub(super) struct Parts {
    identities: Identities,
    labels: Document,
    callers: Recent<Peer>,
    upstreams: Recent<Upstream>,
}

impl Parts {
    pub(super) fn new(surroundings: Surroundings) -> Self {
        let Surroundings { identities, labels } = surroundings;
        let labels = labels.iter().map(|(key, value)| (key.as_str(), Document::text(value)));
        let labels = Document::map(labels);
        Self { identities, labels, callers: Recent::new(), upstreams: Recent::new() }
    }
}

/// One live request, as the judge asks about it.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) parts: &'a Parts,
    pub(super) now: u64,
}

impl Facts for Asked<'_> {
    fn leaf(&self, id: LeafId) -> Leaf<'_> {
        match id {
            LeafId::CallerId => Leaf::Text(self.request.peer.id().as_str()),
            LeafId::CallerTrustDomain => Leaf::Text(self.request.peer.id().trust_domain()),
            LeafId::CallerExpiresAt => Leaf::Number(self.request.peer.expires_at()),
            LeafId::Listener => Leaf::Text(self.request.listener.name.as_str()),
            LeafId::Route => Leaf::Text(self.request.route.name.as_str()),
            LeafId::UpstreamName => Leaf::Text(self.request.route.upstream.name.as_str()),
            LeafId::Now => Leaf::Number(self.now),
            _ => self.http_leaf(id),
        }
    }

    fn document(&self) -> Document {
        let request = self.request;
        object! {
            "caller" => self.parts.callers.document(request.peer, caller),
            "context" => self.context(),
            "credentials" => credentials(request),
            "direction" => direction(request.listener.direction),
            "listener" => Document::shared(request.listener.name.text()),
            "now" => Document::number(self.now),
            "request" => action(request.action, &request.route.upstream),
            "route" => Document::shared(request.route.name.text()),
            "upstream" => self.parts.upstreams.document(&request.route.upstream, upstream),
            "v" => Document::number(1),
        }
    }
}

impl Asked<'_> {
    fn http_leaf(&self, id: LeafId) -> Leaf<'_> {
        let Action::Http(http) = self.request.action else { return Leaf::Composite };
        match id {
            LeafId::RequestProtocol => Leaf::Text(http.protocol),
            LeafId::RequestMethod => Leaf::Text(http.method),
            LeafId::RequestHost => Leaf::Text(http.host),
            LeafId::RequestPath => Leaf::Text(http.path),
            _ => Leaf::Composite,
        }
    }

    fn context(&self) -> Document {
        let svids = self.parts.identities.svids.load();
        let sidecar = svids.value.default_id().map(|id| Document::shared(id.text()));
        let ip = self.request.from.map(Document::shared);
        object! {
            "labels" => self.parts.labels.clone(),
            "peer" => object! { "ip" => ip.unwrap_or(Document::null()) },
            "sidecar" => sidecar.unwrap_or(Document::null()),
        }
    }
}

fn caller(peer: &Peer) -> Document {
    let id = peer.id();
    let (proof, x509, jwt) = match peer.proof() {
        Proof::X509 { serial, anchor } => {
            let facts =
                object! { "anchor" => Document::shared(anchor), "serial" => Document::shared(serial) };
            (word!("x509_svid"), facts, Document::null())
        }
        Proof::Jwt { key, audience } => {
            let facts =
                object! { "audience" => Document::shared(audience), "key_id" => Document::shared(key) };
            (word!("jwt_svid"), Document::null(), facts)
        }
    };
    object! {
        "actors" => Document::list([]),
        "expires_at" => Document::number(peer.expires_at()),
        "id" => Document::shared(id.text()),
        "jwt" => jwt,
        "kind" => word!("workload"),
        "path" => Document::texts(id.segments()),
        "process" => Document::null(),
        "proof" => proof,
        "trust_domain" => Document::text(id.trust_domain()),
        "x509" => x509,
    }
}

fn upstream(upstream: &Upstream) -> Document {
    let proof = match upstream.tls.as_ref().map(|tls| &tls.proof) {
        None => word!("none"),
        Some(UpstreamProof::Roots(_)) => word!("roots"),
        Some(UpstreamProof::SpiffeId(_)) => word!("spiffe_id"),
        Some(UpstreamProof::Pin(_)) => word!("pin"),
    };
    object! { "name" => Document::shared(upstream.name.text()), "proof" => proof }
}

fn action(action: &Action<'_>, upstream: &Upstream) -> Document {
    match action {
        Action::Connect => object! { "protocol" => word!("tcp") },
        Action::Http(http) => http_request(http, upstream),
    }
}

fn http_request(http: &HttpAction<'_>, upstream: &Upstream) -> Document {
    object! {
        "body" => body(&http.body),
        "headers" => headers(http, upstream),
        "host" => Document::text(http.host),
        "method" => Document::text(http.method),
        "path" => Document::text(http.path),
        "protocol" => protocol(http.protocol),
        "query" => lists(http.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        "scheme" => word!("https"),
        "segments" => Document::texts(http.segments.iter().map(String::as_str)),
    }
}

fn protocol(name: &'static str) -> Document {
    match name {
        "http/1.1" => word!("http/1.1"),
        "http/2" => word!("http/2"),
        other => Document::text(other),
    }
}

/// Whether a header carries proof or cookies, or stands where the credential will be put.
pub(crate) fn is_hidden(name: &http::HeaderName, upstream: &Upstream) -> bool {
    let place = match &upstream.login {
        Some(Login::Header(name)) => Some(name),
        Some(Login::Basic | Login::Bearer) | None => None,
    };
    *name == AUTHORIZATION || *name == COOKIE || *name == PROXY_AUTHORIZATION || Some(name) == place
}

/// All headers but those that are hidden.
fn headers(http: &HttpAction<'_>, upstream: &Upstream) -> Document {
    let shown = http.headers.keys().filter(|name| !is_hidden(name, upstream)).map(|name| {
        let values = http.headers.get_all(name).iter().map(|value| {
            // Not `to_str`, which takes ASCII alone: policy would see nothing where the upstream sees a word.
            std::str::from_utf8(value.as_bytes()).unwrap_or_default()
        });
        (name.as_str(), Document::texts(values))
    });
    Document::map(shown)
}

fn body(body: &BodyFacts<'_>) -> Document {
    match body {
        BodyFacts::NotInspected => object! { "state" => word!("not_inspected") },
        BodyFacts::Absent => object! { "state" => word!("absent") },
        BodyFacts::TooLarge => object! { "state" => word!("too_large") },
        BodyFacts::Malformed => object! { "state" => word!("malformed") },
        BodyFacts::Parsed { bytes, value } => match Document::from_json(value) {
            Ok(value) => object! {
                "bytes" => Document::number(*bytes as u64),
                "state" => word!("parsed"),
                "value" => value,
            },
            Err(_too_deep) => object! { "state" => word!("malformed") },
        },
    }
}

fn credentials(request: &Request<'_>) -> Document {
    Document::named(request.credentials.iter().map(|facts| {
        let state = match facts.state {
            CredentialState::None => object! { "state" => word!("none") },
            CredentialState::Live { issued_at, expires_at, callers } => object! {
                "callers" => Document::number(callers.into()),
                "expires_at" => Document::number(expires_at),
                "issued_at" => Document::number(issued_at),
                "state" => word!("live"),
            },
        };
        (facts.name.text(), state)
    }))
}

/// Repeated names become one list, in their order.
fn lists<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Document {
    let mut grouped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in pairs {
        grouped.entry(name).or_default().push(value);
    }
    Document::map(grouped.into_iter().map(|(name, values)| (name, Document::texts(values))))
}

fn direction(direction: Direction) -> Document {
    match direction {
        Direction::Inbound => word!("inbound"),
        Direction::Outbound => word!("outbound"),
    }
}

#[cfg(test)]
mod tests;
