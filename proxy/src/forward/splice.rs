//! Two connections become one: bytes are copied both ways until both sides are done.

use std::cell::Cell;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{ForwardError, stillness};

/// How much is copied at a time, and so the memory that one direction takes.
const PIECE: usize = 16 * 1024;

/// Bytes copied so far; shared, so that they can be read when the copying is cut.
#[derive(Debug, Default)]
pub struct Tally {
    /// From the caller.
    pub received: Cell<u64>,
    /// To the caller.
    pub sent: Cell<u64>,
}

/// Copies both ways. When one side has no more to say, the other is told (half-close) and goes on;
/// it is over when both have, when one breaks, or when nothing moved either way for `idle`.
pub async fn splice<A, B>(caller: A, upstream: B, idle: Duration, tally: &Tally) -> Result<(), ForwardError>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    use ForwardError::{Broken, CallerBroken};
    let (mut from_caller, mut to_caller) = tokio::io::split(caller);
    let (mut from_upstream, mut to_upstream) = tokio::io::split(upstream);
    let both = async {
        tokio::try_join!(
            copy(&mut from_caller, &mut to_upstream, &tally.received, [CallerBroken, Broken]),
            copy(&mut from_upstream, &mut to_caller, &tally.sent, [Broken, CallerBroken]),
        )
    };
    tokio::select! {
        done = both => done.map(|_| ()),
        () = stillness(idle, || tally.received.get() + tally.sent.get()) => Err(ForwardError::Stalled { idle }),
    }
}

/// `blame` says whose a failure is, of reading and of writing.
async fn copy<R, W>(
    from: &mut R,
    to: &mut W,
    moved: &Cell<u64>,
    blame: [fn(std::io::Error) -> ForwardError; 2],
) -> Result<(), ForwardError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let [of_reading, of_writing] = blame;
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await.map_err(of_reading)?;
        let Some(data) = piece.get(..read).filter(|data| !data.is_empty()) else { break };
        to.write_all(data).await.map_err(of_writing)?;
        to.flush().await.map_err(of_writing)?;
        moved.set(moved.get() + read as u64);
    }
    to.shutdown().await.map_err(of_writing)
}
