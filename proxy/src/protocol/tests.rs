//! The dialects on the real path: real configuration, real policy, a real lease, a real origin on
//! loopback. Only the handshake is left out: the caller's end is a socket pair in memory.

mod callers;
mod floods;
mod hostile;
mod http2;
mod kept;
mod late;
mod origin;
mod panics;
mod recorded;
mod refusals;
mod site;
mod streams;
mod unchanged;
