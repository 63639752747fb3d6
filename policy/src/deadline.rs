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

    /// The same, but no longer than this from now. One that is over stays as long as it was.
    #[must_use]
    pub fn sooner(&self, within: Duration) -> Self {
        let left = self.left();
        if left.is_zero() { self.clone() } else { Self::after(left.min(within)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_as_long_as_it_was() {
        let over = Deadline::after(Duration::from_millis(100));
        while !over.is_over() {
            std::thread::yield_now();
        }
        let sooner = over.sooner(Duration::from_secs(30));
        assert_eq!((sooner.is_over(), sooner.whole()), (true, Duration::from_millis(100)));
        let sooner = Deadline::after(Duration::from_hours(1)).sooner(Duration::from_secs(30));
        assert_eq!((sooner.is_over(), sooner.whole()), (false, Duration::from_secs(30)));
    }
}
