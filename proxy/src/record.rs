//! Who did what, when, why, under which policy and lease, and when that access ended.
//!
//! A worker opens a record when it has read a request's head and closes it when the request is
//! over. Whatever happens in between, a panic, a cancelled future, an early return, leaves exactly
//! one record: [`Recorder`] writes in `Drop`. One writer, on a thread of its own, numbers them all.

mod entry;
pub mod metrics;
mod recorder;
mod trace;
pub mod writer;

pub use entry::{
    AccessEnded, AccessOpened, Bytes, CallerFacts, CredentialUse, DecisionFacts, Entry, Gap, Generations,
    Outcome, RefusedConnection, Reload, RequestEntry, RequestFacts, SessionEnded, SessionOpened,
    UpstreamFacts,
};
pub use recorder::{Opening, RecordError, Recorder, Records, SinkState};
pub use trace::TraceContext;
