//! TLS in front of a server on a unix socket that speaks none.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::pki::file;

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

/// A server with the certificate `cert`. With `clients` it demands a certificate of them.
pub(crate) fn config(cert: &str, clients: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if clients {
        let mut roots = RootCertStore::empty();
        roots.add(certificate("ca.pem")).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate(cert)], key).unwrap())
}

/// Listens on loopback and passes everything on to the server at `behind`; gives the port.
pub(crate) fn start(behind: PathBuf, cert: &str, clients: bool) -> u16 {
    let config = config(cert, clients);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let (config, behind) = (Arc::clone(&config), behind.clone());
            std::thread::spawn(move || serve(client, config, &behind));
        }
    });
    port
}

/// Passes on whatever comes, in both directions.
fn serve(client: TcpStream, config: Arc<ServerConfig>, behind: &Path) {
    let mut behind = UnixStream::connect(behind).unwrap();
    let pause = Some(Duration::from_millis(2));
    client.set_read_timeout(pause).and_then(|()| behind.set_read_timeout(pause)).unwrap();
    let mut client = StreamOwned::new(ServerConnection::new(config).unwrap(), client);
    while pass(&mut client, &mut behind).and_then(|()| pass(&mut behind, &mut client)).is_ok() {}
}

/// What has come by now; an error when that was the end.
fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    match from.read(&mut bytes) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(length) => to.write_all(&bytes[..length]).and_then(|()| to.flush()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}
