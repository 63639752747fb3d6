//! Says no in the words of HTTP: the code, its summary, the record's name, and what policy wants
//! said; nothing of ours. gRPC callers are answered in theirs.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::relay::Reply;
use crate::authorize;
use crate::fault::Code;
use crate::gate::Refusal;
use crate::model::RecordId;

const PROBLEM: &str = "application/problem+json";
/// How long a caller may take to be told.
const PATIENCE: Duration = Duration::from_secs(1);
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What is encoded in a message of gRPC; beyond ASCII everything is.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// How the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A problem document (RFC 9457).
    Problem,
    /// `grpc-status` alone, as gRPC has it for a call without an answer.
    Grpc,
}

impl Manner {
    /// As the request's content type says.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        if kind.starts_with(b"application/grpc") { Self::Grpc } else { Self::Problem }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<&'a str>,
}

/// Closes the record and answers the caller.
pub(super) fn refuse(refusal: Refusal, manner: Manner) -> Response<Reply> {
    let Refusal { fault, reply, recorder } = refusal;
    let response = answer(fault.code(), recorder.id(), reply.unwrap_or_default(), manner);
    recorder.stopped(&fault);
    response
}

/// The answer that says why not.
pub(super) fn answer(
    code: &Code,
    record: Option<RecordId>,
    reply: authorize::Reply,
    manner: Manner,
) -> Response<Reply> {
    let status = reply.status.unwrap_or(code.status);
    let mut response = match manner {
        Manner::Problem => problem(code, status, record, &reply),
        Manner::Grpc => grpc(code, record, reply.contact.as_deref()),
    };
    for (name, value) in reply.headers {
        response.headers_mut().append(name, value);
    }
    response
}

/// Says no on HTTP/1.1 where no request was read that could be answered, and closes. A caller that does not take
/// it is not waited for.
pub(super) async fn without_request(code: &Code, record: RecordId, mut to: impl AsyncWrite + Unpin) {
    let status = StatusCode::from_u16(code.status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = document(code, code.status, Some(record), &authorize::Reply::default());
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {PROBLEM}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let said = async {
        to.write_all(&[head.as_bytes(), &body].concat()).await?;
        to.shutdown().await
    };
    if !matches!(tokio::time::timeout(PATIENCE, said).await, Ok(Ok(()))) {
        tracing::debug!(code = code.id, "a caller was gone before it was told");
    }
}

fn document(code: &Code, status: u16, record: Option<RecordId>, reply: &authorize::Reply) -> Vec<u8> {
    let (detail, contact) = (reply.body.as_deref(), reply.contact.as_deref());
    let problem = Problem { title: code.summary, status, code: code.id, record, detail, contact };
    serde_json::to_vec(&problem).unwrap_or_default()
}

fn problem(code: &Code, status: u16, record: Option<RecordId>, reply: &authorize::Reply) -> Response<Reply> {
    let body = document(code, status, record, reply);
    let mut response = Response::new(Reply::Whole(Some(Bytes::from(body))));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    match status {
        401 => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"postern\"")),
        405 => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
        }
        _ => None,
    };
    response
}

fn grpc(code: &Code, record: Option<RecordId>, contact: Option<&str>) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(None));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from_static(grpc_status(code.status)));
    let record = record.map(|record| record.text()).unwrap_or_default();
    // As gRPC has it in HTTP/2: what is not printable ASCII, and the percent sign, is encoded.
    let contact = contact.map(|contact| format!("; contact: {}", utf8_percent_encode(contact, ENCODED)));
    let message = format!("{} ({} {record}){}", code.summary, code.id, contact.unwrap_or_default());
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

/// The status of gRPC that says what this one of HTTP says.
const fn grpc_status(status: u16) -> &'static str {
    match status {
        400 | 413 | 417 | 431 => "3",
        401 => "16",
        403 => "7",
        404 | 405 => "12",
        408 | 504 => "4",
        502 | 503 => "14",
        _ => "13",
    }
}
