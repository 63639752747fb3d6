//! Reads a request: what it asks for, in the only way there is; who asks; where it would go; and
//! of its body what policy wants to see. What ends here is gone from the headers afterwards, so
//! that policy sees what is sent.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Version};

use super::canon::Target;
use super::conn::Conn;
use super::hop::{self, Wishes};
use super::inject;
use super::inspect::Inspected;
use super::late::Late;
use crate::authorize::HttpAction;
use crate::config::{EncodedSlash, Listener, ProofKind, Route};
use crate::fault::{Fault, codes};
use crate::forward::Source;
use crate::identify::{Peer, agree};
use crate::record::Recorder;

/// A request, read.
pub(super) struct Asked {
    pub(super) peer: Arc<Peer>,
    pub(super) route: Arc<Route>,
    pub(super) target: Target,
    pub(super) wishes: Wishes,
    /// None where there is no body.
    pub(super) source: Option<Rc<Source>>,
    inspected: Inspected,
}

impl Asked {
    /// Reads it, or says why it is refused.
    pub(super) async fn read(
        conn: &Conn,
        head: &mut Parts,
        body: Late,
        recorder: &mut Recorder,
    ) -> Result<Self, Fault> {
        let target = Target::read(head).map_err(Fault::of)?;
        recorder.note(|entry| {
            entry.request.host = Some(target.host().to_owned());
            entry.request.path = Some(target.sent.path().to_owned());
        });
        let peer = caller(conn, &mut head.headers)?;
        let mut wishes = hop::cleanse(&mut head.headers).map_err(Fault::of)?;
        wishes.websocket &= head.version == Version::HTTP_11 && head.method == Method::GET;
        if wishes.websocket {
            hop::ask_for_websocket(&mut head.headers);
        }
        let trace = hop::trace(&mut head.headers);
        recorder.note(|entry| {
            entry.caller = Some(peer.facts());
            entry.trace = Some(trace.trace_id());
        });
        let route = route(conn.listener(), &target)?;
        if let Some(login) = &route.upstream.login {
            head.headers.remove(inject::place(login));
        }
        let keeping = !route.credentials.is_empty() || head.method.is_idempotent();
        let source = Source::of(body, conn.idle(), keeping);
        let inspected = Inspected::read(route.inspect, &head.headers, source.as_deref()).await?;
        Ok(Self { peer, route, target, wishes, source, inspected })
    }

    /// Bytes of the body that were read.
    pub(super) fn received(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.received())
    }

    /// As policy judges it.
    pub(super) fn action<'a>(&'a self, head: &'a Parts) -> HttpAction<'a> {
        action(head, &self.target, &self.inspected)
    }
}

/// A request as policy judges it.
pub(super) fn action<'a>(head: &'a Parts, target: &'a Target, inspected: &'a Inspected) -> HttpAction<'a> {
    HttpAction {
        protocol: if head.version == Version::HTTP_2 { "http/2" } else { "http/1.1" },
        method: head.method.as_str(),
        host: target.host(),
        path: target.sent.path(),
        segments: &target.segments,
        query: &target.query,
        headers: &head.headers,
        body: inspected.facts(),
    }
}

/// Where a target leads.
pub(super) fn route(listener: &Listener, target: &Target) -> Result<Arc<Route>, Fault> {
    let route = listener.route(target.host(), &target.segments).ok_or(Fault::of(codes::NO_ROUTE))?;
    if target.encoded_slash && route.encoded_slash == EncodedSlash::Refuse {
        return Err(Fault::of(codes::TARGET_AMBIGUOUS));
    }
    Ok(Arc::clone(route))
}

/// Who asks: by certificate, by token, or by both if they name the same. The token is for us alone and goes no further.
fn caller(conn: &Conn, headers: &mut HeaderMap) -> Result<Arc<Peer>, Fault> {
    let accepted = &conn.listener().callers.any_of;
    let certificate = conn.certificate.as_ref().filter(|_| accepted.contains(&ProofKind::X509Svid));
    if let Some(expired) = certificate.filter(|peer| peer.expires().has_passed(conn.site.clock.now())) {
        tracing::debug!(peer = %expired.id(), "a certificate ended while its connection was open");
        return Err(Fault::of(codes::PEER_EXPIRED_OPEN));
    }
    let Some(read) = &conn.site.tokens else {
        return certificate.cloned().ok_or(Fault::of(codes::NO_CLIENT_CERTIFICATE));
    };
    let token = bearer(headers)?.map(|token| read(token)).transpose()?;
    if token.is_some() {
        headers.remove(AUTHORIZATION);
    }
    Ok(agree(certificate, token)?)
}

/// The bearer token, if there is one and only one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(only) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Fault::of(codes::HEADER_REFUSED));
    }
    let text = HeaderValue::to_str(only).unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start()))
}
