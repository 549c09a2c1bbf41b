//! TLS to a Redis: the roots, the client's certificate, the handshake.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::store::{Error, RedisPlace};

use super::errors::{tame, unavailable};
use super::line::Line;

/// Reads the files that `place` names; without a CA file the system's roots are used.
pub(super) fn config(place: &RedisPlace) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| unavailable(format!("tls: {why}")))?
        .with_root_certificates(roots(place.ca_cert.as_deref())?);
    let config = match (&place.client_cert, &place.client_key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|why| unreadable(key, &why))?;
            builder
                .with_client_auth_cert(certificates(cert)?, key)
                .map_err(|why| unavailable(format!("tls: client certificate and key: {why}")))?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            return Err(unavailable(
                "tls: a client certificate needs its key, and a key its certificate",
            ));
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca_cert: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let found = match ca_cert {
        Some(file) => certificates(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        let whose = ca_cert.map_or("the system".to_owned(), |file| file.display().to_string());
        return Err(unavailable(format!("tls: no CA certificates in {whose}")));
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|why| unreadable(file, &why))
}

fn unreadable(file: &Path, why: &rustls::pki_types::pem::Error) -> Error {
    unavailable(format!("tls: cannot read {}: {}", file.display(), tame(&why.to_string())))
}

/// Shakes hands within the line's budget. The certificate must be for `host`.
pub(super) fn wrap(
    mut line: Line,
    host: &str,
    config: Arc<ClientConfig>,
) -> io::Result<StreamOwned<ClientConnection, Line>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut line)?;
    }
    Ok(StreamOwned::new(tls, line))
}
