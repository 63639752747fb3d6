//! The request path between callers and old services that nobody here wrote: each test asks through a running Postern
//! with an account that OpenBao leased.

mod bodies;
mod endings;
mod grpc;
mod leaks;
mod metrics;
mod tls;
mod tunnels;
mod upstreams;
mod websocket;

use postern_tests::estate::Estate;
use postern_tests::parts;

/// Whether the estate and these further programs are there; if not, `test` is recorded as not run.
fn present(test: &str, further: &[&str]) -> bool {
    parts::present(test, &[&Estate::programs(), further].concat())
}
