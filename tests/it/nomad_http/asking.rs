//! What is sent, where to, and what is told of it.

use std::time::{Duration, Instant};

use nomad_clients::model::notice::{Level, Notifier};
use nomad_clients::model::secret::Secret;
use nomad_clients::nomad::{Access, Compress, FailureKind, HttpNomad, Nomad as _, TlsSettings};
use nomad_sim::{Fleet, Options, Sim};

use crate::support::sandbox::Sandbox;
use crate::support::wire_server::{Act, ReceivedRequest, WireServer};

use super::{NODE, access, check, heard, json, listening, node, node_json, nomad, open};

/// Answers every question, also that of a proxy.
fn server(place: &str) -> WireServer {
    WireServer::on(place, None, answered)
}

fn answered(asked: &ReceivedRequest) -> Act {
    match asked.line() {
        line if line.contains("/v1/nodes") => Act::Keep(json(&format!("[{}]", node_json()))),
        _ => Act::Keep(json(&node_json())),
    }
}

/// The one request that asking for the list sends.
fn list(change: impl FnOnce(Access) -> Access) -> ReceivedRequest {
    let server = server("127.0.0.1:0");
    open(change(access(&server.address()))).stubs().unwrap();
    server.asked().remove(0)
}

#[test]
fn the_whole_request_is_known() {
    let server = server("127.0.0.1:0");
    let nomad = nomad(&server.address());
    nomad.stubs().unwrap();
    nomad.node(&node()).unwrap();
    let agent = concat!("nomad-clients/", env!("CARGO_PKG_VERSION"));
    let sent = |path: &str| {
        let mut lines = vec![
            format!("GET {path} HTTP/1.1"),
            "accept-encoding: identity".to_owned(),
            "accept: application/json".to_owned(),
            format!("host: 127.0.0.1:{}", server.port),
            format!("user-agent: {agent}"),
        ];
        lines[1..].sort();
        lines
    };
    let asked = server.asked().into_iter().map(|mut asked| {
        asked.lines[1..].sort();
        asked.lines
    });
    let expected = [sent("/v1/nodes"), sent(&format!("/v1/node/{NODE}"))];
    assert_eq!(asked.collect::<Vec<_>>(), expected, "nothing more, `stale` least of all");
}

