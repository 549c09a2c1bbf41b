//! TLS: the exact cause and what cures it, and never a way around it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nomad_clients::model::notice::Notifier;
use nomad_clients::model::secret::Secret;
use nomad_clients::nomad::{Access, Error, FailureKind, HttpNomad, Nomad as _, TlsSettings};

use crate::support::pki::file;
use crate::support::tls_front::config;
use crate::support::wire_server::{Act, ReceivedRequest, WireServer};

use super::{access, check, json, node, node_json, open};

fn answered(asked: &ReceivedRequest) -> Act {
    let list = asked.line().contains("/v1/nodes");
    Act::Keep(json(&if list { format!("[{}]", node_json()) } else { node_json() }))
}

fn server(cert: &str, clients: bool) -> WireServer {
    WireServer::tls(config(cert, clients), answered)
}

fn at(server: &WireServer) -> String {
    format!("https://127.0.0.1:{}", server.port)
}

fn with_ca() -> TlsSettings {
    TlsSettings { ca_cert: Some(file("ca.pem")), ..TlsSettings::default() }
}

fn ask(at: &str, tls: TlsSettings) -> Result<(), Error> {
    HttpNomad::open(Access { tls, ..access(at) }, Notifier::nobody())?.stubs().map(drop)
}

#[track_caller]
fn fails(server: &WireServer, tls: TlsSettings, why: &str, hint: Option<&str>) {
    let what = format!("cannot reach Nomad at {{at}}: TLS: {why}");
    check(ask(&at(server), tls), &at(server), (FailureKind::Outage, &what, hint));
    assert_eq!(server.asked().len(), 0, "nothing was said to it");
}

