//! TLS to a Redis: its settings and the handshake.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::net::tls::{ca_certificates, client_certificate, client_files};
use crate::net::tls_failure::{TlsPeer, TlsTrouble};
use crate::store::RedisPlace;
use crate::store::error::{Error, TlsFailure};

use super::errors::of_io;
use super::socket::BudgetedSocket;

const REDIS: TlsPeer = TlsPeer {
    name: "Redis",
    ca_hint: "pass --redis-ca-cert",
    name_hint: "pass that name in --redis",
    client_options: "--redis-client-cert and --redis-client-key",
};

/// Reads the files that `place` names; without a CA file, the system's CA certificates are used.
pub(super) fn config(place: &RedisPlace) -> Result<Arc<ClientConfig>, Error> {
    let wrong = |why| Error::Tls(TlsFailure::Files(why));
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    let ca_certs = ca_certificates(place.ca_cert.as_deref(), None).map_err(wrong)?;
    roots.add_parsable_certificates(ca_certs);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| wrong(why.to_string()))?
        .with_root_certificates(roots);
    let files = client_files(place.client_cert.as_deref(), place.client_key.as_deref());
    let config = match files.map_err(wrong)? {
        Some((cert, key)) => {
            let (certified, _) = client_certificate(cert, key, &provider).map_err(wrong)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// An encrypted connection.
pub(super) struct TlsStream {
    stream: StreamOwned<ClientConnection, BudgetedSocket>,
    has_client_certificate: bool,
}

impl TlsStream {
    /// Does the handshake within the budget of `socket`. The certificate must be for `host`.
    pub(super) fn new(
        mut socket: BudgetedSocket,
        host: &str,
        config: Arc<ClientConfig>,
    ) -> Result<Self, Error> {
        let has_client_certificate = config.client_auth_cert_resolver.has_certs();
        let name =
            ServerName::try_from(host.to_owned()).map_err(|why| of_io(&io::Error::other(why)))?;
        let tls = ClientConnection::new(config, name).map_err(|why| of_io(&io::Error::other(why)));
        let mut tls = tls?;
        while tls.is_handshaking() {
            if let Err(error) = tls.complete_io(&mut socket) {
                let error = pending_alert(&mut tls, &mut socket, &error).unwrap_or(error);
                return Err(of_handshake(error, has_client_certificate, socket.has_received()));
            }
        }
        Ok(Self { stream: StreamOwned::new(tls, socket), has_client_certificate })
    }

    pub(super) fn socket(&mut self) -> &mut BudgetedSocket {
        &mut self.stream.sock
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let has_client_certificate = self.has_client_certificate;
        self.stream.read(buf).map_err(|error| of_tls(error, has_client_certificate))
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let has_client_certificate = self.has_client_certificate;
        self.stream.write(buf).map_err(|error| of_tls(error, has_client_certificate))
    }

    fn flush(&mut self) -> io::Result<()> {
        let has_client_certificate = self.has_client_certificate;
        self.stream.flush().map_err(|error| of_tls(error, has_client_certificate))
    }
}

/// A server that refuses the handshake sends an alert and closes the connection; a write may fail
/// before the alert was read.
fn pending_alert(
    tls: &mut ClientConnection,
    socket: &mut BudgetedSocket,
    error: &io::Error,
) -> Option<io::Error> {
    while of_io(error) == Error::Lost && tls.read_tls(socket).ok()? > 0 {
        if let Err(alert) = tls.process_new_packets() {
            return Some(io::Error::other(alert));
        }
    }
    None
}

/// A failure of the handshake. `has_received`: at least one byte came back.
fn of_handshake(error: io::Error, has_client_certificate: bool, has_received: bool) -> Error {
    let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
    match of_io(&of_tls(error, has_client_certificate)) {
        _ if is_end && !has_received => Error::Tls(TlsFailure::Plain),
        Error::TimedOut { after } if !has_received => Error::HandshakeTimedOut { after },
        Error::Lost => Error::Tls(TlsFailure::Lost),
        failure => failure,
    }
}

/// An error of the TLS library as an [`Error`]; others stay as they are.
fn of_tls(error: io::Error, has_client_certificate: bool) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let failure = match inner {
        None => return error,
        Some(rustls::Error::InvalidMessage(_)) => TlsFailure::Plain,
        Some(tls) => {
            let TlsTrouble { why, hint } = REDIS.trouble(tls, has_client_certificate);
            TlsFailure::Handshake { why, cure: hint }
        }
    };
    Error::Tls(failure).into()
}
