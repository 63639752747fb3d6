//! The one source of time. Wall time is what certificates, tokens and records speak; boot time
//! goes on while the machine sleeps and cannot be set. What must end, ends on whichever says so first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since the machine started, suspend included (`CLOCK_BOOTTIME`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// This long after the machine started.
    #[must_use]
    pub const fn at(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This much later.
    #[must_use]
    pub const fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// As a length of time since the machine started.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }
}

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What the calendar says.
    pub wall: SystemTime,
    /// What cannot be set.
    pub boot: BootTime,
}

impl Moment {
    /// Whole seconds since 1970, as policy input and records use them.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        unix_seconds(self.wall)
    }
}

/// Whole seconds since 1970; zero for anything before.
#[must_use]
pub fn unix_seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// When something ends, on both clocks: it has ended when either says so.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// The end by the calendar.
    pub wall: SystemTime,
    /// The end by the clock that cannot be set.
    pub boot: BootTime,
}

impl Expiry {
    /// `life` from `now`, on both clocks.
    #[must_use]
    pub fn after(now: Moment, life: Duration) -> Self {
        Self { wall: now.wall.checked_add(life).unwrap_or(now.wall), boot: now.boot.plus(life) }
    }

    /// At the calendar's `end`, as seen from `now`.
    #[must_use]
    pub fn at_wall(now: Moment, end: SystemTime) -> Self {
        let life = end.duration_since(now.wall).unwrap_or_default();
        Self { wall: end, boot: now.boot.plus(life) }
    }

    /// What is left at `now`: the smaller of the two, zero once it has ended.
    #[must_use]
    pub fn left(&self, now: Moment) -> Duration {
        let wall = self.wall.duration_since(now.wall).unwrap_or_default();
        wall.min(self.boot.since(now.boot))
    }

    /// Whether it has ended by either clock.
    #[must_use]
    pub fn has_passed(&self, now: Moment) -> bool {
        self.left(now).is_zero()
    }

    /// The earlier of two ends, clock by clock.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), boot: self.boot.min(other.boot) }
    }
}

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Both clocks, read together.
    fn now(&self) -> Moment;

    /// The boot clock alone, for measuring.
    fn boot(&self) -> BootTime {
        self.now().boot
    }
}

/// A clock that everybody on a thread shares.
pub type SharedClock = Arc<dyn Clock>;

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the time")]
        let wall = SystemTime::now();
        Moment { wall, boot: self.boot() }
    }

    fn boot(&self) -> BootTime {
        let read = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
        BootTime(Duration::new(seconds, u32::try_from(read.tv_nsec).unwrap_or_default()))
    }
}

/// A clock that a test moves; both hands, or one of them alone.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    boot_ms: AtomicU64,
}

impl ManualClock {
    /// Stands at `wall` (Unix seconds) and at one hour since boot.
    #[must_use]
    pub fn standing_at(unix_seconds: u64) -> Self {
        Self { wall_ms: AtomicU64::new(unix_seconds * 1000), boot_ms: AtomicU64::new(3_600_000) }
    }

    /// Both clocks go on by this much.
    pub fn advance(&self, by: Duration) {
        self.advance_wall(by);
        self.advance_boot(by);
    }

    /// Only the calendar is moved, as when somebody sets it.
    pub fn advance_wall(&self, by: Duration) {
        self.wall_ms.fetch_add(millis(by), Ordering::Relaxed);
    }

    /// Only the boot clock goes on, as when the calendar was set back.
    pub fn advance_boot(&self, by: Duration) {
        self.boot_ms.fetch_add(millis(by), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment {
            wall: UNIX_EPOCH + Duration::from_millis(self.wall_ms.load(Ordering::Relaxed)),
            boot: BootTime(Duration::from_millis(self.boot_ms.load(Ordering::Relaxed))),
        }
    }
}

fn millis(by: Duration) -> u64 {
    u64::try_from(by.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_has_ended_when_either_clock_says_so() {
        let clock = ManualClock::standing_at(1_000);
        let end = Expiry::after(clock.now(), Duration::from_secs(10));
        assert!(!end.has_passed(clock.now()));

        clock.advance_wall(Duration::from_secs(10));
        assert!(end.has_passed(clock.now()));

        let end = Expiry::after(clock.now(), Duration::from_secs(10));
        clock.advance_boot(Duration::from_secs(10));
        assert!(end.has_passed(clock.now()));
    }
}
