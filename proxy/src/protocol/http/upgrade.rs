//! WebSocket over HTTP/1.1 (RFC 6455): a tunnel, once the upstream has said 101 and not before.

use std::rc::Rc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::conn::{Busy, Conn};
use super::hop;
use super::relay::Reply;
use crate::fault::Fault;
use crate::forward::splice::{Tally, splice};
use crate::forward::{Answer, ForwardError};
use crate::gate::Passage;
use crate::protocol::session::Session;

const ACCEPT: HeaderName = header::SEC_WEBSOCKET_ACCEPT;

/// The upstream switched protocols: so do we, and what follows is copied until either side is
/// done or the access ends.
pub(super) fn tunnel(
    conn: &Rc<Conn>,
    passage: Passage,
    answer: Answer,
    caller: OnUpgrade,
    busy: Busy,
) -> Response<Reply> {
    let mut response = answer.response;
    let headers = switching(response.headers());
    let upstream = hyper::upgrade::on(&mut response);
    let lent = answer.lent;
    let task_conn = Rc::clone(conn);
    conn.tunnels.borrow_mut().spawn_local(async move {
        let (_busy, _lent) = (busy, lent);
        run(&task_conn, passage, caller, upstream).await;
    });
    let mut switched = Response::new(Reply::Whole(None));
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *switched.headers_mut() = headers;
    switched
}

/// Whether this is the answer to a WebSocket handshake.
pub(super) fn is_switch(response: &Response<Incoming>) -> bool {
    let upgrade = response.headers().get(header::UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && upgrade.eq_ignore_ascii_case(b"websocket")
        && response.headers().contains_key(ACCEPT)
}

fn switching(given: &HeaderMap) -> HeaderMap {
    let mut headers = given.clone();
    hop::cleanse_response(&mut headers);
    hop::ask_for_websocket(&mut headers);
    headers
}

async fn run(conn: &Conn, mut passage: Passage, caller: OnUpgrade, upstream: OnUpgrade) {
    let session = Session::begin(&conn.site, &conn.listener().name, &passage, "websocket");
    let tally = Tally::default();
    let (bound, mut ending) = (passage.bound(), conn.ending.clone());
    let outcome = tokio::select! {
        done = copied(caller, upstream, conn, &tally) => done.map_err(Fault::from),
        fault = bound.ended() => Err(fault),
        fault = ending.now() => Err(fault),
    };
    passage.recorder.note(|entry| {
        entry.bytes.received = tally.received.get();
        entry.bytes.sent = tally.sent.get();
    });
    if let Some(session) = session {
        session.end(outcome.as_ref().err().map(Fault::code));
    }
    match outcome {
        Ok(()) => passage.into_recorder().forwarded(),
        Err(fault) => passage.into_recorder().failed(&fault),
    }
}

async fn copied(
    caller: OnUpgrade,
    upstream: OnUpgrade,
    conn: &Conn,
    tally: &Tally,
) -> Result<(), ForwardError> {
    let (caller, upstream) = tokio::try_join!(caller, upstream).map_err(ForwardError::BrokeOff)?;
    splice(TokioIo::new(caller), TokioIo::new(upstream), conn.idle(), tally).await
}
