//! The tour's surroundings: the three parts, three programs, and a sidecar between them.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use tempfile::TempDir;

use super::TourError;
use crate::{
    Accounts, Authority, Legacy, Sidecar, Vault,
    authority::Entry,
    vault::{DatabaseRole, JwtRole},
};

/// The sidecar's own SPIFFE ID.
pub(super) const POSTERN: &str = "spiffe://lab.example/postern";
pub(super) const BILLING: &str = "spiffe://lab.example/billing";
pub(super) const REPORTING: &str = "spiffe://lab.example/reporting";

/// Short, so that a renewal and an end are seen; a real lease lives for minutes.
pub(super) const LEASE: DatabaseRole =
    DatabaseRole { ttl: Duration::from_secs(6), max_ttl: Duration::from_mins(1) };

const POLICY: &str = include_str!("policy.rego");
const READY: Duration = Duration::from_secs(20);

pub(super) struct Site {
    /// First, for fields are dropped in order and it returns its leases when it stops.
    pub(super) sidecar: Sidecar,
    pub(super) legacy: Legacy,
    pub(super) vault: Vault,
    pub(super) authority: Authority,
    pub(super) accounts: Accounts,
    pub(super) folder: TempDir,
    /// `https://localhost:PORT`
    pub(super) url: String,
}

impl Site {
    /// Everything in `folder`, up and ready.
    pub(super) fn start(folder: TempDir, program: &Path) -> Result<Self, TourError> {
        let place = folder.path();
        for name in ["bin", "policy", "state"] {
            fs::create_dir(place.join(name))?;
        }
        fs::write(place.join("policy/main.rego"), POLICY)?;

        let ourselves = std::env::current_exe()?;
        let authority = Authority::start("lab.example", &place.join("agent.sock"))?;
        authority.admit(Entry::for_program(POSTERN, program)?.with_dns("localhost"));
        for (id, name) in [(BILLING, "billing"), (REPORTING, "reporting")] {
            let copy = place.join("bin").join(name);
            fs::copy(&ourselves, &copy)?;
            authority.admit(Entry::for_program(id, &copy)?);
        }
        std::os::unix::fs::symlink(program, place.join("bin/postern"))?;
        let accounts = Accounts::new();
        let vault = Vault::start(authority.jwks(), accounts.clone())?;
        vault.put_jwt_role("postern", vault_role());
        vault.put_database_role("app", LEASE);
        let legacy = Legacy::start(accounts.clone())?;

        let port = free_port()?;
        let config = configuration(place, &vault.url(), &legacy.address(), port);
        fs::write(place.join("postern.yaml"), config)?;
        let (admin, log) = (place.join("admin.sock"), place.join("postern.log"));
        // Through ourselves, for a postern that ends with the lab even where that is killed.
        let mut sidecar = Sidecar::start(&ourselves, &place.join("postern.yaml"), &admin, &log)?;
        sidecar.wait_until_ready(READY)?;
        let url = format!("https://localhost:{port}");
        Ok(Self { sidecar, legacy, vault, authority, accounts, folder, url })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A caller to be run, with what the Workload API needs.
    pub(super) fn caller(&self, name: &str, path: &str) -> Command {
        let mut command = Command::new(self.path("bin").join(name));
        command.arg("caller").arg(format!("{}{path}", self.url)).args(["--server", POSTERN]);
        command.env("SPIFFE_ENDPOINT_SOCKET", self.authority.endpoint());
        command
    }

    /// The service's status line for a login past the sidecar.
    pub(super) fn log_in_directly(&self, user: &str, password: &str) -> Result<String, TourError> {
        let login = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut socket = TcpStream::connect(self.legacy.address())?;
        let head = "GET / HTTP/1.1\r\nhost: legacy\r\nconnection: close";
        write!(socket, "{head}\r\nauthorization: Basic {login}\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }

    /// Puts a copy of the billing program with one more byte in its place.
    pub(super) fn swap_billing(&self) -> Result<(), TourError> {
        let (billing, altered) = (self.path("bin/billing"), self.path("bin/altered"));
        fs::copy(&billing, &altered)?;
        fs::File::options().append(true).open(&altered)?.write_all(b"!")?;
        fs::rename(&billing, self.path("bin/original"))?;
        fs::rename(&altered, &billing)?;
        Ok(())
    }

    /// Puts the program back that the entry was made for.
    pub(super) fn restore_billing(&self) -> Result<(), TourError> {
        Ok(fs::rename(self.path("bin/original"), self.path("bin/billing"))?)
    }

    pub(super) fn write_policy(&self, text: &str) -> Result<(), TourError> {
        // A rename, so that nobody reads half of it.
        let (new, place) = (self.path("new.rego"), self.path("policy/main.rego"));
        fs::write(&new, text)?;
        Ok(fs::rename(new, place)?)
    }

    pub(super) fn restore_policy(&self) -> Result<(), TourError> {
        self.write_policy(POLICY)
    }
}

fn vault_role() -> JwtRole {
    JwtRole {
        audiences: vec!["vault".into()],
        subject: Some(POSTERN.into()),
        ttl: Duration::from_mins(2),
        max_ttl: Duration::from_mins(30),
        allow: ["database/creds/app", "sys/leases/revoke", "auth/token/revoke-accessor"]
            .map(Into::into)
            .to_vec(),
    }
}

fn free_port() -> Result<u16, TourError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn configuration(place: &Path, vault: &str, legacy: &str, port: u16) -> String {
    let place = place.display();
    format!(
        "version: 1
state: {place}/state
identity: {{ workload_api: \"unix://{place}/agent.sock\", trust: [lab.example] }}
vaults:
  lab: {{ url: \"{vault}\", login: {{ jwt: {{ role: postern, audience: vault }} }} }}
credentials:
  app: {{ vault: lab, read: database/creds/app, only_to: [app] }}
upstreams:
  app: {{ address: \"{legacy}\", login: basic }}
policy:
  bundles: {{ main: {{ path: {place}/policy }} }}
listeners:
  front:
    bind: \"127.0.0.1:{port}\"
    protocol: http
    callers: {{ any_of: [x509_svid] }}
    routes:
      all: {{ path: /, upstream: app, credentials: [app] }}
records: {{ file: {place}/records.jsonl }}
admin: {{ socket: {place}/admin.sock }}
"
    )
}
