use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use postern_lab::{Accounts, Legacy};
use serde_json::json;

use super::{json_of, send};

fn service() -> (Legacy, Accounts) {
    let accounts = Accounts::new();
    accounts.put("teller", "s3cret:with colon");
    (Legacy::start(accounts.clone()).unwrap(), accounts)
}

async fn ask(legacy: &Legacy, path: &str, login: &str, body: &'static str) -> Response<Bytes> {
    let request = Request::post(path)
        .header("host", "legacy")
        .header("authorization", format!("Basic {}", BASE64_STANDARD.encode(login)))
        .header("x-two", "a")
        .header("x-two", "b")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    send(&legacy.address(), request).await
}

#[tokio::test]
async fn it_tells_who_logged_in_and_what_arrived_but_never_the_password() {
    let (legacy, accounts) = service();

    let answer = ask(&legacy, "/a/b?c=d", "teller:s3cret:with colon", "").await;

    let (status, told) = json_of(&answer);
    assert_eq!((status.as_u16(), &told["user"], &told["path"]), (200, &json!("teller"), &json!("/a/b?c=d")));
    assert_eq!(told["headers"]["x-two"], json!(["a", "b"]));
    assert_eq!(told["headers"].get("authorization"), None);
    assert_eq!(accounts.logins("teller"), 1);
    assert_eq!(legacy.seen()[0].user.as_deref(), Some("teller"));
}

#[tokio::test]
async fn whoever_has_no_account_any_more_is_asked_to_log_in() {
    let (legacy, accounts) = service();
    assert_eq!(ask(&legacy, "/", "teller:wrong", "").await.status(), 401);
    assert_eq!(ask(&legacy, "/", "teller", "").await.status(), 401);
    assert_eq!(ask(&legacy, "/", "nobody:", "").await.status(), 401);
    assert_eq!(ask(&legacy, "/", "teller:s3cret:with colon", "").await.status(), 200);

    accounts.remove("teller");
    let answer = ask(&legacy, "/", "teller:s3cret:with colon", "").await;

    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"legacy\"");
    assert_eq!(legacy.seen().iter().filter(|seen| seen.user.is_none()).count(), 4);
}

#[tokio::test]
async fn bodies_are_echoed_streamed_large_late_and_telling() {
    let (legacy, _) = service();
    let login = "teller:s3cret:with colon";

    assert_eq!(ask(&legacy, "/echo", login, "hello").await.body(), "hello");
    assert_eq!(ask(&legacy, "/big?bytes=200001", login, "").await.body().len(), 200_001);
    assert_eq!(ask(&legacy, "/slow?ms=1", login, "").await.status(), 200);
    let events = ask(&legacy, "/stream?events=2&every=1", login, "").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.body(), "id: 1\ndata: event 1 of 2\n\nid: 2\ndata: event 2 of 2\n\n");
    let leak = ask(&legacy, "/leak", login, "").await;
    assert_eq!(leak.headers()["x-password"], "s3cret:with colon");
    assert_eq!(leak.body(), "teller logs in with s3cret:with colon\n");
}

#[tokio::test]
async fn it_serves_on_a_unix_socket_too_and_can_go_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("legacy.sock");
    let legacy = Legacy::start_at(Accounts::new(), &socket).unwrap();
    assert_eq!(legacy.address(), format!("unix:{}", socket.display()));

    tokio::net::UnixStream::connect(&socket).await.expect("it is there");
    legacy.stop();
    tokio::net::UnixStream::connect(&socket).await.expect_err("it is gone");
    legacy.serve().unwrap();
    tokio::net::UnixStream::connect(&socket).await.expect("it is back");
}
