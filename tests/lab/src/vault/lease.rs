//! Leases on dynamic accounts.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Fault, Leased,
    answer::{Answer, Envelope, increment, renewed, seconds_to, timestamp},
    state::State,
};

pub(super) struct Lease {
    pub(super) user: String,
    /// Which token asked for it, and takes it along when it ends.
    pub(super) token: String,
    pub(super) ttl: Duration,
    pub(super) issued: Instant,
    pub(super) ends: Instant,
    pub(super) max_end: Instant,
    pub(super) renewed: Option<Instant>,
    pub(super) renewals: u32,
}

impl State {
    pub(super) fn leased(&self, now: Instant) -> Vec<Leased> {
        let leased = |(id, lease): (&String, &Lease)| Leased {
            id: id.clone(),
            user: lease.user.clone(),
            remaining: lease.ends.saturating_duration_since(now),
            renewals: lease.renewals,
            accessor: self.tokens.get(&lease.token).map(|token| token.accessor.clone()).unwrap_or_default(),
        };
        self.leases.iter().map(leased).collect()
    }
}

pub(super) fn lookup(state: &State, body: &Value, now: Instant) -> Answer {
    let Some((id, lease)) = id_in(body).and_then(|id| Some((id, state.leases.get(id)?))) else {
        return Answer::error(400, "invalid lease");
    };
    let data = json!({
        "id": id,
        "issue_time": timestamp(lease.issued, now),
        "expire_time": timestamp(lease.ends, now),
        "last_renewal": lease.renewed.map(|renewed| timestamp(renewed, now)),
        "renewable": true,
        "ttl": seconds_to(lease.ends, now),
    });
    Envelope::new().data(data).answer(200)
}

pub(super) fn renew(state: &mut State, body: &Value, now: Instant) -> Answer {
    let wanted = match increment(body) {
        Ok(wanted) => wanted,
        Err(refused) => return refused,
    };
    let Some((id, lease)) = id_in(body).and_then(|id| Some((id, state.leases.get_mut(id)?))) else {
        return Answer::error(400, "lease not found");
    };
    let (ends, granted, warning) = renewed(wanted.unwrap_or(lease.ttl), lease.max_end, now);
    lease.ends = ends;
    lease.renewed = Some(now);
    lease.renewals += 1;
    Envelope::new().lease(id, granted).warning(warning).answer(200)
}

/// 204 also for a lease that is not there, as Vault answers.
pub(super) fn revoke(state: &mut State, body: &Value, fault: &Fault) -> Answer {
    let Some(id) = id_in(body) else {
        return Answer::error(400, "'lease_id' was not specified");
    };
    if *fault != Fault::RevokeLies {
        state.end_lease(id);
    }
    Answer::no_content()
}

fn id_in(body: &Value) -> Option<&str> {
    body.get("lease_id")?.as_str()
}
