//! The files of TLS: read and checked when the first connection is made, looked for before.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::host::folder::{plain, shown};
use crate::host::input_file;
use crate::net::client_key::{self, KeyFlaw};

use super::{Error, TlsSettings};

/// Looks for the files that are named, so that a slip shows in each run, and reads none of them.
///
/// # Errors
/// `Kind::Config` with the file that is missing.
pub(super) fn check(tls: &TlsSettings) -> Result<(), Error> {
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        return Err(Error::config(
            "a client certificate needs its key, and a key its certificate".to_owned(),
        ));
    }
    let (file, folder) = (tls.ca_cert.as_ref(), tls.ca_path.as_ref());
    let folder = folder.filter(|_| file.is_none() && !tls.skip_verify);
    let file = file.filter(|_| !tls.skip_verify);
    for path in file.into_iter().chain(&tls.client_cert).chain(&tls.client_key) {
        input_file::check(path, input_file::PEM).map_err(|why| unreadable(path, &why))?;
    }
    let missing = folder.into_iter().chain(file).chain(&tls.client_cert).chain(&tls.client_key);
    for path in missing {
        fs::metadata(path).map_err(|error| unreadable(path, &plain(&error)))?;
    }
    Ok(())
}

/// What ureq needs for `https://`. Nothing is read for other addresses.
///
/// # Errors
/// `Kind::Config` with the file that can't be used.
pub(super) fn config(tls: &TlsSettings) -> Result<TlsConfig, Error> {
    let provider = Arc::new(default_provider());
    let pair = tls.client_cert.as_ref().zip(tls.client_key.as_ref());
    let client = pair.map(|(cert, key)| client(cert, key, &provider)).transpose()?;
    let roots = if tls.skip_verify { Vec::new() } else { roots(tls)? };
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&roots))
        .client_cert(client)
        .disable_verification(tls.skip_verify)
        .build())
}

/// The named file wins over the named folder, both over the system's roots.
fn roots(tls: &TlsSettings) -> Result<Vec<Certificate<'static>>, Error> {
    let certs = match (&tls.ca_cert, &tls.ca_path) {
        (Some(file), _) => usable(certificates(file)?, file)?,
        (None, Some(folder)) => usable(folder_certificates(folder)?, folder)?,
        (None, None) => rustls_native_certs::load_native_certs().certs,
    };
    Ok(certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect())
}

/// The library drops what it can't read without a word.
fn usable(
    certs: Vec<CertificateDer<'static>>,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let (added, _) = RootCertStore::empty().add_parsable_certificates(certs.iter().cloned());
    if added > 0 {
        Ok(certs)
    } else {
        Err(Error::config(format!("no usable certificate in {}", shown(path))))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certs = in_pem(&read(file)?);
    if certs.is_empty() {
        return Err(Error::config(format!("no PEM certificate in {}", shown(file))));
    }
    Ok(certs)
}

/// None if one of them is broken.
fn in_pem(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().unwrap_or_default()
}

fn folder_certificates(folder: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let files = input_file::read_folder(folder).map_err(|why| unreadable(folder, &why))?;
    let certs: Vec<_> = files.iter().flat_map(|pem| in_pem(pem)).collect();
    if certs.is_empty() {
        Err(Error::config(format!("no PEM certificate in {}", shown(folder))))
    } else {
        Ok(certs)
    }
}

/// The library panics over a key that does not fit its certificate, so that is found out here.
fn client(cert: &Path, key: &Path, provider: &Arc<CryptoProvider>) -> Result<ClientCert, Error> {
    let certs = certificates(cert)?;
    let pem = read(key)?;
    let flawed = |flaw: KeyFlaw| Error::config(flaw.told(&shown(key), &shown(cert)));
    let der = client_key::from_pem(&pem).map_err(flawed)?;
    client_key::certified(certs.clone(), der, provider).map_err(flawed)?;
    let chain: Vec<_> = certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    let key = PrivateKey::from_pem(&pem).map_err(|_| flawed(KeyFlaw::Missing))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    input_file::read(file, input_file::PEM).map_err(|why| unreadable(file, &why))
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::config(format!("cannot read {}: {why}", shown(path)))
}
