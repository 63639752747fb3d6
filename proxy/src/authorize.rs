//! May this caller do this? Rego decides, in process; the answer is a [`Grant`] or a [`Denial`].
//!
//! Only this module can make a grant, and without one nothing is forwarded.

mod grant;
mod request;

pub use grant::{Denial, Grant, HeaderEdits, Reply};
pub use request::{Action, BodyFacts, HttpAction, Request};

/// A worker's judge.
pub struct Authorizer {}

impl Authorizer {
    /// Judges one request.
    pub fn judge(&self, _request: &Request<'_>) -> Result<Grant, Denial> {
        unimplemented!("being written")
    }
}
