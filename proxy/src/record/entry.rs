use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{
    AccessId, CredentialName, DecisionId, Direction, LeaseRef, ListenerName, Mode, RecordId, RouteName,
    SpiffeId, UpstreamName,
};

/// One record, before the writer gives it `kind`, `boot` and `seq`. The JSON members are a contract: they are only ever added.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// One HTTP request, one HTTP/2 stream, one TCP connection.
    Request(Box<RequestEntry>),
    /// What never became a request: a handshake, a limit, a malformed head.
    Refused(RefusedConnection),
    /// A caller began to use a lease at an upstream.
    AccessOpened(AccessOpened),
    /// That use is over, for a reason, with the proof that there is.
    AccessEnded(AccessEnded),
    /// Something that lives longer than a second began: a WebSocket, an event stream, a tunnel.
    SessionOpened(SessionOpened),
    /// It is over.
    SessionEnded(SessionEnded),
    /// Configuration, policy or identity was replaced, or was refused and the old one serves on.
    Reload(Reload),
    /// Records are missing here.
    Gap(Gap),
}

impl Entry {
    /// The member `kind`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Refused(_) => "refused",
            Self::AccessOpened(_) => "access.opened",
            Self::AccessEnded(_) => "access.ended",
            Self::SessionOpened(_) => "session.opened",
            Self::SessionEnded(_) => "session.ended",
            Self::Reload(_) => "reload",
            Self::Gap(_) => "gap",
        }
    }
}

/// A request from its head to its end.
#[derive(Debug, Serialize)]
pub struct RequestEntry {
    /// When its head had been read.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// Its name, also in the refusal's body.
    pub id: RecordId,
    /// Where it arrived.
    pub listener: ListenerName,
    /// Which way that listener faces.
    pub direction: Direction,
    /// The route, once one fitted.
    pub route: Option<RouteName>,
    /// The listener's mode.
    pub mode: Mode,
    /// Who asked, once proven.
    pub caller: Option<CallerFacts>,
    /// What was asked.
    pub request: RequestFacts,
    /// What policy said, if it was asked.
    pub decision: Option<DecisionFacts>,
    /// The lease that was put in.
    pub credential: Option<CredentialUse>,
    /// What the upstream did.
    pub upstream: Option<UpstreamFacts>,
    /// Body bytes from and to the caller.
    pub bytes: Bytes,
    /// Microseconds from head to end.
    pub us: u64,
    /// How it went.
    pub outcome: Outcome,
    /// The one stable code, where something went wrong.
    pub code: Option<&'static str>,
    /// True where the upstream's response held the injected secret, which was masked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leak: bool,
    /// The W3C trace id, where the caller sent one or we made one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Which configuration, identity and policy judged it.
    pub generation: Generations,
}

/// Who asked.
#[derive(Clone, Debug, Serialize)]
pub struct CallerFacts {
    /// The SPIFFE ID.
    pub id: SpiffeId,
    /// `x509_svid` or `jwt_svid`.
    pub proof: &'static str,
    /// The certificate's serial, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Arc<str>>,
    /// When the proof ends, Unix seconds.
    pub expires_at: u64,
}

/// What was asked; for TCP only the protocol.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RequestFacts {
    /// `http/1.1`, `http/2`, `tcp`.
    pub protocol: &'static str,
    /// HTTP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// HTTP only; lower case, without port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// HTTP only; without the query, which may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What policy said.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionFacts {
    /// Its name.
    pub id: DecisionId,
    /// Whether it allowed.
    pub allow: bool,
    /// The rule that decided, as the policy names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why, as the policy says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Bundle name to revision.
    pub policy: Arc<BTreeMap<String, String>>,
    /// Microseconds it took.
    pub us: u64,
    /// Whether it came from the memo.
    pub memo: bool,
    /// What the policy wants kept: `record` of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<serde_json::Value>,
    /// What was kept of the input it judged, written as JSON: `document`, `masked`, `shortened`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Arc<RawValue>>,
}

/// The lease that was put in.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialUse {
    /// The configured name.
    pub name: CredentialName,
    /// The access it belongs to.
    pub access: AccessId,
    /// The lease, as a keyed hash.
    pub lease: LeaseRef,
    /// Seconds since it was issued.
    pub age: u64,
    /// Seconds until it ends.
    pub ttl_left: u64,
}

