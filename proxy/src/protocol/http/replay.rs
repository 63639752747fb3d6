//! Sends the request, with the credential put in, and once more with a fresh one if the upstream
//! says that the credential is bad.

use std::rc::Rc;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode, Uri, Version};
use http_body::Body as _;

use super::asked::Asked;
use super::conn::Conn;
use super::hop;
use super::inject::Injection;
use crate::credential::CredentialError;
use crate::fault::Fault;
use crate::forward::{Answer, ForwardError, Source, Upload};
use crate::gate::Passage;
use crate::protocol::session::AFTER;

/// An answer, and what was put into the request that it answers.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) injection: Option<Rc<Injection>>,
}

/// Forwards the request that was let through.
pub(super) async fn send(
    conn: &Conn,
    passage: &mut Passage,
    head: &Parts,
    asked: &Asked,
) -> Result<Answered, Fault> {
    let first = once(conn, passage, head, asked).await?;
    let refused = first.answer.response.status() == StatusCode::UNAUTHORIZED && first.injection.is_some();
    if !refused {
        asked.settle();
        return Ok(first);
    }
    passage.note_upstream(Some(StatusCode::UNAUTHORIZED.as_u16()), passage.recorder.elapsed_us());
    drop(first);
    let stale = passage.access().map(|access| access.lease.fingerprint);
    conn.site.gate.replace_credential(passage).await?;
    let fresh = passage.access().map(|access| access.lease.fingerprint);
    if fresh == stale || !asked.can_be_sent_again() {
        return Err(CredentialError::NoneToReplace.into());
    }
    let second = once(conn, passage, head, asked).await?;
    asked.settle();
    if second.answer.response.status() == StatusCode::UNAUTHORIZED {
        passage.note_upstream(Some(StatusCode::UNAUTHORIZED.as_u16()), passage.recorder.elapsed_us());
        return Err(CredentialError::NoneToReplace.into());
    }
    Ok(second)
}

async fn once(conn: &Conn, passage: &Passage, head: &Parts, asked: &Asked) -> Result<Answered, Fault> {
    let upstream = passage.upstream();
    let body = asked.upload().ok_or(ForwardError::Superseded)?;
    let mut request = request(head, asked, upstream.http2(), upstream.scheme(), body);
    let mut injection = None;
    if let (Some(login), Some(access)) = (upstream.login(), passage.access()) {
        let prepared = conn.injection(login, &access.lease)?;
        prepared.inject(request.headers_mut(), &access.lease, conn.site.clock.now())?;
        injection = Some(prepared);
    }
    let lease = passage.access().map(|access| access.lease.fingerprint);
    let answer = tokio::select! {
        biased;
        answer = upstream.send(lease, request) => answer.map_err(|error| asked.trouble().unwrap_or(error))?,
        fault = over(passage) => return Err(fault),
    };
    Ok(Answered { answer, injection })
}

/// An upload that goes on and on ends with the access too. Not within the first second: a lease
/// that the upstream has just refused to another request is still to be replaced for this one.
async fn over(passage: &Passage) -> Fault {
    tokio::time::sleep(AFTER).await;
    passage.bound().ended().await
}

/// The canonical request, in the version that the upstream speaks.
fn request(head: &Parts, asked: &Asked, http2: bool, scheme: &'static str, body: Upload) -> Request<Upload> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    let mut headers = head.headers.clone();
    let target = &asked.target;
    if http2 {
        headers.remove(header::HOST);
        if asked.wishes.trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        let uri = Uri::builder()
            .scheme(scheme)
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
