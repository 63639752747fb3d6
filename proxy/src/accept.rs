//! Listeners: bind, accept, limit. A connection that finds no place is closed at once and counted;
//! no handshake is ever waited for here, so that a caller that stalls delays no other.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::config;
use crate::fault::{Code, Coded, codes};
use crate::model::ListenerName;

/// Connections that the kernel may hold ready for us.
const BACKLOG: i32 = 1024;
/// How long to wait when descriptors or memory are short.
const SHORT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("listener {name} cannot listen on {address}")]
pub struct BindError {
    name: ListenerName,
    address: SocketAddr,
    source: io::Error,
}

/// Why a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// `limits.connections` are open.
    #[error("limits.connections are open")]
    TooManyConnections,
    /// `limits.handshakes` are in flight.
    #[error("limits.handshakes are in flight")]
    TooManyHandshakes,
}

impl Coded for BindError {
    fn code(&self) -> &'static Code {
        codes::ACCEPT_FAILED
    }
}

impl Coded for AcceptError {
    fn code(&self) -> &'static Code {
        match self {
            Self::TooManyConnections => codes::CONNECTION_LIMIT,
            Self::TooManyHandshakes => codes::HANDSHAKE_LIMIT,
        }
    }
}

/// Binds one worker's socket. Every worker binds its own; the kernel spreads connections over them.
pub fn bind(listener: &config::Listener) -> Result<std::net::TcpListener, BindError> {
    let name = &listener.name;
    socket(listener.bind).map_err(|source| BindError { name: name.clone(), address: listener.bind, source })
}

/// Whether nobody listens there: sharing an address is for our own workers, not for another process
/// of the same user, whose callers would be ours by chance.
pub fn is_free(listener: &config::Listener) -> Result<(), BindError> {
    let name = &listener.name;
    let probe = Socket::new(Domain::for_address(listener.bind), Type::STREAM, Some(Protocol::TCP));
    let bound = probe.and_then(|probe| {
        probe.set_reuse_address(true)?;
        probe.bind(&listener.bind.into())
    });
    bound.map_err(|source| BindError { name: name.clone(), address: listener.bind, source })
}

fn socket(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// One worker's end of a listener.
pub struct Door {
    /// The listener as configured.
    pub listener: Arc<config::Listener>,
    socket: TcpListener,
    open: Places,
    handshaking: Places,
}

/// A connection that was taken, and its place among the open ones.
pub struct Accepted {
    /// The bare connection.
    pub stream: TcpStream,
    /// Where it came from: not who it is.
    pub from: SocketAddr,
    /// Given back when the connection is over.
    pub place: Place,
    /// Given back when the handshake is over.
    pub handshake: Place,
}

impl Door {
    /// Takes over a bound socket, on the worker's own runtime.
    pub fn new(listener: Arc<config::Listener>, socket: std::net::TcpListener) -> io::Result<Self> {
        let limits = listener.limits;
        let socket = TcpListener::from_std(socket)?;
        Ok(Self {
            listener,
            socket,
            open: Places::new(limits.connections),
            handshaking: Places::new(limits.handshakes),
        })
    }

    /// The next connection, or the limit that refused it. What the kernel refuses is waited out.
    pub async fn accept(&self) -> Result<Accepted, (AcceptError, SocketAddr)> {
        let (stream, from) = self.next().await;
        let place = self.open.take().ok_or((AcceptError::TooManyConnections, from))?;
        let handshake = self.handshaking.take().ok_or((AcceptError::TooManyHandshakes, from))?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        Ok(Accepted { stream, from, place, handshake })
    }

    async fn next(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(taken) => return taken,
                // The caller gave up between the kernel's queue and us: nothing of ours is wrong.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::error!(listener = %self.listener.name, %error, code = codes::ACCEPT_FAILED.id, "accept failed");
                    tokio::time::sleep(SHORT_OF_DESCRIPTORS).await;
                }
            }
        }
    }
}

/// So many places, on one thread.
struct Places {
    free: Rc<Cell<usize>>,
}

/// One place, given back on drop.
pub struct Place {
    free: Rc<Cell<usize>>,
}

impl Places {
    fn new(count: usize) -> Self {
        Self { free: Rc::new(Cell::new(count)) }
    }

    fn take(&self) -> Option<Place> {
        let left = self.free.get().checked_sub(1)?;
        self.free.set(left);
        Some(Place { free: Rc::clone(&self.free) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.free.set(self.free.get() + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_it_is_dropped() {
        let places = Places::new(1);
        let held = places.take().unwrap();
        assert!(places.take().is_none());
        drop(held);
        assert!(places.take().is_some());
    }
}
