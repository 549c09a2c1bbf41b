//! The private key of a client certificate: what of it can be used, and why not.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

/// Why a key can't be used with its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFlaw {
    /// Only who knows its passphrase could read it.
    Encrypted,
    /// The text holds no key.
    Missing,
    /// A kind of key that the library can't sign with.
    Unsupported,
    /// It belongs to another certificate.
    Mismatch,
    /// The key may be fine: its certificate can't be read.
    Certificate,
}

impl KeyFlaw {
    /// In words, with the files as they are shown.
    pub(crate) fn told(self, key: &str, cert: &str) -> String {
        match self {
            Self::Encrypted => format!(
                "the private key {key} is encrypted: decrypt it with openssl pkey -in {key} -out NEW.key"
            ),
            Self::Missing => format!("no PEM private key in {key}"),
            Self::Unsupported => format!(
                "the private key {key} is of a kind that is not supported: use RSA, ECDSA P-256 or P-384, or Ed25519"
            ),
            Self::Mismatch => format!("the key {key} does not fit the certificate {cert}"),
            Self::Certificate => {
                format!("the certificate {cert} can't be read: it must be X.509 version 3")
            }
        }
    }
}

/// The key in a PEM text.
///
/// # Errors
/// [`KeyFlaw::Encrypted`] and [`KeyFlaw::Missing`].
pub(crate) fn from_pem(pem: &[u8]) -> Result<PrivateKeyDer<'static>, KeyFlaw> {
    let holds = |words: &[u8]| pem.windows(words.len()).any(|window| window == words);
    // Both ways to write it: PKCS #8, and the header of OpenSSL's older files.
    if holds(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds(b"Proc-Type: 4,ENCRYPTED") {
        return Err(KeyFlaw::Encrypted);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyFlaw::Missing)
}

/// The key with its certificates, checked against each other.
///
/// # Errors
/// The other kinds of [`KeyFlaw`].
pub(crate) fn certified(
    certs: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &Arc<CryptoProvider>,
) -> Result<CertifiedKey, KeyFlaw> {
    CertifiedKey::from_der(certs, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => KeyFlaw::Mismatch,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => KeyFlaw::Certificate,
        _ => KeyFlaw::Unsupported,
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::{KeyFlaw, certified, from_pem};

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
    }

    fn flaw(cert: &str, key: &str) -> Option<KeyFlaw> {
        let key = match from_pem(&std::fs::read(file(key)).unwrap()) {
            Ok(key) => key,
            Err(flaw) => return Some(flaw),
        };
        let cert = CertificateDer::from_pem_file(file(cert)).unwrap();
        certified(vec![cert], key, &Arc::new(default_provider())).err()
    }

    #[test]
    fn each_kind_of_key_that_can_not_be_used() {
        assert_eq!(flaw("by-p521.pem", "p256.key"), None);
        assert_eq!(flaw("ca.pem", "encrypted.key"), Some(KeyFlaw::Encrypted));
        assert_eq!(flaw("ca.pem", "encrypted-old.key"), Some(KeyFlaw::Encrypted));
        assert_eq!(flaw("ca.pem", "ca.pem"), Some(KeyFlaw::Missing));
        assert_eq!(flaw("p521.pem", "p521.key"), Some(KeyFlaw::Unsupported));
        assert_eq!(flaw("p521.pem", "p256.key"), Some(KeyFlaw::Mismatch));
        assert_eq!(flaw("v1.pem", "p256.key"), Some(KeyFlaw::Certificate));
    }
}
