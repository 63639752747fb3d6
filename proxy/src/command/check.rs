use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::healthcheck::{self, Door};
use super::{Exit, Outcome, Probe};
use crate::authorize::load;
use crate::config::{
    self, Config, CredentialSource, IdentitySource, ListenerCertificate, UpstreamProof, VaultLogin,
};
use crate::fault::causes;
use crate::protocol;

/// The largest PEM, token or JSON file that a configuration may name, in bytes.
const LARGEST: u64 = 1 << 20;

/// Everything that is wrong, and what was looked at.
#[derive(Default)]
struct Findings {
    wrong: Vec<(Exit, String)>,
    right: Vec<String>,
}

pub(super) fn check(file: &Path) -> Outcome {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => return Outcome::failed(Exit::Configuration, format!("{errors}\n")),
    };
    let mut findings = Findings::default();
    findings.right(format!("{}: can be understood", file.display()));
    for misfit in protocol::misfits(&config) {
        findings.wrong(Exit::Configuration, misfit.to_string());
    }
    findings.files(&config);
    findings.policy(&config);
    findings.folders(&config);
    findings.addresses(&config);
    findings.outcome()
}

impl Findings {
    fn right(&mut self, what: String) {
        self.right.push(what);
    }

    fn wrong(&mut self, exit: Exit, what: String) {
        self.wrong.push((exit, what));
    }

    /// Every file that is named can be read and holds something.
    fn files(&mut self, config: &Config) {
        for (key, path) in named_files(config) {
            match read_some(&path) {
                Ok(0) => self.wrong(Exit::Configuration, format!("{key}: {} is empty", path.display())),
                Ok(length) if length > LARGEST => {
                    self.wrong(
                        Exit::Configuration,
                        format!("{key}: {} is larger than 1 MiB", path.display()),
                    );
                }
                Ok(_) => self.right(format!("{key}: {}", path.display())),
                Err(error) => self.wrong(Exit::Configuration, format!("{key}: {}: {error}", path.display())),
            }
        }
    }

    fn policy(&mut self, config: &Config) {
        match load::load(&config.policy) {
            Ok(loaded) => {
                for (name, revision) in loaded.revisions.iter() {
                    self.right(format!("policy.bundles.{name}: compiles, revision {revision}"));
                }
            }
            Err(error) => self.wrong(Exit::Policy, format!("policy: {}", causes(&error))),
        }
    }

    /// What is written to can be written to, the state folder above all.
    fn folders(&mut self, config: &Config) {
        // Postern makes the state folder where there is none.
        let state = config.state.ancestors().find(|folder| folder.exists()).unwrap_or(&config.state);
        self.writable("state", state, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK);
        if let Some(file) = &config.records.file {
            if file.exists() {
                self.writable("records.file", file, Access::WRITE_OK);
            } else {
                self.writable("records.file", folder_of(file), Access::WRITE_OK | Access::EXEC_OK);
            }
        }
        if let Some(socket) = &config.admin.socket {
            self.writable("admin.socket", folder_of(socket), Access::WRITE_OK | Access::EXEC_OK);
        }
    }

    fn writable(&mut self, key: &str, path: &Path, may: Access) {
        match access(path, may) {
            Ok(()) => self.right(format!("{key}: {} can be written", path.display())),
            Err(error) => {
                let error = io::Error::from(error);
                self.wrong(
                    Exit::CannotStart,
                    format!("{key}: {} cannot be written: {error}", path.display()),
                );
            }
        }
    }

    /// Every address is free, or taken by the Postern that answers at this configuration's own admin door.
    fn addresses(&mut self, config: &Config) {
        let running =
            Door::of(&config.admin).is_some_and(|door| healthcheck::ask(&door, Probe::Live).is_ok());
        let metrics = config.admin.metrics.map(|address| ("admin.metrics".to_owned(), address));
        let listeners = config.listeners.values();
        let bound = listeners.map(|listener| (format!("listeners.{}.bind", listener.name), listener.bind));
        for (key, address) in bound.chain(metrics) {
            match free(address) {
                Ok(()) => self.right(format!("{key}: {address} is free")),
                Err(error) if running && error.kind() == io::ErrorKind::AddrInUse => {
                    self.right(format!("{key}: {address} is held by the Postern that runs now"));
                }
                Err(error) => {
                    self.wrong(Exit::CannotStart, format!("{key}: {address} cannot be bound: {error}"));
                }
            }
        }
    }

