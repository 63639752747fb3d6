//! The document of a request equals the contract spelled out as JSON, whatever the request holds.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use postern_policy::{Document, Facts as _, Leaf, LeafId, Recorded};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Asked, Parts, Surroundings};
use crate::authorize::{Action, BodyFacts, HttpAction, Request};
use crate::config::{self, Config, Listener, Route};
use crate::identify::{Peer, mint};
use crate::model::{CredentialFacts, CredentialState};

const NOW: u64 = 1_800_000_007;
const BINARY: &[u8] = b"\xff\xfe";

/// Picks, the same way each time for one seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn several<T>(&mut self, most: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| draw(self)).collect()
    }
}

/// What a request is made of, owned.
struct Drawn {
    peer: Arc<Peer>,
    method: String,
    segments: Vec<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Option<Value>,
    from: Option<Arc<str>>,
    credentials: Vec<CredentialFacts>,
}

fn draw(dice: &mut Dice) -> Drawn {
    let words = ["", "a", "b", "ä", "a/b", "branch", "%2F", "\"quoted\"", "x".repeat(300).leak()];
    let text = |dice: &mut Dice| dice.one(&words).to_owned();
    let id = dice.one(&["spiffe://td.example/caller", "spiffe://td.example/ns/batch/sa/eod"]);
    let mut headers = HeaderMap::new();
    for name in dice.several(8, |dice| {
        dice.one(&["accept", "authorization", "cookie", "x-token", "x-many", "proxy-authorization"])
            .to_owned()
    }) {
        let value = dice.one::<[u8]>(&[b"", b"text/csv", "schön".as_bytes(), BINARY]);
        headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    let states = [
        CredentialState::None,
        CredentialState::Live { issued_at: 7, expires_at: 1_800_003_600, callers: u32::MAX },
    ];
    let bodies = [None, Some(json!({"amount": 1.5, "lines": [1, -2, null, {"deep": [true]}]}))];
    Drawn {
        peer: mint::peer(
            id,
            mint::Published::new(Vec::new(), mint::bundles("td.example", &[])).clock().now(),
            Duration::from_mins(1),
        ),
        method: dice.one(&["GET", "POST", "PROPFIND"]).to_owned(),
        segments: dice.several(5, text),
        query: dice.several(6, |dice| (text(dice), text(dice))),
        headers,
        body: bodies[dice.below(2)].clone(),
        from: dice.one(&[&None, &Some("127.0.0.1"), &Some("fe80::1")]).map(Arc::from),
        credentials: vec![CredentialFacts { name: "app".parse().unwrap(), state: states[dice.below(2)] }],
    }
}

impl Drawn {
    fn body(&self) -> BodyFacts<'_> {
        self.body.as_ref().map_or(BodyFacts::Absent, |value| BodyFacts::Parsed { bytes: 40, value })
    }

    /// The contract, spelled out.
    fn expected(&self, route: &Route, labels: &Value) -> Value {
        let mut query = serde_json::Map::new();
        for (name, value) in &self.query {
            let list = query.entry(name.as_str()).or_insert_with(|| json!([]));
            list.as_array_mut().unwrap().push(json!(value));
        }
        let mut headers = serde_json::Map::new();
        for (name, value) in &self.headers {
            if !["authorization", "cookie", "proxy-authorization", "x-token"].contains(&name.as_str()) {
                let list = headers.entry(name.as_str()).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(json!(std::str::from_utf8(value.as_bytes()).unwrap_or("")));
            }
        }
        let body = match &self.body {
            None => json!({"state": "absent"}),
            Some(value) => json!({"state": "parsed", "bytes": 40, "value": value}),
        };
        let state = match self.credentials[0].state {
            CredentialState::None => json!({"state": "none"}),
            CredentialState::Live { issued_at, expires_at, callers } => {
                json!({"state": "live", "issued_at": issued_at, "expires_at": expires_at, "callers": callers})
            }
        };
        let id = self.peer.id().as_str();
        let path: Vec<&str> = id.split('/').skip(3).collect();
        json!({
            "v": 1,
            "caller": {"id": id, "kind": "workload", "trust_domain": "td.example", "path": path, "proof": "x509_svid",
                       "expires_at": self.peer.expires_at(), "x509": {"serial": "5f3a", "anchor": "sha256:9c"},
                       "jwt": null, "process": null, "actors": []},
            "listener": "front", "direction": "inbound", "route": route.name.as_str(),
            "upstream": {"name": route.upstream.name.as_str(), "proof": "none"},
            "request": {"protocol": "http/2", "method": self.method, "scheme": "https", "host": "old.example",
                        "path": "/as/sent", "segments": self.segments, "query": query, "headers": headers, "body": body},
            "credentials": {"app": state},
            "context": {"sidecar": null, "labels": labels, "peer": {"ip": self.from}},
            "now": NOW,
        })
    }
}

fn configured() -> (Config, Arc<Listener>, Arc<Route>) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("postern.yaml");
    let text = "version: 1
state: /nowhere
identity: { workload_api: \"unix:///nowhere.sock\", trust: [td.example] }
labels: { stage: test, site: b }
credentials: { app: { file: /nowhere/app.json } }
upstreams: { old: { address: \"127.0.0.1:1\", login: { header: x-token } } }
policy: { bundles: { main: { path: /nowhere } } }
listeners:
  front: { bind: \"127.0.0.1:9443\", protocol: http, routes: { all: { path: /, upstream: old, credentials: [app] } } }
";
    std::fs::write(&file, text).unwrap();
    let config = config::load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    let listener = Arc::clone(config.listeners.values().next().unwrap());
    let route = Arc::clone(&listener.routes[0]);
    (config, listener, route)
}

#[test]
fn any_request_becomes_the_document_of_the_contract() {
    let (config, listener, route) = configured();
    let published = mint::Published::new(Vec::new(), mint::bundles("td.example", &[]));
    let surroundings =
        Surroundings { identities: published.identities.clone(), labels: config.labels.clone() };
    let parts = Parts::new(surroundings);
    for seed in 0..2_000 {
        let drawn = draw(&mut Dice(seed));
        let action = Action::Http(HttpAction {
            protocol: "http/2",
            method: &drawn.method,
            host: "old.example",
            path: "/as/sent",
            segments: &drawn.segments,
            query: &drawn.query,
            headers: &drawn.headers,
            body: drawn.body(),
        });
        let request = Request {
            peer: &drawn.peer,
            listener: &listener,
            route: &route,
            action: &action,
            from: drawn.from.as_ref(),
            credentials: &drawn.credentials,
        };
        let asked = Asked { request: &request, parts: &parts, now: NOW };
        let expected = drawn.expected(&route, &json!({"stage": "test", "site": "b"}));

        assert_eq!(asked.document(), Document::from_json(&expected).unwrap(), "seed {seed}");

        let recorded = Recorded::parse(&expected.to_string()).unwrap();
        for id in LeafId::ALL {
            let leaf = asked.leaf(*id);
            assert!(leaf == Leaf::Composite || leaf == recorded.leaf(*id), "seed {seed}: {id} is {leaf:?}");
        }
    }
}
