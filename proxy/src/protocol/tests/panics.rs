//! A panic wherever bytes come in or go out ends one connection, and each request on it leaves one record.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

use super::origin::ok;
use super::site::{Bench, Plan, on_a_worker};
use crate::fault::codes;
use crate::protocol::Alpn;
use crate::record::{Entry, Outcome, RequestEntry};

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// A connection that panics when it has read or written so much.
struct Mined {
    stream: DuplexStream,
    reads: usize,
    writes: usize,
}

impl AsyncRead for Mined {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let count = buf.filled().len() - before;
        self.reads = self.reads.checked_sub(count).expect("a mine under a read");
        read
    }
}

impl AsyncWrite for Mined {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes = self.writes.checked_sub(buf.len()).expect("a mine under a write");
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Writes `request` and then `more` to a mined connection, reads to its end, and gives the records of requests.
async fn records(
    bench: &Bench,
    reads: usize,
    writes: usize,
    request: &[u8],
    more: &[u8],
) -> Vec<RequestEntry> {
    let (mut caller, stream) = tokio::io::duplex(64 * 1024);
    let mined = Mined { stream, reads, writes };
    let _ender = bench.serve(mined, Alpn::Http1, Some(bench.peer(Duration::from_mins(10))));
    caller.write_all(request).await.unwrap();
    while bench.origin.connections() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A connection that is gone takes no more.
    caller.write_all(more).await.ok();
    caller.read_to_end(&mut Vec::new()).await.ok();
    let first = bench.record().await;
    // What might still come would have come with the connection's end.
    let late = bench.records().into_iter().filter_map(|entry| match entry {
        Entry::Request(entry) => Some(*entry),
        _ => None,
    });
    std::iter::once(first).chain(late).collect()
}

fn one_panic(records: &[RequestEntry], place: &str) {
    let endings: Vec<_> = records.iter().map(|record| (record.outcome, record.code)).collect();
    assert_eq!(endings, [(Outcome::Failed, Some(codes::PANICKED.id))], "{place}");
}

#[test]
fn a_panic_while_a_body_is_read_or_an_answer_written_leaves_one_record_and_the_next_is_served() {
    on_a_worker(async {
        let post = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
        let bench = Plan::default().start().await;
        one_panic(&records(&bench, post.len() + 10, usize::MAX, post, &[7; 100]).await, "a body");
        assert!(bench.raw(GET).await.starts_with("HTTP/1.1 200 "));

        let half = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf";
        let bench = Plan { answers: Rc::new(|_| half.to_owned()), ..Plan::default() }.start().await;
        one_panic(&records(&bench, usize::MAX, 10, GET, b"").await, "an answer");
    });
}

#[test]
fn a_panic_in_a_tunnel_leaves_one_record() {
    on_a_worker(async {
        for (reads, writes) in [(GET.len() + 2, usize::MAX), (usize::MAX, 3)] {
            let plan =
                Plan { protocol: "tcp", upstream: "", routes: "all: { upstream: app }", ..Plan::default() };
            let bench = Plan { answers: Rc::new(|_| ok("hello")), ..plan }.start().await;
            one_panic(&records(&bench, reads, writes, GET, b"more").await, "raw TCP");
        }
    });
}
