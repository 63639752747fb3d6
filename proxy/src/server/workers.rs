use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::phase::{CUT_GRACE, Phase, PhaseSetter, phases};
use super::worker::{self, Bound, Errand, WorkerError};
use super::{Parts, ServerError};
use crate::accept;
use crate::config::Config;
use crate::protocol;

/// The worker threads of one configuration, and their sockets.
pub(super) struct Workers {
    threads: Vec<JoinHandle<()>>,
    ended: mpsc::Receiver<Result<(), WorkerError>>,
    phase: PhaseSetter,
    sockets: Vec<HashMap<SocketAddr, TcpListener>>,
}

impl Workers {
    /// Binds every socket first, so that nothing starts if one cannot be had. Addresses that
    /// `before` listens on already are taken over as they are: no connection in their queues is lost.
    pub(super) fn start(
        config: &Arc<Config>,
        generation: u64,
        parts: &Parts,
        before: Option<&Self>,
    ) -> Result<Self, ServerError> {
        if let Some(misfit) = protocol::misfits(config).into_iter().next() {
            return Err(misfit.into());
        }
        let held = before.and_then(|before| before.sockets.first());
        for listener in config.listeners.values() {
            if !held.is_some_and(|held| held.contains_key(&listener.bind)) {
                accept::is_free(listener)?;
            }
        }
        let mut sockets = Vec::new();
        let mut errands = Vec::new();
        let (phase, phases) = phases();
        for number in 0..config.workers.get() {
            let taken = before.and_then(|before| before.sockets.get(number));
            let (kept, bound) = bind(config, taken)?;
            sockets.push(kept);
            let (config, parts, phases) = (Arc::clone(config), parts.clone(), phases.clone());
            errands.push((number, bound, Errand { config, generation, parts, phases }));
        }
        let (tell, ended) = mpsc::channel(errands.len());
        let mut threads = Vec::new();
        for (number, bound, errand) in errands {
            let tell = tell.clone();
            let work = move || {
                let done = worker::run(bound, errand);
                // The control thread may have stopped listening: then it is ending anyway.
                drop(tell.try_send(done));
            };
            let named = std::thread::Builder::new().name(format!("worker-{number}"));
            threads.push(named.spawn(work)?);
        }
        Ok(Self { threads, ended, phase, sockets })
    }

    /// Resolves when a worker ended although nobody told it to.
    pub(super) async fn one_ended(&mut self) -> ServerError {
        match self.ended.recv().await {
            Some(Err(error)) => error.into(),
            Some(Ok(())) | None => ServerError::WorkerPanicked,
        }
    }

    /// No new connection; what is open may finish until the deadline, then it is cut.
    pub(super) async fn drain(mut self, deadline: Duration) {
        drop(self.sockets);
        self.phase.send_replace(Phase::Draining);
        let all_ended = async { while self.ended.recv().await.is_some() {} };
        tokio::pin!(all_ended);
        if tokio::time::timeout(deadline, &mut all_ended).await.is_err() {
            self.phase.send_replace(Phase::Cut);
            if tokio::time::timeout(CUT_GRACE * 2, all_ended).await.is_err() {
                tracing::error!("a worker did not end in time");
                return;
            }
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker ended by a fault");
            }
        }
    }
}

/// One worker's sockets: those to keep for the next configuration, and those to listen on.
fn bind(
    config: &Config,
    taken: Option<&HashMap<SocketAddr, TcpListener>>,
) -> Result<(HashMap<SocketAddr, TcpListener>, Vec<Bound>), ServerError> {
    let mut kept = HashMap::new();
    let mut bound = Vec::new();
    for listener in config.listeners.values() {
        let socket = match taken.and_then(|taken| taken.get(&listener.bind)) {
            Some(socket) => socket.try_clone()?,
            None => accept::bind(listener)?,
        };
        kept.insert(listener.bind, socket.try_clone()?);
        bound.push((Arc::clone(listener), socket));
    }
    Ok((kept, bound))
}
