//! The floor: the least proxy on hyper and rustls that does the whole job for one upstream. Mutual TLS 1.3, the
//! caller's SPIFFE ID read once per connection, one header set, a pool of upstream connections, one thread. No
//! policy, no records, no limits: what Postern costs above it is what Postern does. A program of its own, for its
//! size and its memory are measured too.
//!
//! `postern-benches-floor LISTEN UPSTREAM AUTHORIZATION FOLDER`
#![expect(clippy::print_stderr, reason = "a command line speaks to its reader")]

mod pem;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Any error of a tool that only tells it.
type Failure = Box<dyn Error + Send + Sync>;

struct Floor {
    listen: SocketAddr,
    upstream: SocketAddr,
    authorization: HeaderValue,
    /// Where the certificates are.
    site: PathBuf,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("postern-benches-floor: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, authorization, site] = words.as_slice() else {
        return Err("wants LISTEN UPSTREAM AUTHORIZATION FOLDER".into());
    };
    let floor = Floor {
        listen: listen.parse()?,
        upstream: upstream.parse()?,
        authorization: HeaderValue::from_str(authorization)?,
        site: site.into(),
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(floor.serve())
}

/// Where requests go, and the connections there that wait for one.
struct Upstream {
    address: SocketAddr,
    authorization: HeaderValue,
    waiting: Mutex<Vec<SendRequest<Incoming>>>,
}

impl Floor {
    async fn serve(self) -> Result<(), Failure> {
        let acceptor = TlsAcceptor::from(Arc::new(tls(&self.site)?));
        let (address, authorization) = (self.upstream, self.authorization);
        let upstream = Arc::new(Upstream { address, authorization, waiting: Mutex::default() });
        let listener = TcpListener::bind(self.listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let (acceptor, upstream) = (acceptor.clone(), Arc::clone(&upstream));
            tokio::spawn(async move {
                // Whoever fails here is told by the load generator.
                drop(connection(stream, acceptor, upstream).await);
            });
        }
    }
}

fn tls(site: &std::path::Path) -> Result<rustls::ServerConfig, Failure> {
    let (chain, key) = pem::identity(site, "gate")?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(pem::roots(site)?)).build()?;
    let mut config = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    // As for every proxy here: no resumption, no tickets.
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    upstream: Arc<Upstream>,
) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).ok_or("no certificate")?;
    let caller: Arc<str> = spiffe_id(leaf).ok_or("no SPIFFE ID")?.into();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let upstream = Arc::clone(&upstream);
        request.extensions_mut().insert(Arc::clone(&caller));
        async move { upstream.forward(request).await }
    });
    let serving = hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).to_owned();
    Ok(serving.serve_connection(TokioIo::new(stream), service).await?)
}

fn spiffe_id(leaf: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) if uri.starts_with("spiffe://") => Some((*uri).to_owned()),
        _ => None,
    })
}

impl Upstream {
    async fn forward(&self, mut request: Request<Incoming>) -> io::Result<Response<Incoming>> {
        request.headers_mut().insert(header::AUTHORIZATION, self.authorization.clone());
        let mut sender = match self.waiting() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        // It is ready again once the body has been read.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok(response)
    }

    fn waiting(&self) -> Option<SendRequest<Incoming>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|sender| !sender.is_closed());
        let ready = waiting.iter().rposition(SendRequest::is_ready)?;
        Some(waiting.swap_remove(ready))
    }

    async fn connect(&self) -> io::Result<SendRequest<Incoming>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, driver) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(driver);
        sender.ready().await.map_err(io::Error::other)?;
        Ok(sender)
    }
}
