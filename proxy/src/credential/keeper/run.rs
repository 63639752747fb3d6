//! The keeper's loop. It alone changes what is held; whatever takes time is a task that reports back.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{self, JoinSet};
use tokio::time::MissedTickBehavior;

use super::end::{self, Ending};
use super::fetch::{self, Done};
use super::held::{Fetching, Held, Kept, Opened, Place, Slot, Waiter};
use super::{Board, Drained, Holder, KeeperError, Message, Posted, Tools};
use crate::clock::unix_seconds;
use crate::config;
use crate::credential::vault::Vault;
use crate::credential::{Access, CredentialError, source};
use crate::live::Publisher;
use crate::model::{AccessId, CredentialName, Fingerprint, VaultName};

/// How often the keeper looks around while it holds anything. Ends are kept by whoever uses a lease, not by this.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many may wait for one fetch.
const MAX_WAITERS: usize = 1024;
/// How many accesses may be open, over all credentials.
const MAX_ACCESSES: usize = 16_384;
/// What is left of a drain's time, at most, for logging out.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

pub(super) struct Keeping {
    pub(super) credentials: BTreeMap<CredentialName, Kept>,
    pub(super) tools: Tools,
    pub(super) tasks: JoinSet<Done>,
    /// Each says whether what it ended is shown to be gone.
    pub(super) endings: JoinSet<bool>,
    vaults: BTreeMap<VaultName, Rc<Vault>>,
    tending: JoinSet<()>,
    inbox: mpsc::Receiver<Message>,
    board: Publisher<Board>,
    pub(super) board_is_stale: bool,
    /// Set when endings must not wait for proofs any more.
    hurry: watch::Sender<bool>,
    /// Whose fetch each task is, should it end by a fault.
    pub(super) fetches: HashMap<task::Id, Place>,
    /// Accesses whose lease ended while they were being opened, with the reason.
    pub(super) orphans: HashMap<AccessId, &'static str>,
    pub(super) issued: u64,
    pub(super) draining: bool,
}

impl Keeping {
    pub(super) fn new(
        configured: &BTreeMap<CredentialName, Arc<config::Credential>>,
        vaults: BTreeMap<VaultName, Rc<Vault>>,
        inbox: mpsc::Receiver<Message>,
        board: Publisher<Board>,
        tools: Tools,
    ) -> Result<Self, KeeperError> {
        let mut credentials = BTreeMap::new();
        for (name, config) in configured {
            let source =
                source::open(&config.source, &vaults).ok_or_else(|| KeeperError::NoVault(name.clone()))?;
            let kept = Kept { config: Arc::clone(config), source, slots: HashMap::new(), forced: None };
            credentials.insert(name.clone(), kept);
        }
        Ok(Self {
            credentials,
            tools,
            tasks: JoinSet::new(),
            endings: JoinSet::new(),
            vaults,
            tending: JoinSet::new(),
            inbox,
            board,
            board_is_stale: true,
            hurry: watch::channel(false).0,
            fetches: HashMap::new(),
            orphans: HashMap::new(),
            issued: 0,
            draining: false,
        })
    }

