//! The upstream: how it is reached, how it proves itself, which connections are kept.
//!
//! One set of [`Upstreams`] per worker. Nothing here knows who asks or what was granted: whoever
//! holds an [`Upstream`] was given it by the gate. No redirect is followed; every wait has a deadline.

mod connect;
mod pool;
pub mod splice;
mod still;
mod tls;
mod upload;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio::time::Instant;

pub use pool::{Answer, Lent, Local};
pub use still::stillness;
pub use upload::{Source, Upload};

pub use crate::wire::Stream;

use crate::clock::SharedClock;
use crate::config::{self, Login};
use crate::fault::{Code, Coded, codes};
use crate::identify::{IdentifyError, Identities};
use crate::model::{Fingerprint, UpstreamName};
use connect::Connector;
use pool::Pool;

/// How many kept connections a request may find closed: all but the first were opened meanwhile, by others.
const CLOSED: u32 = 8;

/// A worker's upstreams, by name.
pub struct Upstreams {
    by_name: HashMap<UpstreamName, Rc<Upstream>>,
}

impl Upstreams {
    /// Builds all of them; fails where TLS material cannot be read.
    pub fn build(
        configured: &BTreeMap<UpstreamName, Arc<config::Upstream>>,
        identities: &Identities,
        clock: &SharedClock,
    ) -> Result<Self, ForwardError> {
        let built = configured.iter().map(|(name, upstream)| {
            let connector = Connector::new(Arc::clone(upstream), identities, clock)?;
            let pool = Rc::new(Pool::new(upstream));
            Ok((name.clone(), Rc::new(Upstream { config: Arc::clone(upstream), connector, pool })))
        });
        Ok(Self { by_name: built.collect::<Result<_, ForwardError>>()? })
    }

    /// The upstream of that name.
    #[must_use]
    pub fn of(&self, name: &UpstreamName) -> Option<Rc<Upstream>> {
        self.by_name.get(name).cloned()
    }
}

/// One old system, as one worker reaches it.
pub struct Upstream {
    config: Arc<config::Upstream>,
    connector: Connector,
    pool: Rc<Pool>,
}

impl Upstream {
    /// Its configured name.
    #[must_use]
    pub fn name(&self) -> &UpstreamName {
        &self.config.name
    }

    /// How it wants to be logged in to.
    #[must_use]
    pub fn login(&self) -> Option<&Login> {
        self.config.login.as_ref()
    }

    /// Whether HTTP/2 is spoken to it.
    #[must_use]
    pub fn http2(&self) -> bool {
        self.config.http2
    }

    /// `https`, or `http` where it is spoken to in clear text.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.config.tls.is_some() { "https" } else { "http" }
    }

    /// Whether its responses are searched for the injected secret.
    #[must_use]
    pub fn scrub(&self) -> bool {
        self.config.scrub
    }

    /// Sends one request on a connection that only `lease` has used, and waits for the head of the
    /// response. If a kept connection turns out to be closed before any of it was written, it goes
    /// out again on a fresh one; if it was written and cannot have been answered, the error says so
    /// ([`ForwardError::Crossed`]) and the request may be sent once more with [`Attempt::Again`].
    /// A connection may be long in coming: `over` is asked when it is there.
    pub async fn send(
        &self,
        lease: Option<Fingerprint>,
        request: Request<Upload>,
        attempt: Attempt,
        over: impl Fn() -> Option<&'static Code>,
    ) -> Result<Answer, ForwardError> {
        let mut request = request;
        let mut since = matches!(attempt, Attempt::Again).then(Instant::now);
        let mut closed = 0;
        loop {
            let line = self.pool.line(lease, &self.connector, since).await?;
            let reused = line.reused();
            if reused && matches!(attempt, Attempt::Only) {
                noticed().await;
            }
            if let Some(code) = over() {
                line.give_back();
                return Err(ForwardError::Cut { code });
            }
            match line.answer(request, self.config.timeouts.response).await {
                Err((_, Some(unwritten))) if reused && closed < CLOSED => {
                    request = *unwritten;
                    since = Some(Instant::now());
                    closed += 1;
                }
                Err((error, _)) => return Err(error.crossed(reused)),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// A connection of its own, for what is not HTTP.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, ForwardError> {
        let place = self.pool.place().await?;
        let stream = self.connector.connect().await?;
        Ok(Box::new(connect::Placed::new(stream, place)))
    }
}

/// Resolves when this worker has looked after its sockets, and so has noticed what was closed. In a task of its own,
/// for the one that asks may be woken earlier by something else.
async fn noticed() {
    if let Err(error) = tokio::task::spawn_local(tokio::task::yield_now()).await {
        tracing::debug!(%error, "this worker ends");
    }
}

/// Whether a request can be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It cannot.
    Only,
    /// It can.
    First,
    /// This is the second time: on a connection that is not older.
    Again,
}

