//! A caller as small as one can be: fetches its SVID from the Workload API, makes one request over mTLS,
//! prints the answer. The tour runs copies of the lab's own binary as this.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use spiffe::{WorkloadApiClient, WorkloadApiError, X509Context};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const BODY_LIMIT: usize = 1 << 20;

/// One request.
#[derive(Debug, Clone, clap::Args)]
pub struct Call {
    /// Where to, `https://127.0.0.1:PORT/path`; without it the caller only prints who it is.
    pub url: Option<Uri>,
    /// The SPIFFE ID the server must prove.
    #[arg(long, requires = "url")]
    pub server: Option<String>,
    /// Go on without an SVID where none is given, believing any server.
    #[arg(long)]
    pub anyway: bool,
    /// The request's method.
    #[arg(long, default_value = "GET")]
    pub method: http::Method,
    /// The request's body.
    #[arg(long, default_value = "")]
    pub body: String,
}

/// Why there is no answer to print.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The Workload API gave no SVID.
    #[error("the Workload API gives no SVID: {0}")]
    Svid(#[from] WorkloadApiError),
    /// The Workload API answered without an SVID or without its bundle.
    #[error("the Workload API's answer is incomplete")]
    Incomplete,
    /// The URL lacks a host or port.
    #[error("the URL needs a host and a port")]
    Url,
    /// The connection failed.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The request failed.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("not a request: {0}")]
    Request(#[from] http::Error),
    /// The answer's body failed or is over a megabyte.
    #[error("the answer's body: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

/// Makes the call as whoever the Workload API at `SPIFFE_ENDPOINT_SOCKET` says we are; gives what to print.
pub async fn call(call: Call) -> Result<String, CallError> {
    let context = match WorkloadApiClient::connect_env().await?.fetch_x509_context().await {
        Err(WorkloadApiError::NoIdentityIssued) if call.anyway => None,
        context => Some(context?),
    };
    let svid = context.as_ref().and_then(X509Context::default_svid);
    let name = svid.map_or("nobody".into(), |svid| svid.spiffe_id().to_string());
    let Some(url) = call.url.clone() else { return Ok(format!("{name}\n")) };
    let (host, port) = url.host().zip(url.port_u16()).ok_or(CallError::Url)?;

    let tls = TlsConnector::from(Arc::new(tls(context.as_ref(), call.server)?));
    let name = ServerName::try_from(host.to_owned()).map_err(|_| CallError::Url)?;
    let socket = tls.connect(name, TcpStream::connect((host, port)).await?).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);

    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(&call.method)
        .uri(path)
        .header(header::HOST, url.authority().map_or(host, |authority| authority.as_str()))
        .body(Full::new(Bytes::from(call.body)))?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(CallError::Body)?.to_bytes();
    Ok(format!("{}\n{}", head.status, String::from_utf8_lossy(&body)))
}

fn tls(context: Option<&X509Context>, expected: Option<String>) -> Result<ClientConfig, CallError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = context.map(roots).transpose()?;
    let verifier = SpiffeServer { roots, expected, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some(svid) = context.and_then(X509Context::default_svid) else {
        return Ok(config.with_no_client_auth());
    };
    let chain = svid.cert_chain().iter().map(|link| CertificateDer::from(link.as_bytes().to_vec())).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec()));
    Ok(config.with_client_auth_cert(chain, key)?)
}

/// What our own trust domain's servers must chain to.
fn roots(context: &X509Context) -> Result<RootCertStore, CallError> {
    let svid = context.default_svid().ok_or(CallError::Incomplete)?;
    let bundle = context.bundle_set().get(svid.spiffe_id().trust_domain()).ok_or(CallError::Incomplete)?;
    let mut roots = RootCertStore::empty();
    for authority in bundle.authorities() {
        roots.add(CertificateDer::from(authority.as_bytes()))?;
    }
    Ok(roots)
}

/// Proves a server by its chain and its SPIFFE ID; names mean nothing.
struct SpiffeServer {
    /// None: whoever answers will do.
    roots: Option<RootCertStore>,
    expected: Option<String>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for SpiffeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpiffeServer").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for SpiffeServer {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(leaf)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
        let id = spiffe::cert::spiffe_id_from_der(leaf)
            .map_err(|_| CertificateError::ApplicationVerificationFailure)?;
        match &self.expected {
            Some(expected) if *expected != id.to_string() => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _leaf: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