#[test]
fn gzip_is_requested_where_the_network_is_the_limit() {
    let asked = |compress| {
        let server = server("127.0.0.1:0");
        let nomad = open(Access { compress, ..access(&server.address()) });
        nomad.stubs().unwrap();
        nomad.node(&node()).unwrap();
        let encodings = server.asked().into_iter();
        encodings
            .map(|asked| asked.header("accept-encoding").unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(asked(Compress::Auto), ["identity", "identity"], "this machine");
    assert_eq!(asked(Compress::Never), ["identity", "identity"]);
    assert_eq!(asked(Compress::Always), ["gzip", "identity"], "never for details");

    // Elsewhere is reached through a proxy here.
    let proxy = server("127.0.0.1:0");
    let access = access("http://10.0.0.5:4646");
    open(Access { proxy: Some(Secret::new(proxy.address())), ..access }).stubs().unwrap();
    assert_eq!(proxy.asked()[0].header("accept-encoding"), Some("gzip"));

    let sim = Sim::start(Fleet::recorded());
    let plain = nomad(&sim.address()).stubs().unwrap();
    let packed = open(Access { compress: Compress::Always, ..super::access(&sim.address()) });
    assert_eq!(packed.stubs().unwrap(), plain);
}

#[test]
fn token_and_basic_travel_in_their_headers() {
    let asked = list(|access| Access {
        token: Some(Secret::new("s.token")),
        basic: Some(("ops".to_owned(), Secret::new("pass:word"))),
        ..access
    });
    assert_eq!(asked.header("x-nomad-token"), Some("s.token"));
    assert_eq!(asked.header("authorization"), Some("Basic b3BzOnBhc3M6d29yZA=="));

    let server = server("127.0.0.1:0");
    nomad(&format!("http://a:b%20c@127.0.0.1:{}", server.port)).stubs().unwrap();
    let asked = server.asked().remove(0);
    assert_eq!(asked.header("authorization"), Some("Basic YTpiIGM="));
    assert_eq!(asked.header("host"), Some(&*format!("127.0.0.1:{}", server.port)));
}

#[test]
fn a_token_that_no_header_can_carry_is_refused() {
    let token = Some(Secret::new("one\ntwo"));
    let opened = HttpNomad::open(Access { token, ..access("http://[::1]:1") }, Notifier::nobody());
    check(
        opened.map(drop),
        "",
        (
            FailureKind::Config,
            "the token contains characters that HTTP cannot carry",
            Some("check NOMAD_TOKEN or --token-file: a token is one line of text"),
        ),
    );
}

#[test]
fn a_region_is_asked_for_by_name() {
    let asked = list(|access| Access { region: Some("eu west/1".to_owned()), ..access });
    assert_eq!(asked.line(), "GET /v1/nodes?region=eu%20west%2F1 HTTP/1.1");
}

#[test]
fn a_path_prefix_is_kept() {
    let prefix = "/ops/nomad".to_owned();
    let sim = Sim::start(Options { prefix, ..Fleet::recorded().into() });
    let nomad = nomad(&format!("{}//", sim.address()));
    let id = nomad.stubs().unwrap().stubs[0].id.clone();
    assert!(nomad.node(&id).unwrap().is_some());
    let targets: Vec<String> = sim.ledger().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/ops/nomad/v1/nodes".to_owned(), format!("/ops/nomad/v1/node/{id}")]);
}

#[test]
fn a_unix_socket_is_an_address() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("nomad.sock");
    let server = WireServer::unix(&path, answered);
    let nomad = nomad(&format!("unix://{}", path.display()));
    nomad.stubs().unwrap();
    assert!(nomad.node(&node()).unwrap().is_some());
    let asked = server.asked();
    assert_eq!((asked[0].line(), server.connections()), ("GET /v1/nodes HTTP/1.1", 1));
    assert_eq!(asked[0].header("host"), Some("127.0.0.1"));
}

#[test]
fn ipv6_is_an_address() {
    let server = server("[::1]:0");
    nomad(&format!("http://[0:0:0:0:0:0:0:1]:{}", server.port)).stubs().unwrap();
    assert_eq!(server.asked()[0].header("host"), Some(&*format!("[::1]:{}", server.port)));
}

#[test]
fn a_name_with_several_addresses_is_tried_to_the_end() {
    // On machines where localhost is ::1 too, that comes first and is refused.
    let server = server("127.0.0.1:0");
    nomad(&format!("http://LOCALHOST.:{}", server.port)).stubs().unwrap();
    assert_eq!(server.asked()[0].header("host"), Some(&*format!("localhost:{}", server.port)));
}

#[test]
fn only_the_chosen_proxy_is_asked() {
    let proxy = server("127.0.0.1:0");
    let url = format!("http://me:secret@127.0.0.1:{}", proxy.port);
    let access = access("http://nomad.example.com:4646");
    open(Access { proxy: Some(Secret::new(url)), ..access }).stubs().unwrap();
    let asked = proxy.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line(), "GET http://nomad.example.com:4646/v1/nodes HTTP/1.1");
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6c2VjcmV0"));
}

#[test]
fn the_environment_names_no_proxy_for_this_machine() {
    let (proxy, sim) = (server("127.0.0.1:0"), Sim::start(Fleet::recorded()));
    let mut sandbox = Sandbox::local().nomad(&sim.address());
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        sandbox = sandbox.with(name, &proxy.address());
    }
    sandbox.stdout("list");
    assert_eq!((proxy.connections(), sim.ledger().len()), (0, 6));
}