    fn outcome(self) -> Outcome {
        let mut out = String::new();
        for line in self.right {
            let _written = writeln!(out, "ok     {line}");
        }
        let mut err = String::new();
        for (_, line) in &self.wrong {
            let _written = writeln!(err, "WRONG  {line}");
        }
        let exit = self.wrong.iter().map(|(exit, _)| *exit).min().unwrap_or(Exit::Done);
        if exit == Exit::Done {
            out.push_str("everything is in order\n");
        }
        Outcome { exit, out, err }
    }
}

/// Key path and file, for every file that must be there at start.
fn named_files(config: &Config) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    if let IdentitySource::Files { svid, key, bundle, jwt_bundle, token } = &config.identity.source {
        let named = [("svid", Some(svid)), ("key", Some(key)), ("bundle", Some(bundle))];
        let optional = [("jwt_bundle", jwt_bundle.as_ref()), ("token", token.as_ref())];
        for (name, path) in named.into_iter().chain(optional) {
            files.extend(path.map(|path| (format!("identity.files.{name}"), path.clone())));
        }
    }
    for (name, vault) in &config.vaults {
        files.extend(vault.roots.as_ref().map(|roots| (format!("vaults.{name}.roots"), roots.clone())));
        if let VaultLogin::TokenFile(token) = &vault.login {
            files.push((format!("vaults.{name}.login.token_file"), token.clone()));
        }
    }
    for (name, credential) in &config.credentials {
        if let CredentialSource::File(file) = &credential.source {
            files.push((format!("credentials.{name}.file"), file.clone()));
        }
    }
    for (name, upstream) in &config.upstreams {
        if let Some(UpstreamProof::Roots(roots)) = upstream.tls.as_ref().map(|tls| &tls.proof) {
            files.push((format!("upstreams.{name}.tls.roots"), roots.clone()));
        }
    }
    for (name, listener) in &config.listeners {
        if let ListenerCertificate::Files { chain, key } = &listener.certificate {
            files.push((format!("listeners.{name}.certificate.chain"), chain.clone()));
            files.push((format!("listeners.{name}.certificate.key"), key.clone()));
        }
    }
    files
}

/// How much there is to read, up to one byte too much.
fn read_some(path: &Path) -> io::Result<u64> {
    let mut read = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut read).map(|length| length as u64)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn free(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "package postern\ndefault decision := false\n";

    fn checked(policy: &str, state: &str, port: u16) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        std::fs::create_dir(within("policy")).unwrap();
        std::fs::create_dir(within("state")).unwrap();
        std::fs::write(within("policy/main.rego"), policy).unwrap();
        std::fs::write(within("token"), "t").unwrap();
        let text = format!(
            "version: 1\nstate: {state}\nidentity: {{ workload_api: 'unix:///run/a.sock', trust: [td] }}\n\
             vaults: {{ main: {{ url: 'http://127.0.0.1:8200', login: {{ token_file: token }} }} }}\n\
             credentials: {{ app: {{ file: missing.json }} }}\n\
             upstreams: {{ app: {{ address: 'app:80', login: basic }} }}\npolicy: {{ bundles: {{ main: {{ path: policy }} }} }}\n\
             listeners: {{ front: {{ bind: '127.0.0.1:{port}', protocol: http, \
             routes: {{ all: {{ upstream: app, credentials: [app] }} }} }} }}\n"
        );
        std::fs::write(within("postern.yaml"), text).unwrap();
        if policy == POLICY {
            std::fs::write(within("missing.json"), "{}").unwrap();
        }
        check(&within("postern.yaml"))
    }

    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn what_is_in_order_is_said_to_be() {
        let outcome = checked(POLICY, "state", free_port());
        assert_eq!(outcome.exit, Exit::Done, "{}", outcome.err);
        assert!(outcome.out.contains("everything is in order"), "{}", outcome.out);
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_the_first_kind_is_the_exit_code() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let outcome =
            checked("package postern\ndecision :=", "token/state", taken.local_addr().unwrap().port());
        assert_eq!(outcome.exit, Exit::Configuration);
        for word in ["credentials.app.file", "policy: ", "state: ", "listeners.front.bind"] {
            assert!(outcome.err.contains(&format!("WRONG  {word}")), "`{word}` is not in:\n{}", outcome.err);
        }
        assert!(!outcome.out.contains("in order"), "{}", outcome.out);
    }

    #[test]
    fn an_address_in_use_means_that_it_cannot_start() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(checked(POLICY, "state", taken.local_addr().unwrap().port()).exit, Exit::CannotStart);
    }
}
