use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, File, Size};

/// Where callers arrive: TLS 1.3 only, and each caller proves a SPIFFE identity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// `ip:port`.
    pub bind: String,
    /// What is spoken; declared, never guessed.
    pub protocol: Protocol,
    /// Which way it faces.
    #[serde(default)]
    pub direction: Way,
    /// What it presents to callers: `svid`, or files for callers that do not know SPIFFE.
    #[serde(default)]
    pub certificate: Certificate,
    /// Who may call and how they prove it.
    #[serde(default)]
    pub callers: Callers,
    /// What a denial does.
    #[serde(default)]
    pub mode: Listens,
    /// Host and leading path segments, to one upstream, by name; the longest path wins, a route with a host before
    /// one without. A `tcp` listener has exactly one.
    pub routes: BTreeMap<String, Route>,
    /// What it bears.
    #[serde(default)]
    pub limits: Limits,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/2, chosen by ALPN; a decision per request.
    Http,
    /// Bytes; a decision per connection.
    Tcp,
}

/// Which way a listener faces.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Callers are remote workloads; the upstream is the old service beside us.
    #[default]
    Inbound,
}

/// What a listener does with a denial.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Listens {
    /// Policy decides and is obeyed.
    #[default]
    Enforce,
}

/// What a listener presents to callers.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Certificate {
    /// Our own X.509-SVID.
    Svid(OwnSvid),
    /// A certificate for callers that do not know SPIFFE.
    Files(CertificateFiles),
}

/// The word `svid`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnSvid {
    /// Our own X.509-SVID.
    Svid,
}

/// A certificate for callers that do not know SPIFFE, PEM.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The certificate and what follows it, leaf first.
    pub chain: File,
    /// The leaf's private key.
    pub key: File,
}

/// Who may call and how they prove it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Callers {
    /// Any one of these suffices; where both are presented they must name the same id.
    pub any_of: Vec<Accepts>,
    /// The audience that a JWT-SVID must name, and name alone; needed with `jwt_svid`.
    pub audience: Option<String>,
    /// Trust domains accepted here, out of `identity.trust`; without it, all of those.
    pub trust: Option<Vec<String>>,
    /// The longest life of an accepted JWT-SVID, 1s to 1d.
    pub max_token_life: Duration,
}

/// A way of proving who one is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accepts {
    /// A client certificate in the TLS handshake.
    X509Svid,
    /// `Authorization: Bearer` and a JWT-SVID.
    JwtSvid,
}

/// A host and whole leading path segments, to one upstream.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The host that must be asked for, without port; without it, any.
    pub host: Option<String>,
    /// Leading segments that must be equal: `/postings` fits `/postings/2026`, not `/postings-old`.
    #[serde(default = "any_path")]
    pub path: String,
    /// Where it leads, by its name under `upstreams`.
    pub upstream: String,
    /// What a decision may name, by names under `credentials`; the only one is taken without being named.
    #[serde(default)]
    pub credentials: Vec<String>,
    /// What becomes of an encoded slash (`%2F`) in a path.
    #[serde(default)]
    pub encoded_slash: EncodedSlash,
    /// Whether policy sees JSON bodies; without it, no body is read before the decision.
    pub body: Option<Body>,
}

/// What becomes of an encoded slash in a path.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncodedSlash {
    /// The request is refused.
    #[default]
    Refuse,
    /// It stays as it is, inside its segment.
    Keep,
}

/// How much of a JSON body policy sees.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The largest body that is read, up to 1MiB; a larger one is `too_large`.
    pub inspect: Size,
    /// What becomes of bodies that are `too_large` or `malformed`.
    #[serde(default)]
    pub unreadable: Unreadable,
}

/// What becomes of bodies that policy cannot read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// The request is denied without asking policy.
    #[default]
    Deny,
    /// Policy is asked, with `body.state` and without the value.
    Judge,
}

/// What one listener bears.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections, per worker.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// Handshakes in flight, per worker.
    #[schemars(range(min = 1, max = 100_000))]
    pub handshakes: u32,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a request head may take.
    pub head: Duration,
    /// The largest request head, 8KiB to 1MiB.
    pub head_size: Size,
    /// The most headers of a request.
    #[schemars(range(min = 1, max = 1_000))]
    pub headers: u32,
    /// How long a body, stream or idle connection may stand still.
    pub idle: Duration,
    /// How old a connection may get; it also never outlives the caller's SVID.
    pub age: Duration,
    /// Streams at a time on one HTTP/2 connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub streams: u32,
}

impl Default for Certificate {
    fn default() -> Self {
        Self::Svid(OwnSvid::Svid)
    }
}

impl Default for Callers {
    fn default() -> Self {
        Self {
            any_of: vec![Accepts::X509Svid],
            audience: None,
            trust: None,
            max_token_life: Duration("10m".into()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let time = |text: &str| Duration(text.into());
        Self {
            connections: 1024,
            handshakes: 64,
            handshake: time("5s"),
            head: time("10s"),
            head_size: Size("32KiB".into()),
            headers: 100,
            idle: time("5m"),
            age: time("1d"),
            streams: 100,
        }
    }
}

fn any_path() -> String {
    "/".into()
}
