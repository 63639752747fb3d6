use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;

use super::ForwardError;
use crate::config::{self, TlsVersion, UpstreamAddress, UpstreamProof, UpstreamTls};
use crate::identify::Identities;

/// How this upstream is spoken to in TLS, and the name it must be valid for.
pub(super) fn connector(
    upstream: &config::Upstream,
    wanted: &UpstreamTls,
    _identities: &Identities,
) -> Result<(TlsConnector, ServerName<'static>), ForwardError> {
    let UpstreamProof::Roots(file) = &wanted.proof else {
        let reason = "this proof is not built yet".to_owned();
        return Err(ForwardError::Material { file: "tls".into(), reason });
    };
    let bad = |reason: String| ForwardError::Material { file: file.clone(), reason };
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))? {
        roots.add(root.map_err(|error| bad(error.to_string()))?).map_err(|error| bad(error.to_string()))?;
    }
    let versions: &[_] = if wanted.min == TlsVersion::V12 { &[&TLS12, &TLS13] } else { &[&TLS13] };
    let mut tls = rustls::ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A resumed session would not prove its certificate again.
    tls.resumption = Resumption::disabled();
    tls.alpn_protocols = if upstream.http2 { vec![b"h2".to_vec()] } else { Vec::new() };
    let name = name(upstream, wanted).map_err(|error| bad(error.to_string()))?;
    Ok((TlsConnector::from(Arc::new(tls)), name))
}

fn name(
    upstream: &config::Upstream,
    wanted: &UpstreamTls,
) -> Result<ServerName<'static>, rustls_pki_types::InvalidDnsNameError> {
    let host = match (&wanted.server_name, &upstream.address) {
        (Some(name), _) => name.as_str(),
        (None, UpstreamAddress::Tcp { host, .. }) => host.as_str(),
        (None, UpstreamAddress::Unix(_)) => "localhost",
    };
    ServerName::try_from(host.to_owned())
}
