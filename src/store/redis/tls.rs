//! TLS to a Redis: the roots, the client's certificate, the handshake.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::host::input_file as bounded;
use crate::net::client_key::{self, KeyFlaw};
use crate::net::tls_failure::{TlsPeer, TlsTrouble};
use crate::store::RedisPlace;
use crate::store::error::{Error, TlsFailure};

use super::errors::{of_io, printable_line};
use super::socket::BudgetedSocket;

const REDIS: TlsPeer = TlsPeer {
    name: "redis",
    whose: "Redis's",
    authority: "pass --redis-ca-cert",
    other_name: "pass that one in --redis",
    client: "--redis-client-cert and --redis-client-key",
};

/// Reads the files that `place` names; without a CA file the system's roots are used.
pub(super) fn config(place: &RedisPlace) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| files(why.to_string()))?
        .with_root_certificates(roots(place.ca_cert.as_deref())?);
    let config = match (&place.client_cert, &place.client_key) {
        (Some(cert), Some(key)) => {
            let certified = client(cert, key, &provider)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            return Err(files("a client certificate needs its key, and a key its certificate"));
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
        return Err(files(format!("no CA certificates in {whose}")));
    }
    Ok(roots)
}

fn client(cert: &Path, key: &Path, provider: &Arc<CryptoProvider>) -> Result<CertifiedKey, Error> {
    let certs = certificates(cert)?;
    let pem = read(key)?;
    let shown = |path: &Path| printable_line(&path.display().to_string());
    let flawed = |flaw: KeyFlaw| files(flaw.told(&shown(key), &shown(cert)));
    let der = client_key::from_pem(&pem).map_err(flawed)?;
    client_key::certified(certs, der, provider).map_err(flawed)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certs: Result<_, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    certs.map_err(|why: pem::Error| wrong(file, &why.to_string()))
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    bounded::read(file, bounded::PEM).map_err(|why| wrong(file, &why))
}

fn wrong(file: &Path, why: &str) -> Error {
    files(format!("cannot read {}: {}", file.display(), printable_line(why)))
}

fn files(why: impl Into<String>) -> Error {
    Error::Tls(TlsFailure::Files(why.into()))
}

/// A line that is encrypted. Its failures are told in words for people.
pub(super) struct TlsStream {
    stream: StreamOwned<ClientConnection, BudgetedSocket>,
    /// There is a client certificate to show.
    shown: bool,
}

impl TlsStream {
    /// Shakes hands within the line's budget. The certificate must be for `host`.
    pub(super) fn new(
        mut line: BudgetedSocket,
        host: &str,
        config: Arc<ClientConfig>,
    ) -> Result<Self, Error> {
        let shown = config.client_auth_cert_resolver.has_certs();
        let name =
            ServerName::try_from(host.to_owned()).map_err(|why| of_io(&io::Error::other(why)))?;
        let tls = ClientConnection::new(config, name).map_err(|why| of_io(&io::Error::other(why)));
        let mut tls = tls?;
        while tls.is_handshaking() {
            if let Err(lost) = tls.complete_io(&mut line) {
                let error = last_word(&mut tls, &mut line, &lost).unwrap_or(lost);
                return Err(of_handshake(error, shown, line.has_received()));
            }
        }
        Ok(Self { stream: StreamOwned::new(tls, line), shown })
    }

    pub(super) fn line(&mut self) -> &mut BudgetedSocket {
        &mut self.stream.sock
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf).map_err(|error| worded(error, self.shown))
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.write(buf).map_err(|error| worded(error, self.shown))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush().map_err(|error| worded(error, self.shown))
    }
}

/// Who refuses a handshake says why and hangs up, and then a write may fail before that is read.
fn last_word(
    tls: &mut ClientConnection,
    line: &mut BudgetedSocket,
    lost: &io::Error,
) -> Option<io::Error> {
    while of_io(lost) == Error::Lost && tls.read_tls(line).ok()? > 0 {
        if let Err(why) = tls.process_new_packets() {
            return Some(io::Error::other(why));
        }
    }
    None
}

/// A failure before the first question. `spoke`: something came back.
fn of_handshake(error: io::Error, shown: bool, spoke: bool) -> Error {
    let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
    match of_io(&worded(error, shown)) {
        _ if is_end && !spoke => Error::Tls(TlsFailure::Plain),
        Error::TimedOut { after } if !spoke => Error::HandshakeTimedOut { after },
        Error::Lost => Error::Tls(TlsFailure::Lost),
        failure => failure,
    }
}

/// What the library says, as the [`Error`] that it is for people.
fn worded(error: io::Error, shown: bool) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let failure = match inner {
        None => return error,
        Some(rustls::Error::InvalidMessage(_)) => TlsFailure::Plain,
        Some(tls) => {
            let TlsTrouble { why, cure } = REDIS.trouble(tls, shown);
            TlsFailure::Handshake { why, cure }
        }
    };
    Error::Tls(failure).into()
}
