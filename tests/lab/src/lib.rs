//! **Not for production.** Small stand-ins for what surrounds Postern, to try it on one bare machine and to
//! test it: a SPIFFE authority, a vault and a service that knows only passwords, on loopback and Unix
//! sockets.
//!
//! What they serve are the standard interfaces (the Workload API, the Vault HTTP API, HTTP Basic), so that
//! SPIRE, `OpenBao` and a real service take the same places. Each part runs on a thread of its own, is driven
//! through its handle from async and blocking code alike, and ends when the handle is dropped. Nothing here
//! knows a type of the proxy.

use std::sync::{Mutex, MutexGuard, PoisonError};

mod accounts;
pub mod authority;
pub mod caller;
pub mod jwt;
pub mod legacy;
mod part;
pub mod sidecar;
pub mod tour;
pub mod vault;

pub use accounts::Accounts;
pub use authority::Authority;
pub use legacy::Legacy;
pub use sidecar::Sidecar;
pub use vault::Vault;

/// The lock, whatever a panicking test left behind: every section under it leaves whole values.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
