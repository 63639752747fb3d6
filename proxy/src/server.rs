//! Builds every part from the configuration: the workers, and the control thread that owns all that lasts.
//!
//! The only module that sees all layers.

mod connection;
pub(crate) mod look;
mod material;
mod phase;
mod reload;
mod services;
mod watch;
mod worker;
mod workers;

pub use worker::WorkerError;

use material::Material;
use reload::Reloader;
use services::Services;
use workers::Workers;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::accept::BindError;
use crate::admin::{AdminError, Doors, Status};
use crate::authorize::LoadedPolicy;
use crate::authorize::load::{self, PolicyError};
use crate::authorize::service::{Board, Client};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{Config, TlsVersion, UpstreamProof, UpstreamTls};
use crate::credential::{Keeper, KeeperError, OwnSvid, Setup};
use crate::identify::{self, IdentifyError, Identities, OwnTokens, Source, SourceChange, SourceEvent};
use crate::live::{Live, live};
use crate::model::VaultName;
use crate::protocol::Misfit;
use crate::record::metrics::{Metrics, MetricsError};
use crate::record::writer::{QUEUE, Writer, WriterError};
use crate::record::{Entry, Records, Reload, SinkState};
use crate::state::{State, StateError};

/// Why this process could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The state directory cannot be used, or another instance has it.
    #[error(transparent)]
    State(#[from] StateError),
    /// Records cannot be kept: then nothing is served.
    #[error(transparent)]
    Records(#[from] WriterError),
    /// The policy was refused at start.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A listener cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The keeper could not start.
    #[error(transparent)]
    Credential(#[from] KeeperError),
    /// Certificates or a key in a file cannot be used.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// The admin doors cannot be opened.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A listener's configuration does not go with its protocol.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A worker could not start.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// A worker ended by a fault of ours.
    #[error("a worker ended unexpectedly")]
    WorkerPanicked,
    /// Metrics could not be set up.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The runtime, a thread or a signal could not be set up.
    #[error("the process could not be set up")]
    Setup(#[from] io::Error),
}

/// What every worker is given, whatever the configuration: reading ends and messages, nothing
/// that it could change.
#[derive(Clone)]
struct Parts {
    /// Time.
    clock: SharedClock,
    /// Who we are and whom we trust.
    identities: Identities,
    /// What judges.
    policy: Live<LoadedPolicy>,
    /// The way to the keeper.
    keeper: Keeper,
    /// Where records are opened.
    records: Records,
    /// What is counted.
    metrics: Arc<Metrics>,
}

/// Serves until told to stop, drains, and ends what it held.
pub fn run(config: Config) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = LocalSet::new().block_on(&runtime, control(Arc::new(config)));
    // A policy that is still judged on another thread is of no use any more.
    runtime.shutdown_background();
    ended
}

/// How long a disk that takes nothing may hold up the end of the process.
const LAST_RECORDS: Duration = Duration::from_secs(5);

/// How long leases may take to be returned when the requests took the whole of `drain`.
const LAST_LEASES: Duration = Duration::from_secs(5);

/// The control thread, from start to end. However it ends, the writer finishes what it was given.
async fn control(config: Arc<Config>) -> Result<(), ServerError> {
    let stop = Stop::listen()?;
    // A file that may grow no further is an error of whoever writes it, not the end of the process.
    let _too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
    let clock: SharedClock = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new()?);
    let state = State::open(&config.state)?;
    let (records, writer) = records(&config, &state, &metrics, &clock)?;
    let writing = writer.start()?;
    let served = serve(config, Ground { clock, metrics, state, records }, stop).await;
    writing.finish(LAST_RECORDS).await;
    served
}

/// What must stand before anything else can.
struct Ground {
    clock: SharedClock,
    metrics: Arc<Metrics>,
    state: State,
    records: Records,
}

/// Builds everything, serves until told to stop, drains, and returns every lease.
async fn serve(config: Arc<Config>, ground: Ground, mut stop: Stop) -> Result<(), ServerError> {
    let Ground { clock, metrics, state, records } = ground;
    let material = Material::of(&config)?;
    let (source, identities, events) = Source::new(&config.identity, Arc::clone(&clock));
    let (policies, policy) = live(load::load(&config.policy, load::Bundles::new())?, clock.now().wall);
    let keeper = Keeper::spawn(Setup {
        credentials: &config.credentials,
        vaults: &config.vaults,
        vault_tls: &vault_tls(&config, &identities, &clock)?,
        own_svid: own_svid(source.tokens()),
        state: &state,
        records: records.clone(),
        clock: Arc::clone(&clock),
    })?;
    tokio::task::spawn_local(source.run());
    tokio::task::spawn_local(record_changes(events, records.clone(), Arc::clone(&clock)));
    let (configs, serving) = live(Arc::clone(&config), clock.now().wall);
    let board = Board::new(Arc::clone(&metrics), Arc::clone(&clock));
    reload::stand(&board, &policy.load().value);
    let status = Rc::new(Status {
        bundles: board.clone(),
        config: serving,
        identities: identities.clone(),
        policy: policy.clone(),
        metrics: Arc::clone(&metrics),
        keeper: keeper.clone(),
        clock: Arc::clone(&clock),
        draining: Cell::new(false),
    });
    let doors = Doors::bind(&config.admin).await?;
    let client = Client::new(identities.clone(), Arc::clone(&clock));
    let parts = Parts { identities, policy, keeper: keeper.clone(), records, metrics, clock };
    let workers = Workers::start(&config, 1, &parts, None)?;
    doors.serve(Rc::clone(&status));
    let services = Services::follow(&config, &client, &board, &load::Bundles::new());
    let (edit, refused_edit, refused_bundles) = (None, None, BTreeMap::new());
    let mut reloader = Reloader {
        configs,
        policies,
        material,
        workers,
        services,
        client,
        board,
        parts,
        edit,
        refused_edit,
        refused_bundles,
    };
    tell_service_manager(&[sd_notify::NotifyState::Ready]);
    let failed = reloader.follow(&config, &mut stop).await;
    status.draining.set(true);
    tell_service_manager(&[sd_notify::NotifyState::Stopping]);
    tracing::info!("draining");
    let within = reloader.configs.current().value.drain;
    let begun = tokio::time::Instant::now();
    reloader.workers.drain(within).await;
    let drained = keeper.end_all(within.saturating_sub(begun.elapsed()).max(LAST_LEASES)).await;
    tracing::info!(leases = drained.held, unproven = drained.unproven, "drained");
    failed.map_or(Ok(()), Err)
}

/// The opening end of records and the writer that drains it.
fn records(
    config: &Config,
    state: &State,
    metrics: &Arc<Metrics>,
    clock: &SharedClock,
) -> Result<(Records, Writer), WriterError> {
    let (queue, drained) = mpsc::channel(QUEUE);
    let sink = Arc::new(SinkState::default());
    let records = Records::new(queue, Arc::clone(&sink), config.records.when_full, Arc::clone(clock));
    let writer = Writer::open(
        &config.records,
        state.path("records.sequence"),
        drained,
        sink,
        Arc::clone(metrics),
        Arc::clone(clock),
    )?;
    Ok((records, writer))
}

/// How each vault proves itself before it is given anything.
fn vault_tls(
    config: &Config,
    identities: &Identities,
    clock: &SharedClock,
) -> Result<BTreeMap<VaultName, Arc<rustls::ClientConfig>>, IdentifyError> {
    let mut configs = BTreeMap::new();
    for (name, vault) in config.vaults.iter().filter(|(_, vault)| vault.tls) {
        let proof = match (&vault.spiffe_id, &vault.roots) {
            (Some(id), _) => UpstreamProof::SpiffeId(id.clone()),
            (None, Some(roots)) => UpstreamProof::Roots(roots.clone()),
            (None, None) => continue,
        };
        let tls = UpstreamTls { proof, server_name: None, min: TlsVersion::V12, present_svid: false };
        configs.insert(name.clone(), Arc::new(identify::upstream_tls(&tls, identities, Arc::clone(clock))?));
    }
    Ok(configs)
}

/// The keeper's way to JWT-SVIDs of our own.
fn own_svid(tokens: OwnTokens) -> OwnSvid {
    Rc::new(move |audience| {
        let tokens = tokens.clone();
        Box::pin(async move { tokens.token(&audience).await.map_err(Into::into) })
    })
}

/// What the identity source does leaves a record each.
async fn record_changes(mut events: mpsc::Receiver<SourceEvent>, records: Records, clock: SharedClock) {
    let mut generation = 0;
    while let Some(event) = events.recv().await {
        generation = event.generation.unwrap_or(generation);
        let what = match event.what {
            SourceChange::Svids => "svid",
            SourceChange::Bundles | SourceChange::AnchorRefused => "bundle",
            SourceChange::Withdrawn
            | SourceChange::Failing
            | SourceChange::Recovered
            | SourceChange::GivenUp => "identity",
        };
        let code = event.code.map(|code| code.id);
        if let Some(code) = code {
            tracing::warn!(what, generation, code, "{}", event.detail);
        } else {
            tracing::info!(what, generation, "{}", event.detail);
        }
        let at = clock.now().wall;
        let change = Reload {
            at,
            what,
            accepted: code.is_none(),
            generation,
            revision: None,
            code,
            detail: event.detail,
        };
        records.write(Entry::Reload(change)).await;
    }
}

/// What tells this process to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn tell_service_manager(what: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}
