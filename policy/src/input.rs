//! What a policy can ask about one request: the leaves of the input document, each with an id.
//!
//! A judge asks [`Facts`] for the whole [`Document`], or for one leaf when the answer hangs on few of them. The
//! live request (in the proxy) and a recorded document ([`Recorded`]) answer both.

use std::collections::BTreeSet;
use std::fmt;

use crate::document::{Document, DocumentError};
use crate::kind::{Kind, Member, TEXTS, member};

/// One leaf of the input document, and the table of all of them.
macro_rules! leaves {
    ($($(#[doc = $doc:literal])+ $id:ident = $path:literal: $kind:expr,)+) => {
        /// A leaf of the input document: something a policy can read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum LeafId { $($(#[doc = $doc])+ $id,)+ }

        impl LeafId {
            /// Every leaf, in the order of the document.
            pub const ALL: &[Self] = &[$(Self::$id,)+];

            /// Where the leaf stands below `input`, dots between the members.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$id => $path,)+ }
            }

            /// What its value is.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$id => $kind,)+ }
            }

            /// What the leaf says, in one line; the published schema uses the same words.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$id => concat!($($doc,)+),)+ }
            }
        }
    };
}

leaves! {
    /// Version of the input document: 1.
    Version = "v": Kind::Number,
    /// SPIFFE ID of the caller.
    CallerId = "caller.id": Kind::Text,
    /// workload, process or person.
    CallerKind = "caller.kind": Kind::Word(&["workload", "process", "person"]),
    /// Trust domain of the caller's SPIFFE ID.
    CallerTrustDomain = "caller.trust_domain": Kind::Text,
    /// Path segments of the caller's SPIFFE ID.
    CallerPath = "caller.path": TEXTS,
    /// `x509_svid`, `jwt_svid`, `process` or `oidc`.
    CallerProof = "caller.proof": Kind::Word(&["x509_svid", "jwt_svid", "process", "oidc"]),
    /// When the caller's proof ends, in Unix seconds.
    CallerExpiresAt = "caller.expires_at": Kind::Number,
    /// Serial and anchor of an X.509-SVID, or null.
    CallerX509 = "caller.x509": Kind::OrNull(&Kind::Object(X509)),
    /// Audience and key of a JWT-SVID, or null.
    CallerJwt = "caller.jwt": Kind::OrNull(&Kind::Object(JWT)),
    /// The calling process as the kernel named it, or null.
    CallerProcess = "caller.process": Kind::OrNull(&Kind::Map(&Kind::Any)),
    /// On whose behalf the caller acts, nearest first.
    CallerActors = "caller.actors": Kind::List(&Kind::Any),
    /// Name of the listener.
    Listener = "listener": Kind::Text,
    /// inbound or outbound.
    Direction = "direction": Kind::Word(&["inbound", "outbound"]),
    /// Name of the route.
    Route = "route": Kind::Text,
    /// Name of the upstream.
    UpstreamName = "upstream.name": Kind::Text,
    /// How the upstream proves itself: `roots`, `spiffe_id`, `pin`, `none`.
    UpstreamProof = "upstream.proof": Kind::Word(&["roots", "spiffe_id", "pin", "none"]),
    /// http/1.1, http/2, tcp or a database's name.
    RequestProtocol = "request.protocol": Kind::Text,
    /// HTTP method, in upper case.
    RequestMethod = "request.method": Kind::Text,
    /// http or https, as the caller spoke.
    RequestScheme = "request.scheme": Kind::Word(&["http", "https"]),
    /// Host the caller asked for, lower case, without port.
    RequestHost = "request.host": Kind::Text,
    /// Path as it is forwarded, without query.
    RequestPath = "request.path": Kind::Text,
    /// Path segments, split first and decoded after.
    RequestSegments = "request.segments": TEXTS,
    /// Query parameters, each a list.
    RequestQuery = "request.query": Kind::Map(&TEXTS),
    /// Headers by lower-case name, each a list.
    RequestHeaders = "request.headers": Kind::Headers,
    /// State, size and, where the route inspects it, value of the body.
    RequestBody = "request.body": Kind::Object(BODY),
    /// Database engine.
    RequestEngine = "request.engine": Kind::Text,
    /// Database name.
    RequestDatabase = "request.database": Kind::Text,
    /// User name the caller gave to the database.
    RequestUser = "request.user": Kind::Text,
    /// Commands and relations of a database statement.
    RequestStatement = "request.statement": Kind::Object(STATEMENT),
    /// The credentials that the route permits, and the state of their leases.
    Credentials = "credentials": Kind::Map(&Kind::Object(CREDENTIAL)),
    /// SPIFFE ID of this sidecar, or null before it has one.
    ContextSidecar = "context.sidecar": Kind::OrNull(&Kind::Text),
    /// Labels of the configuration.
    ContextLabels = "context.labels": Kind::Map(&Kind::Text),
    /// Network address of the peer.
    ContextPeer = "context.peer": Kind::Object(PEER),
    /// Time of the request in Unix seconds; also what `time.now_ns` answers from.
    Now = "now": Kind::Number,
}

