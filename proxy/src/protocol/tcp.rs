//! Raw TCP: one connection is one request.

use std::rc::Rc;

use super::{Connection, Kind, Protocol, Site, Unfit};
use crate::LocalBoxFuture;
use crate::config::{Listener, ProofKind};

/// The row in the table of dialects.
pub const KIND: Kind = Kind {
    name: "tcp",
    summary: "any protocol, byte for byte: who may connect is decided, nothing is put in",
    example: r#"{ bind: "0.0.0.0:9444", protocol: tcp, routes: { all: { upstream: app } } }"#,
    alpn: &[],
    protocol: &Tcp,
};

/// The dialect.
pub struct Tcp;

impl Protocol for Tcp {
    fn serve(&self, _connection: Connection, _site: Rc<Site>) -> LocalBoxFuture<'static, ()> {
        unimplemented!("being written")
    }

    fn fits(&self, listener: &Listener) -> Result<(), Unfit> {
        if listener.callers.any_of.contains(&ProofKind::JwtSvid) {
            return Err(Unfit::NoPlaceForToken);
        }
        for route in &listener.routes {
            let route_name = || route.name.clone();
            if !route.credentials.is_empty() {
                return Err(Unfit::NoPlaceForCredential { route: route_name() });
            }
            if route.host.is_some() || !route.segments.is_empty() {
                return Err(Unfit::NothingToRouteBy { route: route_name() });
            }
        }
        Ok(())
    }
}
