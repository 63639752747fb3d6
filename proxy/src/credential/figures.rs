use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::BootTime;

/// What the keeper counts, for metrics and health. Shared by reference, written by the control thread alone.
#[derive(Debug, Default)]
pub struct Figures {
    leases: AtomicU64,
    oldest_boot_ms: AtomicU64,
    ending: AtomicU64,
    accesses: AtomicU64,
    vault_calls: AtomicU64,
    vault_failures: AtomicU64,
    vault_us: AtomicU64,
    leftovers: AtomicU64,
}

/// The figures at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Leases that may be used.
    pub leases: u64,
    /// Seconds since the oldest of them was issued.
    pub oldest_age: u64,
    /// Leases that are over for us and not yet known to be gone from their vault.
    pub ending: u64,
    /// Accesses that are open.
    pub accesses: u64,
    /// Calls to vaults.
    pub vault_calls: u64,
    /// Those of them that gave no usable answer.
    pub vault_failures: u64,
    /// Microseconds spent in them, in sum.
    pub vault_us: u64,
    /// Leases and logins of an earlier run that are still to be revoked.
    pub leftovers: u64,
}

impl Figures {
    /// Reads them all.
    #[must_use]
    pub fn read(&self, now: BootTime) -> Reading {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let leases = of(&self.leases);
        let oldest = BootTime::at(Duration::from_millis(of(&self.oldest_boot_ms)));
        Reading {
            leases,
            oldest_age: if leases == 0 { 0 } else { now.since(oldest).as_secs() },
            ending: of(&self.ending),
            accesses: of(&self.accesses),
            vault_calls: of(&self.vault_calls),
            vault_failures: of(&self.vault_failures),
            vault_us: of(&self.vault_us),
            leftovers: of(&self.leftovers),
        }
    }

    pub(super) fn held(&self, leases: usize, oldest: Option<BootTime>, accesses: usize) {
        let oldest = oldest.map_or(0, |oldest| oldest.since_boot().as_millis());
        self.leases.store(leases as u64, Ordering::Relaxed);
        self.oldest_boot_ms.store(u64::try_from(oldest).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.accesses.store(accesses as u64, Ordering::Relaxed);
    }

    pub(super) fn called(&self, took: Duration, failed: bool) {
        self.vault_calls.fetch_add(1, Ordering::Relaxed);
        self.vault_failures.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.vault_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn ending(&self, count: usize) {
        self.ending.store(count as u64, Ordering::Relaxed);
    }

    pub(super) fn leftovers(&self, count: usize) {
        self.leftovers.store(count as u64, Ordering::Relaxed);
    }
}
