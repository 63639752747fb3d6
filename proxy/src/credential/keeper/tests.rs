use std::fs;
use std::rc::Rc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::LocalSet;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::config::{CredentialSource, WhenFull};
use crate::credential::{Credentials, Material};
use crate::fault::Coded;
use crate::model::CredentialState;
use crate::record::Entry;

const NOW: u64 = 1_795_300_000;

/// A keeper over one file, whose clock stands until it is moved.
struct Rig {
    folder: TempDir,
    clock: Arc<ManualClock>,
    keeper: Keeper,
    credentials: Credentials,
    entries: mpsc::Receiver<Entry>,
}

impl Rig {
    fn new(lease_per: LeasePer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::standing_at(NOW));
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let config = config::Credential {
            name: "spooler".parse().unwrap(),
            source: CredentialSource::File(folder.path().join("spooler.json")),
            lease_per,
            idle: Duration::from_secs(30),
            most: 2.try_into().unwrap(),
            only_to: ["spool", "print"].map(|name| name.parse().unwrap()).to_vec(),
        };
        let (queue, entries) = mpsc::channel(64);
        let setup = Setup {
            credentials: &BTreeMap::from([(config.name.clone(), Arc::new(config))]),
            vaults: &BTreeMap::new(),
            vault_tls: &BTreeMap::new(),
            own_svid: Rc::new(|_| Box::pin(async { Err("no vault here".into()) })),
            state: &State::open(&folder.path().join("state")).unwrap(),
            records: Records::new(queue, Arc::default(), WhenFull::Refuse, Arc::clone(&shared)),
            clock: Arc::clone(&shared),
        };
        let keeper = Keeper::spawn(setup).unwrap();
        let credentials = Credentials::new(&keeper, shared);
        let rig = Self { folder, clock, keeper, credentials, entries };
        rig.put("first");
        rig
    }

    fn put(&self, password: &str) {
        let beside = self.folder.path().join("beside");
        fs::write(&beside, format!(r#"{{"username":"u","password":"{password}"}}"#)).unwrap();
        fs::rename(&beside, self.folder.path().join("spooler.json")).unwrap();
    }

    async fn access(
        &self,
        caller: &str,
        upstream: &str,
        until: Option<u64>,
    ) -> Result<Arc<Access>, CredentialError> {
        let (name, caller, listener, upstream) = (
            "spooler".parse().unwrap(),
            format!("spiffe://example.org/{caller}").parse().unwrap(),
            "front".parse().unwrap(),
            upstream.parse().unwrap(),
        );
        let want = Want {
            name: &name,
            caller: &caller,
            listener: &listener,
            upstream: &upstream,
            max_age: None,
            until,
        };
        self.credentials.access(want).await
    }

    async fn next(&mut self) -> Entry {
        tokio::time::timeout(Duration::from_secs(10), self.entries.recv()).await.unwrap().unwrap()
    }

    /// The next record, which says that an access ended: whose, and why.
    async fn ended(&mut self) -> (String, &'static str, u64) {
        match self.next().await {
            Entry::AccessEnded(ended) => (ended.access.text(), ended.reason, ended.requests),
            other => panic!("{other:?}"),
        }
    }

    async fn opened(&mut self) -> String {
        match self.next().await {
            Entry::AccessOpened(opened) => opened.access.text(),
            other => panic!("{other:?}"),
        }
    }
}

fn password(access: &Access) -> String {
    match &access.lease.material {
        Material::Password { password, .. } => password.expose().clone(),
        Material::Token(_) => panic!("an account was expected"),
    }
}

#[tokio::test]
async fn a_lease_is_used_past_its_end_on_neither_clock() {
    LocalSet::new()
        .run_until(async {
            for only_one_hand in [ManualClock::advance_wall, ManualClock::advance_boot] {
                let rig = Rig::new(LeasePer::Caller);
                let access = rig.access("eod", "spool", None).await.unwrap();
                fs::remove_file(rig.folder.path().join("spooler.json")).unwrap();

                only_one_hand(&rig.clock, Duration::from_secs(59));
                assert!(Arc::ptr_eq(&access, &rig.access("eod", "spool", None).await.unwrap()));
                only_one_hand(&rig.clock, Duration::from_secs(1));

                assert!(!access.lease.term.holds(rig.clock.now()));
                let error = rig.access("eod", "spool", None).await.unwrap_err();
                assert_eq!(error.code().id, "PST-CR-013", "{error:?}");
            }
        })
        .await;
}

#[tokio::test]
async fn an_access_is_recorded_once_before_its_first_use_and_once_at_its_end() {
    LocalSet::new()
        .run_until(async {
            let mut rig = Rig::new(LeasePer::Caller);
            let access = rig.access("eod", "spool", None).await.unwrap();
            assert!(matches!(rig.entries.try_recv(), Ok(Entry::AccessOpened(opened)) if opened.access == access.id));
            for _ in 0..3 {
                let again = rig.access("eod", "spool", None).await.unwrap();
                again.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }

            let drained = rig.keeper.end_all(Duration::from_secs(5)).await;

            assert_eq!(drained, Drained { held: 1, unproven: 0 });
            assert_eq!(rig.ended().await, (access.id.text(), "drained", 3));
            assert!(rig.entries.try_recv().is_err());
            assert!(rig.access("eod", "spool", None).await.is_err());
        })
        .await;
}

#[tokio::test]
async fn a_changed_file_is_the_next_requests_secret_and_the_end_of_what_used_the_old() {
    LocalSet::new()
        .run_until(async {
            let mut rig = Rig::new(LeasePer::Caller);
            let before = rig.access("eod", "spool", None).await.unwrap();
            rig.opened().await;

            rig.put("second");
            rig.clock.advance(Duration::from_secs(2));

            assert_eq!(rig.ended().await, (before.id.text(), "source_changed", 0));
            assert!(!before.lease.term.holds(rig.clock.now()));
            let after = rig.access("eod", "spool", None).await.unwrap();
            assert_eq!((password(&before), password(&after)), ("first".to_owned(), "second".to_owned()));
        })
        .await;
}

#[tokio::test]
async fn an_access_ends_by_its_until_or_idle_while_the_shared_lease_serves_others() {
    LocalSet::new()
        .run_until(async {
            let mut rig = Rig::new(LeasePer::Listener);
            let bound = rig.access("one", "spool", Some(NOW + 10)).await.unwrap();
            let free = rig.access("two", "spool", None).await.unwrap();
            assert_eq!(bound.lease.fingerprint, free.lease.fingerprint);
            rig.opened().await;
            rig.opened().await;

            rig.clock.advance(Duration::from_secs(10));
            assert_eq!(rig.ended().await, (bound.id.text(), "until", 0));
            let over = rig.access("one", "spool", Some(NOW + 10)).await.unwrap_err();
            assert_eq!(over.code().id, "PST-CR-011");
            assert!(Arc::ptr_eq(&free, &rig.access("two", "spool", None).await.unwrap()));

            // Held, it is in use, however long nothing is heard of it; let go, it is idle after a while.
            rig.clock.advance(Duration::from_secs(31));
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert!(rig.entries.try_recv().is_err());
            let id = free.id.text();
            drop((bound, free));
            rig.clock.advance(Duration::from_secs(31));
            assert_eq!(rig.ended().await, (id, "idle", 0));
        })
        .await;
}

#[tokio::test]
async fn most_and_only_to_are_limits() {
    LocalSet::new()
        .run_until(async {
            let rig = Rig::new(LeasePer::Caller);
            let elsewhere = rig.access("eod", "ledger", None).await.unwrap_err();
            assert_eq!(elsewhere.code().id, "PST-CR-014");

            let held = (
                rig.access("one", "spool", None).await.unwrap(),
                rig.access("two", "spool", None).await.unwrap(),
            );
            assert!(rig.access("one", "print", None).await.is_ok());
            let third = rig.access("three", "spool", None).await.unwrap_err();

            assert_eq!(third.code().id, "PST-CR-008");
            assert_eq!((rig.keeper.figures().leases, rig.keeper.figures().accesses), (2, 3));
            drop(held);
        })
        .await;
}

#[tokio::test]
async fn policy_sees_what_is_held_and_by_how_many_it_is_used() {
    LocalSet::new()
        .run_until(async {
            let rig = Rig::new(LeasePer::Listener);
            let names = ["spooler".parse().unwrap()];
            let facts = |caller: &str| {
                let caller = format!("spiffe://example.org/{caller}").parse().unwrap();
                rig.credentials.facts(&caller, &"front".parse().unwrap(), &names).remove(0).state
            };
            assert_eq!(facts("one"), CredentialState::None);

            rig.access("one", "spool", None).await.unwrap();
            rig.access("one", "print", None).await.unwrap();
            rig.access("two", "spool", None).await.unwrap();

            let live = CredentialState::Live { issued_at: NOW, expires_at: NOW + 60, callers: 2 };
            assert_eq!(facts("three"), live);
        })
        .await;
}

#[tokio::test]
async fn a_refused_secret_that_the_source_gives_again_is_not_tried_again() {
    LocalSet::new()
        .run_until(async {
            let rig = Rig::new(LeasePer::Caller);
            let refused = rig.access("eod", "spool", None).await.unwrap();
            let (name, listener, upstream) =
                ("spooler".parse().unwrap(), "front".parse().unwrap(), "spool".parse().unwrap());
            let want = Want {
                name: &name,
                caller: &refused.caller.clone(),
                listener: &listener,
                upstream: &upstream,
                max_age: None,
                until: None,
            };
            assert!(matches!(rig.credentials.replace(&refused, want).await, Err(CredentialError::Refused)));

            rig.put("second");
            assert!(matches!(rig.credentials.replace(&refused, want).await, Err(CredentialError::Refused)));
            rig.clock.advance(Duration::from_secs(30));
            let fresh = rig.credentials.replace(&refused, want).await.unwrap();
            assert_eq!(password(&fresh), "second");
        })
        .await;
}
