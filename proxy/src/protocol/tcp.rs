//! Raw TCP: one connection is one request.

use std::cell::RefCell;
use std::rc::Rc;

use super::session::{self, Session};
use super::{Connection, Ending, Kind, Protocol, Site, Stream, Unfit};
use crate::LocalBoxFuture;
use crate::authorize::Action;
use crate::config::{Listener, ProofKind};
use crate::fault::{Fault, codes};
use crate::forward::splice::{Tally, splice};
use crate::gate::{Ask, Passage};
use crate::record::{Opening, RecordError, Recorder, RequestFacts};

/// The row in the table of dialects.
pub const KIND: Kind = Kind {
    name: "tcp",
    summary: "any protocol, byte for byte: who may connect is decided, nothing is put in",
    example: r#"{ bind: "0.0.0.0:9444", protocol: tcp, routes: { all: { upstream: app } } }"#,
    alpn: &[],
    protocol: &Tcp,
};

/// The dialect.
pub struct Tcp;

impl Protocol for Tcp {
    fn serve(&self, connection: Connection, site: Rc<Site>) -> LocalBoxFuture<'static, ()> {
        Box::pin(serve(connection, site))
    }

    fn fits(&self, listener: &Listener) -> Result<(), Unfit> {
        if listener.callers.any_of.contains(&ProofKind::JwtSvid) {
            return Err(Unfit::NoPlaceForToken);
        }
        for route in &listener.routes {
            let route_name = || route.name.clone();
            if !route.credentials.is_empty() {
                return Err(Unfit::NoPlaceForCredential { route: route_name() });
            }
            if route.host.is_some() || !route.segments.is_empty() {
                return Err(Unfit::NothingToRouteBy { route: route_name() });
            }
        }
        Ok(())
    }
}

/// One connection is one request: the order of the verbs, and then bytes both ways.
async fn serve(connection: Connection, site: Rc<Site>) {
    let Connection { stream, certificate, listener, from, ending, .. } = connection;
    let recorder = match open(&listener, &site) {
        Ok(recorder) => recorder,
        Err(error) => return tracing::warn!(%error, "a connection was closed, for it could not be recorded"),
    };
    let Some(peer) = certificate else { return recorder.refused(&Fault::of(codes::NO_CLIENT_CERTIFICATE)) };
    let Some(route) = listener.route("", &[] as &[&str]) else {
        return recorder.refused(&Fault::of(codes::NO_ROUTE));
    };
    let action = Action::Connect;
    let ip = from.ip().to_string().into();
    let ask = Ask { peer: &peer, listener: &listener, route, action: &action, from: Some(&ip) };
    match site.gate.admit(ask, recorder).await {
        Ok(passage) => forward(stream, passage, &listener, &site, ending).await,
        Err(refusal) => refusal.recorder.stopped(&refusal.fault),
    }
}

fn open(listener: &Listener, site: &Site) -> Result<Recorder, RecordError> {
    let mut recorder = site.records.open(Opening {
        listener: listener.name.clone(),
        direction: listener.direction,
        mode: listener.mode,
        request: RequestFacts { protocol: "tcp", ..RequestFacts::default() },
    })?;
    recorder.note(|entry| entry.generation.config = site.generation);
    Ok(recorder)
}

async fn forward(
    caller: Box<dyn Stream>,
    mut passage: Passage,
    listener: &Listener,
    site: &Rc<Site>,
    mut ending: Ending,
) {
    let begun = passage.recorder.elapsed_us();
    let upstream = match passage.upstream().connect().await {
        Ok(upstream) => upstream,
        Err(error) => return passage.into_recorder().failed(&error.into()),
    };
    passage.note_upstream(None, passage.recorder.elapsed_us() - begun);
    let (tally, bound, session) = (Tally::default(), passage.bound(), RefCell::new(None));
    let outcome = tokio::select! {
        done = splice(caller, upstream, listener.limits.idle, &tally) => done.map_err(Fault::from),
        fault = bound.ended() => Err(fault),
        fault = ending.now() => Err(fault),
        never = became_session(&session, &passage, listener, site) => never,
    };
    if let Some(session) = session.into_inner() {
        session.end(outcome.as_ref().err().map(Fault::code));
    }
    passage.recorder.note(|entry| {
        entry.bytes.received = tally.received.get();
        entry.bytes.sent = tally.sent.get();
    });
    match outcome {
        Ok(()) => passage.into_recorder().forwarded(),
        Err(fault) => passage.into_recorder().failed(&fault),
    }
}

async fn became_session(
    session: &RefCell<Option<Session>>,
    passage: &Passage,
    listener: &Listener,
    site: &Rc<Site>,
) -> Result<(), Fault> {
    tokio::time::sleep(session::AFTER).await;
    session.replace(Session::begin(site, &listener.name, passage, "tcp"));
    std::future::pending().await
}
