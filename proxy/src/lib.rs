//! Postern: the small guarded gate beside a service that nobody can change.
//!
//! A connection is accepted and its peer identified; each request on it is authorized, given a
//! credential, forwarded, and recorded. Each of those six verbs is a module, they run in that
//! order, and [`gate`] is the page where it is read.
#![doc = include_str!("../docs/architecture.md")]

// Words: they depend on nothing here.
/// The one source of time: wall and boot.
pub mod clock;
/// What can go wrong: one table of codes, each with an owner and a hint.
pub mod fault;
/// Values that are replaced whole, never edited: the one reload primitive.
pub mod live;
/// The vocabulary: names, identities, secrets, plain facts.
pub mod model;
/// When to do something again.
mod pace;
/// The `state:` directory: what must survive a crash.
pub mod state;
/// HTTP to the estate's own machinery: vaults and bundle services.
mod wire;

// What we were told.
/// The configuration, fully parsed: holding one means that it is valid.
pub mod config;

// The six verbs, in the order in which a request meets them.
/// Listeners: bind, limit, accept, read the first bytes within a deadline.
pub mod accept;
/// May this caller do this? Rego decides; the answer is a grant or a denial.
pub mod authorize;
/// The short-lived credential that the grant names, as a lease.
pub mod credential;
/// The upstream: how it is reached, how it proves itself, which connections are kept.
pub mod forward;
/// Who is on the other end, proven by an SVID; and who we are.
pub mod identify;
/// Who did what, when, why, under which policy and lease, and when that access ended.
pub mod record;

// The path, and the protocols that walk it.
/// The order of the verbs for one request. **Start reading here.**
pub mod gate;
/// The dialects: how each protocol reads a request, is given a credential, and is refused.
pub mod protocol;

// The process.
/// Health, metrics and state, for operators.
pub mod admin;
/// The verbs of the command line.
pub mod command;
/// Builds every part from the configuration: workers and the control thread.
pub mod server;

/// A future that stays on the thread of its worker.
pub type LocalBoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;
