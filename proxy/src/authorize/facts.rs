//! The live request as policy input: the document of the contract, built straight from the
//! protocol's buffers.

use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use postern_policy::{Document, Facts, Key, Leaf, LeafId};

use super::request::{Action, BodyFacts, HttpAction, Request};
use crate::config::{Login, Upstream, UpstreamProof};
use crate::identify::{Identities, Peer, Proof};
use crate::model::{CredentialState, Direction};

macro_rules! keys {
    ($($name:ident = $text:literal),* $(,)?) => { $(static $name: Key = Key::new($text);)* };
}

keys! {
    V = "v", CALLER = "caller", ID = "id", KIND = "kind", TRUST_DOMAIN = "trust_domain", PATH = "path",
    PROOF = "proof", EXPIRES_AT = "expires_at", ISSUED_AT = "issued_at", CALLERS = "callers", X509 = "x509",
    SERIAL = "serial", ANCHOR = "anchor", JWT = "jwt", AUDIENCE = "audience", KEY_ID = "key_id", PROCESS = "process",
    ACTORS = "actors", LISTENER = "listener", DIRECTION = "direction", ROUTE = "route", UPSTREAM = "upstream",
    NAME = "name", REQUEST = "request", PROTOCOL = "protocol", METHOD = "method", SCHEME = "scheme", HOST = "host",
    SEGMENTS = "segments", QUERY = "query", HEADERS = "headers", BODY = "body", STATE = "state", BYTES = "bytes",
    VALUE = "value", CREDENTIALS = "credentials", CONTEXT = "context", SIDECAR = "sidecar", LABELS = "labels",
    PEER = "peer", IP = "ip", NOW = "now",
}

/// What every input says of this sidecar.
pub struct Surroundings {
    /// Where our own SPIFFE ID is read from.
    pub identities: Identities,
    /// `labels:` of the configuration.
    pub labels: BTreeMap<String, String>,
}

/// One live request, as the judge asks about it.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) surroundings: &'a Surroundings,
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
        Document::object([
            (&V, Document::number(1)),
            (&CALLER, caller(request.peer)),
            (&LISTENER, Document::text(request.listener.name.as_str())),
            (&DIRECTION, Document::text(direction(request.listener.direction))),
            (&ROUTE, Document::text(request.route.name.as_str())),
            (&UPSTREAM, upstream(&request.route.upstream)),
            (&REQUEST, action(request.action, &request.route.upstream)),
            (&CREDENTIALS, credentials(request)),
            (&CONTEXT, self.context()),
            (&NOW, Document::number(self.now)),
        ])
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
        let svids = self.surroundings.identities.svids.load();
        let labels =
            self.surroundings.labels.iter().map(|(key, value)| (key.as_str(), Document::text(value)));
        let ip = self.request.from.map(|ip| ip.to_string());
        Document::object([
            (&SIDECAR, Document::text_or_null(svids.value.default_id().map(crate::model::SpiffeId::as_str))),
            (&LABELS, Document::map(labels)),
            (&PEER, Document::object([(&IP, Document::text_or_null(ip.as_deref()))])),
        ])
    }
}

fn caller(peer: &Peer) -> Document {
    let id = peer.id();
    let (proof, x509, jwt) = match peer.proof() {
        Proof::X509 { serial, anchor } => {
            let facts =
                Document::object([(&SERIAL, Document::text(serial)), (&ANCHOR, Document::text(anchor))]);
            ("x509_svid", facts, Document::null())
        }
        Proof::Jwt { key, audience } => {
            let facts =
                Document::object([(&KEY_ID, Document::text(key)), (&AUDIENCE, Document::text(audience))]);
            ("jwt_svid", Document::null(), facts)
        }
    };
    Document::object([
        (&ID, Document::text(id.as_str())),
        (&KIND, Document::text("workload")),
        (&TRUST_DOMAIN, Document::text(id.trust_domain())),
        (&PATH, Document::texts(id.segments())),
        (&PROOF, Document::text(proof)),
        (&EXPIRES_AT, Document::number(peer.expires_at())),
        (&X509, x509),
        (&JWT, jwt),
        (&PROCESS, Document::null()),
        (&ACTORS, Document::list([])),
    ])
}

