//! One connection on a worker: handshake, dialect, and what ends it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::phase::{Phase, Phases};
use super::worker::{Crew, WorkerError};
use crate::clock::SharedClock;
use crate::config;
use crate::config::ProofKind;
use crate::fault::{Fault, codes};
use crate::identify::{Ending, Handshaker, Identified, Identities, Peer, TokenVerifier, Watch};
use crate::protocol::{self, Connection, Ender, Kind};

/// What all connections of one listener share on this worker.
pub(super) struct Site {
    listener: Arc<config::Listener>,
    kind: &'static Kind,
    handshaker: Handshaker,
    dialect: Rc<protocol::Site>,
    identities: Identities,
    clock: SharedClock,
}

impl Site {
    pub(super) fn new(listener: &Arc<config::Listener>, crew: &Crew) -> Result<Self, WorkerError> {
        let parts = &crew.errand.parts;
        let kind =
            protocol::kind(&listener.protocol).ok_or_else(|| WorkerError::Protocol(listener.name.clone()))?;
        let handshaker = Handshaker::new(listener, &parts.identities, Arc::clone(&parts.clock))?;
        let takes_tokens = listener.callers.any_of.contains(&ProofKind::JwtSvid);
        let tokens = takes_tokens.then(|| -> protocol::TokenReader {
            let verifier = TokenVerifier::new(&listener.callers, &parts.identities, Arc::clone(&parts.clock));
            Rc::new(move |token: &str| verifier.verify(token).map_err(Fault::from))
        });
        let dialect = protocol::Site {
            gate: Rc::clone(&crew.gate),
            records: parts.records.clone(),
            tokens,
            clock: Arc::clone(&parts.clock),
            generation: crew.errand.generation,
        };
        Ok(Self {
            listener: Arc::clone(listener),
            kind,
            handshaker,
            dialect: Rc::new(dialect),
            identities: parts.identities.clone(),
            clock: Arc::clone(&parts.clock),
        })
    }
}

/// From handshake to close. `handshaking` is given back as soon as the handshake is over.
pub(super) async fn serve<H>(crew: &Crew, site: &Site, stream: TcpStream, from: SocketAddr, handshaking: H) {
    let mut phases = crew.errand.phases.clone();
    let handshake = tokio::select! {
        // Boxed, for the connection lives on long after it.
        done = Box::pin(site.handshaker.handshake(stream)) => done,
        () = phases.reached(Phase::Cut) => {
            return crew.refuse(&site.listener, from, None, &Fault::of(codes::DRAINING));
        }
    };
    drop(handshaking);
    let Identified { stream, alpn, peer } = match handshake {
        Ok(identified) => identified,
        Err(error) => return crew.refuse(&site.listener, from, None, &Fault::from(error)),
    };
    let (ender, ending) = protocol::ending();
    let connection = Connection {
        stream: Box::new(stream),
        alpn,
        certificate: peer.clone(),
        listener: Arc::clone(&site.listener),
        from,
        ending,
    };
    let served = site.kind.protocol.serve(connection, Rc::clone(&site.dialect));
    tokio::select! {
        () = served => {}
        () = bound(site, ender, peer, phases) => {}
    }
}

/// Tells the connection when it must end: age, the caller's SVID, a trust bundle, drain. Never resolves.
async fn bound(site: &Site, ender: Ender, peer: Option<Arc<Peer>>, mut phases: Phases) {
    let age = site.listener.limits.age;
    let mut watch = Watch::over(peer, site.identities.bundles.clone(), Arc::clone(&site.clock), age);
    let life = async {
        loop {
            match watch.ending().await {
                Ending::Soon => ender.soon(),
                Ending::Now(fault) => break ender.now(fault.code()),
            }
        }
        std::future::pending::<()>().await;
    };
    // The watch says `soon` some time before.
    let old = async {
        tokio::time::sleep(age).await;
        ender.now(codes::CONNECTION_OLD);
        std::future::pending::<()>().await;
    };
    let drain = async {
        phases.reached(Phase::Draining).await;
        ender.soon();
        phases.reached(Phase::Cut).await;
        ender.now(codes::DRAINING);
        std::future::pending::<()>().await;
    };
    tokio::join!(life, old, drain);
}
