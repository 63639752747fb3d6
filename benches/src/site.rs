//! What the proxies and the callers need, in a folder of its own: certificates that live for a day, the policy with
//! its data, the credential and the configurations.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::json;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::Failure;
use crate::estate::{self, CALLER, GATE, Spelling};

/// The name that the proxies are asked for.
pub(crate) const HOST: &str = "localhost";
const USER: &str = "ledger-7";
const PASSWORD: &str = "correct-horse-battery-staple";

/// The folder, and where the backend listens.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) backend: SocketAddr,
}

impl Site {
    pub(crate) fn new() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("postern-benches-").tempdir()?;
        let site = Self { folder, backend: free_address()? };
        site.write_certificates()?;
        for spelling in Spelling::ALL {
            let folder = site.policy(spelling);
            fs::create_dir(&folder)?;
            fs::write(folder.join("main.rego"), spelling.rego())?;
            fs::write(folder.join("data.json"), estate::data(spelling).to_string())?;
        }
        fs::write(site.path("input.json"), estate::input().to_string())?;
        fs::write(site.path("credential.json"), json!({"username": USER, "password": PASSWORD}).to_string())?;
        Ok(site)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of one spelling of the policy.
    pub(crate) fn policy(&self, spelling: Spelling) -> PathBuf {
        self.path(spelling.name())
    }

    fn write_certificates(&self) -> Result<(), Failure> {
        let mut asked = unnamed();
        asked.subject_alt_names = vec![uri("spiffe://bench.example")?];
        asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        asked.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(asked, KeyPair::generate()?)?;
        fs::write(self.path("roots.pem"), authority.pem())?;
        for (name, id) in [("gate", GATE), ("caller", CALLER)] {
            let mut asked = unnamed();
            // The host name is for the load generator, which trusts like any browser.
            asked.subject_alt_names = vec![uri(id)?, SanType::DnsName(HOST.try_into()?)];
            asked.is_ca = IsCa::ExplicitNoCa;
            asked.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            asked.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate()?;
            fs::write(self.path(&format!("{name}.pem")), asked.signed_by(&key, &authority)?.pem())?;
            fs::write(self.path(&format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(())
    }

    /// The configuration of nginx: one process, and nothing that the others do not do.
    pub(crate) fn nginx(&self, listen: SocketAddr) -> String {
        let (place, backend, authorization) = (self.folder().display(), self.backend, authorization());
        format!(
            "daemon off; master_process off; pid {place}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {place}/nb; proxy_temp_path {place}/np; fastcgi_temp_path {place}/nf;
  uwsgi_temp_path {place}/nu; scgi_temp_path {place}/ns;
  upstream b {{ server {backend}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen {listen} ssl backlog=4096; ssl_protocols TLSv1.3;
    ssl_certificate {place}/gate.pem; ssl_certificate_key {place}/gate.key;
    ssl_client_certificate {place}/roots.pem; ssl_verify_client on;
    ssl_session_cache off; ssl_session_tickets off;
    location / {{
      proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_set_header Authorization \"{authorization}\";
    }}
  }}
}}
"
        )
    }

    /// The configuration of Postern, as an operator would write it. The fuse is long, for under valgrind
    /// everything is slow.
    pub(crate) fn postern(&self, listen: SocketAddr) -> String {
        let (place, backend) = (self.folder().display(), self.backend);
        let policy = self.policy(Spelling::LookedUp);
        let policy = policy.display();
        format!(
            "version: 1
state: {place}/state
identity:
  files: {{ svid: {place}/gate.pem, key: {place}/gate.key, bundle: {place}/roots.pem }}
  trust: [bench.example]
credentials:
  ledger: {{ file: {place}/credential.json, only_to: [ledger] }}
upstreams:
  ledger: {{ address: \"{backend}\", login: basic }}
policy:
  bundles: {{ main: {{ path: {policy} }} }}
  fuse: 1s
listeners:
  front:
    bind: \"{listen}\"
    protocol: http
    limits: {{ connections: 4096 }}
    routes:
      all: {{ path: /, upstream: ledger, credentials: [ledger] }}
records: {{ file: {place}/records.jsonl }}
"
        )
    }
}

/// What the backend wants to see.
pub(crate) fn authorization() -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

/// A port of loopback that was free just now.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn unnamed() -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut asked = CertificateParams::default();
    asked.not_before = now - time::Duration::seconds(10);
    asked.not_after = now + time::Duration::DAY;
    asked.use_authority_key_identifier_extension = true;
    asked.distinguished_name = DistinguishedName::new();
    asked.distinguished_name.push(DnType::OrganizationName, "Postern benches");
    asked
}

fn uri(text: &str) -> Result<SanType, Failure> {
    Ok(SanType::URI(Ia5String::try_from(text)?))
}
