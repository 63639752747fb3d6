//! A caller's connection, to be written to byte by byte.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// A caller's end of a connection.
pub type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A connection to a port of this machine, whose server is `name` by these roots; with an SVID and its key, or without.
pub fn connect(port: u16, name: &str, roots: &Path, own: Option<(&Path, &Path)>) -> io::Result<Tls> {
    let roots = CertificateDer::pem_file_iter(roots).map_err(io::Error::other)?;
    let mut store = rustls::RootCertStore::empty();
    store.add_parsable_certificates(roots.flatten());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(store);
    let config = if let Some((certificate, key)) = own {
        let chain = CertificateDer::pem_file_iter(certificate).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
        config.with_client_auth_cert(chain.flatten().collect(), key).map_err(io::Error::other)?
    } else {
        config.with_no_client_auth()
    };
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let tls = rustls::ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(rustls::StreamOwned::new(tls, socket))
}
