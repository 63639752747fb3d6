//! The upstream: how it is reached, how it proves itself, which connections are kept.

use std::rc::Rc;

use crate::model::UpstreamName;

/// A worker's upstreams, by name.
pub struct Upstreams {}

impl Upstreams {
    /// The upstream of that name.
    #[must_use]
    pub fn of(&self, _name: &UpstreamName) -> Option<Rc<Upstream>> {
        unimplemented!("being written")
    }
}

/// One old system, as one worker reaches it.
pub struct Upstream {}

impl Upstream {
    /// Its configured name.
    #[must_use]
    pub fn name(&self) -> &UpstreamName {
        unimplemented!("being written")
    }
}
