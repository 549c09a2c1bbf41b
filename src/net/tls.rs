//! TLS files: CA certificates, and a client certificate with its private key.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};

use crate::input_file;
use crate::model::text::display_path;

type Certificates = Vec<CertificateDer<'static>>;

/// The CA certificates of the file, else of the directory, else of the system. A system without any
/// is no error: the handshake will report an unknown authority, and which option to pass.
///
/// # Errors
/// The file or directory that cannot be used, and why.
pub(crate) fn ca_certificates(
    file: Option<&Path>,
    folder: Option<&Path>,
) -> Result<Certificates, String> {
    let (certs, path) = match (file, folder) {
        (Some(file), _) => (certificates(file)?, file),
        (None, Some(folder)) => (folder_certificates(folder)?, folder),
        (None, None) => return Ok(rustls_native_certs::load_native_certs().certs),
    };
    // The libraries ignore what they cannot parse.
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(certs.iter().cloned());
    if usable > 0 {
        Ok(certs)
    } else {
        Err(format!("no usable certificate in {}", display_path(path)))
    }
}

/// The files of a client certificate, of which both or none are named.
///
/// # Errors
/// Only one is named.
pub(crate) fn client_files<'a>(
    cert: Option<&'a Path>,
    key: Option<&'a Path>,
) -> Result<Option<(&'a Path, &'a Path)>, String> {
    if cert.is_some() == key.is_some() {
        Ok(cert.zip(key))
    } else {
        Err("a client certificate and its key must be given together".to_owned())
    }
}

/// A client certificate with its key, and the PEM text of the key, checked against each other: ureq
/// panics if they do not match.
///
/// # Errors
/// The file that cannot be used, and why.
pub(crate) fn client_certificate(
    cert: &Path,
    key: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<(CertifiedKey, Vec<u8>), String> {
    let certs = certificates(cert)?;
    let pem = read(key)?;
    let private_key = private_key(&pem, &display_path(key))?;
    let (cert, key) = (display_path(cert), display_path(key));
    let certified = CertifiedKey::from_der(certs, private_key, provider);
    let certified = certified.map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            format!("the key {key} does not match the certificate {cert}")
        }
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => {
            format!("cannot read the certificate {cert}: it must be X.509 version 3")
        }
        _ => format!(
            "the private key {key} is of an unsupported type: use RSA, ECDSA P-256 or P-384, or Ed25519"
        ),
    })?;
    Ok((certified, pem))
}

fn private_key(pem: &[u8], key: &str) -> Result<PrivateKeyDer<'static>, String> {
    let contains = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    // As PKCS #8 has it, and as OpenSSL's older files do.
    if contains(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(b"Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "the private key {key} is encrypted: decrypt it with openssl pkey -in {key} -out NEW.key"
        ));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| format!("no PEM private key in {key}"))
}

fn certificates(file: &Path) -> Result<Certificates, String> {
    not_empty(in_pem(&read(file)?), file)
}

fn folder_certificates(folder: &Path) -> Result<Certificates, String> {
    let files = input_file::read_folder(folder).map_err(|why| unreadable(folder, &why))?;
    not_empty(files.iter().flat_map(|pem| in_pem(pem)).collect(), folder)
}

fn not_empty(certs: Certificates, path: &Path) -> Result<Certificates, String> {
    if certs.is_empty() {
        return Err(format!("no PEM certificate in {}", display_path(path)));
    }
    Ok(certs)
}

/// Empty if one of them is broken.
fn in_pem(pem: &[u8]) -> Certificates {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().unwrap_or_default()
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    input_file::read(file, input_file::PEM).map_err(|why| unreadable(file, &why))
}

/// The error for a file that cannot be read.
pub(crate) fn unreadable(path: &Path, why: &str) -> String {
    format!("cannot read {}: {why}", display_path(path))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use rustls::crypto::ring::default_provider;

    use super::{client_certificate, client_files};

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
    }

    #[test]
    fn each_kind_of_key_that_can_not_be_used() {
        for (cert, key, why) in [
            ("by-p521.pem", "p256.key", None),
            ("ca.pem", "encrypted.key", Some("the private key KEY is encrypted: decrypt it with")),
            ("ca.pem", "encrypted-old.key", Some("the private key KEY is encrypted")),
            ("ca.pem", "ca.pem", Some("no PEM private key in KEY")),
            ("p521.pem", "p521.key", Some("the private key KEY is of an unsupported type")),
            ("p521.pem", "p256.key", Some("the key KEY does not match the certificate CERT")),
            ("v1.pem", "p256.key", Some("cannot read the certificate CERT: it must be X.509")),
        ] {
            let (cert, key) = (file(cert), file(key));
            let error = client_certificate(&cert, &key, &Arc::new(default_provider())).err();
            let why = why.map(|why| why.replace("KEY", &key.display().to_string()));
            let why = why.map(|why| why.replace("CERT", &cert.display().to_string()));
            match (error, why) {
                (Some(error), Some(why)) => assert!(error.starts_with(&why), "{error}"),
                (error, why) => assert_eq!(error, why),
            }
        }
    }

    #[test]
    fn a_certificate_and_its_key_are_named_together() {
        let (cert, key) = (Path::new("cert"), Path::new("key"));
        assert_eq!(client_files(None, None), Ok(None));
        assert_eq!(client_files(Some(cert), Some(key)), Ok(Some((cert, key))));
        assert!(client_files(Some(cert), None).is_err() && client_files(None, Some(key)).is_err());
    }
}
