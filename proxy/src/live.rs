//! The one reload primitive: a value that is replaced whole, never edited.
//!
//! Build the next value completely, then publish it. One that fails to build is never published;
//! the old one serves on. A handshake loads once, a request loads once, and the generation that
//! each saw goes into the record.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// The reading end: cheap to load, cheap to clone.
pub struct Live<T> {
    cell: Arc<ArcSwap<Versioned<T>>>,
    changed: watch::Receiver<u64>,
}

/// A published value and its number, counted from 1.
#[derive(Debug)]
pub struct Versioned<T> {
    /// Counts publications; it stands in records as `generation`.
    pub generation: u64,
    /// When it was published: its age is shown by health.
    pub since: SystemTime,
    /// The value itself.
    pub value: T,
}

/// The writing end. Not `Clone`: each value has one owner, the task that refreshes it.
pub struct Publisher<T> {
    cell: Arc<ArcSwap<Versioned<T>>>,
    changed: watch::Sender<u64>,
}

/// Nobody will publish any more: the owner is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing will be published any more")]
pub struct Retired;

/// A live value and its publisher, beginning with `first`.
pub fn live<T>(first: T, since: SystemTime) -> (Publisher<T>, Live<T>) {
    let cell = Arc::new(ArcSwap::from_pointee(Versioned { generation: 1, since, value: first }));
    let (sender, receiver) = watch::channel(1);
    (Publisher { cell: Arc::clone(&cell), changed: sender }, Live { cell, changed: receiver })
}

impl<T> Live<T> {
    /// What holds now.
    #[must_use]
    pub fn load(&self) -> arc_swap::Guard<Arc<Versioned<T>>> {
        self.cell.load()
    }

    /// What holds now, to keep.
    #[must_use]
    pub fn load_full(&self) -> Arc<Versioned<T>> {
        self.cell.load_full()
    }

    /// The number of what holds now.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.cell.load().generation
    }

    /// Waits for a value that this reader has not been told of yet.
    pub async fn changed(&mut self) -> Result<Arc<Versioned<T>>, Retired> {
        self.changed.changed().await.map_err(|_| Retired)?;
        self.changed.borrow_and_update();
        Ok(self.cell.load_full())
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self { cell: Arc::clone(&self.cell), changed: self.changed.clone() }
    }
}

impl<T> Publisher<T> {
    /// Replaces the value, wakes the readers, and says which generation it became.
    pub fn publish(&mut self, next: T, since: SystemTime) -> u64 {
        let generation = self.cell.load().generation + 1;
        self.cell.store(Arc::new(Versioned { generation, since, value: next }));
        self.changed.send_replace(generation);
        generation
    }

    /// What was published last.
    #[must_use]
    pub fn current(&self) -> Arc<Versioned<T>> {
        self.cell.load_full()
    }
}

impl<T> std::fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Live(generation {})", self.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_publication_wakes_readers_and_counts() {
        let (mut publisher, mut live) = live("old", SystemTime::UNIX_EPOCH);
        assert_eq!(live.generation(), 1);

        publisher.publish("new", SystemTime::UNIX_EPOCH);

        let seen = live.changed().await.unwrap();
        assert_eq!((seen.generation, seen.value), (2, "new"));
        drop(publisher);
        assert_eq!(live.changed().await.unwrap_err(), Retired);
    }
}
