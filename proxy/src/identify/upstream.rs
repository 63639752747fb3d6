use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::{ClientConfig, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use crate::clock::SharedClock;
use crate::config::{TlsVersion, UpstreamProof, UpstreamTls};

use super::Identities;
use super::error::{FileProblem, IdentifyError};
use super::pem::roots;
use super::svid::PresentSvid;
use super::tls::{Time, provider};
use super::verifier::ServerProof;

/// How we speak TLS to a server that proves itself as `tls` says, before any credential is sent.
/// Never resumed, for a resumed session would skip the proof. ALPN is the caller's to set.
pub fn upstream_tls(
    tls: &UpstreamTls,
    identities: &Identities,
    clock: SharedClock,
) -> Result<ClientConfig, IdentifyError> {
    let versions: &[&SupportedProtocolVersion] = match tls.min {
        TlsVersion::V12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V13 => &[&rustls::version::TLS13],
    };
    let time = Arc::new(Time(Arc::clone(&clock)));
    let builder = ClientConfig::builder_with_details(Arc::clone(provider()), time)
        .with_protocol_versions(versions)?
        .dangerous()
        .with_custom_certificate_verifier(verifier(&tls.proof, identities, &clock)?);
    let mut config = if tls.present_svid {
        builder.with_client_cert_resolver(Arc::new(PresentSvid::new(identities.svids.clone(), clock)))
    } else {
        builder.with_no_client_auth()
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The name to ask a server for, and to hold its certificate to where roots prove it.
pub fn server_name(tls: &UpstreamTls, host: &str) -> Result<ServerName<'static>, IdentifyError> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| IdentifyError::ServerName(name.to_owned()))
}

fn verifier(
    proof: &UpstreamProof,
    identities: &Identities,
    clock: &SharedClock,
) -> Result<Arc<dyn ServerCertVerifier>, IdentifyError> {
    let file = match proof {
        UpstreamProof::Roots(file) => file,
        UpstreamProof::SpiffeId(id) => {
            let (bundles, clock) = (identities.bundles.clone(), Arc::clone(clock));
            return Ok(Arc::new(ServerProof::SpiffeId { id: id.clone(), bundles, clock }));
        }
        UpstreamProof::Pin(pin) => return Ok(Arc::new(ServerProof::Pin(*pin))),
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots(file)?), Arc::clone(provider()))
        .build()
        .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        .map_err(|_| IdentifyError::file(file, FileProblem::Empty))
}
