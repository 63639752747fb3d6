use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::healthcheck::{self, Door};
use super::{Exit, Outcome, Probe};
use crate::authorize::load::{self, Bundles};
use crate::authorize::service::Copy;
use crate::config::{
    self, BundleSource, Config, CredentialSource, Endpoint, IdentitySource, Lines, ListenerCertificate,
    UpstreamProof, VaultLogin,
};
use crate::credential;
use crate::fault::causes;
use crate::identify::pem::{self, Holds};
use crate::protocol;
use crate::record::writer;
use crate::state::{self, held_key};

/// Everything that is wrong, and what was looked at.
struct Findings {
    lines: Lines,
    wrong: Vec<(Exit, String)>,
    right: Vec<String>,
}

pub(super) fn check(file: &Path) -> Outcome {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(errors) => return Outcome::failed(Exit::Configuration, format!("{errors}\n")),
    };
    let mut findings = Findings { lines: Lines::of(file), wrong: Vec::new(), right: Vec::new() };
    findings.right(format!("{}: can be understood", file.display()));
    for misfit in protocol::misfits(&config) {
        findings.wrong.push((Exit::Configuration, misfit.to_string()));
    }
    findings.files(&config);
    if findings.keys(&config) {
        findings.policy(&config);
    }
    findings.folders(&config);
    findings.state(&config);
    findings.addresses(&config);
    findings.outcome()
}

impl Findings {
    fn right(&mut self, what: String) {
        self.right.push(what);
    }

    fn wrong(&mut self, exit: Exit, key: &str, what: &str) {
        let line = self.lines.line(key).map(|line| format!(" (line {line})")).unwrap_or_default();
        self.wrong.push((exit, format!("{key}{line}: {what}")));
    }

    /// Every file that is named can be read and holds what it is named for, and a key is its certificate's.
    fn files(&mut self, config: &Config) {
        for (key, path, holds) in named_files(config) {
            match pem::look(&path, holds) {
                Ok(()) => self.right(format!("{key}: {}", path.display())),
                Err(error) => self.wrong(Exit::Configuration, &key, &error.to_string()),
            }
        }
        let broken =
            |findings: &Self, key: &str| findings.wrong.iter().any(|(_, wrong)| wrong.starts_with(key));
        if let IdentitySource::Files { svid, key, .. } = &config.identity.source
            && !broken(self, "identity.files.svid")
            && !broken(self, "identity.files.key")
            && let Err(error) = pem::own_svid(svid, key)
        {
            self.wrong(Exit::Configuration, "identity.files", &error.to_string());
        }
        for (name, listener) in &config.listeners {
            let at = format!("listeners.{name}.certificate");
            if let ListenerCertificate::Files { chain, key } = &listener.certificate
                && !broken(self, &at)
                && let Err(error) = pem::certified_key(chain, key)
            {
                self.wrong(Exit::Configuration, &at, &error.to_string());
            }
        }
    }

    /// What an earlier run left in the state folder can be read.
    fn state(&mut self, config: &Config) {
        if !config.state.exists() {
            return;
        }
        if let Err(error) = state::look(&config.state) {
            return self.wrong(Exit::CannotStart, "state", &causes(&error));
        }
        match credential::standing_in(&config.state) {
            Ok(count) => {
                self.right(format!("state: {count} leases, logins and accesses stand in the journal"));
            }
            Err(error) => self.wrong(Exit::CannotStart, "state", &causes(&error)),
        }
        if let Err(error) = held_key(&config.state, "references.key") {
            self.wrong(Exit::CannotStart, "state", &causes(&error));
        }
        if let Err(error) = writer::can_go_on(&config.records, &config.state.join("records.sequence")) {
            self.wrong(Exit::CannotStart, "state", &causes(&error));
        }
    }

