use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};

use super::error::ServiceError;
use crate::clock::SharedClock;
use crate::config::{BundleService, Endpoint};
use crate::identify::{self, Identities};
use crate::model::Secret;
use crate::wire::{self, Server};

/// What a service calls its bundles that can wait for something new (OPA, "HTTP Long Polling").
pub(super) const BUNDLES: &str = "application/vnd.openpolicyagent.bundles";
/// What an archive is called else. OPA takes any name; a page of HTML is better named than unpacked.
const ARCHIVES: [&str; 7] = [
    "application/gzip",
    "application/octet-stream",
    "application/x-gzip",
    "application/x-tar",
    "application/x-gtar",
    "application/x-compressed-tar",
    "binary/octet-stream",
];
/// The longest until a service is connected and proven; a host that is gone may answer nothing at all.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest `ETag` that is kept, in bytes.
const MAX_ETAG: usize = 1024;

/// The way to a service. Nothing is kept between requests, so that a rotated token, root or SVID counts at once.
#[derive(Clone)]
pub struct Client {
    identities: Identities,
    clock: SharedClock,
}

/// What a service answered.
#[derive(Debug)]
pub enum Answer {
    /// A bundle.
    Bundle {
        /// A gzipped tar, or whatever the service took for one.
        archive: Bytes,
        /// Names it.
        etag: Option<String>,
        /// Whether the service can wait for something new.
        waits: bool,
    },
    /// Nothing is new.
    Unchanged {
        /// What to ask with from now on.
        etag: Option<String>,
        /// Whether the service can wait for something new.
        waits: bool,
    },
}

impl Client {
    /// A way for whoever presents `identities`.
    #[must_use]
    pub const fn new(identities: Identities, clock: SharedClock) -> Self {
        Self { identities, clock }
    }

    /// Whether what is needed to prove the service, or ourselves to it, is there.
    #[must_use]
    pub fn is_equipped(&self, endpoint: &Endpoint) -> bool {
        let presents = endpoint.tls.as_ref().is_some_and(|tls| tls.present_svid);
        !presents || self.identities.svids.load().value.are_live(self.clock.now().unix_seconds())
    }

    /// Asks once for a bundle that is not the one of `etag`. With `wait`, the service may take so long until there is
    /// one.
    pub async fn ask(
        &self,
        service: &BundleService,
        etag: Option<&str>,
        wait: Option<Duration>,
    ) -> Result<Answer, ServiceError> {
        let limit = service.endpoint.timeout.saturating_add(wait.unwrap_or_default());
        let asking = async {
            let mut prefer = "modes=snapshot".to_owned();
            if let Some(wait) = wait {
                prefer = format!("{prefer};wait={}", wait.as_secs());
            }
            let request = Request::get(&service.endpoint.path)
                // Set in any case, as OPA does: empty where there is nothing to compare with.
                .header(header::IF_NONE_MATCH, etag.unwrap_or_default())
                .header("Prefer", prefer);
            let request = request.body(Full::default()).map_err(|_| ServiceError::Fault)?;
            let (response, token) = self.exchange(&service.endpoint, request).await?;
            answer(response, service, etag, token.as_ref()).await
        };
        tokio::time::timeout(limit, asking).await.map_err(|_| ServiceError::Late(limit))?
    }

