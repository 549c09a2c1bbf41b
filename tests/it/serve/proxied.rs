//! `serve` behind a real nginx: other names, another port, below a path, through a unix socket.

use std::path::PathBuf;

use serde_json::json;

use super::Room;
use crate::support::browser::Browser;
use crate::support::nginx::Nginx;
use crate::support::served::{Response, Served, ask_at};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn full(room: &Room) -> bool {
    room.redis.bytes(&["GET", "nomad:clients:all"]).is_some()
}

/// A POST as a browser sends it from the page of this origin. Only over TLS, or to this machine, it
/// says how that page and the server are related.
#[track_caller]
fn clear(nginx: &Nginx, host: &str, headers: &[(&str, &str)]) -> Response {
    let headers = [&[("host", host)], headers].concat();
    ask_at(&nginx.at, ("POST", "/api/cache/clear"), &headers, "")
}

const FOREIGN: &str = "requests by pages of another origin are not allowed";

/// `proxy_pass` alone: `Host` becomes the address of `serve`.
#[test]
fn a_proxy_that_rewrites_the_host() {
    let room = Room::new();
    let pass = |served: &Served| {
        Nginx::start(&format!("location / {{ proxy_pass http://{}; }}", served.at))
    };
    let nginx = pass(&room.served);
    room.served.get("/api/clients");
    let origin = ("origin", "http://nodes.test");
    let refused = clear(&nginx, "nodes.test", &[origin]);
    assert_eq!(refused.problem(), (403, FOREIGN.to_owned()));
    let hint = "if nodes.test is a reverse proxy in front of this server, start serve with --allowed-host nodes.test";
    assert_eq!(refused.json()["hint"], hint);
    for site in ["cross-site", "same-site", "none"] {
        let other = clear(&nginx, "nodes.test", &[origin, ("sec-fetch-site", site)]);
        assert_eq!(other.problem(), (403, FOREIGN.to_owned()), "{site}");
    }
    assert!(full(&room), "nothing was cleared");
    let own = clear(&nginx, "nodes.test", &[origin, ("sec-fetch-site", "same-origin")]);
    assert_eq!((own.status, full(&room)), (200, false));
    let named = Served::start(&room.sandbox, "--no-follow --allowed-host nodes.test");
    let nginx = pass(&named);
    for origin in ["http://nodes.test", "https://nodes.test", "https://nodes.test:8443"] {
        assert_eq!(clear(&nginx, "nodes.test", &[("origin", origin)]).status, 200, "{origin}");
    }
    let evil = clear(&nginx, "nodes.test", &[("origin", "http://evil.test")]);
    assert_eq!(evil.problem(), (403, FOREIGN.to_owned()));
}

