//! A whole estate of real parts with Postern in its midst: SPIRE, OpenBao over PostgreSQL, an old service that logs
//! in to PostgreSQL, and callers at paths of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, io};

use postern_lab::sidecar::{self, Sidecar};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{free_port, told_by};
use crate::real::openbao::{JwtKeys, JwtRole, OpenBao};
use crate::real::spire::{Options, Spire, SvidFiles};
use crate::real::{Ledger, Postgres};
use crate::{folder, plain_http, tls};

/// The name in Postern's SVID that curl checks.
pub const NAME: &str = "gate.test";
/// The path of the caller that policy allows.
pub const CLERK: &str = "/clerk";
/// The path of the caller that policy denies.
pub const GUEST: &str = "/guest";

pub use crate::tls::Tls;

/// What the estate is made with.
pub struct Plan {
    /// How SPIRE issues.
    pub spire: Options,
    /// TTL and longest life of a database account.
    pub lease: (&'static str, &'static str),
    /// TTL and longest life of Postern's own vault token.
    pub token: (&'static str, &'static str),
    /// The policy, a Rego module.
    pub policy: String,
    /// Bundles that decide in its place, as YAML flow (`main: { path: … }`).
    pub bundles: Option<String>,
    /// Credentials beside `app`, each an account of the same kind, which the route `all` permits too.
    pub credentials: &'static [&'static str],
    /// How long a decision may take.
    pub fuse: &'static str,
    /// More keys of the configuration's listener, as YAML flow (`limits: {…}`), or nothing.
    pub listener: String,
    /// The configuration's `records`, as YAML flow; nothing: a file of the estate.
    pub records: Option<&'static str>,
    /// More upstreams: name and keys, a line each of YAML flow (`old: { address: … }`).
    pub upstreams: Vec<String>,
    /// More routes of the listener, likewise.
    pub routes: Vec<String>,
    /// More listeners, likewise.
    pub listeners: Vec<String>,
    /// What Postern logs.
    pub log: &'static str,
}

impl Plan {
    /// The same with one more upstream that logs in with Basic, of these further keys (`address: "…", http2: true`), to
    /// which the requests below `path` go.
    #[must_use]
    pub fn with_upstream(mut self, name: &str, path: &str, keys: &str) -> Self {
        self.upstreams.push(format!("{name}: {{ login: basic, {keys} }}"));
        self.routes.push(format!("{name}: {{ path: {path}, upstream: {name}, credentials: [app] }}"));
        self
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            spire: Options::default(),
            lease: ("30s", "2m"),
            token: ("60s", "10m"),
            policy: clerks_alone(),
            bundles: None,
            credentials: &[],
            fuse: "20ms",
            listener: String::new(),
            records: None,
            upstreams: Vec::new(),
            routes: Vec::new(),
            listeners: Vec::new(),
            log: "info",
        }
    }
}

/// A policy that lets clerks in and tells everybody else why not.
#[must_use]
pub fn clerks_alone() -> String {
    r#"package postern

default decision := {"allow": false, "rule": "clerks_alone", "reason": "only clerks may come in"}

decision := {"allow": true, "rule": "clerks", "reason": "clerks may come in"} if input.caller.path == ["clerk"]
"#
    .to_owned()
}

/// The running estate.
pub struct Estate {
    /// Postern; an `Option` so that a test can kill it and start it again.
    pub postern: Option<Sidecar>,
    /// The issuer.
    pub spire: Spire,
    /// The vault.
    pub bao: OpenBao,
    /// The database whose accounts are leased.
    pub postgres: Postgres,
    /// The old service.
    pub ledger: Ledger,
    /// Where Postern listens.
    pub port: u16,
    program: PathBuf,
    log: &'static str,
    folder: TempDir,
    _jwks: plain_http::OneDocument,
}

