//! A real SPIRE: one server and one agent that attests callers by their uid and the path of their program.

use crate::folder;
use crate::parts::program;
use crate::plain_http::OneDocument;
use crate::process::{Process, READY, free_port, told_by};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// What a SPIRE is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The trust domain.
    pub trust_domain: String,
    /// How long an X.509-SVID lives. SPIRE dates it ten seconds back and replaces it at half of that whole life:
    /// with 20 s, every five seconds or so.
    pub x509_ttl: Duration,
    /// How long a JWT-SVID lives.
    pub jwt_ttl: Duration,
    /// How long a signing authority lives; at least six times the longest SVID. A new one comes at half of that.
    pub ca_ttl: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let hour = Duration::from_hours(1);
        Self { trust_domain: "example.org".into(), x509_ttl: hour, jwt_ttl: hour / 12, ca_ttl: 24 * hour }
    }
}

/// A running server and agent.
#[derive(Debug)]
pub struct Spire {
    agent: Process,
    server: Process,
    trust_domain: String,
    folder: TempDir,
}

/// An X.509-SVID as files, for callers that take files.
#[derive(Debug, Clone)]
pub struct SvidFiles {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM, PKCS #8.
    pub key: PathBuf,
    /// The authorities of the trust domain, PEM.
    pub bundle: PathBuf,
}

impl Spire {
    /// The programs that [`crate::parts::present`] must have found.
    pub const PROGRAMS: &[&str] = &["spire-server", "spire-agent"];

    /// Starts a server and, by a join token, an agent; takes about three seconds.
    #[must_use]
    pub fn start(options: &Options) -> Self {
        let folder = folder::open_to_walk();
        let port = free_port();
        write_configurations(folder.path(), port, options);
        let server = start_server(folder.path());
        let agent_id = format!("spiffe://{}/agent", options.trust_domain);
        let told =
            ask_server(folder.path(), &["token", "generate", "-spiffeID", &agent_id, "-output", "json"]);
        let token = told["value"].as_str().expect("the server makes a join token").to_owned();
        let agent = start_agent(folder.path(), Some(&token));
        Self { agent, server, trust_domain: options.trust_domain.clone(), folder }
    }

    /// The Workload API as `SPIFFE_ENDPOINT_SOCKET` has it: `unix:///…`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The path of the Workload API's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("agent.sock")
    }

    /// The SPIFFE ID with this path (which begins with `/`) in the trust domain.
    #[must_use]
    pub fn id(&self, path: &str) -> String {
        format!("spiffe://{}{path}", self.trust_domain)
    }

    /// Registers a workload, such as `("/batch", &["unix:uid:0", "unix:path:/tmp/x/caller"])`, waits until the agent
    /// serves it, and gives the entry's id.
    pub fn entry(&mut self, path: &str, selectors: &[&str]) -> String {
        self.entry_named(path, selectors, &[])
    }

    /// The same for a workload whose SVID has DNS names too, the first also as its subject's CN: some clients and
    /// OpenBao's login by certificate insist on one.
    pub fn entry_named(&mut self, path: &str, selectors: &[&str], names: &[&str]) -> String {
        let (id, parent) = (self.id(path), self.id("/agent"));
        let mut words = vec!["entry", "create", "-spiffeID", &id, "-parentID", &parent, "-output", "json"];
        words.extend(selectors.iter().flat_map(|selector| ["-selector", selector]));
        words.extend(names.iter().flat_map(|name| ["-dns", name]));
        let told = ask_server(self.folder.path(), &words);
        let entry = told["results"][0]["entry"]["id"].as_str();
        let entry = entry.unwrap_or_else(|| panic!("no entry was made: {told}")).to_owned();
        let log = self.folder.path().join("agent.log");
        self.agent.wait_until(&format!("it serves {id}"), READY, || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said.lines().any(|line| line.contains("SVID updated") && line.contains(&entry))
        });
        entry
    }

    /// Takes an entry away. The agent learns of it within a few seconds.
    pub fn remove_entry(&self, entry: &str) {
        ask_server(self.folder.path(), &["entry", "delete", "-entryID", entry, "-output", "json"]);
    }

    /// Copies SPIRE's own client to `name`, for a caller at a path of its own. Everybody may run it.
    #[must_use]
    pub fn client_at(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::copy(program("spire-agent"), &path).expect("the client can be copied");
        path
    }

    /// Lets the client at `caller` fetch its X.509-SVID into files in a folder named after it.
    pub fn fetch_x509(&self, caller: &Path) -> Result<SvidFiles, String> {
        let folder = caller.with_extension("svid");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        told_by(self.fetch(caller, "x509").arg("-write").arg(&folder))?;
        let [certificate, key, bundle] =
            ["svid.0.pem", "svid.0.key", "bundle.0.pem"].map(|name| folder.join(name));
        Ok(SvidFiles { certificate, key, bundle })
    }

    /// Lets the client at `caller` fetch a JWT-SVID for `audience`.
    pub fn fetch_jwt(&self, caller: &Path, audience: &str) -> Result<String, String> {
        let told = told_by(self.fetch(caller, "jwt").args(["-audience", audience, "-output", "json"]))?;
        let answer: Value = serde_json::from_str(&told).map_err(|error| format!("{error}: {told}"))?;
        let found = answer[0]["svids"][0]["svid"].as_str();
        found.map(str::to_owned).ok_or_else(|| format!("no JWT-SVID in {told}"))
    }

    /// The command with which the client at `caller` fetches an SVID (`x509` or `jwt`), to run as somebody else.
    #[must_use]
    pub fn fetch(&self, caller: &Path, kind: &str) -> Command {
        let mut fetch = Command::new(caller);
        fetch.args(["api", "fetch", kind, "-timeout", "5s", "-socketPath"]).arg(self.socket());
        fetch
    }

    /// The keys that sign JWT-SVIDs, as a JWKS.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let bundle = ask_server(self.folder.path(), &["bundle", "show", "-format", "spiffe"]);
        let all = bundle["keys"].as_array().expect("a bundle has keys");
        let keys: Vec<_> = all.iter().filter(|key| key["use"] == "jwt-svid").cloned().collect();
        assert!(!keys.is_empty(), "the bundle has no JWT authority: {bundle}");
        json!({ "keys": keys })
    }

    /// The same keys at a URL, for a server that fetches them.
    #[must_use]
    pub fn serve_jwks(&self) -> OneDocument {
        OneDocument::serve(self.jwks().to_string())
    }

    /// Kills the agent. Its keys stay on disk.
    pub fn kill_agent(&mut self) {
        self.agent.kill();
    }

    /// Starts the agent again, with what it had, and waits until it serves its socket.
    pub fn start_agent_again(&mut self) {
        self.agent.kill();
        self.agent = start_agent(self.folder.path(), None);
    }

    /// Runs a command of `spire-server` (without the socket) and gives what it says.
    pub fn server_says(&self, words: &[&str]) -> Result<String, String> {
        told_by(&mut server_command(self.folder.path(), words))
    }

    /// The server process.
    pub fn server(&mut self) -> &mut Process {
        &mut self.server
    }

    /// The agent process.
    pub fn agent(&mut self) -> &mut Process {
        &mut self.agent
    }
}

