//! The order of the six verbs, for one request. **Start reading here.**
//!
//! A dialect has read a request's head, opened its record and knows its peer. The gate asks
//! policy, takes the lease that the grant names, and hands out a [`Passage`]: the only way to an
//! upstream. One gate per worker; nothing in it is shared with another thread but values that
//! are replaced whole.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::authorize::{Action, Authorizer, Denial, Grant, Reply, Request};
use crate::clock::{Expiry, Moment, SharedClock, unix_seconds};
use crate::config::{Listener, Route};
use crate::credential::{Access, CredentialError, Credentials, Want};
use crate::fault::{Code, Fault, codes};
use crate::forward::{Upstream, Upstreams};
use crate::identify::Peer;
use crate::model::{CredentialName, UpstreamName};
use crate::record::{CredentialUse, DecisionFacts, Recorder, UpstreamFacts};

/// The order of the verbs. One per worker, behind `Rc`.
pub struct Gate {
    authorizer: Authorizer,
    credentials: Credentials,
    upstreams: Upstreams,
    clock: SharedClock,
}

/// What a dialect asks of the gate.
pub struct Ask<'a> {
    /// Who asks.
    pub peer: &'a Arc<Peer>,
    /// Where it arrived.
    pub listener: &'a Arc<Listener>,
    /// Where it would go.
    pub route: &'a Arc<Route>,
    /// What is asked.
    pub action: &'a Action<'a>,
    /// The IP address it came from, as its connection wrote it: context, never identity.
    pub from: Option<&'a Arc<str>>,
}

/// Everything needed to forward one request, and the duty to record it.
pub struct Passage {
    upstream: Rc<Upstream>,
    grant: Grant,
    access: Option<Arc<Access>>,
    peer: Arc<Peer>,
    listener: Arc<Listener>,
    clock: SharedClock,
    /// The request's one record.
    pub recorder: Recorder,
}

/// The request stops here: why, the record that is still to be closed, and what policy wants said.
pub struct Refusal {
    /// Why.
    pub fault: Fault,
    /// What policy wants the caller to be told.
    pub reply: Option<Reply>,
    /// The request's one record.
    pub recorder: Recorder,
}

impl Gate {
    /// A worker's gate.
    #[must_use]
    pub const fn new(
        authorizer: Authorizer,
        credentials: Credentials,
        upstreams: Upstreams,
        clock: SharedClock,
    ) -> Self {
        Self { authorizer, credentials, upstreams, clock }
    }

    /// Authorize, then credential. `recorder` was opened by the dialect when it had read the head.
    pub async fn admit(&self, ask: Ask<'_>, mut recorder: Recorder) -> Result<Passage, Box<Refusal>> {
        recorder.note(|entry| {
            entry.route = Some(ask.route.name.clone());
            entry.caller = Some(ask.peer.facts());
            entry.generation.identity = ask.peer.generation();
        });
        let (grant, decision) = match self.judge(&ask) {
            Ok(granted) => granted,
            Err(denial) => return Err(refuse(*denial, recorder)),
        };
        recorder.note(|entry| {
            entry.decision = Some(decision);
            entry.generation.policy = grant.generation();
        });
        let access = match self.lease(&ask, &grant).await {
            Ok(access) => access,
            Err(fault) => return Err(Box::new(Refusal { fault, reply: None, recorder })),
        };
        let Some(upstream) = self.upstreams.of(&ask.route.upstream.name) else {
            return Err(Box::new(Refusal { fault: Fault::of(codes::NO_ROUTE), reply: None, recorder }));
        };
        let (peer, listener) = (Arc::clone(ask.peer), Arc::clone(ask.listener));
        let mut passage =
            Passage { upstream, grant, access, peer, listener, clock: Arc::clone(&self.clock), recorder };
        passage.note_access();
        Ok(passage)
    }

    /// The upstream refused the credential: a fresh lease, if one may be had, replaces the passage's.
    pub async fn replace_credential(&self, passage: &mut Passage) -> Result<(), CredentialError> {
        let Some(refused) = passage.access.take() else { return Err(CredentialError::NoneToReplace) };
        let (name, upstream) = (&refused.lease.name, &refused.upstream);
        let want = want(name, &passage.grant, &passage.peer, &passage.listener, upstream);
        let fresh = self.credentials.replace(&refused, want).await?;
        fresh.requests.fetch_add(1, Ordering::Relaxed);
        passage.access = Some(fresh);
        passage.note_access();
        Ok(())
    }

    fn judge(&self, ask: &Ask<'_>) -> Result<(Grant, DecisionFacts), Box<Denial>> {
        let credentials = self.credentials.facts(ask.peer.id(), &ask.listener.name, &ask.route.credentials);
        self.authorizer.judge(&Request {
            peer: ask.peer,
            listener: ask.listener,
            route: ask.route,
            action: ask.action,
            from: ask.from,
            credentials: &credentials,
        })
    }

    async fn lease(&self, ask: &Ask<'_>, grant: &Grant) -> Result<Option<Arc<Access>>, Fault> {
        let Some(name) = grant.credential() else { return Ok(None) };
        let want = want(name, grant, ask.peer, ask.listener, &ask.route.upstream.name);
        let access = self.credentials.access(want).await?;
        access.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Some(access))
    }
}

