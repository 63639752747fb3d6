use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use spiffe::transport::{GrpcStatusCode, TransportError};
use spiffe::{JwtBundleSet, WorkloadApiClient, WorkloadApiError, X509Context};
use tokio_stream::{Stream, StreamExt};

use crate::fault::{Code, Coded};
use crate::identify::error::{IdentifyError, denied};
use crate::identify::jwk::JwtKey;
use crate::identify::svid::{OwnSvid, UnfitSvid};
use crate::model::Secret;

use super::{Output, SourceChange};

/// How long the agent may take to answer at all.
const ANSWER: Duration = Duration::from_secs(10);
/// Pauses between attempts: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Follows both profiles of a Workload API, for ever.
pub(super) async fn follow(endpoint: &str, out: &RefCell<Output>) {
    let api = Api { endpoint, out, failing: [Cell::new(None), Cell::new(None)] };
    tokio::join!(keep_up(Profile::X509, &api), keep_up(Profile::Jwt, &api));
}

/// A JWT-SVID of our default identity. Each call is a call to the agent, which caches.
pub(super) async fn token(endpoint: &str, audience: &str) -> Result<Secret<String>, IdentifyError> {
    let client = WorkloadApiClient::connect_to(endpoint).await?;
    Ok(Secret::new(client.fetch_jwt_token([audience], None).await?))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    /// Our SVIDs and the anchors.
    X509,
    /// The keys of JWT-SVIDs.
    Jwt,
}

/// What both profiles share.
struct Api<'a> {
    endpoint: &'a str,
    out: &'a RefCell<Output>,
    /// With what each profile fails, until it is answered again. What both fail with is said once.
    failing: [Cell<Option<&'static Code>>; 2],
}

impl Api<'_> {
    async fn client(&self) -> Result<WorkloadApiClient, WorkloadApiError> {
        WorkloadApiClient::connect_to(self.endpoint).await
    }

    /// Notes how `profile` fares. Whether that is news: neither of the two was so before.
    fn is_news(&self, profile: Profile, failing: Option<&'static Code>) -> bool {
        let [x509, jwt] = &self.failing;
        let (this, other) = if profile == Profile::X509 { (x509, jwt) } else { (jwt, x509) };
        let before = this.replace(failing);
        before != failing && other.get() != failing.or(before)
    }

    fn tell_failure(&self, what: SourceChange, error: &IdentifyError) {
        let detail = format!("{}: {error}", self.endpoint);
        self.out.borrow().tell(what, None, Some(error.code()), detail);
    }
}

/// How a stream ended.
enum Stopped {
    /// By itself.
    Ended,
    Failed(IdentifyError),
}

/// Reads one stream, opens it again when it ends, and gives up only where the standard says so
/// (Workload Endpoint, appendix A).
async fn keep_up(profile: Profile, api: &Api<'_>) {
    let mut attempt = Attempt { profile, api, pause: PAUSES.0 };
    loop {
        let stopped = match profile {
            Profile::X509 => {
                let opening = async { api.client().await?.stream_x509_contexts().await };
                attempt.follow(in_time(opening).await, take_context).await
            }
            Profile::Jwt => {
                let opening = async { api.client().await?.stream_jwt_bundles().await };
                attempt.follow(in_time(opening).await, take_bundles).await
            }
        };
        match stopped {
            Stopped::Ended => {}
            Stopped::Failed(error) if is_final(&error) => {
                api.is_news(profile, None);
                return api.tell_failure(SourceChange::GivenUp, &error);
            }
            Stopped::Failed(error) => attempt.failed(&error),
        }
        tokio::time::sleep(attempt.next_pause()).await;
    }
}

struct Attempt<'a> {
    profile: Profile,
    api: &'a Api<'a>,
    pause: Duration,
}

