//! Does it again whenever a file changed.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::command::{Exit, Outcome};
use crate::server::look::{self, Look};

/// How often files are looked at: names, sizes and times, not contents.
const LOOK: Duration = Duration::from_millis(300);

/// Says what `run` says, now and after each change below `paths`, until SIGINT or SIGTERM; ends with 0 then, whatever
/// was said, as `opa test --watch` does.
pub(super) fn watch(paths: &[PathBuf], run: impl Fn() -> Outcome) -> Outcome {
    let ended = |error: &io::Error| Outcome::failed(Exit::CannotStart, format!("--watch: {error}\n"));
    let runtime = match Builder::new_current_thread().enable_time().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(&error),
    };
    match runtime.block_on(watching(paths, run)) {
        Ok(()) => Outcome::said(String::new()),
        Err(error) => ended(&error),
    }
}

async fn watching(paths: &[PathBuf], run: impl Fn() -> Outcome) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        // Looked at before it is run: what changes meanwhile is seen afterwards.
        let before = looked(paths);
        if !say(&run()) {
            // Whoever reads us has gone.
            return Ok(());
        }
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            () = changed(paths, before) => {}
        }
    }
}

/// Waits until two looks agree that something is new, so that half a file is not run; at most ten looks long.
async fn changed(paths: &[PathBuf], before: Look) {
    let mut last = before.clone();
    let mut different = 0;
    while different < 10 {
        tokio::time::sleep(LOOK).await;
        let now = looked(paths);
        different = if now == before { 0 } else { different + 1 };
        if different > 1 && now == last {
            return;
        }
        last = now;
    }
}

fn looked(paths: &[PathBuf]) -> Look {
    let mut seen = Look::new();
    for path in paths {
        look::over(path, &mut seen);
    }
    seen
}

fn say(outcome: &Outcome) -> bool {
    let stars = "*".repeat(80);
    let said = format!("{}{stars}\nWatching for changes ...\n", outcome.out);
    let told = io::stderr().write_all(outcome.err.as_bytes());
    told.and_then(|()| io::stdout().write_all(said.as_bytes())).and_then(|()| io::stdout().flush()).is_ok()
}