#[test]
fn a_certificate_of_the_named_authority_is_good() {
    let server = server("server.pem", false);
    ask(&at(&server), with_ca()).unwrap();
    ask(&at(&server).replace("127.0.0.1", "localhost"), with_ca()).unwrap();
    // A folder, with something else in it; the file wins over it.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("README"), "not a certificate").unwrap();
    std::fs::copy(file("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let ca_path = Some(folder.path().to_owned());
    ask(&at(&server), TlsSettings { ca_path, ..TlsSettings::default() }).unwrap();
    let ca_path = Some(PathBuf::from("/nonexistent"));
    ask(&at(&server), TlsSettings { ca_path, ..with_ca() }).unwrap();
    // Several in one file.
    let both = folder.path().join("both.pem");
    let pem =
        [file("other-ca.pem"), file("ca.pem")].map(|file| std::fs::read(file).unwrap()).concat();
    std::fs::write(&both, pem).unwrap();
    ask(&at(&server), TlsSettings { ca_cert: Some(both), ..TlsSettings::default() }).unwrap();
}

#[test]
fn connections_with_tls_are_kept_too() {
    let server = server("server.pem", true);
    let nomad = open(Access { tls: with_client("client.pem"), ..access(&at(&server)) });
    nomad.stubs().unwrap();
    for _ in 0..10 {
        assert!(nomad.node(&node()).unwrap().is_some());
    }
    assert_eq!((server.connections(), nomad.calls()), (1, 11));
}

#[test]
fn certificates_that_prove_nothing() {
    let renew = Some("renew the certificate of Nomad, or set the clock of this machine");
    fails(&server("expired.pem", false), with_ca(), "the certificate has expired", renew);
    let authority = Some("pass --ca-cert or set NOMAD_CACERT");
    let why = "the certificate is signed by an unknown authority";
    fails(&server("server.pem", false), TlsSettings::default(), why, authority);
    let other = TlsSettings { ca_cert: Some(file("other-ca.pem")), ..TlsSettings::default() };
    fails(&server("server.pem", false), other, why, authority);
    let name = Some(
        "pass --tls-server-name, for Nomad's own certificates server.<region>.nomad or client.<region>.nomad",
    );
    fails(&server("other.pem", false), with_ca(), "the certificate is for another name", name);
}

fn named(name: &str) -> TlsSettings {
    TlsSettings { server_name: Some(name.to_owned()), ..with_ca() }
}

#[test]
fn the_name_of_the_certificate_can_be_named() {
    let server = server("other.pem", false);
    ask(&at(&server), named("other.example.com")).unwrap();
    let host = format!("127.0.0.1:{}", server.port);
    assert_eq!(server.asked()[0].header("host"), Some(&*host), "Nomad goes by its address");
    let error = ask(&at(&server), named("third.example.com")).unwrap_err();
    assert!(error.what.ends_with("TLS: the certificate is for another name"), "{error}");
    check(
        ask(&at(&server), named("no name")),
        "",
        (FailureKind::Config, "the TLS server name is neither a host name nor an IP address", None),
    );
}

#[test]
fn a_proxy_is_asked_for_the_address_and_not_for_the_name() {
    let server = server("other.pem", false);
    let port = server.port;
    let proxy = WireServer::start(move |_| Act::Tunnel(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), port));
    let proxied = Access {
        tls: named("other.example.com"),
        proxy: Some(Secret::new(format!("http://me:secret@127.0.0.1:{}", proxy.port))),
        ..access("https://nomad.internal:4646")
    };
    open(proxied).stubs().unwrap();
    assert_eq!(proxy.asked()[0].line(), "CONNECT nomad.internal:4646 HTTP/1.1");
    assert_eq!(proxy.asked()[0].header("proxy-authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(server.asked()[0].header("proxy-authorization"), None, "Nomad learns nothing");
    assert_eq!(server.asked()[0].header("host"), Some("nomad.internal:4646"));
}

#[test]
fn skipping_the_proof_accepts_any_certificate() {
    for cert in ["expired.pem", "other.pem"] {
        let server = server(cert, false);
        ask(&at(&server), TlsSettings { skip_verify: true, ..TlsSettings::default() }).unwrap();
    }
}

fn with_client(cert: &str) -> TlsSettings {
    TlsSettings { client_cert: Some(file(cert)), client_key: Some(file("server.key")), ..with_ca() }
}

#[test]
fn a_client_certificate_is_shown_when_there_is_one() {
    let server = server("server.pem", true);
    ask(&at(&server), with_client("client.pem")).unwrap();
    let before = server.asked().len();
    check(
        ask(&at(&server), with_ca()),
        &at(&server),
        (
            FailureKind::Outage,
            "cannot reach Nomad at {at}: TLS: Nomad requires a client certificate",
            Some("pass --client-cert and --client-key"),
        ),
    );
    let error = ask(&at(&server), with_client("expired.pem")).unwrap_err();
    assert_eq!(error.kind, FailureKind::Outage, "{error}");
    assert_eq!(server.asked().len(), before);
}

#[test]
fn files_that_can_not_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.pem");
    let body = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&garbage, body).unwrap();
    let (empty, shown) =
        (folder.path().join("empty"), |name: &str| file(name).display().to_string());
    std::fs::create_dir(&empty).unwrap();
    let ca = |path: PathBuf| TlsSettings { ca_cert: Some(path), ..TlsSettings::default() };
    let client = |cert: Option<PathBuf>, key: Option<PathBuf>| TlsSettings {
        client_cert: cert,
        client_key: key,
        ..with_ca()
    };
    let half = "a client certificate and its key must be given together".to_owned();
    let misfit = format!(
        "the key {} does not match the certificate {}",
        shown("another.key"),
        shown("client.pem")
    );
    for (tls, what) in [
        (ca("/none.pem".into()), "cannot read /none.pem: no such file or directory".to_owned()),
        (ca(file("server.key")), format!("no PEM certificate in {}", shown("server.key"))),
        (ca(garbage.clone()), format!("no usable certificate in {}", garbage.display())),
        (
            TlsSettings { ca_path: Some(empty.clone()), ..TlsSettings::default() },
            format!("no PEM certificate in {}", empty.display()),
        ),
        (client(Some(file("client.pem")), None), half.clone()),
        (client(None, Some(file("server.key"))), half),
        (
            client(Some(file("client.pem")), Some(file("client.pem"))),
            format!("no PEM private key in {}", shown("client.pem")),
        ),
        (client(Some(file("client.pem")), Some(file("another.key"))), misfit),
    ] {
        check(ask("https://127.0.0.1:1", tls), "", (FailureKind::Config, &what, None));
    }
    // A missing file is told at once, the others when Nomad is asked.
    let opened =
        |tls| HttpNomad::open(Access { tls, ..access("https://[::1]:1") }, Notifier::nobody());
    for missing in
        [ca("/none.pem".into()), client(Some("/none.pem".into()), Some(file("server.key")))]
    {
        let what = "cannot read /none.pem: no such file or directory";
        check(opened(missing).map(drop), "", (FailureKind::Config, what, None));
    }
    let what = format!("no usable certificate in {}", garbage.display());
    let nomad = opened(ca(garbage)).unwrap();
    check(nomad.stubs(), "", (FailureKind::Config, &what, None));
    assert_eq!(nomad.calls(), 0);
    check(nomad.ready().map(drop), "", (FailureKind::Config, &what, None));
    // What http does not need is not read.
    let plain = access("http://127.0.0.1:1");
    HttpNomad::open(Access { tls: ca("/none.pem".into()), ..plain }, Notifier::nobody()).unwrap();
}

#[test]
fn the_wrong_protocol_is_named() {
    let text = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let server = WireServer::saying(text);
    check(
        ask(&server.address(), TlsSettings::default()),
        &server.address(),
        (
            FailureKind::Outage,
            "Nomad at {at} answered 400: Client sent an HTTP request to an HTTPS server.",
            Some("use https:// in the address"),
        ),
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let http = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    });
    check(
        ask(&address, with_ca()),
        &address,
        (
            FailureKind::Outage,
            "cannot reach Nomad at {at}: TLS: the answer is not TLS",
            Some("use http:// in the address if Nomad has no TLS"),
        ),
    );
    drop(http);
}

#[test]
fn certificates_are_read_once_and_not_for_every_connection() {
    let server = WireServer::tls(config("server.pem", false), |asked| match answered(asked) {
        Act::Keep(bytes) => Act::Close(bytes),
        act => act,
    });
    // As many roots as there may be: parsing them takes much longer than a handshake.
    let many = tempfile::NamedTempFile::new().unwrap();
    let pem = std::fs::read(file("ca.pem")).unwrap();
    std::fs::write(many.path(), pem.repeat((1 << 20) / pem.len())).unwrap();
    let tls = TlsSettings { ca_cert: Some(many.path().to_owned()), ..TlsSettings::default() };
    let nomad = open(Access { tls, ..access(&at(&server)) });
    let time = || {
        let began = Instant::now();
        nomad.node(&node()).unwrap();
        began.elapsed()
    };
    let (first, later) = (time(), (0..5).map(|_| time()).min().unwrap());
    assert!(later < first / 2 + Duration::from_millis(5), "first {first:?}, later {later:?}");
    assert_eq!(server.connections(), 6);
}