impl Passage {
    /// The upstream that this request, and no other, may be sent to.
    #[must_use]
    pub const fn upstream(&self) -> &Rc<Upstream> {
        &self.upstream
    }

    /// What was granted.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The access whose lease is to be put in, if the upstream takes one.
    #[must_use]
    pub const fn access(&self) -> Option<&Arc<Access>> {
        self.access.as_ref()
    }

    /// Who is let through.
    #[must_use]
    pub const fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Notes what the upstream did.
    pub fn note_upstream(&mut self, status: Option<u16>, us: u64) {
        let name = self.upstream.name().clone();
        self.recorder.note(|entry| entry.upstream = Some(UpstreamFacts { name, status, us }));
    }

    /// Ends the passage: the record is what is left of it.
    #[must_use]
    pub fn into_recorder(self) -> Recorder {
        self.recorder
    }

    /// Why nothing more may be sent under it, if its time has come. A lease that ended before its time is not looked
    /// at: whoever has been refused with it gets another.
    #[must_use]
    pub fn over(&self) -> Option<&'static Code> {
        let now = self.clock.now();
        let lease_over = || self.access.as_ref().is_some_and(|it| it.lease.term.expiry().has_passed(now));
        out_of_time(&self.peer, self.grant.until(), now)
            .or_else(|| lease_over().then_some(codes::LEASE_ENDED))
    }

    /// What ends this access, kept apart so that a body that outlives the passage can wait for it.
    #[must_use]
    pub fn bound(&self) -> Bound {
        Bound {
            access: self.access.clone(),
            peer: Arc::clone(&self.peer),
            until: self.grant.until(),
            clock: Arc::clone(&self.clock),
        }
    }

    fn note_access(&mut self) {
        let Some(access) = &self.access else { return };
        let now = self.clock.now();
        let credential = CredentialUse {
            name: access.lease.name.clone(),
            access: access.id,
            lease: access.lease.reference.clone(),
            age: now.boot.since(access.lease.issued.boot).as_secs(),
            ttl_left: access.lease.term.expiry().left(now).as_secs(),
        };
        self.recorder.note(|entry| entry.credential = Some(credential));
    }
}

/// What bounds something that stays open: the lease, the caller's proof, and the decision's `until`.
pub struct Bound {
    access: Option<Arc<Access>>,
    peer: Arc<Peer>,
    until: Option<u64>,
    clock: SharedClock,
}

impl Bound {
    /// Resolves when what is open must be closed, with the code that says why.
    pub async fn ended(&self) -> Fault {
        loop {
            if let Some(over) = self.over() {
                return over;
            }
            let nap = self.left();
            match &self.access {
                Some(access) => {
                    tokio::select! {
                        () = access.lease.term.ended() => return Fault::of(codes::LEASE_ENDED),
                        () = tokio::time::sleep(nap) => {}
                    }
                }
                None => tokio::time::sleep(nap).await,
            }
        }
    }

    fn over(&self) -> Option<Fault> {
        let now = self.clock.now();
        let lease_over = || self.access.as_ref().is_some_and(|access| !access.lease.term.holds(now));
        let code = out_of_time(&self.peer, self.until, now);
        code.or_else(|| lease_over().then_some(codes::LEASE_ENDED)).map(Fault::of)
    }

    /// How long nothing ends by itself; at most a minute, so that a clock that was set is noticed.
    fn left(&self) -> Duration {
        let now = self.clock.now();
        let until = self.until.map(|until| Duration::from_secs(until.saturating_sub(unix_seconds(now.wall))));
        let lease = self.access.as_ref().map(|access| access.lease.term.expiry().left(now));
        let peer = Expiry::left(&self.peer.expires(), now);
        [Some(peer), until, lease].into_iter().flatten().min().unwrap_or(peer).min(Duration::from_mins(1))
    }
}

/// Whether the caller's proof or the decision has ended.
fn out_of_time(peer: &Peer, until: Option<u64>, now: Moment) -> Option<&'static Code> {
    if peer.expires().has_passed(now) {
        return Some(codes::PEER_EXPIRED_OPEN);
    }
    until.is_some_and(|until| unix_seconds(now.wall) >= until).then_some(codes::ACCESS_OVER)
}

/// What is asked of the keeper under a grant.
fn want<'a>(
    name: &'a CredentialName,
    grant: &Grant,
    peer: &'a Peer,
    listener: &'a Listener,
    upstream: &'a UpstreamName,
) -> Want<'a> {
    let (caller, listener) = (peer.id(), &listener.name);
    Want { name, caller, listener, upstream, max_age: grant.max_age(), until: grant.until() }
}

fn refuse(denial: Denial, mut recorder: Recorder) -> Box<Refusal> {
    let fault = denial.fault();
    recorder.note(|entry| {
        entry.decision = Some(denial.decision);
        entry.generation.policy = denial.generation;
    });
    Box::new(Refusal { fault, reply: denial.reply, recorder })
}
