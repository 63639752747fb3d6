//! A real ghostunnel, the mTLS proxy, fed by a Workload API: as a caller (client) or as a peer (server).

use crate::folder;
use crate::parts::program;
use crate::process::{Process, READY, free_port};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A running ghostunnel.
#[derive(Debug)]
pub struct Ghostunnel {
    process: Process,
    port: u16,
    // Kept: its log lies in it.
    _folder: TempDir,
}

impl Ghostunnel {
    /// The programs that [`crate::parts::present`] must have found.
    pub const PROGRAMS: &[&str] = &["ghostunnel"];

    /// The path of the program, for an attestor's selector.
    #[must_use]
    pub fn path() -> PathBuf {
        program("ghostunnel")
    }

    /// Takes plain connections and carries them over mTLS to `target`, which must be one of `servers` (SPIFFE IDs).
    #[must_use]
    pub fn client(endpoint: &str, target: SocketAddr, servers: &[&str]) -> Self {
        Self::start("client", endpoint, target, "--verify-uri", servers)
    }

    /// Takes mTLS connections of `callers` (SPIFFE IDs) and carries them in plain text to `target`.
    #[must_use]
    pub fn server(endpoint: &str, target: SocketAddr, callers: &[&str]) -> Self {
        Self::start("server", endpoint, target, "--allow-uri", callers)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// All it has said.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn start(verb: &str, endpoint: &str, target: SocketAddr, peer: &str, ids: &[&str]) -> Self {
        let folder = folder::open_to_walk();
        let port = free_port();
        let mut run = Command::new(program("ghostunnel"));
        run.args([verb, "--use-workload-api-addr", endpoint, "--listen", &format!("127.0.0.1:{port}")]);
        run.args(["--target", &target.to_string()]).args(ids.iter().flat_map(|id| [peer, id]));
        let mut process = Process::start("ghostunnel", &mut run, &folder.path().join("log"));
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        process.wait_until("it listens", READY, || TcpStream::connect(address).is_ok());
        Self { process, port, _folder: folder }
    }
}
