use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::clock::SharedClock;
use crate::config::{self, UpstreamAddress, UpstreamTls};
use crate::identify::{IdentifyError, Identities, server_name, upstream_tls};

/// How this upstream is spoken to in TLS, and the name it is asked for.
pub(super) fn connector(
    upstream: &config::Upstream,
    wanted: &UpstreamTls,
    identities: &Identities,
    clock: &SharedClock,
) -> Result<(TlsConnector, ServerName<'static>), IdentifyError> {
    let mut tls = upstream_tls(wanted, identities, Arc::clone(clock))?;
    // HTTP/2 is declared, so it is asked for; HTTP/1.1 goes without saying, for old systems know no ALPN.
    tls.alpn_protocols = if upstream.http2 { vec![b"h2".to_vec()] } else { Vec::new() };
    let host = match &upstream.address {
        UpstreamAddress::Tcp { host, .. } => host.as_str(),
        UpstreamAddress::Unix(_) => "localhost",
    };
    Ok((TlsConnector::from(Arc::new(tls)), server_name(wanted, host)?))
}
