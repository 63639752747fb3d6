//! A real OpenBao with its storage in a temporary folder, so that it can be sealed, killed and started again with
//! every lease and token it had.

use crate::certificates::Authority;
use crate::folder;
use crate::parts::program;
use crate::plain_http::{self, Answer};
use crate::process::{Process, READY, free_port, until};
use crate::real::{Postgres, postgres};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A token with every right, the same on each server here.
pub const ROOT_TOKEN: &str = "root-for-this-test";

/// A running, unsealed server with the key-value engine (version 2) at `secret/`.
#[derive(Debug)]
pub struct OpenBao {
    process: Process,
    port: u16,
    tls_port: u16,
    roots: PathBuf,
    unseal_key: String,
    folder: TempDir,
}

/// What the server checks JWTs of callers with.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// Public keys, PEM.
    Pem(Vec<String>),
    /// A JWKS that the server fetches, at once and again when it meets an unknown key id.
    Url(String),
}

/// Who may log in with a JWT-SVID, and with what right.
#[derive(Debug, Clone, Copy)]
pub struct JwtRole<'a> {
    /// The role's name.
    pub name: &'a str,
    /// The exact SPIFFE ID.
    pub subject: &'a str,
    /// The audience the JWT must be for.
    pub audience: &'a str,
    /// The policy the token gets.
    pub policy: &'a str,
    /// How long the token lives unless it is renewed, as the server writes durations: `60s`.
    pub ttl: &'a str,
    /// How long it lives however often it is renewed.
    pub max_ttl: &'a str,
}

impl OpenBao {
    /// The programs that [`crate::parts::present`] must have found.
    pub const PROGRAMS: &[&str] = &["bao"];

    /// Starts a new server; takes about two seconds.
    #[must_use]
    pub fn start() -> Self {
        let folder = folder::open_to_walk();
        let [port, tls_port, cluster] = [(); 3].map(|()| free_port());
        let files = Authority::new().server(folder.path(), &["localhost", "127.0.0.1"]);
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("its folder can be made");
        let config = json!({
            "storage": {"raft": {"path": data, "node_id": "only",
                                 "performance_multiplier": "1"}},
            "listener": [
                {"tcp": {"address": format!("127.0.0.1:{port}"), "tls_disable": true,
                         "cluster_address": format!("127.0.0.1:{cluster}")}},
                {"tcp": {"address": format!("127.0.0.1:{tls_port}"),
                         "cluster_address": format!("127.0.0.1:{}", free_port()),
                         "tls_cert_file": files.certificate, "tls_key_file": files.key}},
            ],
            "api_addr": format!("http://127.0.0.1:{port}"),
            "cluster_addr": format!("https://127.0.0.1:{cluster}"),
            "log_level": "info",
        });
        fs::write(folder.path().join("bao.json"), config.to_string())
            .expect("its configuration can be written");
        let process = launch(folder.path());
        let mut started =
            Self { process, port, tls_port, roots: files.roots, unseal_key: String::new(), folder };
        started.wait_for_health(&[501]);
        started.initialise();
        started
    }

