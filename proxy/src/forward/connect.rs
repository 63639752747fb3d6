use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;

use super::{ForwardError, Stream, tls};
use crate::clock::SharedClock;
use crate::config::{self, UpstreamAddress};
use crate::identify::Identities;

/// Opens connections to one upstream and sees that it proves itself.
pub(super) struct Connector {
    upstream: Arc<config::Upstream>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    pub(super) fn new(
        upstream: Arc<config::Upstream>,
        identities: &Identities,
        clock: &SharedClock,
    ) -> Result<Self, ForwardError> {
        let tls = upstream.tls.as_ref().map(|wanted| tls::connector(&upstream, wanted, identities, clock));
        let tls = tls
            .transpose()
            .map_err(|source| ForwardError::Tls { upstream: upstream.name.clone(), source })?;
        Ok(Self { upstream, tls })
    }

    /// How long it may take.
    pub(super) fn limit(&self) -> Duration {
        self.upstream.timeouts.connect
    }

    /// A connection whose other end has proven itself, within the deadline.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, ForwardError> {
        let limit = self.limit();
        let late = |_| ForwardError::Late { what: "connect", limit };
        // Rare beside the requests on it, and so not part of their size.
        tokio::time::timeout(limit, Box::pin(self.proven())).await.map_err(late)?
    }

    async fn proven(&self) -> Result<Box<dyn Stream>, ForwardError> {
        let unreachable = |source| ForwardError::Unreachable { upstream: self.upstream.name.clone(), source };
        match &self.upstream.address {
            UpstreamAddress::Tcp { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
                socket.set_nodelay(true).map_err(unreachable)?;
                self.secured(socket).await
            }
            UpstreamAddress::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(unreachable)?;
                self.secured(socket).await
            }
        }
    }

    async fn secured<S: Stream>(&self, socket: S) -> Result<Box<dyn Stream>, ForwardError> {
        let Some((tls, name)) = &self.tls else { return Ok(Box::new(socket)) };
        let unproven = |source| ForwardError::Unproven { upstream: self.upstream.name.clone(), source };
        let secured = tls.connect(name.clone(), socket).await.map_err(unproven)?;
        Ok(Box::new(secured))
    }
}

/// A connection that counts among the upstream's as long as it lives.
pub(super) struct Placed {
    stream: Box<dyn Stream>,
    _place: OwnedSemaphorePermit,
}

impl Placed {
    pub(super) const fn new(stream: Box<dyn Stream>, place: OwnedSemaphorePermit) -> Self {
        Self { stream, _place: place }
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
