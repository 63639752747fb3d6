//! A request that nobody made, read as one that arrives: what `postern why` judges.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::asked;
use super::canon::Target;
use super::inspect::{self, Inspected};
use super::{hop, inject};
use crate::authorize::{HttpAction, is_hidden};
use crate::config::{Listener, Route};
use crate::fault::Fault;

/// A request, read. There is no connection and no record, so it goes no further than to policy.
pub(crate) struct Supposed {
    head: Parts,
    target: Target,
    inspected: Inspected,
    /// Where it would go.
    pub(crate) route: Arc<Route>,
    /// Headers that it was given and that policy does not see.
    pub(crate) unseen: Vec<HeaderName>,
}

impl Supposed {
    /// What keeps a body from being the JSON that a route reads, in words.
    pub(crate) fn wrong_body(headers: &HeaderMap, body: &[u8]) -> Option<String> {
        inspect::wrong(headers, body)
    }

    /// Reads it in the order of a live one: target, headers, route, body.
    pub(crate) fn read(listener: &Listener, mut head: Parts, body: Option<&[u8]>) -> Result<Self, Fault> {
        let mut unseen: Vec<HeaderName> = head.headers.keys().cloned().collect();
        let target = Target::read(&head).map_err(Fault::of)?;
        hop::cleanse(&mut head.headers).map_err(Fault::of)?;
        let route = asked::route(listener, &target)?;
        if let Some(login) = &route.upstream.login {
            head.headers.remove(inject::place(login));
        }
        let inspected = match (route.inspect, body) {
            (None, _) => Inspected::Not,
            (Some(_), None) => Inspected::Absent,
            (Some(wanted), Some(text)) => {
                Inspected::of(wanted, &head.headers, (text.len() <= wanted.limit).then_some(text))?
            }
        };
        unseen.retain(|name| !head.headers.contains_key(name) || is_hidden(name, &route.upstream));
        Ok(Self { head, target, inspected, route, unseen })
    }

    /// As policy judges it.
    pub(crate) fn action(&self) -> HttpAction<'_> {
        asked::action(&self.head, &self.target, &self.inspected)
    }
}
