//! The Workload API's five methods over gRPC, each caller attested anew at each call and each push.

use std::{
    collections::HashMap, convert::Infallible, future::pending, os::unix::net, sync::Arc, time::Duration,
};

use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{mpsc, watch},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Response, Status,
    codegen::BoxFuture,
    server::{Grpc, ServerStreamingService, UnaryService},
};
use tonic_prost::ProstCodec;

use super::{AuthorityError, Entry, Shared, State, attest::Peer, mend, proto};
use crate::{held, jwt, part::ACCEPT_PAUSE};

/// Bytes between the socket and HTTP/2.
const PIPE: usize = 16 * 1024;

pub(super) async fn serve(listener: net::UnixListener, shared: Arc<Shared>) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the Workload API cannot listen"),
    };
    loop {
        let accepted = listener.accept().await.and_then(|(socket, _)| Ok((Peer::of(&socket)?, socket)));
        match accepted {
            Ok((peer, socket)) => {
                tokio::spawn(connection(socket, Api { shared: shared.clone(), peer: Arc::new(peer) }));
            }
            Err(error) => {
                tracing::warn!(%error, "a Workload API connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(socket: UnixStream, api: Api) {
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.route(request).await) }
    });
    let (incoming, outgoing) = socket.into_split();
    let (mended, to_mended) = tokio::io::simplex(PIPE);
    let socket = TokioIo::new(tokio::io::join(mended, outgoing));
    let served = http2::Builder::new(TokioExecutor::new()).serve_connection(socket, service);
    let passed = async {
        if let Err(error) = mend::pass(incoming, to_mended).await {
            tracing::debug!(%error, "a Workload API connection's inward half ended");
        }
        // The other half goes on until it is done.
        pending::<()>().await;
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::debug!(%error, "a Workload API connection ended");
        },
        () = passed => {}
    }
}

/// The API as one connected process sees it.
#[derive(Clone)]
struct Api {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
}

impl Api {
    async fn route(self, request: http::Request<Incoming>) -> http::Response<tonic::body::Body> {
        match request.uri().path() {
            "/SpiffeWorkloadAPI/FetchX509SVID" => self.stream(x509_svids, request).await,
            "/SpiffeWorkloadAPI/FetchX509Bundles" => self.stream(x509_bundles, request).await,
            "/SpiffeWorkloadAPI/FetchJWTBundles" => self.stream(jwt_bundles, request).await,
            "/SpiffeWorkloadAPI/FetchJWTSVID" => {
                let codec = ProstCodec::<proto::JwtSvidResponse, proto::JwtSvidRequest>::default();
                Grpc::new(codec).unary(FetchJwtSvid(self), request).await
            }
            "/SpiffeWorkloadAPI/ValidateJWTSVID" => {
                let codec =
                    ProstCodec::<proto::ValidateJwtSvidResponse, proto::ValidateJwtSvidRequest>::default();
                Grpc::new(codec).unary(ValidateJwtSvid(self), request).await
            }
            _ => Status::unimplemented("not a profile of this authority").into_http(),
        }
    }

    async fn stream<M>(
        self,
        make: Make<M>,
        request: http::Request<Incoming>,
    ) -> http::Response<tonic::body::Body>
    where
        M: prost::Message + Clone + PartialEq + 'static,
    {
        let codec = ProstCodec::<M, proto::Empty>::default();
        Grpc::new(codec).server_streaming(Streamed(self, make), request).await
    }

    /// What the process that calls is entitled to; never empty.
    async fn entries(&self) -> Result<Vec<Entry>, Status> {
        let peer = self.peer.clone();
        let attested = tokio::task::spawn_blocking(move || peer.attest());
        let workload = attested
            .await
            .map_err(|lost| Status::internal(lost.to_string()))?
            .map_err(|refused| Status::permission_denied(refused.to_string()))?;
        let entries = held(&self.shared.state).entries_of(&workload);
        if entries.is_empty() {
            tracing::info!(pid = workload.pid, path = %workload.path.display(), "not a workload");
            return Err(Status::permission_denied("no identity issued"));
        }
        Ok(entries)
    }
}

