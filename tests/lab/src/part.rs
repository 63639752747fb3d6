//! One part of the lab on a thread and a runtime of its own.
//!
//! So a part's handle works from any test, async or not, a test that blocks stalls no part, and dropping
//! the handle cuts every connection at once, as a killed process would.

use std::{future::Future, io, sync::Mutex, thread, thread::JoinHandle, time::Duration};

use tokio::{runtime, sync::oneshot};

use crate::held;

/// How long a failing `accept` waits, so that running out of files does not spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A part that can be stopped and started again under the same address.
#[derive(Debug, Default)]
pub(crate) struct Part {
    running: Mutex<Option<Running>>,
}

impl Part {
    /// Runs what `serve` gives until [`Part::stop`]; whatever ran before is stopped first.
    pub(crate) fn start<F>(&self, name: &str, serve: impl FnOnce() -> F + Send + 'static) -> io::Result<()>
    where
        F: Future<Output = ()>,
    {
        self.stop();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = serve() => {}
                    _ = stopped => {}
                }
            });
        })?;
        *held(&self.running) = Some(Running { stop, thread });
        Ok(())
    }

    /// Cuts every connection and waits until the thread is gone. Does nothing when nothing runs.
    pub(crate) fn stop(&self) {
        let Some(Running { stop, thread }) = held(&self.running).take() else { return };
        drop(stop);
        if thread.join().is_err() {
            tracing::error!("a part of the lab panicked");
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Debug)]
struct Running {
    /// Dropped, never sent on: the other end wakes either way.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}
