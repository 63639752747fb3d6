//! HTTP/1.1 to a server of the estate's own machinery (a vault, a bundle service), over TLS unless it is on this
//! machine. Who calls it sets the deadlines and bounds the answer.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::model::Secret;

/// As much as is read at once, and the largest head of an answer, in bytes. However fast a server floods us with
/// interim answers (`1xx`), whatever else runs on this thread has its turn.
const AT_ONCE: usize = 16 * 1024;
/// The longest token that is read from a file, in bytes.
const MAX_TOKEN: u64 = 16 * 1024;

/// What bytes flow over: a socket, TLS on a socket, or in tests anything else.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// Where a server is, and how it proves itself.
pub(crate) struct Server {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Server {
    /// A server that nothing is connected to yet; without `tls`, clear text is spoken to it.
    pub(crate) fn new(host: &str, port: u16, tls: Option<(Arc<ClientConfig>, ServerName<'static>)>) -> Self {
        let tls = tls.map(|(config, name)| (TlsConnector::from(config), name));
        Self { host: host.to_owned(), port, tls }
    }

    /// Its name in a `Host` header.
    pub(crate) fn authority(&self) -> String {
        // An IPv6 address is told from its port by brackets.
        if self.host.contains(':') && !self.host.starts_with('[') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    /// A new connection, whose other end has proven itself.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((host, self.port)).await?;
        tcp.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(tcp),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await?),
        })
    }
}

/// Speaks HTTP/1.1 on a connection, for as long as the sender lives.
pub(crate) async fn speak(stream: impl Stream) -> hyper::Result<SendRequest<Full<Bytes>>> {
    let mut http = http1::Builder::new();
    http.read_buf_exact_size(Some(AT_ONCE));
    let (sender, connection) = http.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended");
        }
    });
    Ok(sender)
}

/// A bearer token as something else keeps it fresh in a file; white space around it does not count.
pub(crate) async fn token(file: &Path) -> io::Result<Secret<String>> {
    // A pipe that nobody writes to would hold a thread for each try, for ever.
    if !tokio::fs::metadata(file).await?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no file"));
    }
    let text = crate::state::read_bounded(file, MAX_TOKEN).await?;
    let text = std::str::from_utf8(text.expose()).map_err(|_| io::ErrorKind::InvalidData)?;
    let token = text.trim();
    let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(Secret::new(token.to_owned())) } else { Err(io::ErrorKind::InvalidData.into()) }
}
