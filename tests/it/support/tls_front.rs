//! TLS in front of a Redis that speaks none.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A file of the fixtures.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

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

/// Listens on loopback and passes each question on to the Redis at `redis`; gives the port.
pub(crate) fn start(redis: PathBuf, cert: &str, clients: bool) -> u16 {
    let config = config(cert, clients);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let (config, redis) = (Arc::clone(&config), redis.clone());
            std::thread::spawn(move || serve(client, config, &redis));
        }
    });
    port
}

/// One question, one answer, in turn: all that these tests need.
fn serve(client: TcpStream, config: Arc<ServerConfig>, redis: &Path) {
    let mut client = StreamOwned::new(ServerConnection::new(config).unwrap(), client);
    let mut redis = UnixStream::connect(redis).unwrap();
    let mut bytes = vec![0; 1 << 20];
    while let Ok(length @ 1..) = client.read(&mut bytes) {
        redis.write_all(&bytes[..length]).unwrap();
        let length = redis.read(&mut bytes).unwrap();
        if client.write_all(&bytes[..length]).and_then(|()| client.flush()).is_err() {
            return;
        }
    }
}