impl Attempt<'_> {
    /// Takes what the stream brings, until it ends.
    async fn follow<T>(
        &mut self,
        opened: Result<impl Stream<Item = Result<T, WorkloadApiError>>, IdentifyError>,
        take: impl Fn(&T, &mut Output) -> Result<(), IdentifyError>,
    ) -> Stopped {
        let mut stream = match opened {
            Ok(stream) => pin!(stream),
            Err(error) => return Stopped::Failed(error),
        };
        while let Some(brought) = stream.next().await {
            let taken = match brought {
                Ok(brought) => take(&brought, &mut self.api.out.borrow_mut()),
                Err(error) if ends_stream(&error) => return Stopped::Failed(error.into()),
                Err(error) => Err(error.into()),
            };
            match taken {
                Ok(()) => self.succeeded(),
                // One bad message: what was held before holds on (Workload API 4.5).
                Err(error) => self.failed(&error),
            }
        }
        Stopped::Ended
    }

    fn succeeded(&mut self) {
        self.pause = PAUSES.0;
        if self.api.is_news(self.profile, None) {
            self.api.out.borrow().tell(SourceChange::Recovered, None, None, self.api.endpoint.to_owned());
        }
    }

    fn failed(&self, error: &IdentifyError) {
        let is_news = self.api.is_news(self.profile, Some(error.code()));
        if matches!(error, IdentifyError::WorkloadApi(error) if denied(error)) {
            self.withdraw(error, is_news);
        } else if is_news {
            self.api.tell_failure(SourceChange::Failing, error);
        }
    }

    /// We are nobody: stop using what we were given (Workload API 5.2.1).
    fn withdraw(&self, error: &IdentifyError, is_news: bool) {
        let held = {
            let out = self.api.out.borrow();
            match self.profile {
                Profile::X509 => out.svids.current().value.default_id().is_some() || !out.anchors.is_empty(),
                Profile::Jwt => !out.keys.is_empty(),
            }
        };
        if held || is_news {
            self.api.tell_failure(SourceChange::Withdrawn, error);
        }
        let mut out = self.api.out.borrow_mut();
        if held && self.profile == Profile::X509 {
            out.set_svids(Vec::new());
            out.set_anchors(BTreeMap::new());
        } else if held {
            out.set_keys(BTreeMap::new());
        }
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES.1);
        pause
    }
}

/// Anchors first, so that no SVID is presented before its issuer is known to our own callers.
fn take_context(context: &X509Context, out: &mut Output) -> Result<(), IdentifyError> {
    let mut svids = Vec::new();
    for svid in context.svids() {
        let chain = svid.cert_chain().iter().map(|c| CertificateDer::from(c.as_bytes().to_vec())).collect();
        let key = PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec());
        svids.push(OwnSvid::new(chain, PrivateKeyDer::Pkcs8(key)).map_err(|unfit| match unfit {
            UnfitSvid::Svid(reason) => IdentifyError::OwnSvid(reason),
            UnfitSvid::Key(error) => IdentifyError::Tls(error),
        })?);
    }
    let mut given = BTreeMap::new();
    for (domain, bundle) in context.bundle_set().iter() {
        if let Some(domain) = out.listed(domain.as_str()) {
            let anchors = bundle.authorities().iter().map(|anchor| anchor.as_bytes().to_vec()).collect();
            given.insert(domain, anchors);
        }
    }
    out.set_anchors(given);
    out.set_svids(svids);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "a stream's messages may be bad, those of this one are not")]
fn take_bundles(bundles: &JwtBundleSet, out: &mut Output) -> Result<(), IdentifyError> {
    let mut next = BTreeMap::new();
    for (domain, bundle) in bundles.iter() {
        if let Some(domain) = out.listed(domain.as_str()) {
            // The client holds the set taken apart, by key id; each key is read by our own rules.
            let mut keys: Vec<_> =
                bundle.jwt_authorities().filter_map(|key| JwtKey::from_json(key.jwk_json())).collect();
            keys.sort_by(|one, other| one.kid.cmp(&other.kid));
            next.insert(domain, Arc::from(keys));
        }
    }
    out.set_keys(next);
    Ok(())
}

async fn in_time<T>(opening: impl Future<Output = Result<T, WorkloadApiError>>) -> Result<T, IdentifyError> {
    match tokio::time::timeout(ANSWER, opening).await {
        Ok(opened) => Ok(opened?),
        Err(_) => Err(IdentifyError::SourceLate),
    }
}

const fn ends_stream(error: &WorkloadApiError) -> bool {
    matches!(error, WorkloadApiError::Transport(_)) || denied(error)
}

/// What is wrong with the question, or not offered, is not asked again (Workload Endpoint, appendix A).
fn is_final(error: &IdentifyError) -> bool {
    let IdentifyError::WorkloadApi(error) = error else { return false };
    match &**error {
        WorkloadApiError::Endpoint(_) => true,
        WorkloadApiError::Transport(TransportError::Status(status)) => {
            matches!(status.code(), GrpcStatusCode::InvalidArgument | GrpcStatusCode::Unimplemented)
        }
        _ => false,
    }
}
