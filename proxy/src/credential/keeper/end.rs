//! How leases and accesses end: for a reason, with the proof there is, recorded once.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::Tools;
use super::held::Held;
use crate::clock::BootTime;
use crate::credential::Access;
use crate::credential::journal::Line;
use crate::credential::vault::Grip;
use crate::pace;
use crate::record::{AccessEnded, Entry};

/// How long the record of an end waits for its proof. The vault may be down for longer; the
/// revocation goes on then, and the record says `unproven`.
const PROOF_WAIT: Duration = Duration::from_secs(30);
/// The longest pause between two attempts to revoke.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A lease that is over for us, on its way to being gone.
pub(super) struct Ending {
    pub(super) held: Held,
    /// Those of its accesses that were opened.
    pub(super) accesses: Vec<Arc<Access>>,
    pub(super) reason: &'static str,
    pub(super) at: SystemTime,
}

/// How long after a lease's own end the vault is still asked whether it is gone.
const AFTERWARDS: Duration = Duration::from_mins(1);

/// Revokes, looks it up, records the ends of its accesses, strikes it out. Returns whether it is shown to be gone.
pub(super) async fn end(ending: Ending, tools: Tools, mut hurry: watch::Receiver<bool>) -> bool {
    let Ending { held, accesses, reason, at } = ending;
    let given_up = held.end.boot.plus(AFTERWARDS);
    let proof = match &held.grip {
        None if reason == "lease_expired" => Some("clock"),
        None => Some("unproven"),
        Some(grip) => tokio::select! {
            proof = gone(grip, given_up, &tools) => Some(proof),
            () = tokio::time::sleep(PROOF_WAIT) => None,
            _ = hurry.wait_for(|hurry| *hurry) => None,
        },
    };
    for access in &accesses {
        tools.records.write(ended(access, reason, proof.unwrap_or("unproven"), at)).await;
    }
    tools.journal.strike(accesses.iter().map(|access| Line::access_key(&access.id.text())).collect());
    let Some(grip) = &held.grip else { return true };
    let shown = proof.is_some()
        || tokio::select! {
            _proof = gone(grip, given_up, &tools) => true,
            _ = hurry.wait_for(|hurry| *hurry) => false,
        };
    if shown {
        tools.journal.strike(vec![Line::lease_key(&held.lease.reference.0)]);
    }
    shown
}

/// An access that is over while its lease goes on.
pub(super) async fn end_access(access: Arc<Access>, reason: &'static str, tools: Tools) -> bool {
    let at = tools.clock.now().wall;
    tools.records.write(ended(&access, reason, "clock", at)).await;
    tools.journal.strike(vec![Line::access_key(&access.id.text())]);
    true
}

/// Until the vault shows it, or has had its own time to end it: a vault that does not let us revoke is not asked for ever.
async fn gone(grip: &Rc<Grip>, given_up: BootTime, tools: &Tools) -> &'static str {
    let mut failures = 0;
    loop {
        match grip.vault.end_lease(&grip.lease_id).await {
            Ok(proof) => return proof.text(),
            Err(error) => {
                if tools.clock.boot() >= given_up {
                    return "clock";
                }
                failures += 1;
                let told: &dyn std::error::Error = &error;
                tracing::warn!(vault = %grip.vault.name(), error = told, "a lease could not be revoked yet");
                tokio::time::sleep(pace::after_failures(failures, LONGEST_PAUSE)).await;
            }
        }
    }
}

fn ended(access: &Access, reason: &'static str, proof: &'static str, at: SystemTime) -> Entry {
    Entry::AccessEnded(AccessEnded {
        at,
        access: access.id,
        caller: access.caller.clone(),
        credential: access.lease.name.clone(),
        lease: access.lease.reference.clone(),
        reason,
        proof,
        requests: access.requests.load(Ordering::Relaxed),
    })
}
