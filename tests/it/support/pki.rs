//! Certificates of a test's own: an authority, what it has issued, and what nobody should trust.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use tempfile::TempDir;

thread_local! {
    static OWN: Pki = Pki::new();
}

/// A file of this test's own authority: `ca.pem`, `server.pem`, `server.key` and the others of
/// [`Pki::new`]. Every thread has its own. `fixture/…` is a file of `tests/fixtures/tls`.
pub(crate) fn file(name: &str) -> PathBuf {
    let path = match name.strip_prefix("fixture/") {
        Some(name) => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name),
        None => OWN.with(|own| own.folder.path().join(name)),
    };
    assert!(path.exists(), "no such certificate: {name}");
    path
}

/// A folder of PEM files, which goes with the test.
struct Pki {
    folder: TempDir,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Pki {
    fn new() -> Self {
        let pki = Self { folder: tempfile::tempdir().unwrap() };
        let (ours, theirs) = (authority("ours"), authority("theirs"));
        pki.write("ca.pem", &ours.pem());
        pki.write("other-ca.pem", &theirs.pem());
        // The same name, another key.
        pki.write("renewed-ca.pem", &authority("ours").pem());
        let key = KeyPair::generate().unwrap();
        pki.write("server.key", &key.serialize_pem());
        pki.write("another.key", &KeyPair::generate().unwrap().serialize_pem());
        let here = ["localhost", "127.0.0.1"];
        let issue = |name: &str, params: CertificateParams, by: &Authority| {
            pki.write(name, &params.signed_by(&key, by).unwrap().pem());
        };
        issue("server.pem", params(&here), &ours);
        issue("other.pem", params(&["other.example.com"]), &ours);
        issue("client.pem", params(&["client"]), &ours);
        issue("foreign-client.pem", params(&["client"]), &theirs);
        let mut expired = params(&here);
        expired.not_after = date_time_ymd(2020, 1, 2);
        issue("expired.pem", expired, &ours);
        let mut nameless = params(&[]);
        nameless.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        issue("common-name.pem", nameless, &ours);
        // As a command of one line makes it: its own authority, and taken for a server.
        let mut own = params(&here);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        pki.write("self-signed.pem", &own.self_signed(&key).unwrap().pem());
        let mut early = params(&here);
        early.not_before = date_time_ymd(4000, 1, 1);
        issue("early.pem", early, &ours);
        pki
    }

    fn write(&self, name: &str, pem: &str) {
        std::fs::write(self.folder.path().join(name), pem).unwrap();
    }
}

/// The file of the key that belongs to this certificate.
pub(crate) fn key_of(cert: &str) -> PathBuf {
    file(match cert {
        "fixture/p521.pem" => "fixture/p521.key",
        _ if cert.starts_with("fixture/") => "fixture/p256.key",
        _ => "server.key",
    })
}

fn authority(name: &str) -> Authority {
    let mut params = params(&[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Good for both ends, from the start of the epoch on.
fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
