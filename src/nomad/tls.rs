//! TLS to Nomad: its files are read with the first connection, and looked for before.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::input_file;
use crate::model::text::io_reason;
use crate::net::tls::{ca_certificates, client_certificate, client_files, unreadable};

use super::{Error, TlsSettings};

impl TlsSettings {
    fn client_files(&self) -> Result<Option<(&Path, &Path)>, Error> {
        let files = client_files(self.client_cert.as_deref(), self.client_key.as_deref());
        files.map_err(Error::config)
    }
}

/// Looks for the files that are named, so that a mistake shows in each run, and reads none of them.
///
/// # Errors
/// `FailureKind::Config` with the file that is missing or cannot be one of certificates.
pub(super) fn check(tls: &TlsSettings) -> Result<(), Error> {
    let client = tls.client_files()?;
    let ca_cert = tls.ca_cert.as_deref().filter(|_| !tls.skip_verify);
    let files = ca_cert.into_iter().chain(client.into_iter().flat_map(<[&Path; 2]>::from));
    for file in files.clone() {
        input_file::check(file, input_file::PEM).map_err(|why| wrong(file, &why))?;
    }
    let ca_path = tls.ca_path.as_deref().filter(|_| tls.ca_cert.is_none() && !tls.skip_verify);
    for path in ca_path.into_iter().chain(files) {
        fs::metadata(path).map_err(|error| wrong(path, &io_reason(&error)))?;
    }
    Ok(())
}

fn wrong(path: &Path, why: &str) -> Error {
    Error::config(unreadable(path, why))
}

/// What the HTTP library needs for `https://`.
///
/// # Errors
/// `FailureKind::Config` with the file that cannot be used.
pub(super) fn config(tls: &TlsSettings) -> Result<TlsConfig, Error> {
    let provider = Arc::new(default_provider());
    let files = tls.client_files()?;
    let client = files.map(|(cert, key)| client(cert, key, &provider)).transpose();
    let client = client.map_err(Error::config)?;
    let roots = match tls.skip_verify {
        true => Vec::new(),
        false => ca_certificates(tls.ca_cert.as_deref(), tls.ca_path.as_deref())
            .map_err(Error::config)?,
    };
    let roots: Vec<_> = roots.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(client)
        .disable_verification(tls.skip_verify)
        .build())
}

fn client(cert: &Path, key: &Path, provider: &Arc<CryptoProvider>) -> Result<ClientCert, String> {
    let (certified, key) = client_certificate(cert, key, provider)?;
    let certs = certified.cert.iter().map(|cert| Certificate::from_der(cert).to_owned());
    let key = PrivateKey::from_pem(&key).map_err(|why| why.to_string())?;
    Ok(ClientCert::new_with_certs(&certs.collect::<Vec<_>>(), key))
}
