//! The tasks that wait for a source, a vault, the journal or the record writer on the keeper's behalf.

use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;

use super::Tools;
use super::held::Place;
use crate::clock::{Expiry, Moment, unix_seconds};
use crate::credential::journal::{LeaseId, Line};
use crate::credential::source::{CredentialSource, Issue};
use crate::credential::vault::{Grip, VaultError};
use crate::credential::{Access, CredentialError};
use crate::model::{Fingerprint, LeaseRef, Secret};
use crate::record::{AccessOpened, Entry};

/// What a task came to.
pub(super) enum Done {
    Fetched {
        place: Place,
        result: Result<Fetched, CredentialError>,
    },
    Renewed {
        place: Place,
        fingerprint: Fingerprint,
        asked: Moment,
        result: Result<Option<Duration>, VaultError>,
    },
    Opened {
        place: Place,
        access: Arc<Access>,
        result: Result<(), CredentialError>,
    },
}

/// An issue that is journalled and may be used.
pub(super) struct Fetched {
    pub(super) issue: Issue,
    /// The moment before it was asked for: its life counts from here.
    pub(super) asked: Moment,
    pub(super) reference: LeaseRef,
}

/// Makes lease ids showable.
#[derive(Clone)]
pub(super) struct References {
    key: hmac::Key,
}

impl References {
    pub(super) fn new(key: &Secret<Vec<u8>>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()) }
    }

    /// A keyed hash of the lease id; of random bytes where there is none, for a secret is not to be hashed into records.
    fn of(&self, grip: Option<&Grip>) -> LeaseRef {
        let mut random = [0u8; 16];
        let _filled = aws_lc_rs::rand::fill(&mut random);
        let named = grip.map_or(random.as_slice(), |grip| grip.lease_id.expose().as_bytes());
        let tag = hmac::sign(&self.key, named);
        let mut text = String::from("h:");
        for byte in tag.as_ref().iter().take(6) {
            let _infallible = write!(text, "{byte:02x}");
        }
        LeaseRef(text.into())
    }
}

/// Fetches and journals. A lease that cannot be journalled is given back and not used.
pub(super) async fn fetch(place: Place, source: Rc<dyn CredentialSource>, tools: Tools) -> Done {
    let asked = tools.clock.now();
    let result = match source.issue().await {
        Ok(issue) => journalled(issue, asked, &place, &tools).await,
        Err(error) => Err(error),
    };
    Done::Fetched { place, result }
}

async fn journalled(
    issue: Issue,
    asked: Moment,
    place: &Place,
    tools: &Tools,
) -> Result<Fetched, CredentialError> {
    let reference = tools.references.of(issue.grip.as_ref());
    let Some(grip) = &issue.grip else { return Ok(Fetched { issue, asked, reference }) };
    let line = Line::Lease {
        reference: reference.to_string(),
        vault: grip.vault.name().to_string(),
        lease_id: LeaseId(grip.lease_id.expose().clone()),
        credential: place.name.to_string(),
    };
    let Err(error) = tools.journal.write(vec![line]).await else {
        return Ok(Fetched { issue, asked, reference });
    };
    if let Err(error) = grip.vault.end_lease(&grip.lease_id).await {
        tracing::error!(credential = %place.name, %error, "a lease could neither be journalled nor revoked; it ends with our login");
    }
    Err(CredentialError::Journal(error))
}

pub(super) async fn renew(
    place: Place,
    fingerprint: Fingerprint,
    grip: Rc<Grip>,
    life: Duration,
    tools: Tools,
) -> Done {
    let asked = tools.clock.now();
    let result = grip.renew(life).await;
    Done::Renewed { place, fingerprint, asked, result }
}

/// Journals and records an access; only then is it handed out.
pub(super) async fn open(place: Place, access: Arc<Access>, tools: Tools) -> Done {
    let line = Line::Access {
        access: access.id.text(),
        reference: access.lease.reference.to_string(),
        caller: access.caller.as_str().to_owned(),
        credential: place.name.to_string(),
        upstream: access.upstream.to_string(),
    };
    let result = tools.journal.write(vec![line]).await.map_err(CredentialError::Journal);
    if result.is_ok() {
        tools.records.write(opened(&access, &tools)).await;
    }
    Done::Opened { place, access, result }
}

fn opened(access: &Access, tools: &Tools) -> Entry {
    let now = tools.clock.now();
    let left = Expiry::left(&access.lease.term.expiry(), now);
    Entry::AccessOpened(AccessOpened {
        at: now.wall,
        access: access.id,
        caller: access.caller.clone(),
        credential: access.lease.name.clone(),
        lease: access.lease.reference.clone(),
        upstream: access.upstream.clone(),
        expires_at: unix_seconds(now.wall + left),
    })
}
