use std::sync::Arc;

use crate::config::{Listener, Route};
use crate::identify::Peer;
use crate::model::CredentialFacts;

/// What policy judges: borrowed from the protocol's own buffers.
#[derive(Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub peer: &'a Arc<Peer>,
    /// Where it arrived.
    pub listener: &'a Listener,
    /// Where it would go.
    pub route: &'a Route,
    /// What is asked.
    pub action: &'a Action<'a>,
    /// The IP address it came from, as its connection wrote it: context, never identity.
    pub from: Option<&'a Arc<str>>,
    /// What the route permits; the decision chooses among them.
    pub credentials: &'a [CredentialFacts],
}

/// What is asked, in the words of the protocol.
#[derive(Debug)]
pub enum Action<'a> {
    /// A raw TCP connection.
    Connect,
    /// An HTTP request or an HTTP/2 stream.
    Http(HttpAction<'a>),
}

/// An HTTP request in its one canonical form: what is judged is what is sent.
#[derive(Debug)]
pub struct HttpAction<'a> {
    /// `http/1.1` or `http/2`.
    pub protocol: &'static str,
    /// The method.
    pub method: &'a str,
    /// Lower case, without port.
    pub host: &'a str,
    /// The path as it will be sent, without the query.
    pub path: &'a str,
    /// Split first, decoded after.
    pub segments: &'a [String],
    /// Decoded pairs in their order.
    pub query: &'a [(String, String)],
    /// All headers of the request; those that carry proof, cookies and the place of the
    /// credential are kept from policy by [`Request`].
    pub headers: &'a http::HeaderMap,
    /// What is known of the body.
    pub body: BodyFacts<'a>,
}

/// What policy sees of a body.
#[derive(Debug)]
pub enum BodyFacts<'a> {
    /// The route does not look.
    NotInspected,
    /// There is none.
    Absent,
    /// JSON, read whole.
    Parsed {
        /// Its length.
        bytes: usize,
        /// Its value.
        value: &'a serde_json::Value,
    },
    /// Longer than the route looks.
    TooLarge,
    /// Not JSON.
    Malformed,
}
