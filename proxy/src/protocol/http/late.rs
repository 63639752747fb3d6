//! A caller's body that nobody wants any more, while the caller still sends it: its request was
//! refused by its head, or the upstream answered early. Breaking it off at once costs some callers
//! the answer: on HTTP/2 they take the stream's reset for an error, on HTTP/1.1 the closed
//! connection. So the rest is read and thrown away, within bounds; the answer does not wait for it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http::header::EXPECT;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::conn::{Busy, Conn};

/// How much is read of what nobody wants: what HTTP/2 lets a caller send before it hears of us.
const MOST: usize = 1024 * 1024;
/// How long it may take to come.
const LONGEST: Duration = Duration::from_secs(1);

/// The caller's body; once dropped, its rest is awaited.
pub(super) struct Late {
    /// None once it is over.
    incoming: Option<Incoming>,
    /// The caller keeps it back until it is told to go on (`Expect`). On HTTP/1.1, one that was answered may never
    /// send it and put its next request in its place.
    withheld: bool,
    conn: Rc<Conn>,
}

impl Late {
    pub(super) fn new(incoming: Incoming, head: &Parts, conn: &Rc<Conn>) -> Self {
        let withheld = head.version != Version::HTTP_2 && head.headers.contains_key(EXPECT);
        let incoming = (!incoming.is_end_stream()).then_some(incoming);
        Self { incoming, withheld, conn: Rc::clone(conn) }
    }
}

impl Body for Late {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.withheld = false;
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else { return };
        if !self.withheld && !incoming.is_end_stream() {
            tokio::task::spawn_local(rest(incoming, self.conn.busy()));
        }
    }
}

/// Ends with the body, with its connection, or at a bound.
async fn rest(mut incoming: Incoming, _busy: Busy) {
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = incoming.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MOST {
                return;
            }
        }
    };
    if tokio::time::timeout(LONGEST, read).await.is_err() {
        tracing::debug!("the rest of a body that nobody wants did not come in time");
    }
}
