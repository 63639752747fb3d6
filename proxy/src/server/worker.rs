//! One worker: its runtime, its gate, its doors. What fell before a request becomes a `refused`
//! record here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::LocalSet;

use super::Parts;
use super::connection::{self, Site};
use super::phase::{CUT_GRACE, Phase, Phases};
use crate::accept::{Accepted, Door};
use crate::authorize::{Authorizer, Surroundings};
use crate::config;
use crate::credential::Credentials;
use crate::fault::{Coded, Fault};
use crate::forward::Upstreams;
use crate::gate::Gate;
use crate::identify::Peer;
use crate::model::RecordId;
use crate::record::{Entry, RefusedConnection};

/// How often connections that were refused for a limit are put into one record.
const GATHER: Duration = Duration::from_secs(1);

/// A listener and the socket this worker bound for it.
pub(super) type Bound = (Arc<config::Listener>, std::net::TcpListener);

/// What one worker is sent to do.
pub(super) struct Errand {
    pub(super) config: Arc<config::Config>,
    /// The configuration's generation.
    pub(super) generation: u64,
    pub(super) parts: Parts,
    pub(super) phases: Phases,
}

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The runtime or a socket could not be set up.
    #[error("a worker could not be set up")]
    Setup(#[from] io::Error),
    /// A listener's certificate cannot be used.
    #[error(transparent)]
    Identify(#[from] crate::identify::IdentifyError),
    /// An upstream cannot be used as configured.
    #[error(transparent)]
    Forward(#[from] crate::forward::ForwardError),
    /// A protocol that this binary does not speak; the configuration should have said so.
    #[error("listener {0} has a protocol that is not known")]
    Protocol(crate::model::ListenerName),
}

/// Serves until drained. Runs on a thread of its own.
pub(super) fn run(bound: Vec<Bound>, errand: Errand) -> Result<(), WorkerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(bound, errand))
}

async fn serve(bound: Vec<Bound>, errand: Errand) -> Result<(), WorkerError> {
    let crew = Rc::new(Crew::new(errand)?);
    let mut doors = Vec::new();
    for (listener, socket) in bound {
        let site = Rc::new(Site::new(&listener, &crew)?);
        let door = Door::new(listener, socket)?;
        doors.push(tokio::task::spawn_local(attend(Rc::clone(&crew), door, site)));
    }
    tokio::task::spawn_local(gather(Rc::clone(&crew)));
    crew.errand.phases.clone().reached(Phase::Draining).await;
    for door in doors {
        door.abort();
    }
    crew.emptied().await;
    Ok(())
}

/// What everything on this worker shares.
pub(super) struct Crew {
    pub(super) errand: Errand,
    pub(super) gate: Rc<Gate>,
    open: Cell<usize>,
    empty: Notify,
    /// Refusals for a limit since the last look, by listener and code: a flood becomes one record a second.
    flood: RefCell<BTreeMap<(crate::model::ListenerName, &'static str), u64>>,
}

impl Crew {
    fn new(errand: Errand) -> Result<Self, WorkerError> {
        let Errand { config, parts, .. } = &errand;
        let surroundings =
            Surroundings { identities: parts.identities.clone(), labels: config.labels.clone() };
        let keeps = config.records.input.clone();
        let authorizer = Authorizer::new(parts.policy.clone(), surroundings, keeps, Arc::clone(&parts.clock));
        let credentials = Credentials::new(&parts.keeper, Arc::clone(&parts.clock));
        let upstreams = Upstreams::build(&config.upstreams, &parts.identities, &parts.clock)?;
        let gate = Rc::new(Gate::new(authorizer, credentials, upstreams, Arc::clone(&parts.clock)));
        Ok(Self { errand, gate, open: Cell::new(0), empty: Notify::new(), flood: RefCell::default() })
    }

    /// Records what never became a request.
    pub(super) fn refuse(
        &self,
        listener: &config::Listener,
        from: SocketAddr,
        caller: Option<&Peer>,
        fault: &Fault,
    ) {
        self.errand.parts.records.write_now(Entry::Refused(RefusedConnection {
            at: self.errand.parts.clock.now().wall,
            id: RecordId::random(),
            listener: listener.name.clone(),
            peer: Some(from.to_string()),
            caller: caller.map(Peer::facts),
            code: fault.code().id,
            detail: fault.causes(),
            more: 0,
        }));
    }

    /// Waits until no connection is open, or the cut and its grace have passed.
    async fn emptied(&self) {
        let mut phases = self.errand.phases.clone();
        let cut = async {
            phases.reached(Phase::Cut).await;
            tokio::time::sleep(CUT_GRACE).await;
        };
        tokio::pin!(cut);
        while self.open.get() > 0 {
            tokio::select! {
                () = self.empty.notified() => {}
                () = &mut cut => return,
            }
        }
    }
}

/// Counts a connection as open while it lives, a panic included.
struct Open(Rc<Crew>);

impl Open {
    fn new(crew: &Rc<Crew>) -> Self {
        crew.open.set(crew.open.get() + 1);
        Self(Rc::clone(crew))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.empty.notify_one();
    }
}

async fn attend(crew: Rc<Crew>, door: Door, site: Rc<Site>) {
    let labels = [door.listener.name.as_str()];
    let open = crew.errand.parts.metrics.connections.with_label_values(&labels);
    let handshakes = crew.errand.parts.metrics.handshakes.with_label_values(&labels);
    loop {
        match door.accept().await {
            Ok(Accepted { stream, from, place, handshake }) => {
                let (counted, gauges) = (Open::new(&crew), (Gauge::up(&open), Gauge::up(&handshakes)));
                let (crew, site) = (Rc::clone(&crew), Rc::clone(&site));
                tokio::task::spawn_local(async move {
                    let (_counted, _place, (_open, in_flight)) = (counted, place, gauges);
                    connection::serve(&crew, &site, stream, from, (handshake, in_flight)).await;
                });
            }
            Err((error, _from)) => {
                let key = (door.listener.name.clone(), error.code().id);
                *crew.flood.borrow_mut().entry(key).or_default() += 1;
            }
        }
    }
}

/// Goes up now and down on drop.
pub(super) struct Gauge(prometheus::IntGauge);

impl Gauge {
    fn up(gauge: &prometheus::IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Once a second, what was refused for a limit becomes one record for each listener and code.
async fn gather(crew: Rc<Crew>) {
    loop {
        tokio::time::sleep(GATHER).await;
        for ((listener, code), count) in std::mem::take(&mut *crew.flood.borrow_mut()) {
            crew.errand.parts.records.write_now(Entry::Refused(RefusedConnection {
                at: crew.errand.parts.clock.now().wall,
                id: RecordId::random(),
                listener,
                peer: None,
                caller: None,
                code,
                detail: String::new(),
                more: count - 1,
            }));
        }
    }
}