impl Estate {
    /// The programs that [`crate::parts::present`] must have found.
    #[must_use]
    pub fn programs() -> Vec<&'static str> {
        [Spire::PROGRAMS, OpenBao::PROGRAMS, Postgres::PROGRAMS].concat()
    }

    /// Starts everything and waits until Postern is ready; takes about ten seconds.
    #[must_use]
    pub fn start(plan: &Plan) -> Self {
        let folder = folder::open_to_walk();
        let postgres = Postgres::start();
        let ledger = Ledger::over(&postgres);
        let mut spire = Spire::start(&plan.spire);
        let program = folder.path().join("postern");
        fs::copy(built(), &program).expect("the program can be copied");
        spire.entry_named("/gate", &[&format!("unix:path:{}", program.display())], &[NAME]);
        let jwks = spire.serve_jwks();
        let bao = vault(&postgres, &jwks, &spire.id("/gate"), plan);
        let port = free_port();
        let mut estate = Self {
            postern: None,
            spire,
            bao,
            postgres,
            ledger,
            port,
            program,
            log: plan.log,
            folder,
            _jwks: jwks,
        };
        estate.write(plan);
        estate.run();
        estate
    }

    /// Registers a caller at a path of its own and fetches its SVID into files.
    pub fn caller(&mut self, path: &str) -> SvidFiles {
        let client = self.spire.client_at(&path.trim_start_matches('/').replace('/', "-"));
        self.spire.entry(path, &[&format!("unix:path:{}", client.display())]);
        self.spire.fetch_x509(&client).expect("the caller's SVID")
    }

    /// Runs Postern with the configuration as it lies there, and waits until it is ready.
    pub fn run(&mut self) {
        let mut postern = Sidecar::start_with(
            &self.program,
            &self.path("postern.yaml"),
            &self.path("admin.sock"),
            &self.path("log"),
            &[("POSTERN_LOG", self.log)],
        )
        .expect("postern starts");
        postern
            .wait_until_ready(Duration::from_mins(1))
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        self.postern = Some(postern);
    }

    /// Asks through Postern with curl and an SVID: status and body. `more` are further words for curl.
    pub fn curl(&self, svid: &SvidFiles, path: &str, more: &[&str]) -> Result<(u16, String), String> {
        let mut curl = self.curl_command(svid, path);
        let told = told_by(curl.args(["--write-out", "\n%{http_code}"]).args(more))?;
        let (body, status) = told.trim_end().rsplit_once('\n').ok_or(told.clone())?;
        Ok((status.parse().map_err(|_| told.clone())?, body.to_owned()))
    }

    /// curl with an SVID, which asks for `path` through Postern.
    #[must_use]
    pub fn curl_command(&self, svid: &SvidFiles, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20"]);
        curl.arg("--resolve").arg(format!("{NAME}:{}:127.0.0.1", self.port));
        curl.arg("--cert")
            .arg(&svid.certificate)
            .arg("--key")
            .arg(&svid.key)
            .arg("--cacert")
            .arg(&svid.bundle);
        curl.arg(format!("https://{NAME}:{}{path}", self.port));
        curl
    }

    /// A connection to one of Postern's ports, to be written to byte by byte; with the SVID, or without one.
    pub fn connect(&self, port: u16, svid: &SvidFiles, present: bool) -> io::Result<Tls> {
        let own = present.then_some((svid.certificate.as_path(), svid.key.as_path()));
        tls::connect(port, NAME, &svid.bundle, own)
    }

    /// The records written so far.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("records.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// Waits until a record of `kind` satisfies `is`, and gives it.
    #[must_use]
    pub fn record(&self, kind: &str, within: Duration, is: impl Fn(&Value) -> bool) -> Value {
        let steps = within.as_millis() / 50;
        for _ in 0..=steps {
            if let Some(found) =
                self.records().into_iter().find(|record| record["kind"] == kind && is(record))
            {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "no such {kind} record within {within:?}; records:\n{:#?}\nlog:\n{}",
            self.records(),
            self.log()
        );
    }

    /// Replaces the policy's one module.
    pub fn push_policy(&self, module: &str) {
        fs::write(self.path("policy/main.rego"), module).expect("the policy can be written");
    }

    /// All that Postern has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A file or folder of the estate: `records.jsonl`, `postern.yaml`, `state`, `admin.sock`, `log`, `policy`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, plan: &Plan) {
        fs::create_dir_all(self.path("policy")).expect("a folder");
        fs::create_dir_all(self.path("state")).expect("a folder");
        self.push_policy(&plan.policy);
        let at = |name| self.path(name).display().to_string();
        let account = |name: &&str| format!(", {name}: {{ vault: main, read: database/creds/app }}");
        let text = format!(
            r#"version: 1
state: {state}
identity: {{ workload_api: "{workload_api}", trust: [{trust}] }}
vaults: {{ main: {{ url: "{vault}", login: {{ jwt: {{ role: gate, audience: vault }} }} }} }}
credentials: {{ app: {{ vault: main, read: database/creds/app }}{more} }}
upstreams:
  app: {{ address: "{upstream}", login: basic }}
  {upstreams}
policy: {{ bundles: {{ {bundles} }}, fuse: {fuse} }}
listeners:
  front:
    bind: "127.0.0.1:{port}"
    protocol: http
    {listener}
    routes:
      all: {{ path: /, upstream: app, credentials: [{permitted}] }}
      {routes}
  {listeners}
records: {records}
admin: {{ socket: {admin} }}
"#,
            state = at("state"),
            workload_api = self.spire.endpoint(),
            trust = plan.spire.trust_domain,
            vault = self.bao.url(),
            upstream = self.ledger.address(),
            more = plan.credentials.iter().map(account).collect::<String>(),
            permitted = [&["app"], plan.credentials].concat().join(", "),
            bundles = plan.bundles.clone().unwrap_or_else(|| format!("main: {{ path: {} }}", at("policy"))),
            fuse = plan.fuse,
            port = self.port,
            listener = plan.listener,
            records =
                plan.records.map_or_else(|| format!("{{ file: {} }}", at("records.jsonl")), str::to_owned),
            upstreams = plan.upstreams.join("\n  "),
            routes = plan.routes.join("\n      "),
            listeners = plan.listeners.join("\n  "),
            admin = at("admin.sock"),
        );
        fs::write(self.path("postern.yaml"), text).expect("the configuration can be written");
    }
}

/// OpenBao with accounts of `postgres`, which only Postern's SPIFFE ID may read.
fn vault(postgres: &Postgres, jwks: &plain_http::OneDocument, gate: &str, plan: &Plan) -> OpenBao {
    let bao = OpenBao::start();
    bao.enable_jwt("jwt", &JwtKeys::Url(jwks.url()));
    bao.enable_database(postgres);
    bao.database_role("app", plan.lease.0, plan.lease.1);
    let rights = "path \"database/creds/app\" { capabilities = [\"read\"] }\n\
                  path \"sys/leases/revoke\" { capabilities = [\"update\"] }\n\
                  path \"auth/token/revoke-accessor\" { capabilities = [\"update\"] }\n";
    bao.policy("gate", rights);
    let role = JwtRole {
        name: "gate",
        subject: gate,
        audience: "vault",
        policy: "gate",
        ttl: plan.token.0,
        max_ttl: plan.token.1,
    };
    bao.jwt_role("jwt", role);
    bao
}

/// The `postern` program, built once per test run.
fn built() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| sidecar::locate().expect("postern can be built"))
}