/// The whole input document.
pub(crate) const INPUT: Kind = Kind::Leaves("");

const X509: &[Member] = &[
    member("anchor", Kind::Text, "Hash of the trust anchor that verified it."),
    member("serial", Kind::Text, "Serial number in hexadecimal digits."),
];
const JWT: &[Member] = &[
    member("audience", Kind::Text, "The audience it was issued for."),
    member("key_id", Kind::Text, "Name of the key that signed it."),
];
const BODY: &[Member] = &[
    member(
        "state",
        Kind::Word(&["not_inspected", "absent", "parsed", "too_large", "malformed"]),
        "What became of it.",
    ),
    member("bytes", Kind::Number, "Its size, where it is parsed."),
    member("value", Kind::Any, "Its JSON value, where it is parsed."),
];
const STATEMENT: &[Member] = &[
    member("commands", Kind::Any, "What it does."),
    member("relations", Kind::Any, "What it touches."),
    member("known", Kind::Any, "Whether it was understood."),
];
const CREDENTIAL: &[Member] = &[
    member("state", Kind::Word(&["none", "live"]), "Whether there is a lease."),
    member("issued_at", Kind::Number, "When the lease began, in Unix seconds."),
    member("expires_at", Kind::Number, "When the lease ends, in Unix seconds."),
    member("callers", Kind::Number, "How many callers use it."),
];
const PEER: &[Member] =
    &[member("ip", Kind::OrNull(&Kind::Text), "Its address without port, or null where it has none.")];

/// The members of the object at this path, which stands above leaves.
pub(crate) fn below(path: &str) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for leaf in LeafId::ALL {
        let rest = if path.is_empty() {
            Some(leaf.path())
        } else {
            leaf.path().strip_prefix(path).and_then(|rest| rest.strip_prefix('.'))
        };
        let Some(rest) = rest else { continue };
        match rest.split_once('.') {
            None => members.push(member(rest, leaf.kind(), leaf.summary())),
            Some((name, deeper)) if members.iter().all(|known| known.name != name) => {
                let above = leaf.path().len() - deeper.len() - 1;
                let above = leaf.path().get(..above).unwrap_or_default();
                members.push(member(name, Kind::Leaves(above), ""));
            }
            Some(_) => {}
        }
    }
    members
}

impl fmt::Display for LeafId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input.{}", self.path())
    }
}

/// The value of one leaf, borrowed from where the request holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// The document has no such member, or it is null.
    Absent,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Number(u64),
    /// A list or an object: ask for the document.
    Composite,
}

/// What can be asked about one request. Asking twice gives the same answer.
pub trait Facts {
    /// One leaf, without building the document. May answer [`Leaf::Composite`] for what is not a scalar.
    fn leaf(&self, id: LeafId) -> Leaf<'_>;

    /// The whole input document.
    fn document(&self) -> Document;
}

/// Which leaves of the input a policy reads: what a memo's key must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeafSet {
    /// These and no others; for an object such as `input.request`, all its leaves.
    Only(BTreeSet<LeafId>),
    /// The policy reads `input` itself or a member by a computed name.
    Whole,
}

