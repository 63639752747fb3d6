use std::time::Duration;

use tokio::time::Instant;

/// Resolves when `moved` has stood still for `limit`, or up to a tenth longer: it is looked at from
/// time to time, so that nothing that moves sets a timer or asks for the time.
pub async fn stillness(limit: Duration, moved: impl Fn() -> u64) {
    let (mut seen, mut since) = (moved(), Instant::now());
    let mut next = since;
    loop {
        next = (next + limit / 10).min(since + limit);
        tokio::time::sleep_until(next).await;
        next = Instant::now();
        let now = moved();
        if now != seen {
            (seen, since) = (now, next);
        } else if next >= since + limit {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn it_is_neither_early_nor_more_than_a_tenth_late() {
        let limit = Duration::from_secs(1);
        let (moved, last) = (Cell::new(0), Cell::new(Instant::now()));
        let moving = async {
            for _ in 0..6 {
                tokio::time::sleep(Duration::from_millis(230)).await;
                moved.set(moved.get() + 1);
                last.set(Instant::now());
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = moving => {}
            () = stillness(limit, || moved.get()) => {}
        }
        let still = last.get().elapsed();
        assert_eq!(moved.get(), 6, "it moved all the time");
        // A tenth, and what a busy machine may add.
        assert!(still >= limit && still < limit * 11 / 10 + Duration::from_secs(1), "{still:?}");
    }
}