/// Standards WA-2: it shows that no browser or proxy was tricked into calling.
fn require_header<R>(request: &Request<R>) -> Result<(), Status> {
    match request.metadata().get("workload.spiffe.io") {
        Some(value) if value.as_bytes() == b"true" => Ok(()),
        _ => Err(Status::invalid_argument("the metadata workload.spiffe.io: true is missing")),
    }
}

fn internal(failed: &AuthorityError) -> Status {
    Status::internal(failed.to_string())
}

/// What a stream sends next, and how long it may stand at most.
struct Push<M> {
    message: M,
    stands: Option<Duration>,
}

type Make<M> = fn(&Shared, &State, &[Entry]) -> Result<Push<M>, AuthorityError>;

fn x509_svids(
    _: &Shared,
    state: &State,
    entries: &[Entry],
) -> Result<Push<proto::X509SvidResponse>, AuthorityError> {
    let mut message = proto::X509SvidResponse::default();
    for entry in entries {
        let svid = state.issue_x509(&entry.id, entry.dns.as_deref())?;
        message.svids.push(proto::X509Svid {
            spiffe_id: entry.id.clone(),
            x509_svid: svid.certificate,
            x509_svid_key: svid.key,
            bundle: state.x509_bundle(),
            hint: String::new(),
        });
    }
    message.federated_bundles = foreign(state, |bundle| bundle.x509.clone());
    Ok(Push { message, stands: Some(state.x509_ttl / 2) })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every `Make`")]
fn x509_bundles(
    shared: &Shared,
    state: &State,
    _: &[Entry],
) -> Result<Push<proto::X509BundlesResponse>, AuthorityError> {
    let mut bundles = foreign(state, |bundle| bundle.x509.clone());
    bundles.insert(shared.id(), state.x509_bundle());
    Ok(Push { message: proto::X509BundlesResponse { bundles }, stands: None })
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every `Make`")]
fn jwt_bundles(
    shared: &Shared,
    state: &State,
    _: &[Entry],
) -> Result<Push<proto::JwtBundlesResponse>, AuthorityError> {
    let mut bundles = foreign(state, |bundle| bundle.jwks.clone().into_bytes());
    bundles.insert(shared.id(), state.jwks().into_bytes());
    Ok(Push { message: proto::JwtBundlesResponse { bundles }, stands: None })
}

fn foreign(state: &State, take: fn(&super::Foreign) -> Vec<u8>) -> HashMap<String, Vec<u8>> {
    state.foreign.iter().map(|(id, bundle)| (id.clone(), take(bundle))).collect()
}

/// A method that answers now and again whenever the answer has changed or aged.
struct Streamed<M>(Api, Make<M>);

impl<M> ServerStreamingService<proto::Empty> for Streamed<M>
where
    M: prost::Message + Clone + PartialEq + 'static,
{
    type Response = M;
    type ResponseStream = ReceiverStream<Result<M, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<proto::Empty>) -> Self::Future {
        let called = require_header(&request);
        let (api, make) = (self.0.clone(), self.1);
        Box::pin(async move {
            called?;
            let changes = api.shared.revision.subscribe();
            let first = next(&api, make).await?;
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(push(api, make, first, changes, sender));
            Ok(Response::new(ReceiverStream::new(receiver)))
        })
    }
}

async fn next<M>(api: &Api, make: Make<M>) -> Result<Push<M>, Status> {
    let entries = api.entries().await?;
    make(&api.shared, &held(&api.shared.state), &entries).map_err(|failed| internal(&failed))
}

/// Sends until the caller goes or is no workload any more.
async fn push<M: Clone + PartialEq>(
    api: Api,
    make: Make<M>,
    mut current: Push<M>,
    mut changes: watch::Receiver<u64>,
    sender: mpsc::Sender<Result<M, Status>>,
) {
    let mut sent = None;
    loop {
        if sent.as_ref() != Some(&current.message) {
            sent = Some(current.message.clone());
            if sender.send(Ok(current.message)).await.is_err() {
                return;
            }
        }
        let aged = tokio::time::sleep(current.stands.unwrap_or(Duration::from_hours(24)));
        tokio::select! {
            _ = changes.changed() => {}
            () = aged => {}
            () = sender.closed() => return,
        }
        current = match next(&api, make).await {
            Ok(push) => push,
            Err(refused) => {
                // Whether the caller still listens makes no difference.
                sender.send(Err(refused)).await.unwrap_or_default();
                return;
            }
        };
    }
}

struct FetchJwtSvid(Api);

impl UnaryService<proto::JwtSvidRequest> for FetchJwtSvid {
    type Response = proto::JwtSvidResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<proto::JwtSvidRequest>) -> Self::Future {
        let called = require_header(&request);
        let (api, asked) = (self.0.clone(), request.into_inner());
        Box::pin(async move {
            called?;
            if asked.audience.is_empty() || asked.audience.iter().any(String::is_empty) {
                return Err(Status::invalid_argument("an audience is required"));
            }
            let mut entries = api.entries().await?;
            if !asked.spiffe_id.is_empty() {
                entries.retain(|entry| entry.id == asked.spiffe_id);
            }
            if entries.is_empty() {
                return Err(Status::permission_denied("this workload does not have the id asked for"));
            }
            let state = held(&api.shared.state);
            let issue = |entry: Entry| {
                let svid = state.issue_jwt(&entry.id, &asked.audience)?;
                Ok(proto::JwtSvid { spiffe_id: entry.id, svid, hint: String::new() })
            };
            let svids: Result<_, AuthorityError> = entries.into_iter().map(issue).collect();
            Ok(Response::new(proto::JwtSvidResponse { svids: svids.map_err(|failed| internal(&failed))? }))
        })
    }
}

