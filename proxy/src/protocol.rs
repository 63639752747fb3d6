//! The dialects: how each protocol reads a request, is given a credential, and is refused.
//!
//! A dialect is handed a [`Connection`] whose peer has been identified and the [`Site`] it arrived
//! at. It reads requests, opens their records, asks the gate, and forwards what the gate lets
//! through. It cannot reach an upstream by any other way. To add one: a file here, a line in [`KINDS`].

mod ending;
pub mod http;
mod session;
pub mod tcp;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

pub use ending::{End, Ender, Ending, ending};

use crate::LocalBoxFuture;
use crate::clock::SharedClock;
use crate::config::{Config, Listener};
use crate::fault::Fault;
pub use crate::forward::Stream;
use crate::gate::Gate;
use crate::identify::{Alpn, Peer};
use crate::model::{ListenerName, RouteName};
use crate::record::Records;

/// An accepted connection, its handshake done.
pub struct Connection {
    /// Clear text from and to the caller.
    pub stream: Box<dyn Stream>,
    /// What was agreed on in the handshake.
    pub alpn: Alpn,
    /// Who presented an X.509-SVID, if anybody did.
    pub certificate: Option<Arc<Peer>>,
    /// Where it arrived.
    pub listener: Arc<Listener>,
    /// Where it came from: context, never identity.
    pub from: SocketAddr,
    /// Tells when it must end.
    pub ending: Ending,
}

/// Reads a bearer token: whose it is, if it is a JWT-SVID that this listener accepts.
pub type TokenReader = Rc<dyn Fn(&str) -> Result<Arc<Peer>, Fault>>;

/// What all connections of one listener share on one worker, under one configuration.
pub struct Site {
    /// The only way to an upstream.
    pub gate: Rc<Gate>,
    /// Where records are opened.
    pub records: Records,
    /// Verifies JWT-SVIDs with this listener's audience and trust domains; none where it accepts none.
    pub tokens: Option<TokenReader>,
    /// Measures how long an upstream takes.
    pub clock: SharedClock,
    /// The configuration's generation, for records.
    pub generation: u64,
}

/// A dialect.
pub trait Protocol: Sync {
    /// Serves a connection to its end. Whatever happens on it has been recorded when this is over;
    /// dropping it cuts everything that hangs on it.
    fn serve(&self, connection: Connection, site: Rc<Site>) -> LocalBoxFuture<'static, ()>;

    /// Refuses a listener that this dialect cannot serve, before anything is bound.
    fn fits(&self, listener: &Listener) -> Result<(), Unfit>;
}

/// A listener that its protocol cannot serve as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("listener {listener}: {unfit}")]
pub struct Misfit {
    listener: ListenerName,
    unfit: Unfit,
}

/// Every listener that its protocol cannot serve as it is configured; looked for before anything is bound.
#[must_use]
pub fn misfits(config: &Config) -> Vec<Misfit> {
    let unfit = |listener: &Listener| match kind(&listener.protocol) {
        Some(kind) => kind.protocol.fits(listener).err(),
        None => Some(Unfit::UnknownProtocol),
    };
    let listeners = config.listeners.values();
    listeners
        .filter_map(|listener| Some(Misfit { listener: listener.name.clone(), unfit: unfit(listener)? }))
        .collect()
}

/// Why a listener's configuration does not go with its protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No dialect of that name.
    #[error("its protocol is not one of those that are spoken here")]
    UnknownProtocol,
    /// There is no place in the protocol for a credential.
    #[error("route `{route}`: this protocol has no place to put a credential in; remove its `credentials`")]
    NoPlaceForCredential {
        /// The route that names one.
        route: RouteName,
    },
    /// There is no place in the protocol for a token.
    #[error("this protocol carries no token: `callers.any_of` must be [x509_svid]")]
    NoPlaceForToken,
    /// The protocol has neither host nor path.
    #[error(
        "route `{route}`: this protocol knows neither host nor path; a single route without them is needed"
    )]
    NothingToRouteBy {
        /// The route that has them.
        route: RouteName,
    },
    /// A credential has nowhere to go.
    #[error("route `{route}` names credentials, but its upstream has no `login` that says where to put them")]
    NoLogin {
        /// The route.
        route: RouteName,
    },
}

/// A row in the table of dialects.
pub struct Kind {
    /// As `protocol:` names it.
    pub name: &'static str,
    /// What it is, in one line, for the reference.
    pub summary: &'static str,
    /// A listener that speaks it, as the configuration has it.
    pub example: &'static str,
    /// ALPN names offered in the handshake, the preferred first; empty: none.
    pub alpn: &'static [&'static [u8]],
    /// Speaks it.
    pub protocol: &'static dyn Protocol,
}

/// Every dialect.
pub const KINDS: &[Kind] = &[http::KIND, tcp::KIND];

/// The dialect of that name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
