//! What the keeper holds: per credential its slots, per slot the lease that serves, per lease its accesses.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Answer, Holder, OwnedWant};
use crate::clock::{BootTime, Expiry, Moment};
use crate::config;
use crate::credential::source::CredentialSource;
use crate::credential::vault::Grip;
use crate::credential::{Access, CredentialError, Lease};
use crate::model::{CredentialName, Fingerprint, SpiffeId, UpstreamName};

/// An upstream's refusals force one fetch per credential in this time, whoever asks.
const FORCE_EVERY: Duration = Duration::from_secs(30);

/// Where a lease belongs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) name: CredentialName,
    pub(super) holder: Holder,
}

/// One configured credential.
pub(super) struct Kept {
    pub(super) config: Arc<config::Credential>,
    pub(super) source: Rc<dyn CredentialSource>,
    pub(super) slots: HashMap<Holder, Slot>,
    /// When a fetch was last forced by an upstream's refusal.
    pub(super) forced: Option<BootTime>,
}

/// One holder's place: the lease that serves and, for a while, the one it replaced.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) current: Option<Held>,
    pub(super) retired: Option<Held>,
    pub(super) fetching: Option<Fetching>,
    pub(super) waiters: Vec<Waiter>,
    /// The last failure, and until when it is answered without asking the source again.
    pub(super) failed: Option<(BootTime, CredentialError)>,
    pub(super) failures: u32,
}

/// Why a fetch is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetching {
    /// Somebody waits, or the present lease nears its end.
    Due,
    /// An upstream refused this one.
    Instead(Fingerprint),
}

/// Somebody who waits for a fetch.
pub(super) struct Waiter {
    pub(super) want: OwnedWant,
    pub(super) refused: Option<Fingerprint>,
    pub(super) asked: BootTime,
    pub(super) answer: Answer,
}

/// One lease.
pub(super) struct Held {
    pub(super) lease: Arc<Lease>,
    pub(super) grip: Option<Rc<Grip>>,
    /// As it was issued: what is asked for again at a renewal.
    pub(super) life: Duration,
    /// Its own end; that of the login it was taken under may come earlier.
    pub(super) end: Expiry,
    pub(super) refresh_at: BootTime,
    pub(super) renewing: bool,
    pub(super) failures: u32,
    /// Its login has been replaced, and the time to follow is set.
    pub(super) must_follow: bool,
    pub(super) used_at: BootTime,
    pub(super) accesses: HashMap<(SpiffeId, UpstreamName), Opened>,
}

/// One access of a lease.
pub(super) struct Opened {
    pub(super) access: Arc<Access>,
    /// Whoever waits until it is journalled and recorded; none once it is.
    pub(super) waiting: Option<Vec<Answer>>,
    pub(super) seen_requests: u64,
    pub(super) used_at: BootTime,
}

impl Kept {
    pub(super) fn may_go_to(&self, upstream: &UpstreamName) -> bool {
        self.config.only_to.is_empty() || self.config.only_to.contains(upstream)
    }

    /// Holders that have a lease or are about to; each may for a while have the one before as well.
    pub(super) fn holders(&self) -> usize {
        self.slots.values().filter(|slot| slot.current.is_some() || slot.fetching.is_some()).count()
    }
}

impl Slot {
    /// The lease by its fingerprint, whether it serves or was replaced.
    pub(super) fn find(&mut self, fingerprint: Fingerprint) -> Option<&mut Held> {
        [&mut self.current, &mut self.retired]
            .into_iter()
            .filter_map(Option::as_mut)
            .find(|held| held.lease.fingerprint == fingerprint)
    }

    /// Takes it out.
    pub(super) fn take(&mut self, fingerprint: Fingerprint) -> Option<Held> {
        [&mut self.current, &mut self.retired]
            .into_iter()
            .find(|held| held.as_ref().is_some_and(|held| held.lease.fingerprint == fingerprint))?
            .take()
    }

    /// The failure that is still to be answered.
    pub(super) fn resting(&self, now: BootTime) -> Option<&CredentialError> {
        self.failed.as_ref().filter(|(until, _)| now < *until).map(|(_, error)| error)
    }

    /// Why a fetch would be for this waiter; `None` where the upstream's refusal forces none.
    pub(super) fn reason_to_fetch(
        &self,
        waiter: &Waiter,
        forced: &mut Option<BootTime>,
        now: BootTime,
    ) -> Option<Fetching> {
        let serving = self.current.as_ref().map(|held| held.lease.fingerprint);
        let refused = match waiter.refused {
            // Only the lease that serves can force anything, and only if no fetch is under way that it may wait for.
            Some(refused) if serving == Some(refused) && self.fetching.is_none() => refused,
            _ => return Some(Fetching::Due),
        };
        if forced.is_some_and(|last| now.since(last) < FORCE_EVERY) {
            return None;
        }
        *forced = Some(now);
        Some(Fetching::Instead(refused))
    }

    pub(super) fn is_empty(&self, now: BootTime) -> bool {
        self.current.is_none()
            && self.retired.is_none()
            && self.fetching.is_none()
            && self.resting(now).is_none()
    }
}

impl Held {
    /// Whether this lease is one that the waiter may be given. One fetched on its behalf is as young as can be.
    pub(super) fn suits(&self, waiter: &Waiter, now: Moment) -> bool {
        self.lease.term.serves(now)
            && waiter.refused != Some(self.lease.fingerprint)
            && (self.lease.is_within(waiter.want.max_age, now) || self.lease.issued.boot >= waiter.asked)
    }

    /// When it ends as things stand: by itself or with its login.
    pub(super) fn effective_end(&self) -> Expiry {
        let login = self.grip.as_ref().and_then(|grip| grip.session.ends());
        login.map_or(self.end, |login| self.end.earlier(login))
    }

    /// Takes note of who used it since the last look.
    pub(super) fn note_use(&mut self, now: BootTime) {
        for opened in self.accesses.values_mut() {
            let requests = opened.access.requests.load(Ordering::Relaxed);
            // Besides the keeper only those hold it who are using it at this moment.
            let in_use = opened.waiting.is_some() || Arc::strong_count(&opened.access) > 1;
            if in_use || requests != opened.seen_requests {
                opened.seen_requests = requests;
                opened.used_at = now;
                self.used_at = now;
            }
        }
    }
}
