//! What an earlier run left in the journal when it was killed: its logins and leases are revoked,
//! again and again until they are, and its accesses are recorded as ended.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use super::Tools;
use crate::credential::journal::Line;
use crate::credential::vault::{Vault, VaultError};
use crate::model::{LeaseRef, Secret, VaultName};
use crate::pace;
use crate::record::{AccessEnded, Entry};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Ends what is left, however long the vaults take.
pub(super) async fn revoke(left: Vec<Line>, vaults: BTreeMap<VaultName, Rc<Vault>>, tools: Tools) {
    if left.is_empty() {
        return;
    }
    tracing::info!(lines = left.len(), "an earlier run was cut off: what it held is being revoked");
    let mut accesses: HashMap<String, Vec<Line>> = HashMap::new();
    let mut held: Vec<Line> = Vec::new();
    for line in left {
        match &line {
            Line::Access { reference, .. } => accesses.entry(reference.clone()).or_default().push(line),
            Line::Login { vault, .. } | Line::Lease { vault, .. } if !vaults.contains_key(vault.as_str()) => {
                tracing::error!(
                    vault,
                    "what an earlier run held of a vault that is no longer configured stays in the journal"
                );
            }
            Line::Login { .. } | Line::Lease { .. } => held.push(line),
            Line::Ended { .. } => {}
        }
    }
    // Leases first, their logins when the vault has finished what the killed process had asked of it: a login takes
    // along every lease that was never written down, but not one that is made after it.
    held.sort_by_key(|line| matches!(line, Line::Login { .. }));
    let asked_before = vaults.values().map(|vault| vault.timeout()).max().unwrap_or_default();
    let finished = tokio::time::Instant::now() + asked_before;
    let leased: Vec<String> = held.iter().filter_map(reference_of).collect();
    for reference in
        accesses.keys().filter(|reference| !leased.contains(reference)).cloned().collect::<Vec<_>>()
    {
        // Nothing was leased for these (a file, a kv secret), so there is nothing to show either.
        record_ends(accesses.remove(&reference), "unproven", &tools).await;
    }
    let mut failures = 0;
    while !held.is_empty() {
        tools.figures.leftovers(held.len());
        let mut again = Vec::new();
        for line in held {
            if matches!(line, Line::Login { .. }) {
                tokio::time::sleep_until(finished).await;
            }
            match end(&line, &vaults).await {
                Ok(proof) => {
                    tools.journal.strike(line.key().into_iter().collect());
                    let of_lease = reference_of(&line).and_then(|reference| accesses.remove(&reference));
                    record_ends(of_lease, proof, &tools).await;
                }
                Err(error) => {
                    let told: &dyn std::error::Error = &error;
                    tracing::warn!(error = told, "what an earlier run left could not be revoked yet");
                    again.push(line);
                }
            }
        }
        held = again;
        failures += 1;
        if !held.is_empty() {
            tokio::time::sleep(pace::after_failures(failures, LONGEST_PAUSE)).await;
        }
    }
    tools.figures.leftovers(0);
    tracing::info!("nothing of an earlier run is left");
}

async fn end(line: &Line, vaults: &BTreeMap<VaultName, Rc<Vault>>) -> Result<&'static str, VaultError> {
    let of = |name: &String| vaults.get(name.as_str()).ok_or_else(|| VaultError::NotConfigured(name.clone()));
    match line {
        Line::Login { vault, accessor } => {
            if !of(vault)?.end_login(accessor).await? {
                tracing::warn!(
                    vault,
                    "we may not revoke logins by accessor: what was leased but not yet written down ends only with its login"
                );
            }
            Ok("vault:revoked")
        }
        Line::Lease { vault, lease_id, .. } => {
            Ok(of(vault)?.end_lease(&Secret::new(lease_id.0.clone())).await?.text())
        }
        Line::Access { .. } | Line::Ended { .. } => Ok("unproven"),
    }
}

fn reference_of(line: &Line) -> Option<String> {
    match line {
        Line::Lease { reference, .. } => Some(reference.clone()),
        _ => None,
    }
}

async fn record_ends(accesses: Option<Vec<Line>>, proof: &'static str, tools: &Tools) {
    for line in accesses.into_iter().flatten() {
        if let Some(entry) = ended(&line, proof, tools) {
            tools.records.write(entry).await;
        } else {
            tracing::error!("an access in the journal cannot be read");
        }
        tools.journal.strike(line.key().into_iter().collect());
    }
}

/// How many requests it had served died with the process.
fn ended(line: &Line, proof: &'static str, tools: &Tools) -> Option<Entry> {
    let Line::Access { access, reference, caller, credential, .. } = line else { return None };
    Some(Entry::AccessEnded(AccessEnded {
        at: tools.clock.now().wall,
        access: access.parse().ok()?,
        caller: caller.parse().ok()?,
        credential: credential.parse().ok()?,
        lease: LeaseRef(reference.as_str().into()),
        reason: "crash",
        proof,
        requests: 0,
    }))
}