/// `$host` loses the port, `$http_host` is another than that of `serve`.
#[test]
fn a_proxy_on_another_port() {
    let room = Room::new();
    let named = Served::start(&room.sandbox, "--no-follow --allowed-host nodes.test");
    for host in ["$host", "$http_host"] {
        let pass = |served: &Served| {
            let at = &served.at;
            Nginx::start(&format!(
                "location / {{ proxy_pass http://{at}; proxy_set_header Host {host}; }}"
            ))
        };
        let nginx = pass(&named);
        let name = nginx.at.replace("127.0.0.1", "nodes.test");
        let origin = format!("http://{name}");
        for headers in [
            &[("origin", &*origin)][..],
            &[("origin", &*origin), ("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(clear(&nginx, &name, headers).status, 200, "{host} {headers:?}");
        }
        assert_eq!(clear(&nginx, &name, &[("origin", "http://evil.test")]).status, 403);
        let nginx = pass(&room.served);
        let refused = clear(&nginx, &name, &[("origin", &*origin)]);
        assert_eq!(refused.problem().0, 421, "{host}");
        let hint = "to accept another host name, start serve with --allowed-host NAME";
        assert_eq!(refused.json()["hint"], hint);
    }
}

/// The page as somebody uses it who knows only its address at the proxy: they sign in, look at a
/// node, and clear the cache.
#[track_caller]
fn use_page(room: &Room, nginx: &Nginx) {
    let browser = Browser::start();
    browser.looks([1280, 900], false);
    // Without the slash too.
    browser.goto(&nginx.url("/nodes?sort=-name"));
    browser.until("location.pathname == '/nodes/login' && document.querySelector('[name=token]')");
    browser.eval("document.querySelector('[name=token]').focus()");
    browser.type_text(TOKEN);
    browser.press("Enter");
    browser.until(
        "location.pathname == '/nodes/' && document.querySelectorAll('[data-id]').length == 5",
    );
    browser.goto(&nginx.url(&format!("/nodes/?node={}", room.sim.cluster().id("worker-1"))));
    browser.until("document.querySelector('#detail').innerText.includes('kernel.name')");
    browser.press("Escape");
    browser.until("!new URL(location).searchParams.has('node')");
    assert_eq!(browser.eval("location.pathname"), "/nodes/");
    browser.click("#clear");
    browser.until("document.querySelector('dialog').open");
    browser.click("#clear-confirm");
    browser.until("document.querySelector('#message').innerText.toLowerCase().includes('cleared')");
    // What else is served there learns nothing.
    let cookies = "fetch('/other').then(answer => answer.text())";
    assert_eq!(browser.eval(cookies), "cookies:");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let (below, other) = (nginx.url("/nodes"), nginx.url("/other"));
    let beside: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|url| !url.starts_with(&below) && *url != other)
        .collect();
    assert_eq!(beside, Vec::<String>::new());
}

const OTHER: &str = "location /other { return 200 \"cookies:$http_cookie\"; }";

fn guarded(room: &Room, args: &str) -> (Served, PathBuf) {
    let token = room.sandbox.write("token", TOKEN);
    let socket = room.sandbox.home().join("serve.sock");
    let args = format!(
        "--no-follow --access-token-file {} --listen unix:{} {args}",
        token.display(),
        socket.display()
    );
    (Served::start(&room.sandbox, &args), socket)
}

/// The slash behind the socket takes `/nodes/` away: `serve` does not learn of it.
#[test]
fn below_a_path_that_the_proxy_strips() {
    let room = Room::new();
    let (_served, socket) = guarded(&room, "");
    let pass = format!("proxy_pass http://unix:{}:/;", socket.display());
    let nginx = Nginx::start(&format!("location /nodes/ {{ {pass} }}\n{OTHER}"));
    use_page(&room, &nginx);
}

#[test]
fn below_a_path_that_the_proxy_passes_on() {
    let room = Room::new();
    let (served, socket) = guarded(&room, "--base-path /nodes");
    let pass = format!("proxy_pass http://unix:{};", socket.display());
    // Not `/nodes/`: nginx would answer `/nodes` itself.
    let nginx = Nginx::start(&format!("location /nodes {{ {pass} }}\n{OTHER}"));
    use_page(&room, &nginx);
    drop(served);
}

#[test]
fn nothing_is_served_beside_the_base_path() {
    let room = Room::new();
    let (served, _) = guarded(&room, "--base-path /tools/nodes/");
    let bearer = format!("Bearer {TOKEN}");
    let ask =
        |method: &str, path: &str| served.ask(method, path, &[("authorization", &bearer)], "");
    for path in ["/", "/api/clients", "/healthz", "/tools", "/tools/nodesx", "/tools/nodes/nowhere"]
    {
        let answer = ask("GET", path);
        assert_eq!(answer.problem(), (404, "there is nothing at this path".to_owned()), "{path}");
        let hint = match path {
            "/tools/nodes/nowhere" => "GET openapi.json lists all paths",
            _ => "all paths are below /tools/nodes/: --base-path is set",
        };
        assert_eq!(answer.json()["hint"], hint, "{path}");
    }
    for path in [
        "/",
        "/login",
        "/api/clients",
        "/metrics",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/favicon.ico",
    ] {
        assert_eq!(ask("GET", &format!("/tools/nodes{path}")).status, 200, "{path}");
    }
    assert_eq!(ask("POST", "/tools/nodes/api/cache/clear").json()["success"], json!(true));
    for (path, to) in [("/tools/nodes", "nodes/"), ("/tools/nodes?q=a", "nodes/?q=a")] {
        let moved = ask("GET", path);
        assert_eq!((moved.status, moved.header("location")), (307, to), "{path}");
    }
    assert_eq!(ask("POST", "/tools/nodes").status, 404);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let signed_in = served.ask("POST", "/tools/nodes/login", &form, &format!("token={TOKEN}"));
    let (_, rest) = signed_in.header("set-cookie").split_once("; ").unwrap();
    assert_eq!(rest, "Path=/tools/nodes; Max-Age=2592000; HttpOnly; SameSite=Strict");
    let nameless = served.raw(b"GET /tools/nodes/healthz HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.status, 200);
}
