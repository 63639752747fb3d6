use std::time::Duration;

/// About `length`, within a fifth of it, so that what began together does not return together.
pub(super) fn around(length: Duration) -> Duration {
    let mut random = [0u8; 2];
    // Without a random source everything is merely in step.
    let _filled = aws_lc_rs::rand::fill(&mut random);
    let share = f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX);
    length.mul_f64(0.8 + 0.4 * share)
}

/// When something that lives for `life` is to be prolonged: at about two thirds of it, never later than 0.8.
pub(super) fn ahead(life: Duration) -> Duration {
    around(life.mul_f64(2.0 / 3.0))
}

/// How long to leave something alone that failed `failures` times in a row: about 1 s, doubling up to `most`.
pub(super) fn after_failures(failures: u32, most: Duration) -> Duration {
    let doubled = Duration::from_secs(1 << failures.saturating_sub(1).min(6));
    around(doubled.min(most))
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
    fn what_is_prolonged_is_prolonged_before_its_end() {
        for _ in 0..1000 {
            let due = ahead(Duration::from_secs(30));
            assert!(due > Duration::from_secs(15) && due < Duration::from_millis(24_100), "{due:?}");
        }
    }
}