/// What the upstream did.
#[derive(Clone, Debug, Serialize)]
pub struct UpstreamFacts {
    /// The configured name.
    pub name: UpstreamName,
    /// HTTP status, if it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Microseconds until its head (HTTP) or its connection (TCP) was there.
    pub us: u64,
}

/// Body bytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Bytes {
    /// From the caller.
    #[serde(rename = "in")]
    pub received: u64,
    /// To the caller.
    #[serde(rename = "out")]
    pub sent: u64,
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It reached the upstream and its answer reached the caller, whatever the status.
    Forwarded,
    /// We did not let it through.
    Refused,
    /// It was let through and something broke.
    Failed,
    /// The caller went away, or we were cut off, before it was over.
    Abandoned,
}

/// The generations that judged a request.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Generations {
    /// Configuration.
    pub config: u64,
    /// Trust bundles.
    pub identity: u64,
    /// Policy.
    pub policy: u64,
}

/// What never became a request.
#[derive(Debug, Serialize)]
pub struct RefusedConnection {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// Its name.
    pub id: RecordId,
    /// Where it arrived.
    pub listener: ListenerName,
    /// Address of the other end: where it came from, not who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Who it was, if that had been proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerFacts>,
    /// The one stable code.
    pub code: &'static str,
    /// Causes, for the operator.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How many alike this one stands for, beyond itself, where a flood was gathered into one.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// A caller began to use a lease at an upstream.
#[derive(Debug, Serialize)]
pub struct AccessOpened {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// Its name.
    pub access: AccessId,
    /// Who.
    pub caller: SpiffeId,
    /// With what.
    pub credential: CredentialName,
    /// The lease, as a keyed hash.
    pub lease: LeaseRef,
    /// At which old system.
    pub upstream: UpstreamName,
    /// When the lease ends as things stand, Unix seconds.
    pub expires_at: u64,
}

/// That use is over.
#[derive(Debug, Serialize)]
pub struct AccessEnded {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// Its name.
    pub access: AccessId,
    /// Who.
    pub caller: SpiffeId,
    /// With what.
    pub credential: CredentialName,
    /// The lease, as a keyed hash.
    pub lease: LeaseRef,
    /// `lease_expired`, `idle`, `revoked`, `refused_by_upstream`, `until`, `drained`, `crash`, `source_changed`.
    pub reason: &'static str,
    /// What shows it: `vault:lookup:gone`, `vault:revoked`, `clock`, `unproven`.
    pub proof: &'static str,
    /// Requests it served.
    pub requests: u64,
}

/// Something that lives longer than a second began.
#[derive(Debug, Serialize)]
pub struct SessionOpened {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// The request it belongs to.
    pub request: RecordId,
    /// Where it arrived.
    pub listener: ListenerName,
    /// `websocket`, `stream`, `tcp`.
    pub session: &'static str,
    /// Who.
    pub caller: Option<SpiffeId>,
    /// The access it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessId>,
}

/// It is over.
#[derive(Debug, Serialize)]
pub struct SessionEnded {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// The request it belongs to.
    pub request: RecordId,
    /// The code of what cut it, if something did.
    pub code: Option<&'static str>,
    /// Milliseconds it lived.
    pub ms: u64,
}

/// Something was replaced, or refused.
#[derive(Debug, Serialize)]
pub struct Reload {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// `config`, `policy`, `svid`, `bundle`.
    pub what: &'static str,
    /// Whether the new one serves.
    pub accepted: bool,
    /// The generation that serves now.
    pub generation: u64,
    /// Its revision, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Code of the refusal.
    pub code: Option<&'static str>,
    /// Why, in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Records are missing here.
#[derive(Debug, Serialize)]
pub struct Gap {
    /// When it was noticed.
    #[serde(serialize_with = "rfc3339")]
    pub at: SystemTime,
    /// `killed`, `sequence_lost` (nothing tells how the boot before ended), `disk_full`, `overload`.
    pub cause: &'static str,
    /// The boot they are missing from.
    pub after_boot: String,
    /// The last number that is surely there.
    pub after_seq: u64,
    /// At most so many are missing.
    pub missing_at_most: u64,
}

/// RFC 3339 in UTC with milliseconds.
fn rfc3339<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let stamp = jiff::Timestamp::try_from(*at).unwrap_or_default();
    serializer.collect_str(&format_args!("{stamp:.3}"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