fn start_server(folder: &Path) -> Process {
    let mut run = Command::new(program("spire-server"));
    run.args(["run", "-config"]).arg(folder.join("server.json")).current_dir(folder);
    let mut server = Process::start("SPIRE server", &mut run, &folder.join("server.log"));
    server.wait_until("it is healthy", READY, || {
        told_by(&mut server_command(folder, &["healthcheck"])).is_ok()
    });
    server
}

fn start_agent(folder: &Path, token: Option<&str>) -> Process {
    let mut run = Command::new(program("spire-agent"));
    run.args(["run", "-config"]).arg(folder.join("agent.json")).current_dir(folder);
    if let Some(token) = token {
        run.args(["-joinToken", token]);
    }
    let mut agent = Process::start("SPIRE agent", &mut run, &folder.join("agent.log"));
    agent.wait_until("it is healthy", READY, || {
        let mut check = Command::new(program("spire-agent"));
        told_by(check.arg("healthcheck").arg("-socketPath").arg(folder.join("agent.sock"))).is_ok()
    });
    agent
}

fn ask_server(folder: &Path, words: &[&str]) -> Value {
    let told =
        told_by(&mut server_command(folder, words)).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{words:?}: {error}: {told}"))
}

fn server_command(folder: &Path, words: &[&str]) -> Command {
    // The socket's flag comes after the two or one words of the command, before its values.
    let verbs = words.iter().take_while(|word| !word.starts_with('-')).count();
    let mut command = Command::new(program("spire-server"));
    command.args(&words[..verbs]).arg("-socketPath").arg(folder.join("server.sock")).args(&words[verbs..]);
    command
}

fn write_configurations(folder: &Path, port: u16, options: &Options) {
    let seconds = |of: Duration| format!("{}s", of.as_secs());
    let data = |name: &str| folder.join(name).join("data.sqlite3").display().to_string();
    for name in ["server", "agent"] {
        fs::create_dir_all(folder.join(name)).expect("its folder can be made");
    }
    let server = json!({
        "server": {
            "bind_address": "127.0.0.1", "bind_port": port.to_string(), "trust_domain": options.trust_domain,
            "socket_path": folder.join("server.sock"), "data_dir": folder.join("server"), "log_level": "DEBUG",
            "default_x509_svid_ttl": seconds(options.x509_ttl), "default_jwt_svid_ttl": seconds(options.jwt_ttl),
            "ca_ttl": seconds(options.ca_ttl), "agent_ttl": seconds(options.ca_ttl / 12),
            "jwt_issuer": format!("https://{}", options.trust_domain),
            // New entries reach the agent in a second or two, not in ten.
            "experimental": {"cache_reload_interval": "1s"},
        },
        "plugins": {
            "DataStore": {"sql": {"plugin_data": {"database_type": "sqlite3", "connection_string": data("server")}}},
            "NodeAttestor": {"join_token": {"plugin_data": {}}},
            "KeyManager": {"disk": {"plugin_data": {"keys_path": folder.join("server/keys.json")}}},
        },
    });
    let agent = json!({
        "agent": {
            "server_address": "127.0.0.1", "server_port": port, "trust_domain": options.trust_domain,
            "socket_path": folder.join("agent.sock"), "data_dir": folder.join("agent"), "log_level": "DEBUG",
            // Server and agent share this machine and nothing else is on loopback here.
            "insecure_bootstrap": true, "experimental": {"sync_interval": "1s"},
        },
        "plugins": {
            "NodeAttestor": {"join_token": {"plugin_data": {}}},
            "KeyManager": {"disk": {"plugin_data": {"directory": folder.join("agent")}}},
            "WorkloadAttestor": {"unix": {"plugin_data": {"discover_workload_path": true}}},
        },
    });
    fs::write(folder.join("server.json"), server.to_string()).expect("its configuration can be written");
    fs::write(folder.join("agent.json"), agent.to_string()).expect("its configuration can be written");
}