/// Why an upstream could not be reached or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// Its `tls:` could not be put to use.
    #[error("upstream {upstream}: its tls settings cannot be used")]
    Tls {
        /// Which one.
        upstream: UpstreamName,
        /// What is wrong with them.
        source: IdentifyError,
    },
    /// It does not listen, or its name does not resolve.
    #[error("upstream {upstream} cannot be reached")]
    Unreachable {
        /// Which one.
        upstream: UpstreamName,
        /// The system's word.
        source: io::Error,
    },
    /// Its certificate does not hold.
    #[error("upstream {upstream} did not prove itself")]
    Unproven {
        /// Which one.
        upstream: UpstreamName,
        /// What rustls says.
        source: io::Error,
    },
    /// It did not answer in time.
    #[error("the upstream took longer than {limit:?} to {what}")]
    Late {
        /// `connect` or `answer`.
        what: &'static str,
        /// The deadline.
        limit: Duration,
    },
    /// All connections were in use for as long as a request may wait for one.
    #[error("all {most} connections are in use")]
    Busy {
        /// How many there may be.
        most: usize,
    },
    /// It broke off or did not speak HTTP.
    #[error("the upstream broke off")]
    BrokeOff(#[source] hyper::Error),
    /// It closed a kept connection, or refused the stream, as the request was on its way.
    #[error("the upstream closed the connection as the request was on its way")]
    Crossed {
        /// How it was noticed.
        source: hyper::Error,
        /// Whether the upstream said that it has not read the request.
        unread: bool,
    },
    /// It spoke HTTP that does not answer the request: a switch of protocols nobody asked for.
    #[error("the upstream answered with status {status}, which nobody asked for")]
    NotAsked {
        /// The status.
        status: u16,
    },
    /// Its connection broke while bytes were copied.
    #[error("the upstream's connection broke")]
    Broken(#[source] io::Error),
    /// The caller's connection broke while bytes were copied.
    #[error("the caller's connection broke")]
    CallerBroken(#[source] io::Error),
    /// The caller's body broke off or was malformed.
    #[error("the caller's body broke off")]
    BodyBrokeOff(#[source] hyper::Error),
    /// A body stood still.
    #[error("nothing moved for {idle:?}")]
    Stalled {
        /// The limit.
        idle: Duration,
    },
    /// The request goes out again on another connection; this one's copy is over.
    #[error("the request is sent again elsewhere")]
    Superseded,
    /// What bounded the request or its response has ended.
    #[error("cut: {}", code.summary)]
    Cut {
        /// Why.
        code: &'static Code,
    },
}

impl ForwardError {
    /// Tells a connection that was closed before its time from one that broke under the request.
    fn crossed(self, reused: bool) -> Self {
        match self {
            Self::BrokeOff(source) if pool::is_unread(&source) => Self::Crossed { source, unread: true },
            Self::BrokeOff(source) if reused && pool::is_closed(&source) => {
                Self::Crossed { source, unread: false }
            }
            other => other,
        }
    }
}

impl Coded for ForwardError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Tls { .. } => codes::CONFIG_REFUSED,
            Self::Unreachable { .. } => codes::UPSTREAM_UNREACHABLE,
            Self::Unproven { .. } => codes::UPSTREAM_UNPROVEN,
            Self::Late { .. } => codes::UPSTREAM_TIMEOUT,
            Self::Busy { .. } => codes::UPSTREAM_BUSY,
            Self::BrokeOff(_) | Self::NotAsked { .. } | Self::Broken(_) | Self::Superseded => {
                codes::UPSTREAM_BROKE_OFF
            }
            Self::Crossed { .. } => codes::UPSTREAM_CROSSED,
            Self::BodyBrokeOff(_) | Self::CallerBroken(_) => codes::BODY_BROKE_OFF,
            Self::Stalled { .. } => codes::BODY_STALLED,
            Self::Cut { code } => code,
        }
    }
}