#[test]
fn what_can_not_be_a_proxy_is_refused_without_its_password() {
    let proxy = Some(Secret::new("nonsense://me:secret@proxy"));
    let opened =
        HttpNomad::open(Access { proxy, ..access("http://10.0.0.5:1") }, Notifier::nobody());
    check(
        opened.map(drop),
        "",
        (
            FailureKind::Config,
            "the URL of the HTTP proxy is not valid",
            Some("set HTTP_PROXY and HTTPS_PROXY to http://HOST:PORT"),
        ),
    );
}

#[test]
fn every_call_is_traced_without_secrets() {
    let sim = Sim::start(Fleet::recorded());
    let address = sim.address().replace("http://", "http://ops:hush@");
    let (tell, remarks) = listening();
    let token = Some(Secret::new("hush"));
    let nomad = HttpNomad::open(Access { token, ..access(&address) }, tell).unwrap();
    nomad.stubs().unwrap();
    assert!(nomad.node(&node()).unwrap().is_none());
    drop(sim);
    nomad.stubs().unwrap_err();
    let calls = heard(&remarks, Level::Call);
    let at = nomad_clients::nomad::address::Address::parse(&address).unwrap();
    for (call, (start, end)) in calls.iter().zip([
        (format!("GET {at}/v1/nodes → 200, 6.7 KiB, "), " ms"),
        (format!("GET {at}/v1/node/{NODE} → 404, 14 B, "), " ms"),
        (format!("GET {at}/v1/nodes → no answer, "), " ms"),
    ]) {
        assert!(call.starts_with(&start) && call.ends_with(end), "{call} is not {start}…{end}");
        assert!(!call.contains("hush"));
    }
    assert!(calls.len() >= 3, "{calls:?}");
}

/// What travels unencrypted is warned of when it is sent, see S12.
#[test]
fn what_is_risky_is_warned_of_once() {
    let warned = |address: &str, token: Option<&str>, skip_verify, sends: bool| {
        let (tell, remarks) = listening();
        let tls = TlsSettings { skip_verify, ..TlsSettings::default() };
        let token = token.map(Secret::new);
        let deadline = Instant::now() + Duration::from_millis(200);
        let access = Access { token, tls, deadline, proxy: proxy(), ..access(address) };
        let nomad = HttpNomad::open(access, tell).unwrap();
        for again in [&nomad, &nomad.again(deadline)] {
            let _ = sends.then(|| again.stubs());
        }
        heard(&remarks, Level::Warning)
    };
    let plain = "credentials are sent unencrypted to http://10.0.0.5:4646: use https://; --require-tls enforces it";
    let skipped =
        "Nomad's certificate is not verified: --tls-skip-verify or NOMAD_SKIP_VERIFY is set";
    let none: [&str; 0] = [];
    assert_eq!(warned("http://10.0.0.5:4646", Some("t"), false, false), none);
    assert_eq!(warned("http://10.0.0.5:4646", Some("t"), false, true), [plain]);
    assert_eq!(warned("http://u:p@10.0.0.5:4646", None, true, true), [plain]);
    assert_eq!(warned("https://10.0.0.5:4646", Some("t"), true, false), [skipped]);
    assert_eq!(warned("http://10.0.0.5:4646", None, false, true), none);
    assert_eq!(warned("http://10.0.0.5:4646", None, false, true), none, "a proxy's are its own");
    assert_eq!(warned("http://localhost:1", Some("t"), true, true), none);
    assert_eq!(warned("http://127.0.0.2:1", Some("t"), false, true), none);
    assert_eq!(warned("unix:///run/nomad.sock", Some("t"), true, true), none);
}

/// A port on this machine where nobody listens: nothing leaves it.
fn proxy() -> Option<Secret> {
    Some(Secret::new("http://me:secret@127.0.0.1:1"))
}
