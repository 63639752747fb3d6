use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use tokio::sync::watch;

use crate::clock::{BootTime, Expiry, Moment};
use crate::model::{AccessId, CredentialName, Fingerprint, LeaseRef, Secret, SpiffeId, UpstreamName};

/// One issue of a credential, with an end. Shared by the keeper, which may prolong or end it, and
/// by workers, which only look.
pub struct Lease {
    /// The credential's configured name.
    pub name: CredentialName,
    /// What is put into the protocol.
    pub material: Material,
    /// When it was issued.
    pub issued: Moment,
    /// The lease id as a keyed hash.
    pub reference: LeaseRef,
    /// The key of connection pools.
    pub fingerprint: Fingerprint,
    /// When it ends.
    pub term: Term,
    /// How many callers have used it so far.
    pub callers: AtomicU32,
}

/// What is put into the protocol.
#[derive(Debug)]
pub enum Material {
    /// A single secret.
    Token(Secret<String>),
    /// An account.
    Password {
        /// Its name; not a secret, but of no use to a log either.
        username: String,
        /// Its password.
        password: Secret<String>,
    },
}

/// When a lease ends, on both clocks; the keeper moves it when the vault renews, and ends it when it is revoked.
pub struct Term {
    wall_ms: AtomicU64,
    boot_ms: AtomicU64,
    over: AtomicBool,
    retired: AtomicBool,
    ended: watch::Sender<bool>,
}

/// One caller's use of a lease at one upstream, from first use to its end.
#[derive(Debug)]
pub struct Access {
    /// Its name in records.
    pub id: AccessId,
    /// Who.
    pub caller: SpiffeId,
    /// At which old system, and nowhere else.
    pub upstream: UpstreamName,
    /// With what.
    pub lease: Arc<Lease>,
    /// Requests served so far.
    pub requests: AtomicU64,
    /// When it ends by the latest decision, Unix seconds; zero: with its lease.
    pub until: AtomicU64,
    ended: AtomicBool,
}

impl Term {
    /// Ends at `expiry` unless the keeper says otherwise.
    #[must_use]
    pub fn until(expiry: Expiry) -> Self {
        let (wall, boot) = millis(expiry);
        Self {
            wall_ms: AtomicU64::new(wall),
            boot_ms: AtomicU64::new(boot),
            over: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            ended: watch::channel(false).0,
        }
    }

    /// The end as things stand.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        Expiry {
            wall: UNIX_EPOCH + Duration::from_millis(self.wall_ms.load(Ordering::Acquire)),
            boot: BootTime::at(Duration::from_millis(self.boot_ms.load(Ordering::Acquire))),
        }
    }

    /// The vault renewed it.
    pub fn prolong(&self, expiry: Expiry) {
        let (wall, boot) = millis(expiry);
        self.wall_ms.store(wall, Ordering::Release);
        self.boot_ms.store(boot, Ordering::Release);
    }

    /// It is over, now: nobody injects it any more, and whoever holds it open is woken.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.ended.send_replace(true);
    }

    /// Whether it may be injected at `now`.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        !self.over.load(Ordering::Acquire) && !self.expiry().has_passed(now)
    }

    /// A later lease has taken its place: what is under way may go on to its end, nothing new begins with it.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether a new request may be given it at `now`.
    #[must_use]
    pub fn serves(&self, now: Moment) -> bool {
        !self.retired.load(Ordering::Acquire) && self.holds(now)
    }

    /// Waits until the keeper ended it. The clocks are the waiter's own business.
    pub async fn ended(&self) {
        let mut watching = self.ended.subscribe();
        // An error means that the term is gone, which cannot be while `self` is borrowed.
        let _seen = watching.wait_for(|over| *over).await.map(|_| ());
    }
}

fn millis(expiry: Expiry) -> (u64, u64) {
    let wall = expiry.wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let boot = expiry.boot.since_boot().as_millis();
    (u64::try_from(wall).unwrap_or(u64::MAX), u64::try_from(boot).unwrap_or(u64::MAX))
}

impl Lease {
    /// How long ago it was issued.
    #[must_use]
    pub const fn age(&self, now: Moment) -> Duration {
        now.boot.since(self.issued.boot)
    }

    /// Whether it is young enough for a decision that sets `max_age`.
    #[must_use]
    pub fn is_within(&self, max_age: Option<Duration>, now: Moment) -> bool {
        max_age.is_none_or(|most| self.age(now) <= most)
    }
}

impl Material {
    /// Whether the other would be put in just the same.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Token(one), Self::Token(another)) => one.expose() == another.expose(),
            (
                Self::Password { username: name, password: word },
                Self::Password { username: other_name, password: other_word },
            ) => name == other_name && word.expose() == other_word.expose(),
            _ => false,
        }
    }
}

impl Access {
    /// The first use of `lease` by `caller` at `upstream`.
    #[must_use]
    pub fn new(caller: SpiffeId, upstream: UpstreamName, lease: Arc<Lease>, until: Option<u64>) -> Self {
        let until = AtomicU64::new(until.unwrap_or_default());
        Self {
            id: AccessId::random(),
            caller,
            upstream,
            lease,
            requests: AtomicU64::new(0),
            until,
            ended: AtomicBool::new(false),
        }
    }

    /// The keeper has ended it: no new request begins under it, though its lease may serve others.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether a new request may begin under it at `now`.
    #[must_use]
    pub fn serves(&self, now: Moment) -> bool {
        !self.ended.load(Ordering::Acquire) && self.lease.term.serves(now)
    }

    /// Whether the latest decision's `until` has passed.
    #[must_use]
    pub fn is_over(&self, unix_seconds: u64) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until != 0 && unix_seconds >= until
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({} {})", self.name, self.reference)
    }
}
