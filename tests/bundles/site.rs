//! A `postern` over bundles, with the lab's authority and service beside it, and curl as its caller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use postern_lab::Accounts;
use postern_lab::authority::{Authority, Entry};
use postern_lab::legacy::Legacy;
use postern_lab::sidecar::{self, Sidecar};
use postern_tests::parts::program;
use postern_tests::process::{free_port, told_by, until};
use postern_tests::tls::{self, Tls};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Site {
    pub(super) sidecar: Sidecar,
    port: u16,
    folder: TempDir,
    authority: Authority,
    _legacy: Legacy,
}

/// A folder that a site is made in, for bundles to be put there first.
pub(super) fn place() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The SPIFFE authority that everybody in a site belongs to.
pub(super) fn authority(folder: &TempDir) -> Authority {
    Authority::start("lab.example", &folder.path().join("workload.sock")).unwrap()
}

impl Site {
    /// Starts in `folder`, with these `policy.bundles` (YAML flow), and waits until it is ready.
    pub(super) fn start(folder: TempDir, bundles: &str) -> Self {
        let mut site = Self::begin(folder, &format!("bundles: {{ {bundles} }}"));
        site.ready();
        site
    }

    /// Starts in `folder`, with this in `policy` beside the fuse.
    pub(super) fn begin(folder: TempDir, policy: &str) -> Self {
        let authority = authority(&folder);
        Self::begin_under(authority, folder, policy)
    }

    /// The same under an authority that already is.
    pub(super) fn begin_under(authority: Authority, folder: TempDir, policy: &str) -> Self {
        let postern = sidecar::locate().unwrap();
        authority.admit(Entry::for_program("spiffe://lab.example/gate", &postern).unwrap());
        let accounts = Accounts::new();
        accounts.put("app", "of this test");
        let legacy = Legacy::start(accounts).unwrap();
        let port = free_port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "version: 1\nstate: {}\nidentity: {{ workload_api: \"{}\", trust: [lab.example] }}\n\
             credentials: {{ app: {{ file: {} }} }}\n\
             upstreams: {{ app: {{ address: \"{}\", login: basic }} }}\n\
             policy: {{ {policy}, fuse: 1s }}\n\
             listeners:\n  front: {{ bind: \"127.0.0.1:{port}\", protocol: http, \
             routes: {{ all: {{ path: /, upstream: app, credentials: [app] }} }} }}\n\
             records: {{ file: {} }}\nadmin: {{ socket: {} }}\n",
            at("state"),
            authority.endpoint(),
            at("app.json"),
            legacy.address(),
            at("records.jsonl"),
            at("admin.sock"),
        );
        fs::write(folder.path().join("app.json"), r#"{"username": "app", "password": "of this test"}"#)
            .unwrap();
        fs::write(folder.path().join("postern.yaml"), config).unwrap();
        let sidecar = run(folder.path());
        let site = Self { sidecar, port, folder, authority, _legacy: legacy };
        let svid = site.authority.mint_x509("spiffe://lab.example/clerk").unwrap();
        svid.write_to(site.folder.path()).unwrap();
        site
    }

    /// Waits until it is ready.
    pub(super) fn ready(&mut self) {
        self.sidecar.wait_until_ready(PATIENCE).unwrap();
    }

    /// Ends it and starts it again; the records go on.
    pub(super) fn restart(&mut self) {
        self.restart_after(|| {});
    }

    /// The same, and does something while it does not run.
    pub(super) fn restart_after(&mut self, meanwhile: impl FnOnce()) {
        self.sidecar.stop().unwrap();
        meanwhile();
        self.sidecar = run(self.folder.path());
    }

    /// Replaces a part of the configuration, in one step.
    pub(super) fn configure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("postern.yaml")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.path("postern.next"), text.replace(from, to)).unwrap();
        fs::rename(self.path("postern.next"), self.path("postern.yaml")).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The status of a request by the clerk, and the record of it.
    pub(super) fn request(&self) -> (u16, Value) {
        let (status, _, record) = self.request_for("/x");
        (status, record)
    }

    /// A connection of the clerk's, where the listener presents a certificate for `localhost` by these roots.
    pub(super) fn connect(&self, roots: &Path) -> std::io::Result<Tls> {
        let (svid, key) = (self.path("svid.pem"), self.path("key.pem"));
        tls::connect(self.port, "localhost", roots, Some((&svid, &key)))
    }

    /// The status and the body of a request by the clerk, and the record of it.
    pub(super) fn request_for(&self, path: &str) -> (u16, String, Value) {
        let before = self.records("request").len();
        let told = self.asked(path).expect("curl is answered");
        let (body, status) = told.rsplit_once('\n').expect("a body and a status");
        (status.parse().expect("a status"), body.to_owned(), self.next("request", before))
    }

    /// Body and status of a request by the clerk, a line between.
    fn asked(&self, path: &str) -> Result<String, String> {
        let mut curl = Command::new(program("curl"));
        curl.args(["-sSk", "-w", "\n%{http_code}", "--max-time", "20", "--cert"]);
        curl.arg(self.path("svid.pem")).arg("--key").arg(self.path("key.pem"));
        told_by(curl.arg(format!("https://127.0.0.1:{}{path}", self.port)))
    }

    /// The record of the first request that is refused with this code; at first it may lack an identity too.
    pub(super) fn until_refused(&self, code: &str) -> Value {
        let mut refused = Value::Null;
        until(code, || {
            let answer = self.asked("/x");
            refused = self.records("request").pop().unwrap_or_default();
            answer.is_ok() && refused["code"] == code
        });
        refused
    }

    /// The first record of a reload that fits.
    pub(super) fn reload(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let find = || self.records("reload").into_iter().find(|record| fits(record));
        until("a reload as it is looked for", || find().is_some());
        find().expect("it was there")
    }

    /// The records of what became of bundles.
    pub(super) fn policies(&self) -> Vec<Value> {
        let mut records = self.records("reload");
        records.retain(|record| record["what"] == "policy");
        records
    }

    /// The one that follows the first `before`.
    pub(super) fn next_policy(&self, before: usize) -> Value {
        until("the next record of a bundle", || self.policies().len() > before);
        self.policies().swap_remove(before)
    }

    /// The record of this kind that follows the first `before`.
    pub(super) fn next(&self, kind: &str, before: usize) -> Value {
        until(&format!("the next {kind} record"), || self.records(kind).len() > before);
        self.records(kind).swap_remove(before)
    }

    pub(super) fn records(&self, kind: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path("records.jsonl")).unwrap_or_default();
        // The last line may be on its way.
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.filter(|record| record["kind"] == kind).collect()
    }

    pub(super) fn metrics(&self) -> String {
        self.sidecar.ask("/metrics").unwrap().1
    }
}

fn run(folder: &Path) -> Sidecar {
    let (config, admin, log) = (folder.join("postern.yaml"), folder.join("admin.sock"), folder.join("log"));
    Sidecar::start(&sidecar::locate().unwrap(), &config, &admin, &log).unwrap()
}
