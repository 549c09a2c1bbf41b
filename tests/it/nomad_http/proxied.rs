//! Through a proxy: what it is asked, and what is said of its refusals.

use nomad_clients::model::secret::Secret;
use nomad_clients::nomad::{Access, FailureKind, Nomad as _};

use crate::support::tls_front::config;
use crate::support::wire_server::{Act, ReceivedRequest, WireServer};

use super::{access, answer, check, json, node, node_json, open};

const NOMAD: &str = "http://nomad.example.com:4646";

fn answered(asked: &ReceivedRequest) -> Act {
    let list = asked.line().contains("/v1/nodes");
    Act::Keep(json(&if list { format!("[{}]", node_json()) } else { node_json() }))
}

fn through(proxy: &str, nomad: &str) -> Access {
    Access { proxy: Some(Secret::new(proxy)), ..access(nomad) }
}

#[test]
fn plain_http_is_passed_on_and_not_tunnelled() {
    let proxy = WireServer::start(answered);
    let url = format!("http://me:secret@127.0.0.1:{}", proxy.port);
    let access = through(&url, &format!("{NOMAD}/ops"));
    let nomad = open(Access { region: Some("eu".to_owned()), ..access });
    nomad.stubs().unwrap();
    nomad.node(&node()).unwrap();
    let asked = proxy.asked();
    let lines: Vec<&str> = asked.iter().map(ReceivedRequest::line).collect();
    let list = format!("GET {NOMAD}/ops/v1/nodes?region=eu HTTP/1.1");
    let detail = format!("GET {NOMAD}/ops/v1/node/{}?region=eu HTTP/1.1", node());
    assert_eq!(lines, [list, detail]);
    for asked in &asked {
        assert_eq!(asked.header("host"), Some("nomad.example.com:4646"));
        assert_eq!(asked.header("proxy-authorization"), Some("Basic bWU6c2VjcmV0"));
    }
    assert_eq!(proxy.connections(), 1, "its connection is kept");
}

/// Not only Nomad's certificate may be the reason for TLS.
#[test]
fn a_proxy_may_speak_tls_itself() {
    let proxy = WireServer::tls(config("server.pem", false), answered);
    let mut access = through(&format!("https://localhost:{}", proxy.port), NOMAD);
    access.tls.ca_cert = Some(crate::support::pki::file("ca.pem"));
    open(access.clone()).stubs().unwrap();
    assert_eq!(proxy.asked()[0].line(), format!("GET {NOMAD}/v1/nodes HTTP/1.1"));
    access.tls.ca_cert = Some(crate::support::pki::file("other-ca.pem"));
    assert_eq!(open(access).stubs().unwrap_err().kind, FailureKind::Outage);
    assert_eq!(proxy.asked().len(), 1);
}

/// What a proxy that answers like this is told to be, once for plain http and once for a tunnel.
#[track_caller]
fn refused(status: &str, headers: &str, user: &str, why: &str, hint: &str) {
    for (nomad, variable) in
        [(NOMAD, "HTTP_PROXY"), ("https://nomad.example.com:4646", "HTTPS_PROXY")]
    {
        let said = answer(status, headers, "<html>no</html>");
        let proxy = WireServer::start(move |_| Act::Close(said.clone()));
        let url = format!("http://{user}127.0.0.1:{}", proxy.port);
        let what = why.replace("PROXY", &format!("the proxy {}", proxy.address()));
        let hint = hint.replace("VARIABLE", variable);
        let what = format!("cannot reach Nomad at {{at}}: {what}");
        let error = open(through(&url, nomad)).stubs();
        check(error, nomad, (FailureKind::Outage, &what, Some(&hint)));
    }
}

#[test]
fn each_refusal_of_a_proxy_has_its_words() {
    const HTML: &str = "Content-Type: text/html\r\n";
    const SIGNED: &str = "X-Squid-Error: ERR_ACCESS_DENIED 0\r\n";
    let login = "407 Proxy Authentication Required";
    let why = "PROXY requires a user and password (407)";
    refused(login, HTML, "", why, "set VARIABLE to http://USER:PASSWORD@HOST:PORT");
    let why = "PROXY refused the user and password (407)";
    refused(login, HTML, "me:canary@", why, "check the user and password in VARIABLE");
    let why = "PROXY does not allow it (403)";
    let hint = "allow it in the proxy, or add nomad.example.com to NO_PROXY";
    refused("403 Forbidden", HTML, "", why, hint);
    refused("403 Forbidden", SIGNED, "", why, hint);
    for status in [502, 503, 504] {
        let why = format!("PROXY cannot reach it ({status})");
        let hint = "check the address; add nomad.example.com to NO_PROXY if it needs no proxy";
        refused(&format!("{status} No"), HTML, "", &why, hint);
    }
}

#[test]
fn what_nomad_says_through_a_proxy_is_nomads() {
    let proxy = WireServer::start(|_| {
        let headers = "Content-Type: text/plain\r\n";
        Act::Keep(answer("403 Forbidden", headers, "Permission denied"))
    });
    let error = open(through(&proxy.address(), NOMAD)).stubs().unwrap_err();
    assert_eq!(error.kind, FailureKind::Denied, "{error}");
}

#[test]
fn a_proxy_without_an_address_is_named() {
    let proxy = format!("http://{}.invalid:3128", "p".repeat(64));
    let what = format!("cannot reach Nomad at {{at}}: no such host: the proxy {proxy}");
    let hint = Some("check HTTP_PROXY, or set NO_PROXY if Nomad needs no proxy");
    check(open(through(&proxy, NOMAD)).stubs(), NOMAD, (FailureKind::Outage, &what, hint));
}
