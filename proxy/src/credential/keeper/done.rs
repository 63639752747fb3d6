//! What the keeper's tasks bring home: a new lease, a renewal, an access that may be handed out.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use tokio::task;

use super::end;
use super::fetch::{Done, Fetched};
use super::held::{Fetching, Held, Place};
use super::run::{Keeping, reply};
use crate::clock::Expiry;
use crate::credential::vault::VaultError;
use crate::credential::{Access, CredentialError, Lease, Term};
use crate::model::Fingerprint;
use crate::pace;

/// How long a failed fetch answers those who ask again.
const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// The longest pause before a lease that nears its end is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

impl Keeping {
    pub(super) fn finish(&mut self, done: Result<(task::Id, Done), task::JoinError>) {
        let id = done.as_ref().map_or_else(task::JoinError::id, |(id, _)| *id);
        let fetched_for = self.fetches.remove(&id);
        match done.map(|(_, done)| done) {
            Ok(Done::Fetched { place, result }) => self.fetched(&place, result),
            Ok(Done::Renewed { place, fingerprint, asked, result }) => {
                let granted = result.map(|granted| granted.map(|life| Expiry::after(asked, life)));
                self.renewed(&place, fingerprint, granted);
            }
            Ok(Done::Opened { place, access, result }) => self.opened(&place, &access, result),
            Err(error) => {
                tracing::error!(%error, "a task of the keeper ended by a fault");
                if let Some(place) = fetched_for {
                    self.fetched(&place, Err(CredentialError::Ended));
                }
            }
        }
    }

    fn fetched(&mut self, place: &Place, result: Result<Fetched, CredentialError>) {
        let now = self.tools.clock.now();
        let Some(slot) = self.slot(place) else { return };
        let why = slot.fetching.take();
        match result {
            Ok(fetched) => self.install(place, fetched, why),
            Err(error) => {
                slot.failures = slot.failures.saturating_add(1);
                slot.failed = Some((now.boot.plus(pace::around(FAILURE_KEPT)), error.clone()));
                let pause = pace::after_failures(slot.failures, LONGEST_PAUSE);
                if let Some(held) = &mut slot.current {
                    held.refresh_at = now.boot.plus(pause);
                }
                slot.waiters.drain(..).for_each(|waiter| waiter.refuse(error.clone()));
                let told: &dyn std::error::Error = &error;
                tracing::warn!(credential = %place.name, error = told, "a credential could not be fetched");
            }
        }
    }

    /// A new lease takes its place; the one before goes, at once or when nothing uses it any more.
    fn install(&mut self, place: &Place, fetched: Fetched, why: Option<Fetching>) {
        let now = self.tools.clock.now();
        self.issued += 1;
        let fingerprint = Fingerprint(self.issued);
        self.board_is_stale = true;
        let draining = self.draining;
        let Some(slot) = self.slot(place) else { return };
        slot.failures = 0;
        slot.failed = None;
        let confirmed = slot.current.as_mut().is_some_and(|held| held.confirm(&fetched));
        let mut over = Vec::new();
        if !confirmed {
            let before = slot.current.replace(Held::new(place, fetched, fingerprint));
            if let Some(before) = before {
                let refused = why == Some(Fetching::Instead(before.lease.fingerprint));
                let reason = if refused { "refused_by_upstream" } else { "source_changed" };
                let goes_now = refused || before.grip.is_none();
                before.lease.term.retire();
                let ending = if goes_now { Some(before) } else { slot.retired.replace(before) };
                over.extend(ending.map(|held| (held, if goes_now { reason } else { "revoked" })));
            }
        }
        let waiters: Vec<_> = slot.waiters.drain(..).collect();
        for (held, reason) in over {
            self.end_held(held, reason);
        }
        if draining {
            return self.end(place, fingerprint, "drained");
        }
        for waiter in waiters {
            let suits = self
                .slot(place)
                .and_then(|slot| slot.current.as_ref())
                .is_some_and(|held| held.suits(&waiter, now));
            match suits {
                // Whoever has stopped waiting opens no access.
                true if waiter.answer.is_closed() => {}
                true => self.hand_out(place, waiter),
                false if waiter.refused.is_some() => waiter.refuse(CredentialError::Refused),
                false => waiter.refuse(CredentialError::TooOld),
            }
        }
    }

    fn renewed(
        &mut self,
        place: &Place,
        fingerprint: Fingerprint,
        result: Result<Option<Expiry>, VaultError>,
    ) {
        let now = self.tools.clock.now();
        let Some(held) = self.slot(place).and_then(|slot| slot.find(fingerprint)) else { return };
        held.renewing = false;
        let enough = match result {
            Ok(None) => return self.end(place, fingerprint, "revoked"),
            Ok(Some(end)) => {
                held.failures = 0;
                held.end = end;
                held.lease.term.prolong(held.effective_end());
                held.refresh_at = now.boot.plus(pace::ahead(end.left(now)));
                end.left(now) >= held.life / 2
            }
            Err(error) => {
                held.failures = held.failures.saturating_add(1);
                held.refresh_at = now.boot.plus(pace::after_failures(held.failures, LONGEST_PAUSE));
                let told: &dyn std::error::Error = &error;
                tracing::warn!(credential = %place.name, error = told, "a lease could not be renewed");
                error.is_outage()
            }
        };
        if !enough {
            self.start_fetch(place, Fetching::Due);
        }
    }

    fn opened(&mut self, place: &Place, access: &Arc<Access>, result: Result<(), CredentialError>) {
        if let Some(reason) = self.orphans.remove(&access.id) {
            if result.is_ok() {
                self.endings.spawn_local(end::end_access(Arc::clone(access), reason, self.tools.clone()));
            }
            return;
        }
        let key = (access.caller.clone(), access.upstream.clone());
        let held = self.slot(place).and_then(|slot| slot.find(access.lease.fingerprint));
        let Some(accesses) = held.map(|held| &mut held.accesses) else { return };
        let waiting = accesses.get_mut(&key).and_then(|opened| opened.waiting.take());
        if result.is_err() {
            accesses.remove(&key);
        }
        let result = result.map(|()| Arc::clone(access));
        waiting.into_iter().flatten().for_each(|answer| reply(answer, result.clone()));
    }
}

impl Held {
    fn new(place: &Place, fetched: Fetched, fingerprint: Fingerprint) -> Self {
        let Fetched { issue, asked, reference } = fetched;
        let end = Expiry::after(asked, issue.life);
        let grip = issue.grip.map(Rc::new);
        let login = grip.as_ref().and_then(|grip| grip.session.ends());
        let term = Term::until(login.map_or(end, |login| end.earlier(login)));
        let lease = Lease {
            name: place.name.clone(),
            material: issue.material,
            issued: asked,
            reference,
            fingerprint,
            term,
            callers: AtomicU32::new(0),
        };
        Self {
            lease: Arc::new(lease),
            grip,
            life: issue.life,
            end,
            refresh_at: asked.boot.plus(issue.refresh),
            renewing: false,
            failures: 0,
            must_follow: false,
            used_at: asked.boot,
            accesses: HashMap::new(),
        }
    }

    /// A source without leases gave the same again: the one we hold goes on.
    fn confirm(&mut self, fetched: &Fetched) -> bool {
        let issue = &fetched.issue;
        let same =
            self.grip.is_none() && issue.grip.is_none() && self.lease.material.is_same_as(&issue.material);
        if same {
            self.end = Expiry::after(fetched.asked, issue.life);
            self.refresh_at = fetched.asked.boot.plus(issue.refresh);
            self.lease.term.prolong(self.end);
        }
        same
    }
}
