use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::origin::{Answers, Origin, whole};
use crate::authorize::{Authorizer, Surroundings, load};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{self, Config, Listener, WhenFull};
use crate::credential::{Credentials, Keeper, Setup};
use crate::forward::Upstreams;
use crate::gate::Gate;
use crate::identify::mint::{self, Published};
use crate::identify::{Identities, Peer};
use crate::live::{Publisher, live};
use crate::protocol::{Alpn, Connection, Ender, Site, Stream, TokenReader, ending, kind};
use crate::record::{Entry, Records, RequestEntry};
use crate::state::State;

/// The password that is put in.
pub(super) const PASSWORD: &str = "s3cret-p/ss";
/// Allows everything, and has policy's view of the request recorded.
pub(super) const ALLOW: &str = r#"{"allow": true, "record": {"seen": input.request}}"#;

/// One listener with everything behind it.
pub(super) struct Bench {
    pub(super) origin: Origin,
    pub(super) clock: SharedClock,
    site: Rc<Site>,
    listener: Arc<Listener>,
    records: RefCell<mpsc::Receiver<Entry>>,
    _published: Published,
    _policy: Publisher<load::LoadedPolicy>,
    _keeper: Keeper,
    _state: State,
    dir: TempDir,
}

/// What a bench is made from.
pub(super) struct Plan {
    pub(super) decision: &'static str,
    pub(super) protocol: &'static str,
    pub(super) upstream: &'static str,
    pub(super) routes: &'static str,
    pub(super) limits: &'static str,
    pub(super) records: &'static str,
    pub(super) callers: &'static str,
    /// Who shares a lease.
    pub(super) lease_per: &'static str,
    pub(super) tokens: Option<TokenReader>,
    /// Where the upstream is, if it is not the origin that `answers`.
    pub(super) port: Option<u16>,
    pub(super) answers: Answers,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            decision: ALLOW,
            protocol: "http",
            upstream: "login: basic",
            routes: "all: { path: /, upstream: app, credentials: [app] }",
            limits: "{}",
            records: "{}",
            callers: "any_of: [x509_svid]",
            lease_per: "listener",
            tokens: None,
            port: None,
            answers: Rc::new(|_| super::origin::ok("hello")),
        }
    }
}

/// Runs a test as a worker does: on one thread, with local tasks.
pub(super) fn on_a_worker(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(30), test).await.unwrap();
    });
}

impl Plan {
    pub(super) async fn start(self) -> Bench {
        let origin = Origin::start(Rc::clone(&self.answers)).await;
        let dir = TempDir::new().unwrap();
        let config = configured(&dir, self.port.unwrap_or(origin.port), &self);
        let clock: SharedClock = Arc::new(SystemClock);
        let published = Published::new(Vec::new(), mint::bundles(mint::DOMAIN, &[]));
        let (records, queue) = records(&clock);
        let state = State::open(&config.state).unwrap();
        let keeper = Keeper::spawn(Setup {
            credentials: &config.credentials,
            vaults: &config.vaults,
            vault_tls: &BTreeMap::new(),
            own_svid: Rc::new(|_| Box::pin(std::future::pending())),
            state: &state,
            records: records.clone(),
            clock: Arc::clone(&clock),
        });
        let keeper = keeper.unwrap();
        let loaded = load::load(&config.policy, load::Bundles::new()).unwrap();
        let (policy, live) = live(loaded, clock.now().wall);
        let surroundings = Surroundings { identities: published.identities.clone(), labels: BTreeMap::new() };
        let keeps = config.records.input.clone();
        let authorizer = Authorizer::new(live, surroundings, keeps, Arc::clone(&clock));
        let credentials = Credentials::new(&keeper, Arc::clone(&clock));
        let upstreams = upstreams(&config, &published.identities, &clock);
        let gate = Rc::new(Gate::new(authorizer, credentials, upstreams, Arc::clone(&clock)));
        let site = Site { gate, records, tokens: self.tokens, clock: Arc::clone(&clock), generation: 1 };
        let listener = Arc::clone(config.listeners.values().next().unwrap());
        let records = RefCell::new(queue);
        Bench {
            origin,
            clock,
            site: Rc::new(site),
            listener,
            records,
            _published: published,
            _policy: policy,
            _keeper: keeper,
            _state: state,
            dir,
        }
    }
}

