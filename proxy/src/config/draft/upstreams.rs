use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, File};

/// The old system: where it is, how it proves itself, how it wants to be logged in to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `host:port` or `unix:/path`.
    pub address: String,
    /// How it proves itself before any credential is sent; without it, clear text is spoken.
    pub tls: Option<Tls>,
    /// Where the credential is put; without it, the upstream takes none.
    pub login: Option<Login>,
    /// Deadlines towards it.
    #[serde(default)]
    pub timeouts: UpstreamTimeouts,
    /// How many connections may be open to it, per worker.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: u32,
    /// Whether HTTP/2 is spoken to it (gRPC needs it); declared, never guessed.
    #[serde(default)]
    pub http2: bool,
    /// Whether its responses are searched for the injected secret, which is then masked.
    #[serde(default = "yes")]
    pub scrub: bool,
}

/// What must hold of an upstream's certificate: exactly one of `roots`, `spiffe_id` and `pin`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// It chains to these roots (PEM) and is valid for the server name.
    pub roots: Option<File>,
    /// It is an X.509-SVID with exactly this id.
    pub spiffe_id: Option<String>,
    /// Its public key has this digest, whoever signed it: `sha256:` and 64 hexadecimal digits
    /// (SHA-256 of the `SubjectPublicKeyInfo`).
    pub pin: Option<String>,
    /// The name it is asked for and must be valid for; without it, the host of the address.
    pub server_name: Option<String>,
    /// The lowest version spoken.
    #[serde(default)]
    pub min: TlsMin,
    /// Whether our own X.509-SVID is presented to it.
    #[serde(default)]
    pub present_svid: bool,
}

/// The lowest TLS version spoken.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub enum TlsMin {
    /// TLS 1.2, for that is what old systems mostly speak.
    #[default]
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

/// Where the credential is put.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// `Authorization: Basic`, from a user name and a password.
    Basic,
    /// `Authorization: Bearer`, from a token.
    Bearer,
    /// The header of this name, holding a token.
    Header(String),
}

/// Deadlines towards an upstream, each 1ms to 1h.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamTimeouts {
    /// Until it is connected and proven.
    pub connect: Duration,
    /// Until the head of its response is read.
    pub response: Duration,
    /// How long a kept connection may stand unused.
    pub idle: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        let text = |text: &str| Duration(text.into());
        Self { connect: text("5s"), response: text("60s"), idle: text("60s") }
    }
}

fn hundred() -> u32 {
    100
}

fn yes() -> bool {
    true
}
