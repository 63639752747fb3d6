//! Sends the request, with the credential put in, and once more with a fresh one if the upstream
//! says that the credential is bad, or on a fresh connection if it closed the kept one just then.

use std::rc::Rc;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use http_body::Body as _;

use super::asked::Asked;
use super::conn::Conn;
use super::hop;
use super::inject::{InjectError, Injection};
use crate::credential::CredentialError;
use crate::fault::Fault;
use crate::forward::{Answer, Attempt, ForwardError, Source, Upload, Upstream};
use crate::gate::Passage;
use crate::protocol::session::AFTER;

/// An answer, and what was put into the request that it answers.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) injection: Option<Rc<Injection>>,
}

/// A request's head as it is sent; given away whole when it cannot be needed again.
struct Draft {
    method: Method,
    headers: Option<HeaderMap>,
}

impl Draft {
    fn headers(&mut self, keep: bool) -> Result<HeaderMap, ForwardError> {
        let headers = if keep { self.headers.clone() } else { self.headers.take() };
        headers.ok_or(ForwardError::Superseded)
    }
}

/// Forwards the request that was let through.
pub(super) async fn send(
    conn: &Conn,
    passage: &mut Passage,
    head: &mut Parts,
    asked: &Asked,
) -> Result<Answered, Fault> {
    let headers = Some(std::mem::take(&mut head.headers));
    let mut draft = Draft { method: head.method.clone(), headers };
    let injects = passage.upstream().login().is_some() && passage.access().is_some();
    let first = once(conn, passage, &mut draft, asked, injects).await?;
    if first.answer.response.status() != StatusCode::UNAUTHORIZED || first.injection.is_none() {
        asked.settle();
        return Ok(first);
    }
    drop(first);
    // Rare, and so not part of every request's size.
    Box::pin(with_another_credential(conn, passage, &mut draft, asked)).await
}

async fn with_another_credential(
    conn: &Conn,
    passage: &mut Passage,
    draft: &mut Draft,
    asked: &Asked,
) -> Result<Answered, Fault> {
    passage.note_upstream(Some(StatusCode::UNAUTHORIZED.as_u16()), passage.recorder.elapsed_us());
    let stale = passage.access().map(|access| access.lease.fingerprint);
    conn.site.gate.replace_credential(passage).await?;
    let fresh = passage.access().map(|access| access.lease.fingerprint);
    if fresh == stale || !asked.can_be_sent_again() {
        return Err(CredentialError::NoneToReplace.into());
    }
    let second = once(conn, passage, draft, asked, false).await?;
    asked.settle();
    if second.answer.response.status() == StatusCode::UNAUTHORIZED {
        passage.note_upstream(Some(StatusCode::UNAUTHORIZED.as_u16()), passage.recorder.elapsed_us());
        return Err(CredentialError::NoneToReplace.into());
    }
    Ok(second)
}

/// Sends it with the credential that the passage has. If the upstream closed the connection as the
/// request was on its way, it goes out once more, provided that it was not read or does no more the
/// second time than the first (RFC 9110, 9.2.2).
async fn once(
    conn: &Conn,
    passage: &Passage,
    draft: &mut Draft,
    asked: &Asked,
    needed_again: bool,
) -> Result<Answered, Fault> {
    let upstream = passage.upstream();
    let lease = passage.access().map(|access| access.lease.fingerprint);
    let idempotent = draft.method.is_idempotent();
    let keep = needed_again || idempotent;
    let mut attempt = if idempotent { Attempt::First } else { Attempt::Only };
    loop {
        let body = asked.upload().ok_or(ForwardError::Superseded)?;
        let headers = draft.headers(keep)?;
        let mut request = request(&draft.method, headers, asked, upstream, body);
        let injection = inject(conn, passage, &mut request)?;
        let answer = tokio::select! {
            biased;
            answer = upstream.send(lease, request, attempt, || passage.over()) => answer,
            fault = over(passage) => return Err(fault),
        };
        match answer.map_err(|error| asked.trouble().unwrap_or(error)) {
            Ok(answer) => return Ok(Answered { answer, injection }),
            Err(ForwardError::Crossed { unread, .. })
                if attempt != Attempt::Again
                    && keep
                    && (unread || idempotent)
                    && asked.can_be_sent_again() =>
            {
                attempt = Attempt::Again;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn inject(
    conn: &Conn,
    passage: &Passage,
    request: &mut Request<Upload>,
) -> Result<Option<Rc<Injection>>, InjectError> {
    let (Some(login), Some(access)) = (passage.upstream().login(), passage.access()) else { return Ok(None) };
    let injection = conn.injection(login, &access.lease)?;
    injection.inject(request.headers_mut(), &access.lease, conn.site.clock.now())?;
    Ok(Some(injection))
}

/// An upload that goes on and on ends with the access too. Not within the first second: a lease
/// that the upstream has just refused to another request is still to be replaced for this one.
async fn over(passage: &Passage) -> Fault {
    tokio::time::sleep(AFTER).await;
    passage.bound().ended().await
}

/// The canonical request, in the version that the upstream speaks.
fn request(
    method: &Method,
    mut headers: HeaderMap,
    asked: &Asked,
    upstream: &Upstream,
    body: Upload,
) -> Request<Upload> {
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    let target = &asked.target;
    if upstream.http2() {
        headers.remove(header::HOST);
        if asked.wishes.trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        let uri = Uri::builder()
            .scheme(upstream.scheme())
            .authority(target.authority.as_str())
            .path_and_query(target.sent.clone());
        *request.uri_mut() = uri.build().unwrap_or_else(|_| Uri::from(target.sent.clone()));
        *request.version_mut() = Version::HTTP_2;
    } else {
        if let Ok(host) = HeaderValue::try_from(target.authority.as_str()) {
            headers.insert(header::HOST, host);
        }
        hop::join_cookies(&mut headers);
        // Without being told, hyper sends no body of unknown length with GET or HEAD.
        if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
            headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        *request.uri_mut() = Uri::from(target.sent.clone());
    }
    *request.headers_mut() = headers;
    request
}

impl Asked {
    fn upload(&self) -> Option<Upload> {
        self.source.as_ref().map_or_else(|| Some(Upload::none()), Source::upload)
    }

    fn can_be_sent_again(&self) -> bool {
        self.source.as_ref().is_none_or(|source| source.can_be_sent_again())
    }

    fn trouble(&self) -> Option<ForwardError> {
        self.source.as_ref().and_then(|source| source.trouble())
    }

    fn settle(&self) {
        if let Some(source) = &self.source {
            source.settle();
        }
    }
}
