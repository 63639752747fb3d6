//! A real nginx as an upstream.

use crate::folder;
use crate::parts::program;
use crate::process::{Process, READY, free_port};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// How nginx proves itself and what TLS it speaks.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// As nginx names them: `TLSv1.2`, or `TLSv1.2 TLSv1.3`.
    pub versions: &'static str,
    /// Clients must prove themselves under these authorities, PEM.
    pub client_authorities: Option<PathBuf>,
}

/// A running nginx with one server on loopback.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl Nginx {
    /// The programs that [`crate::parts::present`] must have found.
    pub const PROGRAMS: &[&str] = &["nginx"];

    /// Starts a server whose body is `rules`, in nginx's own words: `location / { return 200 "hello"; }`. HTTP/2 is
    /// spoken where the client asks for it.
    #[must_use]
    pub fn start(tls: Option<&Tls>, rules: &str) -> Self {
        let folder = folder::open_to_walk();
        let port = free_port();
        let listen = match tls {
            None => format!("listen 127.0.0.1:{port};"),
            Some(tls) => tls_lines(port, tls),
        };
        // As root it would change to another user, who cannot read what the test made.
        let user = if folder::we_are_root() { "user root root;" } else { "" };
        let config = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log stderr notice; {user}\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log access.log; client_max_body_size 0; http2 on;\n\
             server {{ {listen}\n{rules}\n}} }}\n"
        );
        fs::write(folder.path().join("nginx.conf"), config).expect("its configuration can be written");
        let mut server = Command::new(program("nginx"));
        server
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .current_dir(folder.path());
        let mut process = Process::start("nginx", &mut server, &folder.path().join("log"));
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
        process.wait_until("it listens", READY, || TcpStream::connect(address).is_ok());
        Self { process, port, folder }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its access log, a line each request.
    #[must_use]
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    /// The server process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn tls_lines(port: u16, tls: &Tls) -> String {
    let (certificate, key, versions) = (tls.certificate.display(), tls.key.display(), tls.versions);
    let clients = tls.client_authorities.as_ref().map_or_else(String::new, |authorities| {
        format!(" ssl_verify_client on; ssl_client_certificate {};", authorities.display())
    });
    format!(
        "listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; \
         ssl_protocols {versions};{clients}"
    )
}