impl LeafSet {
    /// Whether the policy's answer may hang on this leaf.
    #[must_use]
    pub fn reads(&self, id: LeafId) -> bool {
        match self {
            Self::Only(leaves) => leaves.contains(&id),
            Self::Whole => true,
        }
    }

    /// Adds what a reference with these constant members below `input` can read.
    pub(crate) fn add(&mut self, members: &[&str]) {
        let Self::Only(leaves) = self else { return };
        if members.is_empty() {
            *self = Self::Whole;
            return;
        }
        for leaf in LeafId::ALL {
            // Either may be the longer one: `input.request` reads every leaf below it,
            // `input.request.headers.accept` reads the leaf above it.
            if leaf.path().split('.').zip(members).all(|(ours, theirs)| ours == *theirs) {
                leaves.insert(*leaf);
            }
        }
    }
}

/// A recorded input document: what replay, tests and the workbench judge.
#[derive(Clone, Debug)]
pub struct Recorded {
    json: serde_json::Value,
    document: Document,
}

impl Recorded {
    /// Reads the JSON text of one input document; bounded as [`Document::json`] is.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let document = Document::json(text)?;
        let json = serde_json::from_str(text).map_err(|error| DocumentError::Malformed(error.to_string()))?;
        Ok(Self { json, document })
    }

    /// As JSON.
    #[must_use]
    pub const fn json(&self) -> &serde_json::Value {
        &self.json
    }

    /// Its time, in Unix seconds: what `time.now_ns` answers from.
    #[must_use]
    pub fn now(&self) -> Option<u64> {
        self.json.get("now")?.as_u64()
    }
}

impl Facts for Recorded {
    fn leaf(&self, id: LeafId) -> Leaf<'_> {
        let mut value = Some(&self.json);
        for member in id.path().split('.') {
            value = value.and_then(|value| value.get(member));
        }
        match value {
            None | Some(serde_json::Value::Null) => Leaf::Absent,
            Some(serde_json::Value::String(text)) => Leaf::Text(text),
            Some(serde_json::Value::Number(number)) => number.as_u64().map_or(Leaf::Composite, Leaf::Number),
            Some(_) => Leaf::Composite,
        }
    }

    fn document(&self) -> Document {
        self.document.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_leaves_share_a_path_and_none_stands_below_another() {
        for (index, leaf) in LeafId::ALL.iter().enumerate() {
            for other in LeafId::ALL.iter().skip(index + 1) {
                assert!(
                    !leaf.path().split('.').zip(other.path().split('.')).all(|(a, b)| a == b),
                    "{leaf} and {other}"
                );
            }
        }
    }

    #[test]
    fn a_reference_reads_the_leaf_above_it_or_all_below_it() {
        let mut leaves = LeafSet::Only(BTreeSet::new());
        leaves.add(&["request", "headers", "accept"]);
        leaves.add(&["upstream"]);

        let expected = [LeafId::RequestHeaders, LeafId::UpstreamName, LeafId::UpstreamProof];
        assert_eq!(leaves, LeafSet::Only(expected.into()));
        leaves.add(&[]);
        assert_eq!(leaves, LeafSet::Whole);
    }

    #[test]
    fn a_recorded_document_answers_leaves_and_whole() {
        let text = r#"{"caller": {"id": "spiffe://a/b", "jwt": null}, "now": 7, "request": {"headers": {}}}"#;
        let recorded = Recorded::parse(text).unwrap();

        assert_eq!(recorded.leaf(LeafId::CallerId), Leaf::Text("spiffe://a/b"));
        assert_eq!(recorded.leaf(LeafId::CallerJwt), Leaf::Absent);
        assert_eq!(recorded.leaf(LeafId::Now), Leaf::Number(7));
        assert_eq!(recorded.leaf(LeafId::RequestHeaders), Leaf::Composite);
        assert_eq!(recorded.leaf(LeafId::Route), Leaf::Absent);
        assert_eq!(recorded.document().depth(), 3);
    }
}
