//! HTTP/1.1 and HTTP/2: one service function for both, in the order of the verbs.
//!
//! [`answer`] reads the request ([`asked`]: one canonical form, who asks, which route), asks the
//! gate, sends what it let through ([`replay`]: with the credential put in, [`inject`]), and passes
//! the answer on ([`relay`]: to its end or to the end of the access). Every no is said by [`refuse`].
//! What a caller still sends of its body then is awaited for a while by [`late`].

mod asked;
mod canon;
mod conn;
mod hop;
mod inject;
mod inspect;
mod late;
mod meter;
mod refuse;
mod relay;
mod replay;
mod scrub;
mod supposed;
mod upgrade;

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};

use self::asked::Asked;
use self::conn::{Busy, Conn, Done, Graceful, drive};
use self::late::Late;
use self::refuse::Manner;
use self::relay::Reply;
use self::replay::Answered;
pub(crate) use self::supposed::Supposed;
use super::{Alpn, Connection, Kind, Protocol, Site, Unfit};
use crate::LocalBoxFuture;
use crate::authorize::{self, Action};
use crate::config::{Limits, Listener};
use crate::fault::{Fault, codes};
use crate::forward::{ForwardError, Local};
use crate::gate::{Ask, Passage, Refusal};
use crate::record::{Opening, RecordError, Recorder, RequestFacts};

/// The row in the table of dialects.
pub const KIND: Kind = Kind {
    name: "http",
    summary: "HTTP/1.1 and HTTP/2, chosen by ALPN; gRPC, WebSocket (over HTTP/1.1) and event streams included",
    example: r#"{ bind: "0.0.0.0:9443", protocol: http, routes: { all: { path: /, upstream: app, credentials: [app] } } }"#,
    alpn: &[b"h2", b"http/1.1"],
    protocol: &Http,
};

/// The dialect.
pub struct Http;

impl Protocol for Http {
    /// In the version that the handshake agreed on; the other one is never guessed.
    fn serve(&self, connection: Connection, site: Rc<Site>) -> LocalBoxFuture<'static, ()> {
        match connection.alpn {
            Alpn::Http1 => Box::pin(serve_http1(connection, site)),
            Alpn::Http2 => Box::pin(serve_http2(connection, site)),
        }
    }

    fn fits(&self, listener: &Listener) -> Result<(), Unfit> {
        let homeless = listener
            .routes
            .iter()
            .find(|route| route.upstream.login.is_none() && !route.credentials.is_empty());
        homeless.map_or(Ok(()), |route| Err(Unfit::NoLogin { route: route.name.clone() }))
    }
}

async fn serve_http1(connection: Connection, site: Rc<Site>) {
    let limits = connection.listener.limits;
    let (conn, stream) = Conn::new(connection, site);
    let mut http = http1(&limits).serve_connection(TokioIo::new(stream), service(&conn)).with_upgrades();
    if let Done::HeadLate(record) = drive(&conn, Pin::new(&mut http)).await
        && let Some(parts) = http.into_parts()
    {
        return refuse::without_request(codes::HEAD_TIMEOUT, record, parts.io.into_inner()).await;
    }
    let mut tunnels = conn.tunnels.take();
    while tunnels.join_next().await.is_some() {}
}

async fn serve_http2(connection: Connection, site: Rc<Site>) {
    let limits = connection.listener.limits;
    let (conn, stream) = Conn::new(connection, site);
    let http = http2(&limits).serve_connection(TokioIo::new(stream), service(&conn));
    drive(&conn, pin!(http)).await;
}

/// Answers the requests of one connection. Each is boxed: hyper keeps room for one on every
/// HTTP/1.1 connection, and most connections rest most of the time.
fn service(
    conn: &Rc<Conn>,
) -> impl HttpService<
    Incoming,
    ResBody = Reply,
    Error = Infallible,
    Future = LocalBoxFuture<'static, Result<Response<Reply>, Infallible>>,
> + use<> {
    let conn = Rc::clone(conn);
    service_fn(move |request| {
        let conn = Rc::clone(&conn);
        let answered: LocalBoxFuture<'static, _> = Box::pin(async move { Ok(answer(conn, request).await) });
        answered
    })
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Our own clock runs on heads: hyper's would close every kept connection after the time for a head.
    builder.header_read_timeout(None).max_headers(limits.headers).max_header_size(limits.head_size);
    builder
}

fn http2(limits: &Limits) -> http2::Builder<Local> {
    let mut builder = http2::Builder::new(Local);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128)
        .keep_alive_interval(limits.idle)
        .keep_alive_timeout(limits.head);
    builder
}

/// One request, whatever its version. It always ends in an answer and in one record.
async fn answer(conn: Rc<Conn>, request: Request<Incoming>) -> Response<Reply> {
    let busy = conn.busy();
    let manner = Manner::of(request.headers());
    let recorder = match open(&conn, &request) {
        Ok(recorder) => recorder,
        Err(unrecorded) => {
            return refuse::answer(Fault::from(unrecorded).code(), None, authorize::Reply::default(), manner);
        }
    };
    let id = recorder.id();
    let mut passed = pin!(pass(&conn, request, recorder, busy));
    match contained(passed.as_mut()).await {
        Some(Ok(response)) => response,
        Some(Err(refusal)) => refuse::refuse(*refusal, manner),
        None => refuse::answer(codes::PANICKED, id, authorize::Reply::default(), manner),
    }
}

