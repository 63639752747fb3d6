//! A signal to stop ends the tour by its ordinary way out, so that what it started and wrote goes with it.

use std::{
    fmt, future, io,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    signal::unix::{self, SignalKind},
};

use super::TourError;

/// A signal that asked the lab to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    name: &'static str,
    number: u8,
}

impl Stop {
    pub(super) const INTERRUPT: Self = Self { name: "SIGINT", number: 2 };
    const ALL: [Self; 3] =
        [Self { name: "SIGHUP", number: 1 }, Self::INTERRUPT, Self { name: "SIGTERM", number: 15 }];

    /// What a shell shows for a program that this signal ended.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        128 + self.number
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name)
    }
}

/// Hears signals from when it is made; each is told once.
pub(super) struct Stops(Receiver<Stop>);

impl Stops {
    pub(super) fn listen() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (tell, told) = mpsc::channel();
        for stop in Stop::ALL {
            let inside = runtime.enter();
            let mut signals = unix::signal(SignalKind::from_raw(stop.number.into()))?;
            drop(inside);
            let tell = tell.clone();
            runtime.spawn(async move { while signals.recv().await.is_some() && tell.send(stop).is_ok() {} });
        }
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(future::pending::<()>()))?;
        Ok(Self(told))
    }

    /// Waits this long, or fails at once with the signal that came.
    pub(super) fn pause(&self, time: Duration) -> Result<(), TourError> {
        match self.0.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(stop) => Err(stop.into()),
            Err(RecvTimeoutError::Disconnected) => Err(deaf().into()),
        }
    }

    /// The next signal, however long it takes.
    pub(super) fn next(&self) -> Result<Stop, TourError> {
        Ok(self.0.recv().map_err(|_| deaf())?)
    }
}

fn deaf() -> io::Error {
    io::Error::other("signals are no longer heard")
}
