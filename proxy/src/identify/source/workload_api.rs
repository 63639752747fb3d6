use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use spiffe::transport::{GrpcStatusCode, TransportError};
use spiffe::{JwtBundleSet, WorkloadApiClient, WorkloadApiError, X509Context};
use tokio_stream::StreamExt;

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
    tokio::join!(keep_up(Profile::X509, endpoint, out), keep_up(Profile::Jwt, endpoint, out));
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

/// How a stream ended.
enum Stopped {
    /// By itself.
    Ended,
    Failed(IdentifyError),
}

/// Reads one stream, opens it again when it ends, and gives up only where the standard says so
/// (Workload Endpoint, appendix A).
async fn keep_up(profile: Profile, endpoint: &str, out: &RefCell<Output>) {
    let mut attempt = Attempt { profile, out, failing: false, pause: PAUSES.0 };
    loop {
        let stopped = match profile {
            Profile::X509 => attempt.x509(endpoint).await,
            Profile::Jwt => attempt.jwt(endpoint).await,
        };
        match stopped {
            Stopped::Ended => {}
            Stopped::Failed(error) if is_final(&error) => {
                return out.borrow().tell_failure(SourceChange::GivenUp, &error);
            }
            Stopped::Failed(error) => attempt.failed(&error),
        }
        tokio::time::sleep(attempt.next_pause()).await;
    }
}

struct Attempt<'a> {
    profile: Profile,
    out: &'a RefCell<Output>,
    failing: bool,
    pause: Duration,
}

impl Attempt<'_> {
    async fn x509(&mut self, endpoint: &str) -> Stopped {
        let opening = async {
            let client = WorkloadApiClient::connect_to(endpoint).await?;
            client.stream_x509_contexts().await
        };
        let stream = match in_time(opening).await {
            Ok(stream) => stream,
            Err(error) => return Stopped::Failed(error),
        };
        let mut stream = pin!(stream);
        loop {
            match stream.next().await {
                None => return Stopped::Ended,
                Some(Ok(context)) => {
                    let taken = take_context(&context, &mut self.out.borrow_mut());
                    match taken {
                        Ok(()) => self.succeeded(),
                        Err(error) => self.out.borrow().tell_failure(SourceChange::Failing, &error),
                    }
                }
                Some(Err(error)) if ends_stream(&error) => return Stopped::Failed(error.into()),
                // One bad message: what was held before holds on (Workload API 4.5).
                Some(Err(error)) => self.out.borrow().tell_failure(SourceChange::Failing, &error.into()),
            }
        }
    }

    async fn jwt(&mut self, endpoint: &str) -> Stopped {
        let opening = async {
            let client = WorkloadApiClient::connect_to(endpoint).await?;
            client.stream_jwt_bundles().await
        };
        let stream = match in_time(opening).await {
            Ok(stream) => stream,
            Err(error) => return Stopped::Failed(error),
        };
        let mut stream = pin!(stream);
        loop {
            match stream.next().await {
                None => return Stopped::Ended,
                Some(Ok(bundles)) => {
                    take_bundles(&bundles, &mut self.out.borrow_mut());
                    self.succeeded();
                }
                Some(Err(error)) if ends_stream(&error) => return Stopped::Failed(error.into()),
                Some(Err(error)) => self.out.borrow().tell_failure(SourceChange::Failing, &error.into()),
            }
        }
    }

    fn succeeded(&mut self) {
        self.pause = PAUSES.0;
        if std::mem::take(&mut self.failing) {
            self.out.borrow().tell(SourceChange::Recovered, None, None, format!("{:?}", self.profile));
        }
    }

    fn failed(&mut self, error: &IdentifyError) {
        if matches!(error, IdentifyError::WorkloadApi(error) if denied(error)) {
            self.withdraw(error);
        } else if !self.failing {
            self.out.borrow().tell_failure(SourceChange::Failing, error);
        }
        self.failing = true;
    }

    /// We are nobody: stop using what we were given (Workload API 5.2.1).
    fn withdraw(&self, error: &IdentifyError) {
        let mut out = self.out.borrow_mut();
        let held = match self.profile {
            Profile::X509 => out.svids.current().value.default_id().is_some() || !out.anchors.is_empty(),
            Profile::Jwt => !out.keys.is_empty(),
        };
        if held || !self.failing {
            out.tell_failure(SourceChange::Withdrawn, error);
        }
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

fn take_bundles(bundles: &JwtBundleSet, out: &mut Output) {
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