/// The order of the verbs: read and identify, authorize and credential (the gate), forward.
async fn pass(
    conn: &Rc<Conn>,
    mut request: Request<Incoming>,
    mut recorder: Recorder,
    busy: Busy,
) -> Result<Response<Reply>, Box<Refusal>> {
    let caller = hyper::upgrade::on(&mut request);
    let (mut head, body) = request.into_parts();
    let body = Late::new(body, &head, conn);
    let asked = match Asked::read(conn, &mut head, body, &mut recorder).await {
        Ok(asked) => asked,
        Err(fault) => {
            let proven = conn.certificate.as_ref().map(|peer| peer.facts());
            recorder.note(|entry| entry.caller = entry.caller.take().or(proven));
            return Err(Box::new(Refusal { fault, reply: None, recorder }));
        }
    };
    let action = Action::Http(asked.action(&head));
    let ask = Ask {
        peer: &asked.peer,
        listener: conn.listener(),
        route: &asked.route,
        action: &action,
        from: Some(&conn.ip),
    };
    let mut passage = conn.site.gate.admit(ask, recorder).await?;
    let mut ending = conn.ending.clone();
    let forwarded = tokio::select! {
        biased;
        forwarded = forward(conn, &mut passage, &mut head, &asked) => forwarded,
        fault = ending.now() => Err(conn.told(fault)),
    };
    match forwarded {
        Ok(answered) => Ok(reply(conn, passage, asked, answered, caller, busy)),
        Err(fault) => {
            let mut recorder = passage.into_recorder();
            recorder.note(|entry| entry.bytes.received = asked.received());
            Err(Box::new(Refusal { fault, reply: None, recorder }))
        }
    }
}

async fn forward(
    conn: &Conn,
    passage: &mut Passage,
    head: &mut Parts,
    asked: &Asked,
) -> Result<Answered, Fault> {
    let place = passage.upstream().login().map(inject::place);
    hop::edit(&mut head.headers, passage.grant().headers(), place);
    if asked.wishes.websocket && passage.upstream().http2() {
        return Err(Fault::of(codes::UPGRADE_REFUSED));
    }
    let begun = passage.recorder.elapsed_us();
    let answered = replay::send(conn, passage, head, asked).await?;
    let status = answered.answer.response.status();
    passage.note_upstream(Some(status.as_u16()), passage.recorder.elapsed_us() - begun);
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    if switches && !(asked.wishes.websocket && upgrade::is_switch(&answered.answer.response)) {
        return Err(ForwardError::NotAsked { status: status.as_u16() }.into());
    }
    Ok(answered)
}

/// Passes the upstream's answer on.
fn reply(
    conn: &Rc<Conn>,
    mut passage: Passage,
    asked: Asked,
    answered: Answered,
    caller: OnUpgrade,
    busy: Busy,
) -> Response<Reply> {
    let Answered { mut answer, injection } = answered;
    let needles = injection.filter(|_| passage.upstream().scrub());
    if let Some(injection) = &needles {
        let leak = scrub::scrub_headers(answer.response.headers_mut(), &injection.needles);
        passage.recorder.note(|entry| entry.leak |= leak);
    }
    if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return upgrade::tunnel(conn, passage, answer, caller, busy);
    }
    let (mut head, body) = answer.response.into_parts();
    hop::cleanse_response(&mut head.headers);
    let needles = needles.filter(|_| scrub::is_searchable(&head.headers));
    let parts = relay::Parts { body, lent: answer.lent, passage, source: asked.source, needles };
    head.version = Version::default();
    Response::from_parts(head, Reply::relayed(parts, busy))
}

/// Opens the record. Host and path are as they came, until they have been read.
fn open(conn: &Conn, request: &Request<Incoming>) -> Result<Recorder, RecordError> {
    let protocol = if request.version() == Version::HTTP_2 { "http/2" } else { "http/1.1" };
    let mut recorder = conn.records().open(Opening {
        listener: conn.listener().name.clone(),
        direction: conn.listener().direction,
        mode: conn.listener().mode,
        request: RequestFacts {
            protocol,
            method: Some(request.method().as_str().to_owned()),
            host: None,
            path: Some(request.uri().path().to_owned()),
        },
    })?;
    recorder.note(|entry| entry.generation.config = conn.site.generation);
    Ok(recorder)
}

/// A panic ends this request and nothing else: `None`. Its record has been written on the way.
async fn contained<F: Future>(mut request: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(move |cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

impl<I, S> Graceful for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming, ResBody = Reply, Error = Infallible>,
    I: Read + Write + Unpin + Send + 'static,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Graceful for http2::Connection<I, S, Local>
where
    S: HttpService<Incoming, ResBody = Reply, Error = Infallible>,
    S::Future: 'static,
    I: Read + Write + Unpin,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What serving a connection may take of memory while nothing is asked on it; a request takes more.
    const AT_REST: usize = 4096;

    fn size<F>(_: fn(Connection, Rc<Site>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_at_rest_keeps_no_room_for_a_request() {
        for (version, size) in [("HTTP/1.1", size(serve_http1)), ("HTTP/2", size(serve_http2))] {
            println!("{version}: {size} bytes");
            assert!(size < AT_REST, "{version}: {size}");
        }
    }
}