fn upstream(upstream: &Upstream) -> Document {
    let proof = match upstream.tls.as_ref().map(|tls| &tls.proof) {
        None => "none",
        Some(UpstreamProof::Roots(_)) => "roots",
        Some(UpstreamProof::SpiffeId(_)) => "spiffe_id",
        Some(UpstreamProof::Pin(_)) => "pin",
    };
    Document::object([(&NAME, Document::text(upstream.name.as_str())), (&PROOF, Document::text(proof))])
}

fn action(action: &Action<'_>, upstream: &Upstream) -> Document {
    match action {
        Action::Connect => Document::object([(&PROTOCOL, Document::text("tcp"))]),
        Action::Http(http) => http_request(http, upstream),
    }
}

fn http_request(http: &HttpAction<'_>, upstream: &Upstream) -> Document {
    Document::object([
        (&PROTOCOL, Document::text(http.protocol)),
        (&METHOD, Document::text(http.method)),
        (&SCHEME, Document::text("https")),
        (&HOST, Document::text(http.host)),
        (&PATH, Document::text(http.path)),
        (&SEGMENTS, Document::texts(http.segments.iter().map(String::as_str))),
        (&QUERY, lists(http.query.iter().map(|(name, value)| (name.as_str(), value.as_str())))),
        (&HEADERS, headers(http, upstream)),
        (&BODY, body(&http.body)),
    ])
}

/// All headers but those that carry proof, cookies, or stand where the credential will be put.
fn headers(http: &HttpAction<'_>, upstream: &Upstream) -> Document {
    let place = match &upstream.login {
        Some(Login::Header(name)) => Some(name),
        Some(Login::Basic | Login::Bearer) | None => None,
    };
    let hidden = |name: &http::HeaderName| {
        *name == AUTHORIZATION || *name == COOKIE || *name == PROXY_AUTHORIZATION || Some(name) == place
    };
    let shown = http.headers.keys().filter(|name| !hidden(name)).map(|name| {
        let values = http.headers.get_all(name).iter().map(|value| {
            // Not `to_str`, which takes ASCII alone: policy would see nothing where the upstream sees a word.
            std::str::from_utf8(value.as_bytes()).unwrap_or_default()
        });
        (name.as_str(), Document::texts(values))
    });
    Document::map(shown)
}

fn body(body: &BodyFacts<'_>) -> Document {
    let state = |state| (&STATE, Document::text(state));
    match body {
        BodyFacts::NotInspected => Document::object([state("not_inspected")]),
        BodyFacts::Absent => Document::object([state("absent")]),
        BodyFacts::TooLarge => Document::object([state("too_large")]),
        BodyFacts::Malformed => Document::object([state("malformed")]),
        BodyFacts::Parsed { bytes, value } => match Document::from_json(value) {
            Ok(value) => Document::object([
                state("parsed"),
                (&BYTES, Document::number(*bytes as u64)),
                (&VALUE, value),
            ]),
            Err(_too_deep) => Document::object([state("malformed")]),
        },
    }
}

fn credentials(request: &Request<'_>) -> Document {
    Document::map(request.credentials.iter().map(|facts| {
        let state = match facts.state {
            CredentialState::None => Document::object([(&STATE, Document::text("none"))]),
            CredentialState::Live { issued_at, expires_at, callers } => Document::object([
                (&STATE, Document::text("live")),
                (&ISSUED_AT, Document::number(issued_at)),
                (&EXPIRES_AT, Document::number(expires_at)),
                (&CALLERS, Document::number(callers.into())),
            ]),
        };
        (facts.name.as_str(), state)
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

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}