    /// Runs until everything was ended on demand, or until nobody can ask any more.
    pub(super) async fn run(mut self) {
        for vault in self.vaults.values() {
            self.tending.spawn_local(Rc::clone(vault).tend());
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let holds_nothing = self.credentials.values().all(|kept| kept.slots.is_empty());
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(Message::EndAll { within, done }) => return Box::pin(self.drain(within, done)).await,
                    Some(Message::Ask { want, refused, answer }) => {
                        let asked = self.tools.clock.boot();
                        self.take(Waiter { want, refused, asked, answer });
                    }
                    None => return,
                },
                Some(done) = self.tasks.join_next_with_id() => self.finish(done),
                Some(_ended) = self.endings.join_next() => {}
                _ = looks.tick(), if !holds_nothing => self.look_around(),
            }
            self.post();
        }
    }

    /// Answers now, or lets them wait for a fetch.
    fn take(&mut self, waiter: Waiter) {
        let now = self.tools.clock.now();
        let Some(kept) = self.credentials.get_mut(&waiter.want.name) else {
            let unknown = CredentialError::Unknown(waiter.want.name.clone());
            return waiter.refuse(unknown);
        };
        if self.draining {
            return waiter.refuse(CredentialError::Draining);
        }
        if !kept.may_go_to(&waiter.want.upstream) {
            let upstream = waiter.want.upstream.clone();
            return waiter.refuse(CredentialError::NotForUpstream(upstream));
        }
        if waiter.want.until.is_some_and(|until| unix_seconds(now.wall) >= until) {
            return waiter.refuse(CredentialError::AccessOver);
        }
        let holder = Holder::of(kept.config.lease_per, &waiter.want.caller, &waiter.want.listener);
        let place = Place { name: waiter.want.name.clone(), holder };
        let slot = kept.slots.entry(place.holder.clone()).or_default();
        if slot.current.as_ref().is_some_and(|held| held.suits(&waiter, now)) {
            return self.hand_out(&place, waiter);
        }
        if let Some(error) = slot.resting(now.boot) {
            return waiter.refuse(error.clone());
        }
        let Some(why) = slot.reason_to_fetch(&waiter, &mut kept.forced, now.boot) else {
            return waiter.refuse(CredentialError::Refused);
        };
        if slot.waiters.len() >= MAX_WAITERS {
            return waiter.refuse(CredentialError::TooMany(MAX_WAITERS));
        }
        slot.waiters.push(waiter);
        self.start_fetch(&place, why);
    }

    /// One fetch at a time for a slot; whoever waits there is answered by it.
    pub(super) fn start_fetch(&mut self, place: &Place, why: Fetching) {
        let Some(kept) = self.credentials.get_mut(&place.name) else { return };
        let (held, most) = (kept.holders(), kept.config.most.get());
        let source = Rc::clone(&kept.source);
        let Some(slot) = kept.slots.get_mut(&place.holder) else { return };
        if slot.fetching.is_some() {
            return;
        }
        if slot.current.is_none() && held >= most {
            slot.waiters.drain(..).for_each(|waiter| waiter.refuse(CredentialError::TooMany(most)));
            return;
        }
        slot.fetching = Some(why);
        let task = self.tasks.spawn_local(fetch::fetch(place.clone(), source, self.tools.clone()));
        self.fetches.insert(task.id(), place.clone());
    }

    /// Gives the slot's lease to somebody whom it suits, under an access that is journalled and recorded first.
    pub(super) fn hand_out(&mut self, place: &Place, waiter: Waiter) {
        let open: usize = self.accesses();
        let (now, tools) = (self.tools.clock.boot(), self.tools.clone());
        let Some(held) = self.slot(place).and_then(|slot| slot.current.as_mut()) else { return };
        held.used_at = now;
        let Waiter { want, answer, .. } = waiter;
        if let Some(opened) = held.accesses.get_mut(&(want.caller.clone(), want.upstream.clone())) {
            opened.used_at = now;
            opened.access.until.store(want.until.unwrap_or_default(), Ordering::Relaxed);
            return match &mut opened.waiting {
                Some(waiting) => waiting.push(answer),
                None => reply(answer, Ok(Arc::clone(&opened.access))),
            };
        }
        if open >= MAX_ACCESSES {
            return reply(answer, Err(CredentialError::TooManyAccesses(open)));
        }
        if held.accesses.keys().all(|(caller, _)| *caller != want.caller) {
            held.lease.callers.fetch_add(1, Ordering::Relaxed);
        }
        let key = (want.caller.clone(), want.upstream.clone());
        let access = Arc::new(Access::new(want.caller, want.upstream, Arc::clone(&held.lease), want.until));
        let opened = Opened {
            access: Arc::clone(&access),
            waiting: Some(vec![answer]),
            seen_requests: 0,
            used_at: now,
        };
        held.accesses.insert(key, opened);
        self.tasks.spawn_local(fetch::open(place.clone(), access, tools));
    }

    /// Ends a lease: from now on nobody injects it.
    pub(super) fn end(&mut self, place: &Place, fingerprint: Fingerprint, reason: &'static str) {
        if let Some(held) = self.slot(place).and_then(|slot| slot.take(fingerprint)) {
            self.end_held(held, reason);
        }
    }

    pub(super) fn end_held(&mut self, mut held: Held, reason: &'static str) {
        held.lease.term.end();
        self.board_is_stale = true;
        let mut accesses = Vec::new();
        for (_, opened) in held.accesses.drain() {
            opened.access.end();
            if opened.waiting.is_some() {
                self.orphans.insert(opened.access.id, reason);
            } else {
                accesses.push(opened.access);
            }
        }
        let ending = Ending { held, accesses, reason, at: self.tools.clock.now().wall };
        self.endings.spawn_local(end::end(ending, self.tools.clone(), self.hurry.subscribe()));
    }

    async fn drain(mut self, within: Duration, done: oneshot::Sender<Drained>) {
        self.draining = true;
        let mut places = Vec::new();
        for (name, kept) in &mut self.credentials {
            for (holder, slot) in &mut kept.slots {
                slot.waiters.drain(..).for_each(|waiter| waiter.refuse(CredentialError::Draining));
                let leases = slot.current.iter().chain(&slot.retired).map(|held| held.lease.fingerprint);
                places.extend(
                    leases.map(|lease| (Place { name: name.clone(), holder: holder.clone() }, lease)),
                );
            }
        }
        let mut drained = Drained { held: places.len(), unproven: 0 };
        for (place, lease) in places {
            self.end(&place, lease, "drained");
        }
        self.post();
        let leave = LEAVE_WAIT.min(within / 4);
        if tokio::time::timeout(within.saturating_sub(leave), self.settle(&mut drained)).await.is_err() {
            self.hurry.send_replace(true);
            if tokio::time::timeout(leave, self.settle(&mut drained)).await.is_err() {
                tracing::warn!("some ends could not be recorded before the drain's deadline");
            }
        }
        self.tending.shutdown().await;
        let vaults = self.vaults.values().map(|vault| tokio::time::timeout(leave, vault.leave()));
        for leaving in vaults {
            if leaving.await.is_err() {
                tracing::warn!("a vault was too slow for logging out; the login ends by itself");
            }
        }
        self.tools.figures.held(0, None, 0);
        // Whoever asked for the drain may have given up waiting.
        let _told = done.send(drained);
    }

    /// Until nothing is under way any more.
    async fn settle(&mut self, drained: &mut Drained) {
        while !(self.tasks.is_empty() && self.endings.is_empty()) {
            tokio::select! {
                Some(task) = self.tasks.join_next_with_id() => self.finish(task),
                Some(shown) = self.endings.join_next() => drained.unproven += usize::from(!shown.unwrap_or(false)),
                Some(message) = self.inbox.recv() => match message {
                    Message::Ask { answer, .. } => reply(answer, Err(CredentialError::Draining)),
                    Message::EndAll { .. } => {}
                },
            }
        }
    }

    /// Shows workers and metrics what is held.
    fn post(&mut self) {
        self.tools.figures.ending(self.endings.len());
        let held = || self.credentials.values().flat_map(|kept| kept.slots.values());
        let leases = || held().flat_map(|slot| slot.current.iter().chain(&slot.retired));
        let oldest = leases().map(|held| held.lease.issued.boot).min();
        self.tools.figures.held(leases().count(), oldest, self.accesses());
        if !std::mem::take(&mut self.board_is_stale) {
            return;
        }
        let posted = |kept: &Kept| {
            let serving = kept.slots.iter().filter_map(|(holder, slot)| {
                Some((holder.clone(), Arc::clone(&slot.current.as_ref()?.lease)))
            });
            Posted { lease_per: kept.config.lease_per, leases: serving.collect() }
        };
        let by_credential =
            self.credentials.iter().map(|(name, kept)| (name.clone(), posted(kept))).collect();
        self.board.publish(Board { by_credential }, self.tools.clock.now().wall);
    }

    pub(super) fn slot(&mut self, place: &Place) -> Option<&mut Slot> {
        self.credentials.get_mut(&place.name)?.slots.get_mut(&place.holder)
    }

    fn accesses(&self) -> usize {
        let slots = self.credentials.values().flat_map(|kept| kept.slots.values());
        slots.flat_map(|slot| slot.current.iter().chain(&slot.retired)).map(|held| held.accesses.len()).sum()
    }
}

impl Waiter {
    pub(super) fn refuse(self, error: CredentialError) {
        reply(self.answer, Err(error));
    }
}

/// Whoever asked may have stopped waiting.
pub(super) fn reply(answer: super::Answer, with: Result<Arc<Access>, CredentialError>) {
    let _heard = answer.send(with);
}
