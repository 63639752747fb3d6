//! Until when something must have ended.

use std::time::Duration;

use crate::evaluate::Stopwatch;

/// The end of a stretch of time that several steps share.
#[derive(Clone, Debug)]
pub struct Deadline {
    watch: Stopwatch,
    within: Duration,
}

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(within: Duration) -> Self {
        Self { watch: Stopwatch::start(), within }
    }

    /// The same, but no longer than this from now.
    #[must_use]
    pub fn sooner(&self, within: Duration) -> Self {
        Self::after(self.left().min(within))
    }

    /// How much of it is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.within.saturating_sub(self.watch.elapsed())
    }

    /// Whether nothing of it is left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How long it was in all, as people are told: to a tenth of a second.
    pub(crate) fn whole(&self) -> Duration {
        let tenths = self.within.saturating_add(Duration::from_millis(50)).as_millis() / 100;
        Duration::from_millis(u64::try_from(tenths).unwrap_or(u64::MAX).saturating_mul(100))
    }
}
