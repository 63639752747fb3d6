//! Bundles that an HTTP service serves, downloaded as OPA downloads them. Runs on the control thread.
//!
//! A [`Follower`] asks one service again and again and tells what came of it as [`News`]; whoever takes the news
//! decides what serves. It knows nothing of other bundles.

mod board;
mod client;
mod copy;
mod error;
mod follow;
mod report;

pub use board::{Board, BundleStatus};
pub use client::{Answer, Client};
pub use copy::{Copy, CopyError, Kept};
pub use error::ServiceError;
pub use follow::{Arrival, Follower, Hurry, News, Outcome};
pub use report::Reporter;
