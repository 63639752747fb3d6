use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Expiry, Moment, SharedClock};
use crate::fault::Fault;
use crate::live::Live;

use super::bundle::TrustBundles;
use super::certificate::Purpose;
use super::error::IdentifyError;
use super::peer::{Peer, Proof};

/// No wait is longer, so that a clock that was set, or a machine that slept, is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(30);

/// What an open connection has to do about its end.
#[derive(Debug)]
pub enum Ending {
    /// Take no new requests: `GOAWAY` or `Connection: close`. Said once.
    Soon,
    /// Cut everything, for this reason.
    Now(Fault),
}

/// The life of one open connection: it ends before its caller's proof does, and as soon as the
/// trust bundle no longer verifies that proof.
pub struct Watch {
    peer: Option<Arc<Peer>>,
    bundles: Live<TrustBundles>,
    seen: u64,
    clock: SharedClock,
    /// When to say so; none once it was said.
    soon: Option<Expiry>,
}

impl Watch {
    /// Over a connection that begins now and may get as old as `age`; `peer` is whoever its
    /// certificate proved, if any.
    #[must_use]
    pub fn over(
        peer: Option<Arc<Peer>>,
        bundles: Live<TrustBundles>,
        clock: SharedClock,
        age: Duration,
    ) -> Self {
        let now = clock.now();
        let old = Expiry::after(now, age.mul_f64(jittered()));
        let soon = peer.as_ref().map_or(old, |peer| {
            let left = peer.expires.left(now);
            old.earlier(Expiry::after(now, left.mul_f64(jittered())))
        });
        let seen = peer.as_ref().map_or(0, |peer| peer.generation);
        Self { peer, bundles, seen, clock, soon: Some(soon) }
    }

    /// Waits for the next thing to do. Safe to drop and call again. After [`Ending::Now`] it is over.
    pub async fn ending(&mut self) -> Ending {
        loop {
            let now = self.clock.now();
            if let Some(error) = self.over_now(now) {
                return Ending::Now(error.into());
            }
            if self.soon.is_some_and(|soon| soon.has_passed(now)) {
                self.soon = None;
                return Ending::Soon;
            }
            let nap = self.nap(now);
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = self.bundles.changed() => {
                    // Nobody publishes any more: the process is ending, and only time is left to watch.
                    if changed.is_err() {
                        tokio::time::sleep(nap).await;
                    }
                }
            }
        }
    }

    fn over_now(&mut self, now: Moment) -> Option<IdentifyError> {
        let peer = self.peer.as_deref()?;
        if peer.expires.has_passed(now) {
            return Some(IdentifyError::ExpiredOpen);
        }
        let bundles = self.bundles.load();
        if bundles.generation == self.seen {
            return None;
        }
        self.seen = bundles.generation;
        peer.still_proven(&bundles.value, now).err()
    }

    fn nap(&self, now: Moment) -> Duration {
        let peer = self.peer.as_ref().map(|peer| peer.expires.left(now));
        let soon = self.soon.map(|soon| soon.left(now));
        [peer, soon].into_iter().flatten().min().unwrap_or(LONGEST_NAP).min(LONGEST_NAP)
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("peer", &self.peer).field("soon", &self.soon).finish_non_exhaustive()
    }
}

impl Peer {
    /// Whether `bundles` still vouch for this proof. The chain is only verified again if the anchor
    /// that vouched for it is gone: another may still do.
    fn still_proven(&self, bundles: &TrustBundles, now: Moment) -> Result<(), IdentifyError> {
        let domain = self.id.trust_domain();
        match &self.proof {
            Proof::X509 { anchor, .. } if bundles.has_anchor(domain, anchor) => Ok(()),
            Proof::X509 { .. } => bundles
                .verify(&self.chain, Purpose::Client, now.unix_seconds())
                .map(drop)
                .map_err(IdentifyError::NoLongerTrusted),
            Proof::Jwt { key, .. } if bundles.jwt_key(domain, key).is_some() => Ok(()),
            Proof::Jwt { .. } => Err(IdentifyError::KeyWithdrawn),
        }
    }
}

/// Nine tenths, give or take a twentieth, so that connections that began together do not end together.
fn jittered() -> f64 {
    let mut random = [0u8; 1];
    // Without a random source they end together: no harm but a burst.
    let _filled = aws_lc_rs::rand::fill(&mut random);
    let [byte] = random;
    0.85 + 0.10 * f64::from(byte) / 255.0
}

#[cfg(test)]
mod tests;
