use std::time::Duration;

use tokio::sync::watch;

/// Where this process is in its life. Workers and the control thread hold one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Requests are served.
    Serving,
    /// No new connection, no new request; what is open may finish.
    Draining,
    /// The deadline has passed: what is still open is cut.
    Cut,
}

/// The one who says where we are.
pub(super) type PhaseSetter = watch::Sender<Phase>;

/// Where we are.
#[derive(Clone)]
pub(super) struct Phases(watch::Receiver<Phase>);

/// How long a worker may take to close what was cut.
pub(super) const CUT_GRACE: Duration = Duration::from_secs(1);

pub(super) fn phases() -> (PhaseSetter, Phases) {
    let (setter, phases) = watch::channel(Phase::Serving);
    (setter, Phases(phases))
}

impl Phases {
    /// Waits until it is at least `phase`. A control thread that is gone counts as `Cut`.
    pub(super) async fn reached(&mut self, phase: Phase) {
        let reached = |now: &Phase| match phase {
            Phase::Serving => true,
            Phase::Draining => *now != Phase::Serving,
            Phase::Cut => *now == Phase::Cut,
        };
        // An error means that the control thread has ended, after which nothing may go on.
        let _ended = self.0.wait_for(reached).await.map(|_| ());
    }
}
