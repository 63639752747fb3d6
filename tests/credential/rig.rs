//! The keeper on a thread of its own, as in the real process, and a worker's side of it on the test's.

use postern::clock::{SharedClock, SystemClock};
use postern::config::{self, CredentialSource, LeasePer, VaultLogin, WhenFull};
use postern::credential::{
    Access, CredentialError, Credentials, Drained, Keeper, Material, OwnSvid, Setup, Want,
};
use postern::model::Secret;
use postern::record::{Entry, Records};
use postern::state::State;
use postern_tests::process::until;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

/// What the keeper is given.
pub struct Plan {
    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`.
    pub vault: String,
    /// For https.
    pub roots: Option<PathBuf>,
    /// The JWT-SVID that is shown at each login.
    pub svid: String,
    /// What may be leased.
    pub credentials: Vec<Arc<config::Credential>>,
    /// `X-Vault-Namespace`.
    pub namespace: Option<String>,
    /// The role of the login.
    pub role: &'static str,
    /// How long the vault may take to answer.
    pub timeout: Duration,
}

/// The keeper and one worker's side of it.
pub struct Rig {
    pub keeper: Keeper,
    credentials: Credentials,
    worker: Runtime,
    records: Arc<Mutex<Vec<Value>>>,
    control: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Plan {
    /// Logs in as `gate`, leases `app` from the database engine.
    pub fn new(vault: String, svid: String) -> Self {
        let credentials = vec![leased("app", "database/creds/app").into()];
        Self {
            vault,
            roots: None,
            svid,
            credentials,
            namespace: None,
            role: "gate",
            timeout: Duration::from_secs(3),
        }
    }

    /// Starts everything over the state directory `state`.
    pub fn start(self, state: &Path) -> Rig {
        let clock: SharedClock = Arc::new(SystemClock);
        let records = Arc::new(Mutex::new(Vec::new()));
        let (queue, entries) = mpsc::channel(1024);
        let (started, keeper) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (state, told, seen) = (state.to_owned(), Arc::clone(&clock), Arc::clone(&records));
        let thread = thread::spawn(move || {
            let state = State::open(&state).unwrap();
            let records = Records::new(queue, Arc::default(), WhenFull::Refuse, Arc::clone(&told));
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, async {
                started.send(self.spawn(&state, records, told)).unwrap();
                tokio::task::spawn_local(keep(entries, seen));
                let _dropped = stopped.await;
            });
        });
        let keeper = keeper.recv().expect("the keeper starts");
        let credentials = Credentials::new(&keeper, clock);
        let worker = Builder::new_current_thread().enable_all().build().unwrap();
        Rig { keeper, credentials, worker, records, control: Some((stop, thread)) }
    }

    fn spawn(&self, state: &State, records: Records, clock: SharedClock) -> Keeper {
        let svid = self.svid.clone();
        let own_svid: OwnSvid = Rc::new(move |_audience| {
            let svid = svid.clone();
            Box::pin(async move { Ok(Secret::new(svid)) })
        });
        let credentials = self.credentials.iter().map(|one| (one.name.clone(), Arc::clone(one))).collect();
        let setup = Setup {
            credentials: &credentials,
            vaults: &self.vaults(),
            vault_tls: &BTreeMap::new(),
            own_svid,
            state,
            records,
            clock,
        };
        Keeper::spawn(setup).unwrap()
    }

    fn vaults(&self) -> BTreeMap<postern::model::VaultName, Arc<config::Vault>> {
        let (scheme, rest) = self.vault.split_once("://").unwrap();
        let (host, port) = rest.rsplit_once(':').unwrap();
        let vault = config::Vault {
            name: "main".parse().unwrap(),
            tls: scheme == "https",
            host: host.to_owned(),
            port: port.parse().unwrap(),
            roots: self.roots.clone(),
            spiffe_id: None,
            namespace: self.namespace.clone(),
            login: VaultLogin::Jwt {
                mount: "jwt".to_owned(),
                role: self.role.to_owned(),
                audience: "vault".to_owned(),
            },
            timeout: self.timeout,
        };
        BTreeMap::from([("main".parse().unwrap(), Arc::new(vault))])
    }
}

/// A credential of the vault's, one lease a caller, any upstream.
pub fn leased(name: &str, read: &str) -> config::Credential {
    config::Credential {
        name: name.parse().unwrap(),
        source: CredentialSource::Vault { vault: "main".parse().unwrap(), read: read.to_owned() },
        lease_per: LeasePer::Caller,
        idle: Duration::from_mins(1),
        most: 50.try_into().unwrap(),
        only_to: Vec::new(),
    }
}

impl Rig {
    /// Asks as a worker does, for `caller` at the upstream `old`.
    pub fn access(&self, credential: &str, caller: &str) -> Result<Arc<Access>, CredentialError> {
        self.access_with(credential, caller, None, None)
    }

    /// Asks with the obligations of a decision.
    pub fn access_with(
        &self,
        credential: &str,
        caller: &str,
        max_age: Option<Duration>,
        until: Option<u64>,
    ) -> Result<Arc<Access>, CredentialError> {
        asked(credential, caller, |mut want| {
            (want.max_age, want.until) = (max_age, until);
            self.worker.block_on(self.credentials.access(want))
        })
    }

    /// The upstream refused it.
    pub fn replace(&self, refused: &Access) -> Result<Arc<Access>, CredentialError> {
        let caller = refused.caller.path().trim_start_matches('/').to_owned();
        asked(refused.lease.name.as_str(), &caller, |want| {
            self.worker.block_on(self.credentials.replace(refused, want))
        })
    }

    /// Many callers ask at the same moment.
    pub fn all(&self, credential: &str, callers: &[String]) -> Vec<Result<Arc<Access>, CredentialError>> {
        let ask = async |caller: &String| {
            let (name, id) =
                (credential.parse().unwrap(), format!("spiffe://example.org/{caller}").parse().unwrap());
            let (listener, upstream) = ("front".parse().unwrap(), "old".parse().unwrap());
            let want = Want {
                name: &name,
                caller: &id,
                listener: &listener,
                upstream: &upstream,
                max_age: None,
                until: None,
            };
            self.credentials.access(want).await
        };
        self.worker.block_on(async {
            let mut asking: Vec<_> = callers.iter().map(|caller| Box::pin(ask(caller))).collect();
            let mut answers = Vec::new();
            // All are polled before any is awaited.
            std::future::poll_fn(|context| {
                let mut index = 0;
                while index < asking.len() {
                    match asking[index].as_mut().poll(context) {
                        std::task::Poll::Ready(answer) => {
                            answers.push(answer);
                            drop(asking.remove(index));
                        }
                        std::task::Poll::Pending => index += 1,
                    }
                }
                if asking.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            answers
        })
    }

    /// Records of one kind so far.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        let all = self.records.lock().unwrap();
        all.iter().filter(|record| record["kind"] == kind).cloned().collect()
    }

    /// Waits for the record that an access ended.
    pub fn ended(&self, access: &Access) -> Value {
        let id = access.id.text();
        let find = || self.records("access.ended").into_iter().find(|record| record["access"] == id);
        until("the end of an access is recorded", || find().is_some());
        find().unwrap()
    }

    /// Returns everything.
    pub fn drain(&self) -> Drained {
        self.worker.block_on(self.keeper.end_all(Duration::from_secs(10)))
    }
}

impl Drop for Rig {
    /// As a kill would: nothing is returned.
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.control.take() {
            drop(stop);
            let _ended = thread.join();
        }
    }
}

/// User name and password of an access.
pub fn account(access: &Access) -> (String, String) {
    match &access.lease.material {
        Material::Password { username, password } => (username.clone(), password.expose().clone()),
        Material::Token(_) => panic!("an account was expected"),
    }
}

fn asked<T>(credential: &str, caller: &str, ask: impl FnOnce(Want<'_>) -> T) -> T {
    let (name, id) = (credential.parse().unwrap(), format!("spiffe://example.org/{caller}").parse().unwrap());
    let (listener, upstream) = ("front".parse().unwrap(), "old".parse().unwrap());
    ask(Want {
        name: &name,
        caller: &id,
        listener: &listener,
        upstream: &upstream,
        max_age: None,
        until: None,
    })
}

async fn keep(mut entries: mpsc::Receiver<Entry>, seen: Arc<Mutex<Vec<Value>>>) {
    while let Some(entry) = entries.recv().await {
        let mut record = serde_json::to_value(&entry).unwrap();
        record["kind"] = entry.kind().into();
        seen.lock().unwrap().push(record);
    }
}