    /// Posts a JSON document; the answer's body is not read.
    pub(super) async fn report(&self, endpoint: &Endpoint, body: Vec<u8>) -> Result<(), ServiceError> {
        let posting = async {
            let request = Request::post(&endpoint.path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::new(Bytes::from(body)))
                .map_err(|_| ServiceError::Fault)?;
            let (response, token) = self.exchange(endpoint, request).await?;
            match response.status() {
                status if status.is_success() => Ok(()),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    Err(ServiceError::Denied(response.status().as_u16()))
                }
                status if status.is_redirection() => {
                    Err(redirect(status, response.headers(), token.as_ref()))
                }
                status => Err(ServiceError::Status(status.as_u16())),
            }
        };
        let limit = endpoint.timeout;
        tokio::time::timeout(limit, posting).await.map_err(|_| ServiceError::Late(limit))?
    }

    /// Our own SPIFFE ID, where we have one.
    pub(super) fn id(&self) -> Option<String> {
        self.identities.svids.load().value.default_id().map(ToString::to_string)
    }

    /// One request, the head of its answer, and the token that it went with. The caller sets the deadline.
    async fn exchange(
        &self,
        endpoint: &Endpoint,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Option<Secret<String>>), ServiceError> {
        let mut token = None;
        if let Some(file) = &endpoint.token_file {
            let wrong = |cause| ServiceError::Token { file: file.clone(), cause };
            let token = token.insert(wire::token(file).await.map_err(wrong)?);
            let bearer = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
            let mut value = HeaderValue::from_str(&bearer).map_err(|_| ServiceError::Fault)?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let server = self.server(endpoint)?;
        let host = HeaderValue::from_str(&server.authority()).map_err(|_| ServiceError::Fault)?;
        request.headers_mut().insert(header::HOST, host);
        let agent = HeaderValue::from_static(concat!("postern/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        let limit = CONNECT.min(endpoint.timeout);
        let connected = tokio::time::timeout(limit, server.connect()).await;
        let stream = connected.map_err(|_| ServiceError::Late(limit))?.map_err(ServiceError::Connect)?;
        let mut sender = wire::speak(stream).await.map_err(ServiceError::Exchange)?;
        Ok((sender.send_request(request).await.map_err(ServiceError::Exchange)?, token))
    }

    fn server(&self, endpoint: &Endpoint) -> Result<Server, ServiceError> {
        let tls = match &endpoint.tls {
            None => None,
            Some(tls) => {
                let config = identify::upstream_tls(tls, &self.identities, Arc::clone(&self.clock));
                let name = identify::server_name(tls, &endpoint.host).map_err(ServiceError::Tls)?;
                Some((Arc::new(config.map_err(ServiceError::Tls)?), name))
            }
        };
        Ok(Server::new(&endpoint.host, endpoint.port, tls))
    }
}

async fn answer(
    response: Response<Incoming>,
    service: &BundleService,
    asked: Option<&str>,
    token: Option<&Secret<String>>,
) -> Result<Answer, ServiceError> {
    let (status, headers) = (response.status(), response.headers());
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let waits = kind.as_deref() == Some(BUNDLES);
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED => {
            let asked = asked.ok_or(ServiceError::NothingToKeep)?;
            return Ok(Answer::Unchanged { etag: etag(headers).or_else(|| Some(asked.to_owned())), waits });
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(ServiceError::Denied(status.as_u16()));
        }
        _ if status.is_redirection() => return Err(redirect(status, headers, token)),
        _ => return Err(ServiceError::Status(status.as_u16())),
    }
    if let Some(kind) = kind.filter(|kind| !is_archive(kind)) {
        return Err(ServiceError::ContentType(shown(&kind, token)));
    }
    let etag = etag(headers);
    let archive = whole(response.into_body(), service.size).await?;
    if archive.is_empty() {
        return Err(ServiceError::Empty);
    }
    Ok(Answer::Bundle { archive, etag, waits })
}

/// A body of at most `most` bytes, in one piece: pieces of a byte each would cost forty times their size.
async fn whole(mut body: Incoming, most: usize) -> Result<Bytes, ServiceError> {
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > most {
        return Err(ServiceError::TooLarge(most));
    }
    let mut whole = Vec::with_capacity(said);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(ServiceError::Exchange)?.into_data() else { continue };
        if piece.len() > most.saturating_sub(whole.len()) {
            return Err(ServiceError::TooLarge(most));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

fn redirect(status: StatusCode, headers: &HeaderMap, token: Option<&Secret<String>>) -> ServiceError {
    let to = headers.get(header::LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
    let to = shown(to.as_deref().unwrap_or("nowhere"), token);
    ServiceError::Redirect { status: status.as_u16(), to }
}

fn is_archive(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(BUNDLES) || ARCHIVES.iter().any(|archive| kind.eq_ignore_ascii_case(archive))
}

fn etag(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(header::ETAG)?.to_str().ok()?;
    (!etag.is_empty() && etag.len() <= MAX_ETAG).then(|| etag.to_owned())
}

/// What a stranger wrote, for a message: without query, for that may be a secret, without the token that it was sent,
/// and not long.
fn shown(text: &str, token: Option<&Secret<String>>) -> String {
    let text = token.map_or_else(|| text.to_owned(), |token| text.replace(token.expose().as_str(), "…"));
    let text = text.split(['?', '#']).next().unwrap_or_default();
    crate::config::without_user(text).chars().take(200).flat_map(char::escape_debug).collect()
}
