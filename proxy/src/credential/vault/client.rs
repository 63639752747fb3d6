//! The wire to one vault: HTTP/1.1 on kept connections, over TLS unless it is loopback. Every call
//! has a deadline and a bounded answer; a redirect is never followed, not even to a configured
//! host, for it would take the token along.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::sync::Semaphore;

use super::answer::Answer;
use super::error::VaultError;
use super::unwatched::Unwatched;
use crate::config;
use crate::model::Secret;
use crate::wire::{self, Server};

/// The largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;
/// Calls in flight at a time; the rest wait for their turn, within their deadline.
const MAX_IN_FLIGHT: usize = 16;
/// Connections that are kept.
const MAX_KEPT: usize = 4;
/// The longest a vault's Retry-After is taken at its word.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Below `/v1/`.
    pub(super) path: &'a str,
    pub(super) token: Option<&'a Secret<String>>,
    pub(super) body: Option<Bytes>,
    /// Whether it may issue an account, so that the vault is to finish it whatever becomes of us.
    pub(super) issues: bool,
}

/// The wire.
pub(super) struct Client {
    server: Arc<config::Vault>,
    wire: Server,
    kept: RefCell<Vec<SendRequest<Full<Bytes>>>>,
    turns: Semaphore,
}

impl Client {
    /// A wire that is not connected yet. `tls` is how the server is proven, where its roots are not in a file.
    pub(super) fn new(
        server: Arc<config::Vault>,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Self, VaultError> {
        let tls = match (server.tls, tls) {
            (false, _) => None,
            (true, Some(config)) => Some(config),
            (true, None) => Some(trusting_roots_of(&server)?),
        };
        let tls = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(server.host.clone())
                    .map_err(|_| VaultError::Host(server.host.clone()))?;
                Some((config, name))
            }
        };
        let wire = Server::new(&server.host, server.port, tls);
        Ok(Self { server, wire, kept: RefCell::default(), turns: Semaphore::new(MAX_IN_FLIGHT) })
    }

    /// One call and its whole answer, within the vault's timeout.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, VaultError> {
        self.send_within(self.server.timeout, call).await
    }

    /// The same, within `limit`.
    pub(super) async fn send_within(&self, limit: Duration, call: Call<'_>) -> Result<Answer, VaultError> {
        tokio::time::timeout(limit, self.exchange(call)).await.map_err(|_| VaultError::Late(limit))?
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Answer, VaultError> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let issues = call.issues;
        let request = self.request(call)?;
        if issues {
            let mut unwatched = self.connect(Watch::Unwatched).await?;
            return read(unwatched.send_request(request).await.map_err(VaultError::Exchange)?).await;
        }
        let (response, connection) = self.answered(request).await?;
        let answer = read(response).await?;
        self.keep(connection);
        Ok(answer)
    }

    fn request(&self, call: Call<'_>) -> Result<Request<Full<Bytes>>, VaultError> {
        let not_a_path = |_| VaultError::Path(call.path.to_owned());
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("/v1/{}", call.path))
            .header(header::HOST, self.wire.authority())
            // An agent or proxy before the vault may insist on it, against forged requests of browsers.
            .header("X-Vault-Request", "true");
        if let Some(namespace) = &self.server.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(token) = call.token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| VaultError::Answer("gave a token that is not one"))?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(call.body.unwrap_or_default())).map_err(not_a_path)
    }

    /// Sends on a kept connection or on a new one. What a dying kept connection never took up is
    /// sent again; what may have reached the vault is not.
    async fn answered(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), VaultError> {
        loop {
            let popped = self.kept.borrow_mut().pop();
            let Some(mut kept) = popped else { break };
            if kept.ready().await.is_err() {
                continue;
            }
            match kept.try_send_request(request).await {
                Ok(response) => return Ok((response, kept)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(VaultError::Exchange(failed.into_error())),
                },
            }
        }
        let mut fresh = self.connect(Watch::Watched).await?;
        let response = fresh.send_request(request).await.map_err(VaultError::Exchange)?;
        Ok((response, fresh))
    }

    async fn connect(&self, watch: Watch) -> Result<SendRequest<Full<Bytes>>, VaultError> {
        let stream = self.wire.connect().await.map_err(VaultError::Connect)?;
        let speaking = match watch {
            Watch::Watched => wire::speak(stream).await,
            Watch::Unwatched => wire::speak(Unwatched::new(stream)).await,
        };
        speaking.map_err(VaultError::Exchange)
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < MAX_KEPT && !connection.is_closed() {
            kept.push(connection);
        }
    }
}

/// Whether the server may watch for our end, and drop what it does for us.
#[derive(Clone, Copy)]
enum Watch {
    Watched,
    Unwatched,
}

async fn read(response: Response<Incoming>) -> Result<Answer, VaultError> {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    let whole =
        Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| match error
            .downcast::<hyper::Error>(
        ) {
            Ok(broken) => VaultError::Exchange(*broken),
            Err(_) => VaultError::TooLarge(MAX_ANSWER),
        })?;
    Ok(Answer { status, retry_after, body: Secret::new(whole.to_bytes().to_vec()) })
}

fn trusting_roots_of(server: &config::Vault) -> Result<Arc<rustls::ClientConfig>, VaultError> {
    let Some(file) = &server.roots else { return Err(VaultError::Unproven) };
    let unusable = || VaultError::Roots(file.clone());
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(file).map_err(|_| unusable())? {
        roots.add(root.map_err(|_| unusable())?).map_err(|_| unusable())?;
    }
    if roots.is_empty() {
        return Err(unusable());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|_| unusable())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
