//! The watchdog of a load: a thread of its own, which is given up where it does not end in time.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::problem::{LoadError, Problem};

/// Longest time for parsing and checking one policy, where nothing says a shorter one; past it the policy is refused and
/// its thread abandoned.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Most abandoned threads that may still run: a bundle that is refused so is asked for again, each time with another.
const ABANDONED: usize = 2;
/// Stack of a load's thread, of which only what is used is taken: what is refused for its depth is also dropped there.
const STACK: usize = 256 * 1024 * 1024;

/// The threads that were given up and may still run.
static LEFT: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Whether too many of these still run; forgets those that have ended.
fn too_many(left: &mut Vec<JoinHandle<()>>) -> bool {
    left.extract_if(.., |thread| thread.is_finished()).for_each(gone);
    left.len() >= ABANDONED
}

/// Waits until a thread that is ending is gone. Were its handle dropped just then, it would unmap its stack while
/// `pthread_detach` still reads the descriptor at its top, as in glibc 2.36, and the process would die of it; smaller
/// stacks are kept for the next thread, one of this size never is.
fn gone(ending: JoinHandle<()>) {
    // Whether it panicked is told by its channel.
    drop(ending.join());
}

/// Runs it on a thread of its own, which is given up where it does not end in time.
pub(super) fn watched<T: Send + 'static>(
    deadline: &Deadline,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    let whole =
        |why: &str, instead: &str| LoadError { problems: vec![Problem::of("", "load", why, instead)] };
    if too_many(&mut LEFT.lock().unwrap_or_else(PoisonError::into_inner)) {
        let why = format!("did not begin: {ABANDONED} loads that did not end in time still run");
        return Err(whole(&why, "smaller or flatter modules, or a restart"));
    }
    if deadline.is_over() {
        let why = format!("did not begin: what came before it took all of {:?}", deadline.whole());
        let instead = "smaller or flatter modules and shorter tests, here or in what else is loaded then";
        return Err(whole(&why, instead));
    }
    let deadline = deadline.sooner(PATIENCE);
    let (sender, receiver) = sync_channel(1);
    let loader =
        std::thread::Builder::new().name("policy-load".to_owned()).stack_size(STACK).spawn(move || {
            // Nobody listens any more when the watchdog has given up.
            drop(sender.send(work()));
        });
    let loader = loader.map_err(|error| whole(&format!("found no thread: {error}"), ""))?;
    match receiver.recv_timeout(deadline.left()) {
        Ok(outcome) => {
            gone(loader);
            outcome
        }
        Err(RecvTimeoutError::Timeout) => {
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(loader);
            let why = format!("did not end within {:?}", deadline.whole());
            Err(whole(&why, "smaller or flatter modules"))
        }
        Err(RecvTimeoutError::Disconnected) => {
            gone(loader);
            Err(whole("ended in a panic of the engine's parser", "simpler modules"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Is dropped as the last thing that its thread does, and takes its time.
    struct Lingers(Arc<AtomicBool>);

    impl Drop for Lingers {
        fn drop(&mut self) {
            std::thread::sleep(Duration::from_millis(20));
            self.0.store(true, Ordering::Release);
        }
    }

    thread_local!(static LAST: RefCell<Option<Lingers>> = const { RefCell::new(None) });

    #[test]
    fn no_load_leaves_its_thread_ending() {
        for panics in [false, true] {
            let is_gone = Arc::new(AtomicBool::new(false));
            let lingers = Lingers(Arc::clone(&is_gone));
            let outcome = watched(&Deadline::after(PATIENCE), move || {
                LAST.set(Some(lingers));
                assert!(!panics, "as told");
                Ok(())
            });
            assert_eq!(outcome.is_err(), panics);
            assert!(is_gone.load(Ordering::Acquire), "panics: {panics}");
        }
    }

    #[test]
    fn a_load_does_not_begin_while_two_that_were_given_up_still_run() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let waits = std::thread::spawn(move || ended.recv().unwrap_or(()));
        let ends = std::thread::spawn(|| {});
        while !ends.is_finished() {
            std::thread::yield_now();
        }
        let mut left = vec![waits, ends];
        assert!(!too_many(&mut left), "one has ended");

        let (another_end, ended) = std::sync::mpsc::channel::<()>();
        left.push(std::thread::spawn(move || ended.recv().unwrap_or(())));
        assert!(too_many(&mut left));

        drop((end, another_end));
        while !left.iter().all(JoinHandle::is_finished) {
            std::thread::yield_now();
        }
        assert!(!too_many(&mut left));
    }
}
