//! A connection on which the server does not watch for our end.
//!
//! A Go server that has read a request watches the connection, and cancels the request when the
//! connection breaks. `OpenBao` (2.7.2), cancelled while it registers a lease, keeps account and
//! lease and forgets both: no token takes them along and no end is kept. A kill of ours at the wrong
//! millisecond would leave an account for good. What it watches by is one pending read; so a call
//! that may issue an account is followed by line breaks, which servers pass over before a request
//! (RFC 9112 2.2), more of them than it reads ahead. With those in hand, the server finishes the
//! call, whatever becomes of us, and the lease belongs to the login, whose end is its end. Nothing
//! further is sent on such a connection: it is closed when the answer is there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What follows the request: more than the 4096 bytes that such a server reads ahead.
static AFTER: [[u8; 2]; 2300] = [*b"\r\n"; 2300];

/// One request, then the line breaks.
pub(super) struct Unwatched<T> {
    stream: T,
    begun: bool,
    sent: usize,
}

impl<T> Unwatched<T> {
    pub(super) const fn new(stream: T) -> Self {
        Self { stream, begun: false, sent: 0 }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Unwatched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Unwatched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begun |= !bytes.is_empty();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// What is flushed first is the request, whole.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) =
            AFTER.as_flattened().get(self.sent..).filter(|rest| self.begun && !rest.is_empty())
        {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
