//! A trust bundle that changes under open connections, on the real `postern`.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postern_lab::Accounts;
use postern_lab::authority::{Authority, Entry, X509Svid};
use postern_lab::legacy::Legacy;
use postern_lab::sidecar::{self, Sidecar};
use postern_tests::process::free_port;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

type Open = StreamOwned<ClientConnection, TcpStream>;

/// A client that does not care whom it speaks to: what is tried here is the other side.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn connect(port: u16, svid: &X509Svid) -> Open {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(svid.key.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(vec![CertificateDer::from(svid.certificate.clone())], key)
        .unwrap();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    StreamOwned::new(connection, stream)
}

/// Asks once and leaves the connection open.
fn ask(open: &mut Open) -> String {
    open.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    open.sock.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = vec![0; 4096];
    let read = open.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// How long until the other side closes; none if it does not within `patience`.
fn closed_within(open: &mut Open, patience: Duration) -> Option<Duration> {
    let since = Instant::now();
    open.sock.set_read_timeout(Some(patience)).unwrap();
    match open.read(&mut [0; 1024]) {
        Ok(0) => Some(since.elapsed()),
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
            Some(since.elapsed())
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        other => panic!("{other:?}"),
    }
}

fn configuration(folder: &Path, authority: &Authority, legacy: &Legacy, port: u16) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        r#"version: 1
state: {}
identity: {{ workload_api: "{}", trust: [{}] }}
credentials: {{ app: {{ file: {} }} }}
upstreams: {{ app: {{ address: "{}", login: basic }} }}
policy: {{ bundles: {{ main: {{ path: {} }} }} }}
listeners:
  front: {{ bind: "127.0.0.1:{port}", protocol: http, routes: {{ all: {{ path: /, upstream: app, credentials: [app] }} }} }}
records: {{ file: {} }}
admin: {{ socket: {} }}
"#,
        at("state"),
        authority.endpoint(),
        authority.trust_domain(),
        at("app.json"),
        legacy.address(),
        at("policy"),
        at("records.jsonl"),
        at("admin.sock"),
    )
}

#[test]
fn a_bundle_change_closes_exactly_the_connections_that_it_no_longer_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, program) = (folder.path().join("workload.sock"), sidecar::locate().unwrap());
    let authority = Authority::start("lab.example", &socket).unwrap();
    authority.admit(Entry::for_program("spiffe://lab.example/gate", &program).unwrap());
    let accounts = Accounts::new();
    accounts.put("app", "of this test");
    let legacy = Legacy::start(accounts).unwrap();
    let port = free_port();
    fs::create_dir(folder.path().join("policy")).unwrap();
    let policy =
        "package postern\n\ndefault decision := false\n\ndecision if input.caller.path[0] == \"caller\"\n";
    fs::write(folder.path().join("policy/main.rego"), policy).unwrap();
    fs::write(folder.path().join("app.json"), r#"{"username": "app", "password": "of this test"}"#).unwrap();
    let config = folder.path().join("postern.yaml");
    fs::write(&config, configuration(folder.path(), &authority, &legacy, port)).unwrap();
    let (admin, log) = (folder.path().join("admin.sock"), folder.path().join("log"));
    let mut postern = Sidecar::start(&program, &config, &admin, &log).unwrap();
    postern.wait_until_ready(Duration::from_secs(20)).unwrap();

    let mut old = connect(port, &authority.mint_x509("spiffe://lab.example/caller/old").unwrap());
    assert!(ask(&mut old).starts_with("HTTP/1.1 200"), "{}", fs::read_to_string(&log).unwrap());
    authority.rotate().unwrap();
    assert_eq!(closed_within(&mut old, Duration::from_secs(2)), None, "both anchors hold: nothing may close");
    let mut new = connect(port, &authority.mint_x509("spiffe://lab.example/caller/new").unwrap());
    assert!(ask(&mut new).starts_with("HTTP/1.1 200"));

    authority.retire();

    let took = closed_within(&mut old, Duration::from_secs(5)).expect("the old anchor's connection closes");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(ask(&mut new).starts_with("HTTP/1.1 200"), "the new anchor's connection goes on");
}
