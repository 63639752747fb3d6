//! A real Envoy as an upstream or a peer.

use crate::folder;
use crate::parts::program;
use crate::plain_http;
use crate::process::{Process, READY, free_port};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use tempfile::TempDir;

/// A running Envoy with one listener on loopback.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    port: u16,
    admin: SocketAddr,
    // Kept: Envoy's files lie in it.
    _folder: TempDir,
}

impl Envoy {
    /// The programs that [`crate::parts::present`] must have found.
    pub const PROGRAMS: &[&str] = &["envoy"];

    /// Starts a listener that speaks HTTP/1.1 and HTTP/2 (with prior knowledge, without TLS) and answers every
    /// request with `body`.
    #[must_use]
    pub fn answering(body: &str) -> Self {
        let route = json!({"match": {"prefix": "/"},
                           "direct_response": {"status": 200, "body": {"inline_string": body}}});
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "front", "codec_type": "AUTO",
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        });
        let chain = json!({"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]});
        Self::start(&chain, &json!([]))
    }

    /// Starts a listener with one filter chain and some clusters, in Envoy's own words.
    #[must_use]
    pub fn start(chain: &Value, clusters: &Value) -> Self {
        let folder = folder::open_to_walk();
        let (port, admin) = (free_port(), free_port());
        let socket = |port| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        let config = json!({
            "admin": {"address": socket(admin)},
            "static_resources": {
                "listeners": [{"name": "front", "address": socket(port), "filter_chains": [chain]}],
                "clusters": clusters,
            },
        });
        let file = folder.path().join("envoy.json");
        fs::write(&file, config.to_string()).expect("its configuration can be written");
        let mut server = Command::new(program("envoy"));
        server.arg("--config-path").arg(&file).args([
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "warning",
        ]);
        let mut process =
            Process::start("Envoy", server.current_dir(folder.path()), &folder.path().join("log"));
        let admin = (Ipv4Addr::LOCALHOST, admin).into();
        process.wait_until("it is ready", READY, || {
            plain_http::ask(admin, "GET", "/ready", &[], "").is_ok_and(|answer| answer.status == 200)
        });
        Self { process, port, admin, _folder: folder }
    }

    /// The address of its listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The value of one of its counters or gauges.
    pub fn stat(&self, name: &str) -> Option<u64> {
        let answer = plain_http::ask(self.admin, "GET", "/stats", &[], "").ok()?;
        answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.trim().parse().ok())
    }

    /// The server process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