    /// Every key that bundles are signed with; whether all of them can be used. A service's bundle may be not here yet.
    fn keys(&mut self, config: &Config) -> bool {
        let before = self.wrong.len();
        for (name, bundle) in &config.policy.bundles {
            for (id, key) in bundle.verify.iter().flat_map(|verify| &verify.keys) {
                let at = format!("policy.bundles.{name}.verify.keys.{id}.file");
                match load::verify_key(key) {
                    Ok(_) => self.right(format!("{at}: {}", key.file.display())),
                    Err(error) => self.wrong(Exit::Configuration, &at, &causes(&error)),
                }
            }
        }
        self.wrong.len() == before
    }

    fn policy(&mut self, config: &Config) {
        let kept = self.kept(config);
        match load::load(&config.policy, kept) {
            Ok(loaded) => {
                for (name, revision) in loaded.revisions.iter() {
                    // Without what services serve, the rest cannot be compiled.
                    let is = if loaded.set.is_some() { "compiles" } else { "can be read" };
                    self.right(format!("policy.bundles.{name}: {is}, revision {revision}"));
                }
            }
            Err(error) => self.wrong(Exit::Policy, "policy", &causes(&error)),
        }
    }

    /// What an earlier run kept of bundle services, which are not asked here.
    fn kept(&mut self, config: &Config) -> Bundles {
        let mut bundles = Bundles::new();
        for (name, bundle) in &config.policy.bundles {
            let BundleSource::Service(service) = &bundle.source else { continue };
            let (key, url) = (format!("policy.bundles.{name}"), &service.endpoint.url);
            let kept = match Copy::of(&config.state, name, url).held(service.size) {
                Ok(Some(kept)) => kept,
                Ok(None) => {
                    self.right(format!("{key}: {url} was not asked, and no copy of its bundle is kept"));
                    continue;
                }
                Err(error) => {
                    self.wrong(Exit::Policy, &key, &causes(&error));
                    continue;
                }
            };
            let file = kept.file.display().to_string();
            match load::unpack(&kept.archive, &file, bundle.verify.as_ref(), None) {
                Ok(sources) => {
                    self.right(format!("{key}: {url} was not asked; a copy of its bundle is kept"));
                    bundles.insert(name.clone(), sources);
                }
                Err(error) => self.wrong(Exit::Policy, &key, &causes(&error)),
            }
        }
        bundles
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
                let what = format!("{} cannot be written: {error}", path.display());
                self.wrong(Exit::CannotStart, key, &what);
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
                    self.wrong(Exit::CannotStart, &key, &format!("{address} cannot be bound: {error}"));
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

/// The same for a service.
fn endpoint_files(at: &str, endpoint: &Endpoint) -> Vec<(String, PathBuf, Holds)> {
    let mut files = Vec::new();
    if let Some(UpstreamProof::Roots(roots)) = endpoint.tls.as_ref().map(|tls| &tls.proof) {
        files.push((format!("{at}.tls.roots"), roots.clone(), Holds::Roots));
    }
    let token = endpoint.token_file.as_ref();
    files.extend(token.map(|token| (format!("{at}.token_file"), token.clone(), Holds::Anything)));
    files
}

/// Key path, file and what it is for, of every file that must be there at start.
fn named_files(config: &Config) -> Vec<(String, PathBuf, Holds)> {
    let mut files = Vec::new();
    if let IdentitySource::Files { svid, key, bundle, jwt_bundle, token } = &config.identity.source {
        let named = [
            ("svid", Some(svid), Holds::Certificates),
            ("key", Some(key), Holds::Key),
            ("bundle", Some(bundle), Holds::Certificates),
            ("jwt_bundle", jwt_bundle.as_ref(), Holds::Jwks),
            ("token", token.as_ref(), Holds::Anything),
        ];
        for (name, path, holds) in named {
            files.extend(path.map(|path| (format!("identity.files.{name}"), path.clone(), holds)));
        }
    }
    for (name, bundle) in &config.policy.bundles {
        if let BundleSource::Service(service) = &bundle.source {
            files.extend(endpoint_files(&format!("policy.bundles.{name}"), &service.endpoint));
        }
    }
    files.extend(config.policy.status.iter().flat_map(|status| endpoint_files("policy.status", status)));
    for (name, vault) in &config.vaults {
        let roots = vault.roots.as_ref();
        files.extend(roots.map(|roots| (format!("vaults.{name}.roots"), roots.clone(), Holds::Roots)));
        if let VaultLogin::TokenFile(token) = &vault.login {
            files.push((format!("vaults.{name}.login.token_file"), token.clone(), Holds::Anything));
        }
    }
    for (name, credential) in &config.credentials {
        if let CredentialSource::File(file) = &credential.source {
            files.push((format!("credentials.{name}.file"), file.clone(), Holds::Anything));
        }
    }
    for (name, upstream) in &config.upstreams {
        if let Some(UpstreamProof::Roots(roots)) = upstream.tls.as_ref().map(|tls| &tls.proof) {
            files.push((format!("upstreams.{name}.tls.roots"), roots.clone(), Holds::Roots));
        }
    }
    for (name, listener) in &config.listeners {
        if let ListenerCertificate::Files { chain, key } = &listener.certificate {
            files.push((format!("listeners.{name}.certificate.chain"), chain.clone(), Holds::Certificates));
            files.push((format!("listeners.{name}.certificate.key"), key.clone(), Holds::Key));
        }
    }
    files
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn free(address: SocketAddr) -> io::Result<()> {
    TcpListener::bind(address).map(drop)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::identify::mint::{Ca, DOMAIN};

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
        for word in [
            "credentials.app.file (line 5): ",
            "policy (line 7): ",
            "state (line 2): ",
            "listeners.front.bind (line 8): ",
        ] {
            assert!(outcome.err.contains(&format!("WRONG  {word}")), "`{word}` is not in:\n{}", outcome.err);
        }
        assert!(!outcome.out.contains("in order"), "{}", outcome.out);
    }

    #[test]
    fn an_address_in_use_means_that_it_cannot_start() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(checked(POLICY, "state", taken.local_addr().unwrap().port()).exit, Exit::CannotStart);
    }

    /// What `check` finds wrong where the listener's chain and key, the identity's bundle, the journal and the
    /// sequence are these.
    fn wrong(chain: &str, key: &str, bundle: &str, state: &[(&str, &[u8])]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        for name in ["policy", "state"] {
            std::fs::create_dir(within(name)).unwrap();
        }
        let own = Ca::new(DOMAIN).svid("spiffe://td.example/gate");
        let private = pem_of("PRIVATE KEY", own.private().secret_der());
        for (name, text) in [
            ("policy/main.rego", POLICY),
            ("chain.pem", chain),
            ("key.pem", key),
            ("bundle.pem", bundle),
            ("svid.pem", &pem_of("CERTIFICATE", &own.der)),
            ("svid.key", &private),
        ] {
            std::fs::write(within(name), text).unwrap();
        }
        for (name, bytes) in state {
            std::fs::write(within("state").join(name), bytes).unwrap();
        }
        let text = format!(
            "version: 1\nstate: state\nidentity:\n  trust: [td.example]\n\
             \x20 files: {{ svid: svid.pem, key: svid.key, bundle: bundle.pem }}\n\
             upstreams: {{ app: {{ address: 'app:80' }} }}\npolicy: {{ bundles: {{ main: {{ path: policy }} }} }}\n\
             listeners:\n  front:\n    bind: '127.0.0.1:{}'\n    protocol: http\n    certificate:\n\
             \x20     chain: chain.pem\n      key: key.pem\n    routes: {{ all: {{ upstream: app }} }}\n",
            free_port()
        );
        std::fs::write(within("postern.yaml"), text).unwrap();
        let outcome = check(&within("postern.yaml"));
        assert_eq!(outcome.exit == Exit::Done, outcome.err.is_empty(), "{outcome:?}");
        outcome.err
    }

    fn pem_of(label: &str, der: &[u8]) -> String {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn what_is_in_the_files_is_looked_at_and_said_with_key_and_line() {
        let (ca, minted) = (Ca::new(DOMAIN), Ca::new(DOMAIN).svid("spiffe://td.example/front"));
        let (chain, key) =
            (pem_of("CERTIFICATE", &minted.der), pem_of("PRIVATE KEY", minted.private().secret_der()));
        assert_eq!(wrong(&chain, &key, &ca.pem(), &[]), "");

        let said = wrong("not PEM", &chain, "", &[]);
        for word in [
            "WRONG  listeners.front.certificate.chain (line 13): ",
            "chain.pem: holds no certificate",
            "WRONG  listeners.front.certificate.key (line 14): ",
            "WRONG  identity.files.bundle (line 5): ",
            "bundle.pem: is empty",
        ] {
            assert!(said.contains(word), "`{word}` is not in:\n{said}");
        }

        let other = pem_of("PRIVATE KEY", ca.svid("spiffe://td.example/other").private().secret_der());
        let said = wrong(&chain, &other, &ca.pem(), &[]);
        assert!(
            said.starts_with("WRONG  listeners.front.certificate (line 12): ") && said.lines().count() == 1,
            "{said}"
        );
    }

    #[test]
    fn the_keys_of_a_bundle_that_is_not_here_yet_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        std::fs::create_dir(within("state")).unwrap();
        let (ca, own) = (Ca::new(DOMAIN), Ca::new(DOMAIN).svid("spiffe://td.example/gate"));
        let private = pem_of("PRIVATE KEY", own.private().secret_der());
        for (name, text) in [
            ("svid.pem", pem_of("CERTIFICATE", &own.der)),
            ("svid.key", private.clone()),
            ("bundle.pem", ca.pem()),
        ] {
            std::fs::write(within(name), text).unwrap();
        }
        let text = format!(
            "version: 1\nstate: state\nidentity:\n  trust: [td.example]\n\
             \x20 files: {{ svid: svid.pem, key: svid.key, bundle: bundle.pem }}\n\
             upstreams: {{ app: {{ address: 'app:80' }} }}\npolicy:\n  bundles:\n    main:\n\
             \x20     url: 'http://127.0.0.1:1/b.tar.gz'\n      verify:\n        keys:\n\
             \x20         ci: {{ file: ci.pub, algorithm: ES256 }}\n\
             listeners: {{ front: {{ bind: '127.0.0.1:{}', protocol: http, routes: {{ all: {{ upstream: app }} }} }} }}\n",
            free_port()
        );
        std::fs::write(within("postern.yaml"), text).unwrap();
        let key = "WRONG  policy.bundles.main.verify.keys.ci.file (line 13): ";

        let missing = check(&within("postern.yaml"));
        assert_eq!(missing.exit, Exit::Configuration);
        assert!(missing.err.starts_with(key) && missing.err.contains("No such file"), "{missing:?}");

        std::fs::write(within("ci.pub"), &private).unwrap();
        let private = check(&within("postern.yaml"));
        assert!(private.err.starts_with(key) && private.err.lines().count() == 1, "{private:?}");
    }

    #[test]
    fn what_lies_in_the_state_folder_is_looked_at() {
        let (ca, minted) = (Ca::new(DOMAIN), Ca::new(DOMAIN).svid("spiffe://td.example/front"));
        let (chain, key) =
            (pem_of("CERTIFICATE", &minted.der), pem_of("PRIVATE KEY", minted.private().secret_der()));
        let state: [(&str, &[u8]); 4] = [
            ("lock", b""),
            ("leases.journal", b"x\n"),
            ("references.key", b"short"),
            ("records.sequence", b"\xff"),
        ];

        let said = wrong(&chain, &key, &ca.pem(), &state);

        assert_eq!(said.lines().count(), 3, "{said}");
        assert_eq!(said.matches("WRONG  state (line 2): ").count(), 3, "{said}");
        for name in ["leases.journal", "references.key", "records.sequence"] {
            assert!(said.contains(name), "{said}");
        }

        let said = wrong(&chain, &key, &ca.pem(), &[("index.html", b"theirs")]);
        assert!(said.starts_with("WRONG  state (line 2): ") && said.lines().count() == 1, "{said}");
        assert!(said.contains("state holds files, and no empty file `lock`"), "{said}");
    }
}