struct ValidateJwtSvid(Api);

impl UnaryService<proto::ValidateJwtSvidRequest> for ValidateJwtSvid {
    type Response = proto::ValidateJwtSvidResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<proto::ValidateJwtSvidRequest>) -> Self::Future {
        let called = require_header(&request);
        let (api, asked) = (self.0.clone(), request.into_inner());
        Box::pin(async move {
            called?;
            if asked.audience.is_empty() {
                return Err(Status::invalid_argument("an audience is required"));
            }
            api.entries().await?;
            let claims = validated(&api.shared, &asked).ok_or_else(|| {
                Status::invalid_argument("the token is not a valid JWT-SVID for this audience")
            })?;
            let spiffe_id = claims.get("sub").and_then(|sub| sub.as_str()).unwrap_or_default().to_owned();
            let claims = Some(as_struct(claims));
            Ok(Response::new(proto::ValidateJwtSvidResponse { spiffe_id, claims }))
        })
    }
}

/// The claims, if a key of the very trust domain that `sub` names signed them (standards J-13).
fn validated(shared: &Shared, asked: &proto::ValidateJwtSvidRequest) -> Option<jwt::Claims> {
    let mut bundles = vec![(shared.id(), shared.jwks.borrow().clone())];
    let state = held(&shared.state);
    bundles.extend(state.foreign.iter().map(|(id, bundle)| (id.clone(), bundle.jwks.clone())));
    bundles.iter().find_map(|(trust_domain, jwks)| {
        let claims = jwt::verify(jwks, &asked.svid, std::slice::from_ref(&asked.audience)).ok()?;
        let path = claims.get("sub")?.as_str()?.strip_prefix(trust_domain.as_str())?;
        path.starts_with('/').then_some(claims)
    })
}

fn as_struct(claims: jwt::Claims) -> prost_types::Struct {
    prost_types::Struct { fields: claims.into_iter().map(|(name, claim)| (name, as_value(claim))).collect() }
}

fn as_value(value: serde_json::Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        serde_json::Value::String(value) => Kind::StringValue(value),
        serde_json::Value::Array(values) => {
            Kind::ListValue(prost_types::ListValue { values: values.into_iter().map(as_value).collect() })
        }
        serde_json::Value::Object(members) => Kind::StructValue(as_struct(members)),
    };
    prost_types::Value { kind: Some(kind) }
}
