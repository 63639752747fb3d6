//! When to do something again: never in step with others, and ever less often while it fails.

use std::time::Duration;

/// About `length`, within a fifth of it, so that what began together does not return together.
pub(crate) fn around(length: Duration) -> Duration {
    length.mul_f64(0.8 + 0.4 * share())
}

/// When something that lives for `life` is to be prolonged: at about two thirds of it, never later than 0.8.
pub(crate) fn ahead(life: Duration) -> Duration {
    around(life.mul_f64(2.0 / 3.0))
}

/// How long to leave something alone that failed `failures` times in a row: about 1 s, doubling up to `most`.
pub(crate) fn after_failures(failures: u32, most: Duration) -> Duration {
    doubling(Duration::from_secs(1), failures.min(7), most)
}

/// The same, beginning at about `least`.
pub(crate) fn doubling(least: Duration, failures: u32, most: Duration) -> Duration {
    let doubled = least.saturating_mul(1 << failures.saturating_sub(1).min(20));
    around(doubled.min(most))
}

/// Some moment between the two.
pub(crate) fn between(least: Duration, most: Duration) -> Duration {
    least + most.saturating_sub(least).mul_f64(share())
}

/// Between nothing and one.
fn share() -> f64 {
    let mut random = [0u8; 2];
    // Without a random source everything is merely in step.
    let _filled = aws_lc_rs::rand::fill(&mut random);
    f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let most = Duration::from_secs(15);
        assert!(after_failures(1, most) < Duration::from_millis(1201));
        assert!(after_failures(3, most) >= Duration::from_millis(3200));
        assert!(after_failures(u32::MAX, most) <= Duration::from_secs(18));
    }

    #[test]
    fn a_moment_between_two_is_neither_before_nor_after_them() {
        let (least, most) = (Duration::from_mins(1), Duration::from_mins(2));
        let moments: std::collections::HashSet<_> = (0..100).map(|_| between(least, most)).collect();
        assert!(moments.iter().all(|moment| (least..=most).contains(moment)) && moments.len() > 10);
        assert_eq!(between(least, least), least);
    }

    #[test]
    fn what_is_prolonged_is_prolonged_before_its_end() {
        for _ in 0..1000 {
            let due = ahead(Duration::from_secs(30));
            assert!(due > Duration::from_secs(15) && due < Duration::from_millis(24_100), "{due:?}");
        }
    }
}
