//! The keeper: one task on the control thread that owns every lease, from its fetch to the proof
//! that it is gone. Workers ask it by message and are answered one by one.
//!
//! One fetch serves all who wait for it. What is held is renewed or replaced at about two thirds
//! of its life, is never used past its end, and goes back when it is idle. A failure is answered
//! to everybody who waited and remembered for a second, so that an outage makes no storm; leases
//! that are good stay good until their own end.

mod done;
mod end;
mod fetch;
mod held;
mod leftovers;
mod look;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::fetch::References;
use self::run::Keeping;
use super::figures::{Figures, Reading};
use super::journal::{Journal, JournalOpenError};
use super::vault::{OwnSvid, Surroundings, Vault, VaultError};
use super::{Access, CredentialError, Lease, Want};
use crate::clock::SharedClock;
use crate::config::{self, LeasePer};
use crate::live::{Live, live};
use crate::model::{CredentialName, Fingerprint, ListenerName, SpiffeId, UpstreamName, VaultName};
use crate::record::Records;
use crate::state::{State, StateError};

/// Questions that may wait for the keeper.
const INBOX: usize = 1024;

/// The keeper, as the rest of the process knows it. Cheap to clone, at home on any thread.
#[derive(Clone)]
pub struct Keeper {
    pub(super) inbox: mpsc::Sender<Message>,
    pub(super) board: Live<Board>,
    figures: Arc<Figures>,
    clock: SharedClock,
}

/// What the keeper is made of.
pub struct Setup<'a> {
    /// What may be leased.
    pub credentials: &'a BTreeMap<CredentialName, Arc<config::Credential>>,
    /// From where.
    pub vaults: &'a BTreeMap<VaultName, Arc<config::Vault>>,
    /// How a vault is proven, where its roots are not in a file.
    pub vault_tls: &'a BTreeMap<VaultName, Arc<rustls::ClientConfig>>,
    /// Gives our JWT-SVIDs for logins.
    pub own_svid: OwnSvid,
    /// Where the journal is.
    pub state: &'a State,
    /// Where accesses are recorded.
    pub records: Records,
    /// The time.
    pub clock: SharedClock,
}

/// Why the keeper cannot start.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The journal cannot be opened.
    #[error("the lease journal")]
    Journal(#[from] JournalOpenError),
    /// The key of lease references cannot be had.
    #[error("the key of lease references")]
    Key(#[from] StateError),
    /// A vault cannot be spoken to, whatever it would answer.
    #[error("vault {0}")]
    Vault(VaultName, #[source] VaultError),
    /// A credential names a vault that is not configured.
    #[error("credential {0} names a vault that is not configured")]
    NoVault(CredentialName),
}

/// What a drain came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Leases that were held when it began.
    pub held: usize,
    /// Of those, how many were not shown to be gone in time. They are in the journal, and end with their vault token.
    pub unproven: usize,
}

/// What is asked of the keeper.
pub(super) enum Message {
    /// An access, other than under the refused lease where there is one.
    Ask { want: OwnedWant, refused: Option<Fingerprint>, answer: Answer },
    /// End everything.
    EndAll { within: Duration, done: oneshot::Sender<Drained> },
}

/// Where an answer goes.
pub(super) type Answer = oneshot::Sender<Result<Arc<Access>, CredentialError>>;

/// A [`Want`] that travels.
pub(super) struct OwnedWant {
    name: CredentialName,
    caller: SpiffeId,
    listener: ListenerName,
    upstream: UpstreamName,
    max_age: Option<Duration>,
    until: Option<u64>,
}

/// Who has a lease of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Caller(SpiffeId),
    Listener(ListenerName),
}

/// The leases that serve, for workers to see.
#[derive(Default)]
pub(super) struct Board {
    pub(super) by_credential: HashMap<CredentialName, Posted>,
}

/// Those of one credential.
pub(super) struct Posted {
    lease_per: LeasePer,
    leases: HashMap<Holder, Arc<Lease>>,
}

impl Keeper {
    /// Starts the keeper as tasks of the current `LocalSet`, and with it the revocation of what an earlier run left.
    pub fn spawn(setup: Setup<'_>) -> Result<Self, KeeperError> {
        let (journal, left) = Journal::open(setup.state)?;
        let references = References::new(&setup.state.key("references.key")?);
        let figures = Arc::new(Figures::default());
        let around = Surroundings {
            own_svid: setup.own_svid,
            journal: journal.clone(),
            figures: Arc::clone(&figures),
            clock: Arc::clone(&setup.clock),
        };
        let mut vaults = BTreeMap::new();
        for (name, server) in setup.vaults {
            let tls = setup.vault_tls.get(name).cloned();
            let vault = Vault::new(Arc::clone(server), tls, around.clone());
            vaults.insert(
                name.clone(),
                Rc::new(vault.map_err(|error| KeeperError::Vault(name.clone(), error))?),
            );
        }
        let (inbox, messages) = mpsc::channel(INBOX);
        let (publisher, board) = live(Board::default(), setup.clock.now().wall);
        let keeper = Self { inbox, board, figures: Arc::clone(&figures), clock: Arc::clone(&setup.clock) };
        let tools = Tools { clock: setup.clock, records: setup.records, journal, figures, references };
        let keeping = Keeping::new(setup.credentials, vaults.clone(), messages, publisher, tools.clone())?;
        // From the first look on: what is left is not yet revoked.
        tools.figures.leftovers(left.len());
        tokio::task::spawn_local(leftovers::revoke(left, vaults, tools));
        tokio::task::spawn_local(keeping.run());
        Ok(keeper)
    }

    /// Gives out nothing more, ends every lease, and returns when all are shown to be gone or `within` has passed.
    pub async fn end_all(&self, within: Duration) -> Drained {
        let (done, drained) = oneshot::channel();
        let nothing = Drained { held: 0, unproven: 0 };
        if self.inbox.send(Message::EndAll { within, done }).await.is_err() {
            return nothing;
        }
        drained.await.unwrap_or(nothing)
    }

    /// What is counted, for metrics and health.
    #[must_use]
    pub fn figures(&self) -> Reading {
        self.figures.read(self.clock.boot())
    }
}

/// What the keeper's tasks share.
#[derive(Clone)]
struct Tools {
    clock: SharedClock,
    records: Records,
    journal: Journal,
    figures: Arc<Figures>,
    references: References,
}

impl OwnedWant {
    pub(super) fn of(want: &Want<'_>) -> Self {
        Self {
            name: want.name.clone(),
            caller: want.caller.clone(),
            listener: want.listener.clone(),
            upstream: want.upstream.clone(),
            max_age: want.max_age,
            until: want.until,
        }
    }
}

impl Holder {
    pub(super) fn of(lease_per: LeasePer, caller: &SpiffeId, listener: &ListenerName) -> Self {
        match lease_per {
            LeasePer::Caller => Self::Caller(caller.clone()),
            LeasePer::Listener => Self::Listener(listener.clone()),
        }
    }
}

impl Posted {
    pub(super) fn of(&self, caller: &SpiffeId, listener: &ListenerName) -> Option<&Arc<Lease>> {
        self.leases.get(&Holder::of(self.lease_per, caller, listener))
    }
}

#[cfg(test)]
mod tests;
