//! Each part of the lab, held to the standard by clients that others wrote.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's helpers fail like the test"
)]

mod authority;
mod caller;
mod legacy;
mod vault;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The path the kernel knows this test under.
fn own_program() -> PathBuf {
    std::env::current_exe().unwrap().canonicalize().unwrap()
}

/// The program that runs as a caller.
fn caller_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_postern-lab"))
}

/// Waits until `probe` gives something.
async fn until<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            match probe() {
                Some(found) => break found,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it came to pass in time")
}

/// One request on a connection of its own.
async fn send(address: &str, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

fn json_of(response: &Response<Bytes>) -> (StatusCode, Value) {
    (response.status(), serde_json::from_slice(response.body()).unwrap_or_default())
}
