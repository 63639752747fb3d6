use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::keeper::{Board, Keeper, Message, OwnedWant};
use super::{Access, CredentialError, Lease, Want};
use crate::clock::{Moment, SharedClock, unix_seconds};
use crate::live::Live;
use crate::model::{CredentialFacts, CredentialName, CredentialState, ListenerName, SpiffeId, UpstreamName};

/// How long a request waits for the keeper.
const WAIT: Duration = Duration::from_secs(10);
/// How many accesses a worker remembers before it looks for those that are over.
const SWEEP_FROM: usize = 256;

/// A worker's side: what it was given, and the way to the keeper.
///
/// A hit takes no lock, allocates nothing and asks nobody: the access is looked up, its lease and
/// the decision's terms are checked on both clocks. The keeper alone keeps an access alive; here
/// are only weak ends, so that the keeper sees what is in use, and secrets go when it lets go.
pub struct Credentials {
    keeper: mpsc::Sender<Message>,
    board: Live<Board>,
    clock: SharedClock,
    known: RefCell<Known>,
}

/// Accesses by credential and caller; few per pair, so those are searched.
#[derive(Default)]
struct Known {
    accesses: HashMap<CredentialName, HashMap<SpiffeId, Vec<Remembered>>>,
    count: usize,
    sweep_at: usize,
}

struct Remembered {
    listener: ListenerName,
    upstream: UpstreamName,
    access: Weak<Access>,
}

impl Credentials {
    /// A worker's own side of `keeper`.
    #[must_use]
    pub fn new(keeper: &Keeper, clock: SharedClock) -> Self {
        Self { keeper: keeper.inbox.clone(), board: keeper.board.clone(), clock, known: RefCell::default() }
    }

    /// What policy may know of the credentials that a route permits, for this caller.
    #[must_use]
    pub fn facts(
        &self,
        caller: &SpiffeId,
        listener: &ListenerName,
        names: &[CredentialName],
    ) -> Vec<CredentialFacts> {
        let now = self.clock.now();
        let board = self.board.load();
        let state = |name: &CredentialName| {
            let posted = board.value.by_credential.get(name);
            let lease =
                posted.and_then(|posted| posted.of(caller, listener)).filter(|lease| lease.term.serves(now));
            lease.map_or(CredentialState::None, |lease| live_state(lease, now))
        };
        names.iter().map(|name| CredentialFacts { name: name.clone(), state: state(name) }).collect()
    }

    /// A live access for what is wanted; asks the keeper when this worker holds none.
    pub async fn access(&self, want: Want<'_>) -> Result<Arc<Access>, CredentialError> {
        let now = self.clock.now();
        if want.until.is_some_and(|until| unix_seconds(now.wall) >= until) {
            return Err(CredentialError::AccessOver);
        }
        let known = self.known.borrow().find(&want);
        if let Some(access) =
            known.filter(|access| access.serves(now) && access.lease.is_within(want.max_age, now))
        {
            // Requests of one access may differ in this; the latest decision counts.
            access.until.store(want.until.unwrap_or_default(), Ordering::Relaxed);
            return Ok(access);
        }
        self.ask(want, None).await
    }

    /// The upstream refused this one: a fresh lease, at most one forced fetch per credential in 30 s whoever asks.
    pub async fn replace(&self, refused: &Access, want: Want<'_>) -> Result<Arc<Access>, CredentialError> {
        self.ask(want, Some(refused.lease.fingerprint)).await
    }

    async fn ask(
        &self,
        want: Want<'_>,
        refused: Option<crate::model::Fingerprint>,
    ) -> Result<Arc<Access>, CredentialError> {
        let (answer, answered) = oneshot::channel();
        let message = Message::Ask { want: OwnedWant::of(&want), refused, answer };
        let exchange = async {
            self.keeper.send(message).await.map_err(|_| CredentialError::Draining)?;
            // Dropped unanswered: the lease was ended while its access was being opened.
            answered.await.map_err(|_| CredentialError::Ended)?
        };
        let access =
            tokio::time::timeout(WAIT, exchange).await.map_err(|_| CredentialError::Late(WAIT))??;
        if !access.lease.term.holds(self.clock.now()) {
            return Err(CredentialError::Ended);
        }
        self.known.borrow_mut().remember(&want, &access);
        Ok(access)
    }
}

impl Known {
    fn find(&self, want: &Want<'_>) -> Option<Arc<Access>> {
        let remembered = self.accesses.get(want.name)?.get(want.caller)?;
        remembered.iter().find(|one| one.fits(want))?.access.upgrade()
    }

    fn remember(&mut self, want: &Want<'_>, access: &Arc<Access>) {
        if self.count >= self.sweep_at {
            self.sweep();
        }
        let callers = self.accesses.entry(want.name.clone()).or_default();
        let remembered = callers.entry(want.caller.clone()).or_default();
        let access = Arc::downgrade(access);
        if let Some(one) = remembered.iter_mut().find(|one| one.fits(want)) {
            one.access = access;
        } else {
            remembered.push(Remembered {
                listener: want.listener.clone(),
                upstream: want.upstream.clone(),
                access,
            });
            self.count += 1;
        }
    }

    /// Forgets what the keeper has ended. Costs what it has gathered since the last time.
    fn sweep(&mut self) {
        for callers in self.accesses.values_mut() {
            callers.retain(|_, remembered| {
                remembered.retain(|one| one.access.strong_count() > 0);
                !remembered.is_empty()
            });
        }
        self.count = self.accesses.values().flat_map(HashMap::values).map(Vec::len).sum();
        self.sweep_at = (self.count * 2).max(SWEEP_FROM);
    }
}

impl Remembered {
    fn fits(&self, want: &Want<'_>) -> bool {
        self.upstream == *want.upstream && self.listener == *want.listener
    }
}

fn live_state(lease: &Lease, now: Moment) -> CredentialState {
    let wall_end = now.wall + lease.term.expiry().left(now);
    CredentialState::Live {
        issued_at: unix_seconds(lease.issued.wall),
        expires_at: unix_seconds(wall_end),
        callers: lease.callers.load(Ordering::Relaxed),
    }
}