    /// Its address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its address for clients that want TLS: `https://localhost:PORT`, proven under [`OpenBao::roots`].
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("https://localhost:{}", self.tls_port)
    }

    /// The authority behind [`OpenBao::tls_url`], PEM.
    #[must_use]
    pub fn roots(&self) -> &Path {
        &self.roots
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// One call with a token (empty: none), whatever it answers. `path` is without `/v1/`.
    #[must_use]
    pub fn call(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.try_call(token, method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Writes as root and gives the answer's JSON, null when there is none.
    #[expect(clippy::needless_pass_by_value, reason = "what is written is made in place, with json!")]
    pub fn write(&self, path: &str, body: Value) -> Value {
        good(path, &self.call(ROOT_TOKEN, "POST", path, &body))
    }

    /// Reads as root and gives the answer's JSON.
    #[must_use]
    pub fn read(&self, path: &str) -> Value {
        good(path, &self.call(ROOT_TOKEN, "GET", path, &Value::Null))
    }

    /// The leases below a path such as `database/creds/app`, by the last part of their id.
    #[must_use]
    pub fn leases(&self, below: &str) -> Vec<String> {
        let path = format!("sys/leases/lookup/{below}");
        let answer = self.call(ROOT_TOKEN, "LIST", &path, &Value::Null);
        // It says 404 where there are none.
        if answer.status == 404 {
            return Vec::new();
        }
        let keys = good(&path, &answer)["data"]["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect()
    }

    /// Makes a policy of lines in the server's own language.
    pub fn policy(&self, name: &str, text: &str) {
        self.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text }));
    }

    /// Turns on login by JWT at `auth/MOUNT`.
    pub fn enable_jwt(&self, mount: &str, keys: &JwtKeys) {
        self.write(&format!("sys/auth/{mount}"), json!({ "type": "jwt" }));
        let config = match keys {
            JwtKeys::Pem(keys) => json!({ "jwt_validation_pubkeys": keys }),
            JwtKeys::Url(url) => json!({ "jwks_url": url }),
        };
        self.write(&format!("auth/{mount}/config"), config);
    }

    /// Lets one SPIFFE ID log in at `auth/MOUNT`.
    pub fn jwt_role(&self, mount: &str, role: JwtRole<'_>) {
        let body = json!({
            "role_type": "jwt", "user_claim": "sub",
            "bound_audiences": [role.audience], "bound_subject": role.subject,
            "token_policies": [role.policy], "token_ttl": role.ttl, "token_max_ttl": role.max_ttl,
        });
        self.write(&format!("auth/{mount}/role/{}", role.name), body);
    }

    /// Puts the database engine at `database/`, over `postgres`, as connection `main`.
    pub fn enable_database(&self, postgres: &Postgres) {
        self.write("sys/mounts/database", json!({ "type": "database" }));
        let target = format!("127.0.0.1:{}/postgres?sslmode=disable", postgres.port());
        let body = json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
            "connection_url": format!("postgresql://{{{{username}}}}:{{{{password}}}}@{target}"),
            "username": "postgres", "password": postgres::PASSWORD,
            "password_authentication": "scram-sha-256",
        });
        self.write("database/config/main", body);
    }

    /// Makes the dynamic role `database/creds/NAME`, whose accounts live for `ttl`, and `max_ttl` however often they
    /// are renewed. The account's own end in PostgreSQL is that of the lease.
    pub fn database_role(&self, name: &str, ttl: &str, max_ttl: &str) {
        let create = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
        let body = json!({
            "db_name": "main", "default_ttl": ttl, "max_ttl": max_ttl, "creation_statements": [create],
            "revocation_statements": ["DROP ROLE IF EXISTS \"{{name}}\";"],
        });
        self.write(&format!("database/roles/{name}"), body);
    }

    /// Seals it: every call is answered 503 until [`OpenBao::unseal`].
    pub fn seal(&self) {
        self.write("sys/seal", json!({}));
    }

    /// Unseals it and waits until it serves again.
    pub fn unseal(&mut self) {
        let key = json!({ "key": self.unseal_key });
        good("sys/unseal", &self.call("", "POST", "sys/unseal", &key));
        self.wait_for_health(&[200]);
    }

    /// Kills it. Its storage stays.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same address and unseals it.
    pub fn start_again(&mut self) {
        self.process.kill();
        self.process = launch(self.folder.path());
        self.wait_for_health(&[503]);
        self.unseal();
    }

    /// Stops it without ending it: connections are taken by the kernel and nothing is answered.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Ends a [`OpenBao::freeze`].
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// All it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn initialise(&mut self) {
        let answer = self.call("", "POST", "sys/init", &json!({"secret_shares": 1, "secret_threshold": 1}));
        let made = good("sys/init", &answer);
        self.unseal_key = text(&made["keys"][0]);
        let first_token = text(&made["root_token"]);
        self.unseal();
        let token = json!({"id": ROOT_TOKEN, "policies": ["root"], "no_default_policy": true});
        good("auth/token/create", &self.call(&first_token, "POST", "auth/token/create", &token));
        self.write("sys/mounts/secret", json!({"type": "kv", "options": {"version": "2"}}));
        // The engine upgrades itself just after it is mounted, and answers 400 meanwhile.
        let ready = || self.call(ROOT_TOKEN, "GET", "secret/config", &Value::Null).status == 200;
        until("the key-value engine is ready", ready);
    }

    fn wait_for_health(&mut self, wanted: &[u16]) {
        let address = self.address();
        self.process.wait_until(&format!("its health is {wanted:?}"), READY, || {
            let asked = plain_http::ask(address, "GET", "/v1/sys/health", &[], "");
            asked.is_ok_and(|answer| wanted.contains(&answer.status))
        });
    }

    fn try_call(&self, token: &str, method: &str, path: &str, body: &Value) -> std::io::Result<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("X-Vault-Token", token), ("X-Vault-Request", "true")];
        let headers = if token.is_empty() { &headers[1..] } else { &headers[..] };
        plain_http::ask(self.address(), method, &format!("/v1/{path}"), headers, &body)
    }
}

fn launch(folder: &Path) -> Process {
    let mut server = Command::new(program("bao"));
    server.args(["server", "-config"]).arg(folder.join("bao.json")).env("HOME", folder);
    Process::start("OpenBao", &mut server, &folder.join("log"))
}

fn good(path: &str, answer: &Answer) -> Value {
    assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
    if answer.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&answer.body).expect("it answers JSON")
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it answers with a text here").to_owned()
}
