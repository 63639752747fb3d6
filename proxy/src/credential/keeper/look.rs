//! The look around, several times a second: what has ended, what is idle, what is due.

use std::time::Duration;

use super::held::{Fetching, Held, Place};
use super::run::Keeping;
use super::{end, fetch};
use crate::clock::Moment;
use crate::model::{Fingerprint, SpiffeId, UpstreamName};
use crate::pace;

/// What a lease calls for.
enum Call {
    End(Fingerprint, &'static str),
    EndAccess(Fingerprint, (SpiffeId, UpstreamName), &'static str),
    Renew(Fingerprint),
    Replace,
}

impl Keeping {
    /// Looks at every lease and does what it calls for.
    pub(super) fn look_around(&mut self) {
        let now = self.tools.clock.now();
        let mut calls = Vec::new();
        for (name, kept) in &mut self.credentials {
            let idle = kept.config.idle;
            kept.slots.retain(|_, slot| !slot.is_empty(now.boot));
            for (holder, slot) in &mut kept.slots {
                let place = || Place { name: name.clone(), holder: holder.clone() };
                let fetching = slot.fetching.is_some();
                if let Some(held) = &mut slot.retired {
                    calls.extend(held.look(now, idle).into_iter().map(|call| (place(), call)));
                }
                if let Some(held) = &mut slot.current {
                    calls.extend(held.look(now, idle).into_iter().map(|call| (place(), call)));
                    calls.extend(held.due(now).filter(|_| !fetching).map(|call| (place(), call)));
                }
            }
        }
        for (place, call) in calls {
            self.heed(place, call);
        }
    }

    fn heed(&mut self, place: Place, call: Call) {
        match call {
            Call::End(fingerprint, reason) => self.end(&place, fingerprint, reason),
            Call::EndAccess(fingerprint, key, reason) => {
                let opened = self.slot(&place).and_then(|slot| slot.find(fingerprint)?.accesses.remove(&key));
                if let Some(opened) = opened {
                    opened.access.end();
                    self.endings.spawn_local(end::end_access(opened.access, reason, self.tools.clone()));
                }
            }
            Call::Replace => self.start_fetch(&place, Fetching::Due),
            Call::Renew(fingerprint) => {
                let tools = self.tools.clone();
                let Some(held) = self.slot(&place).and_then(|slot| slot.find(fingerprint)) else { return };
                let Some(grip) = held.grip.clone() else { return };
                held.renewing = true;
                let life = held.life;
                self.tasks.spawn_local(fetch::renew(place, fingerprint, grip, life, tools));
            }
        }
    }
}

impl Held {
    /// What has ended: the lease, or some of its accesses.
    fn look(&mut self, now: Moment, idle: Duration) -> Vec<Call> {
        let fingerprint = self.lease.fingerprint;
        if self.grip.as_ref().is_some_and(|grip| grip.session.is_over()) {
            return vec![Call::End(fingerprint, "revoked")];
        }
        // A renewed login moves the end of all leases it took.
        self.lease.term.prolong(self.effective_end());
        if !self.lease.term.holds(now) {
            return vec![Call::End(fingerprint, "lease_expired")];
        }
        self.note_use(now.boot);
        let mut over = Vec::new();
        for (key, opened) in &self.accesses {
            if opened.waiting.is_none() && opened.access.is_over(now.unix_seconds()) {
                over.push((key.clone(), "until"));
            } else if now.boot.since(opened.used_at) >= idle {
                over.push((key.clone(), "idle"));
            }
        }
        let nobody_else = over.len() == self.accesses.len();
        if nobody_else && over.iter().any(|(_, reason)| *reason == "until") {
            return vec![Call::End(fingerprint, "until")];
        }
        if nobody_else && now.boot.since(self.used_at) >= idle {
            return vec![Call::End(fingerprint, "idle")];
        }
        over.into_iter().map(|(key, reason)| Call::EndAccess(fingerprint, key, reason)).collect()
    }

    /// Whether it is to be renewed, or replaced by another.
    fn due(&mut self, now: Moment) -> Option<Call> {
        let superseded = self.grip.as_ref().is_some_and(|grip| grip.session.is_superseded());
        if superseded && !self.must_follow {
            self.must_follow = true;
            let soon = now.boot.plus(pace::around(self.effective_end().left(now) / 4));
            self.refresh_at = self.refresh_at.min(soon);
        }
        if self.renewing || now.boot < self.refresh_at {
            return None;
        }
        let renewable = self.grip.as_ref().is_some_and(|grip| grip.renewable);
        Some(if renewable && !superseded { Call::Renew(self.lease.fingerprint) } else { Call::Replace })
    }
}
