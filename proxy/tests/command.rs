//! The program as it is started: what it prints where, and how it exits.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test has nothing better to do than to panic")]
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::DigitallySignedStruct;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

fn postern(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.args(arguments).env_remove("SPIFFE_ENDPOINT_SOCKET").output().expect("postern starts")
}

#[track_caller]
fn exits(code: i32, output: &Output, word: &str) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    let said = if code == 0 { &out } else { &err };
    assert!(said.contains(word), "`{word}` is not in:\n{said}");
}

/// A folder with a configuration that lacks nothing but the servers around it.
fn estate(policy: &str, state: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("policy")).unwrap();
    write("policy/main.rego", policy);
    write("file", "x");
    let text = format!(
        "version: 1\nstate: {state}\nidentity: {{ workload_api: 'unix:///nonexistent.sock', trust: [td] }}\n\
         upstreams: {{ db: {{ address: 'db:1' }} }}\npolicy: {{ bundles: {{ main: {{ path: policy }} }} }}\n\
         listeners: {{ t: {{ bind: '127.0.0.1:65000', protocol: tcp, routes: {{ all: {{ upstream: db }} }} }} }}\n\
         admin: {{ socket: admin.sock }}\n"
    );
    write("postern.yaml", &text);
    folder
}

fn run(folder: &Path) -> Output {
    postern(&["run", "--config", &folder.join("postern.yaml").display().to_string()])
}

#[test]
fn why_reads_an_input_from_standard_input() {
    let folder =
        estate("package postern\n\ndefault decision := false\n\ndecision if input.now == 7\n", "state");
    fs::write(folder.path().join("input.json"), "{\"now\": 7}").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postern"))
        .args(["why", "-i", "-", "--bundle", &folder.path().join("policy").display().to_string()])
        .stdin(fs::File::open(folder.path().join("input.json")).unwrap())
        .output()
        .expect("postern starts");
    exits(0, &output, "the input of standard input");
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    exits(0, &postern(&["--version"]), "postern");
    exits(0, &postern(&["schema"]), "listeners");
    exits(2, &postern(&["run", "--confg", "x"]), "--config");
    exits(3, &postern(&["run", "--config", "/nonexistent.yaml"]), "/nonexistent.yaml");
    exits(4, &run(estate("package postern\ndecision :=", "state").path()), "main.rego:2");
    exits(5, &run(estate("package postern\ndefault decision := false", "file/state").path()), "file/state");
    exits(7, &postern(&["explain", "r-none", "--records", "/dev/null"]), "no record is called r-none");
    exits(7, &postern(&["explain", "PST-XX-001"]), "no code is called PST-XX-001");
    exits(3, &postern(&["explain", "r-none", "--records", "/nonexistent"]), "/nonexistent: cannot be read");
    exits(1, &postern(&["healthcheck", "live", "--admin", "unix:/nonexistent.sock"]), "no answer");
}

/// From within the folder of the configuration.
#[test]
fn a_configuration_of_a_bare_file_name_is_checked_as_one_with_its_folder_before_it() {
    let folder = estate("package postern\ndefault decision := false", "state");
    let file = folder.path().join("postern.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "records: { file: records.jsonl }\n").unwrap();
    for name in ["postern.yaml", "./postern.yaml"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
        command.args(["check", "--config", name]).current_dir(&folder);
        let output = command.output().expect("postern starts");
        for key in ["state", "records.file", "admin.socket"] {
            exits(0, &output, &format!("ok     {key}: "));
        }
    }
}

#[test]
fn a_refused_configuration_starts_nothing() {
    let folder = estate("package postern\ndefault decision := false", "state");
    let file = folder.path().join("postern.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "extra: 1\n").unwrap();
    exits(3, &run(folder.path()), "there is no key `extra` here");
    assert!(!folder.path().join("state").exists(), "the state folder was made");
}

#[test]
fn what_lies_in_the_state_folder_and_cannot_be_read_stops_the_start_by_name_and_stays() {
    for (name, next_step) in
        [("leases.journal", "move the journal away"), ("records.sequence", "move it out")]
    {
        let folder = estate("package postern\ndefault decision := false", "state");
        let file = folder.path().join("state").join(name);
        fs::create_dir(folder.path().join("state")).unwrap();
        fs::write(folder.path().join("state/lock"), "").unwrap();
        fs::write(&file, b"\xff\x00 not ours\n").unwrap();

        let output = run(folder.path());

        exits(5, &output, &file.display().to_string());
        exits(5, &output, next_step);
        assert_eq!(fs::read(&file).unwrap(), b"\xff\x00 not ours\n");
    }
}

#[test]
fn a_folder_of_somebody_elses_is_no_state_folder_and_is_not_closed() {
    let folder = estate("package postern\ndefault decision := false", "site");
    let site = folder.path().join("site");
    fs::create_dir(&site).unwrap();
    fs::set_permissions(&site, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(site.join("index.html"), "theirs").unwrap();

    let output = run(folder.path());

    for words in ["PST-OP-011", &format!("{} holds files", site.display()), "name an empty folder"] {
        exits(5, &output, words);
    }
    assert_eq!(fs::metadata(&site).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(&site).unwrap().count(), 1);
}

/// A running Postern; dropped, it is killed.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A fresh certificate that signs itself, into `chain.pem` and `key.pem`.
fn certificate(folder: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["front.test".to_owned()]).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}

#[test]
fn a_listeners_certificate_is_replaced_under_its_name_and_a_bad_one_changes_nothing() {
    let folder = estate("package postern\ndefault decision := false", "state");
    let (file, records) = (folder.path().join("postern.yaml"), folder.path().join("records.jsonl"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("65000'", &format!("{port}', certificate: {{ chain: chain.pem, key: key.pem }}"));
    fs::write(&file, text + "records: { file: records.jsonl }\n").unwrap();
    let first = certificate(folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    let _running = Running(command.arg("run").arg("--config").arg(&file).spawn().unwrap());
    let presents = |certificate: &[u8]| presented(port).is_some_and(|found| found == certificate);
    wait_until("the first is presented", || presents(&first));

    fs::write(folder.path().join("chain.pem"), "no certificate").unwrap();
    let refused = || {
        let text = fs::read_to_string(&records).unwrap();
        text.lines().any(|line| {
            line.contains("\"accepted\":false") && line.contains("chain.pem: holds no certificate")
        })
    };
    wait_until("a bad one is recorded", refused);
    assert!(presents(&first), "a bad one changed something");

    let second = certificate(folder.path());
    wait_until("the second is presented", || presents(&second));
}

fn wait_until(what: &str, is: impl Fn() -> bool) {
    let is = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        is()
    });
    assert!(is, "{what}");
}

/// The certificate that whoever listens on `port` presents.
fn presented(port: u16) -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), "front.test".try_into().unwrap()).unwrap();
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).ok()?;
    }
    Some(tls.peer_certificates()?.first()?.to_vec())
}

/// Takes whatever is presented, to look at it.
#[derive(Debug)]
struct Anyone(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
