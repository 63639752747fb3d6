//! What the old service says to those it let in.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Map, Value, json};
use tokio_stream::{Stream, StreamExt, iter};

use super::{Seen, serve::Login};

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

const PIECE: usize = 64 * 1024;

pub(super) async fn answer(seen: &Seen, login: &Login, body: Incoming) -> Answer {
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let number = |name: &str, otherwise: u64| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(otherwise)
    };
    match path {
        "/echo" => with_body("application/octet-stream", body.boxed_unsync()),
        "/stream" => {
            with_body("text/event-stream", streamed(events(number("events", 3), number("every", 100))))
        }
        "/big" => with_body("application/octet-stream", streamed(iter(pieces(number("bytes", 1 << 20))))),
        "/leak" => leak(login),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms", 1000))).await;
            told(seen)
        }
        _ => told(seen),
    }
}

pub(super) fn unauthorized() -> Answer {
    let mut answer = with_body("text/plain", full("who are you?\n"));
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    let realm = http::HeaderValue::from_static("Basic realm=\"legacy\"");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
    answer
}

/// Who logged in and what arrived.
fn told(seen: &Seen) -> Answer {
    let mut headers = Map::new();
    for (name, value) in &seen.headers {
        if let Value::Array(values) = headers.entry(name).or_insert_with(|| json!([])) {
            values.push(value.as_str().into());
        }
    }
    let told = json!({ "user": seen.user, "method": seen.method, "path": seen.path, "headers": headers });
    with_body("application/json", full(format!("{told}\n")))
}

fn leak(login: &Login) -> Answer {
    let told = format!("{} logs in with {}\n", login.user, login.password);
    let mut answer = with_body("text/plain", full(told));
    if let Ok(password) = login.password.parse() {
        answer.headers_mut().insert("x-password", password);
    }
    answer
}

/// Numbered server-sent events, `every` so many milliseconds.
fn events(count: u64, every: u64) -> impl Stream<Item = Bytes> + Send {
    iter(1..=count).then(move |number| async move {
        tokio::time::sleep(Duration::from_millis(every)).await;
        Bytes::from(format!("id: {number}\ndata: event {number} of {count}\n\n"))
    })
}

/// So many bytes of the letter x, piece by piece, so that no length costs memory.
fn pieces(bytes: u64) -> impl Iterator<Item = Bytes> + Send {
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
    let last = piece.slice(..whole % PIECE);
    std::iter::repeat_n(piece, whole / PIECE).chain(std::iter::once(last))
}

fn streamed(parts: impl Stream<Item = Bytes> + Send + 'static) -> UnsyncBoxBody<Bytes, hyper::Error> {
    StreamBody::new(parts.map(|part| Ok::<_, Infallible>(Frame::data(part)))).map_err(never).boxed_unsync()
}

fn full(text: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, hyper::Error> {
    Full::new(text.into()).map_err(never).boxed_unsync()
}

fn never(never: Infallible) -> hyper::Error {
    match never {}
}

fn with_body(kind: &'static str, body: UnsyncBoxBody<Bytes, hyper::Error>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    answer
}
