//! HTTP/1.1 and HTTP/2.

use std::rc::Rc;

use super::{Connection, Kind, Protocol, Site, Unfit};
use crate::LocalBoxFuture;
use crate::config::Listener;

/// The row in the table of dialects.
pub const KIND: Kind = Kind {
    name: "http",
    summary: "HTTP/1.1 and HTTP/2, chosen by ALPN; gRPC, WebSocket (over HTTP/1.1) and event streams included",
    example: r#"{ bind: "0.0.0.0:9443", protocol: http, routes: { all: { path: /, upstream: app, credentials: [app] } } }"#,
    alpn: &[b"h2", b"http/1.1"],
    protocol: &Http,
};

/// The dialect.
pub struct Http;

impl Protocol for Http {
    fn serve(&self, _connection: Connection, _site: Rc<Site>) -> LocalBoxFuture<'static, ()> {
        unimplemented!("being written")
    }

    fn fits(&self, listener: &Listener) -> Result<(), Unfit> {
        let homeless = listener
            .routes
            .iter()
            .find(|route| route.upstream.login.is_none() && !route.credentials.is_empty());
        homeless.map_or(Ok(()), |route| Err(Unfit::NoLogin { route: route.name.clone() }))
    }
}
