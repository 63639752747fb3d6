use std::{convert::Infallible, process::Output, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use postern_lab::{Authority, authority::Entry};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::caller_program;

const CALLER: &str = "spiffe://lab.example/caller";
const SERVER: &str = "spiffe://lab.example/server";

struct Site {
    authority: Authority,
    url: String,
    _folder: TempDir,
}

impl Site {
    /// A server that has an SVID, wants one, and answers with the id it saw.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::start("lab.example", &folder.path().join("agent.sock")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/who", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(tls(&authority)));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                // A failed handshake is a caller refused.
                let Ok(socket) = acceptor.accept(socket).await else { continue };
                let leaf = socket.get_ref().1.peer_certificates().unwrap()[0].clone();
                let id = spiffe::cert::spiffe_id_from_der(&leaf).unwrap().to_string();
                let service = service_fn(move |request: Request<Incoming>| {
                    let body = format!("{id} {} {}", request.method(), request.uri());
                    async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body)))) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { authority, url, _folder: folder }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = std::process::Command::new(caller_program());
        command.args(["caller", &self.url]).args(arguments);
        command.env("SPIFFE_ENDPOINT_SOCKET", self.authority.endpoint());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }
}

fn tls(authority: &Authority) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.bundle().x509)).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
    let svid = authority.mint_x509(SERVER).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from(svid.certificate)],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(svid.key)),
        )
        .unwrap()
}

#[tokio::test]
async fn a_caller_proves_itself_and_wants_the_server_proven() {
    let site = Site::new().await;
    site.authority.admit(Entry::for_program(CALLER, caller_program()).unwrap());

    let answered = site.run(&["--server", SERVER, "--method", "PUT"]).await;
    let other = site.run(&["--server", "spiffe://lab.example/other"]).await;

    let said = String::from_utf8(answered.stdout).unwrap();
    assert_eq!(said, format!("200 OK\n{CALLER} PUT /who"), "{}", String::from_utf8_lossy(&answered.stderr));
    assert!(!other.status.success() && other.stdout.is_empty());
}

#[tokio::test]
async fn a_caller_without_an_svid_stops_or_is_stopped() {
    let site = Site::new().await;

    let stops = site.run(&[]).await;
    let stopped = site.run(&["--anyway"]).await;

    assert!(!stops.status.success() && String::from_utf8_lossy(&stops.stderr).contains("no identity issued"));
    assert!(!stopped.status.success() && stopped.stdout.is_empty());
    assert!(!String::from_utf8_lossy(&stopped.stderr).contains("no identity issued"));
}
