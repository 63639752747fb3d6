//! Old services in Python that know only user names and passwords, for the protocols beside plain HTTP. They take
//! every password and tell the user's name: that the password is right is [`Ledger`](super::Ledger)'s part.

use crate::certificates::ServerFiles;
use crate::folder;
use crate::process::{Process, READY, free_port};
use crate::real::callers::python;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use tempfile::TempDir;

/// A running service.
#[derive(Debug)]
pub struct OldService {
    process: Process,
    port: u16,
    // Kept: its log lies in it.
    _folder: TempDir,
}

/// gRPC over HTTP/2, with TLS or (prior knowledge) without: unary, all three kinds of stream, trailers, a refusal.
#[must_use]
pub fn grpc(tls: Option<&ServerFiles>) -> OldService {
    OldService::start("the gRPC service", include_str!("python/grpc_upstream.py"), tls)
}

/// A WebSocket that greets the user and echoes.
#[must_use]
pub fn websocket(tls: Option<&ServerFiles>) -> OldService {
    OldService::start("the WebSocket service", include_str!("python/websocket_upstream.py"), tls)
}

impl OldService {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The service's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn start(name: &str, script: &str, tls: Option<&ServerFiles>) -> Self {
        let folder = folder::open_to_walk();
        let port = free_port();
        let mut run = python();
        run.args(["-c", script, &port.to_string()]);
        if let Some(files) = tls {
            run.arg(&files.certificate).arg(&files.key);
        }
        let mut process = Process::start(name, &mut run, &folder.path().join("log"));
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        process.wait_until("it listens", READY, || TcpStream::connect(address).is_ok());
        Self { process, port, _folder: folder }
    }
}