fn configured(dir: &TempDir, port: u16, plan: &Plan) -> Config {
    let root = dir.path().display();
    std::fs::create_dir(dir.path().join("policy")).unwrap();
    let policy = format!("package postern\n\ndefault decision := false\n\ndecision := {}\n", plan.decision);
    std::fs::write(dir.path().join("policy/main.rego"), policy).unwrap();
    let account = format!(r#"{{"username": "app", "password": "{PASSWORD}"}}"#);
    std::fs::write(dir.path().join("app.json"), account).unwrap();
    let text = format!(
        "version: 1
state: {root}/state
identity: {{ workload_api: \"unix://{root}/none.sock\", trust: [td.example] }}
credentials: {{ app: {{ file: {root}/app.json, lease_per: {} }} }}
upstreams: {{ app: {{ address: \"127.0.0.1:{port}\", {} }} }}
policy: {{ bundles: {{ main: {{ path: {root}/policy }} }}, fuse: 1s }}
records: {}
listeners:
  front:
    bind: \"127.0.0.1:9443\"
    protocol: {}
    callers: {{ {}, trust: [td.example] }}
    limits: {}
    routes: {{ {} }}
",
        plan.lease_per, plan.upstream, plan.records, plan.protocol, plan.callers, plan.limits, plan.routes
    );
    let file = dir.path().join("postern.yaml");
    std::fs::write(&file, text).unwrap();
    config::load(&file).unwrap_or_else(|errors| panic!("{errors}"))
}

fn records(clock: &SharedClock) -> (Records, mpsc::Receiver<Entry>) {
    let (queue, drained) = mpsc::channel(1024);
    (Records::new(queue, Arc::default(), WhenFull::Refuse, Arc::clone(clock)), drained)
}

fn upstreams(config: &Config, identities: &Identities, clock: &SharedClock) -> Upstreams {
    Upstreams::build(&config.upstreams, identities, clock).unwrap()
}

impl Bench {
    /// A caller's end of a connection, and the say over its end.
    pub(super) fn connect(&self, alpn: Alpn) -> (DuplexStream, Ender) {
        self.connect_as(alpn, Some(self.peer(Duration::from_mins(10))))
    }

    pub(super) fn peer(&self, life: Duration) -> Arc<Peer> {
        mint::peer(mint::CALLER, self.clock.now(), life)
    }

    pub(super) fn connect_as(&self, alpn: Alpn, certificate: Option<Arc<Peer>>) -> (DuplexStream, Ender) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        (ours, self.serve(theirs, alpn, certificate))
    }

    /// Serves a caller at the other end of `stream`.
    pub(super) fn serve(&self, stream: impl Stream, alpn: Alpn, certificate: Option<Arc<Peer>>) -> Ender {
        let (ender, ending) = ending();
        let listener = Arc::clone(&self.listener);
        let from = "127.0.0.1:9".parse().unwrap();
        let connection = Connection { stream: Box::new(stream), alpn, certificate, listener, from, ending };
        let protocol = kind(&self.listener.protocol).unwrap().protocol;
        tokio::task::spawn_local(protocol.serve(connection, Rc::clone(&self.site)));
        ender
    }

    /// Writes `request` on a fresh HTTP/1.1 connection, and reads what comes back until it is whole or the end.
    pub(super) async fn raw(&self, request: &[u8]) -> String {
        let (mut caller, _ender) = self.connect(Alpn::Http1);
        // What is refused before it was all written breaks the pipe, and is answered all the same.
        caller.write_all(request).await.ok();
        read(&mut caller).await
    }

    /// All records so far.
    pub(super) fn records(&self) -> Vec<Entry> {
        let mut queue = self.records.borrow_mut();
        std::iter::from_fn(|| queue.try_recv().ok()).collect()
    }

    /// The next record of a kind, waiting for it.
    pub(super) async fn next<T>(&self, wanted: impl Fn(Entry) -> Option<T>) -> T {
        loop {
            let entry = std::future::poll_fn(|cx| self.records.borrow_mut().poll_recv(cx)).await.unwrap();
            if let Some(found) = wanted(entry) {
                return found;
            }
        }
    }

    /// The next request's record.
    pub(super) async fn record(&self) -> RequestEntry {
        self.next(|entry| if let Entry::Request(entry) = entry { Some(*entry) } else { None }).await
    }

    /// Replaces the account, as something that rotates it would.
    pub(super) fn rotate(&self, password: &str) {
        let account = format!(r#"{{"username": "app", "password": "{password}"}}"#);
        std::fs::write(self.dir.path().join("app.json"), account).unwrap();
    }
}

/// Reads one response, or to the end.
pub(super) async fn read(caller: &mut DuplexStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        let after = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text);
        if whole(after).is_some_and(|length| length > 0) {
            return text;
        }
        let mut piece = vec![0; 16 * 1024];
        match caller.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => read.extend_from_slice(&piece[..count]),
        }
    }
}
