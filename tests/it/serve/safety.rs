//! Who may ask: names, pages of others, and the access token (S2–S5, S17, S22).

use nomad_sim::{Fault, Times, Where};

use super::Room;
use crate::support::sandbox::failure;
use crate::support::served::{Response, Served};

const TOKEN: &str = "canary-access-0123456789abcdef";

/// A server that everybody on the network could reach, if they knew the token.
fn beyond(room: &Room) -> Served {
    let file = room.sandbox.write("token", &format!("{TOKEN}\n"));
    let args = format!("--no-follow --listen 0.0.0.0:0 --access-token-file {}", file.display());
    Served::start(&room.sandbox, &args)
}

#[test]
fn s2_what_is_shown_forbids_what_a_browser_might_do() {
    let room = Room::new();
    let csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
               connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    for path in ["/", "/assets/app.js", "/login", "/api/clients", "/nowhere", "/openapi.json"] {
        let answer = room.served.get(path);
        let is_data = answer.header("content-type") == "application/json";
        assert_eq!(
            answer.header("content-security-policy"),
            if is_data { "" } else { csp },
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let page = room.served.get("/");
    for forbidden in ["<style", "style=", "onclick", "onload", "javascript:", "http://", "https://"]
    {
        assert!(!page.text().contains(forbidden), "{forbidden}");
    }
}

#[test]
fn s3_another_name_is_refused_before_anything_is_done() {
    let room = Room::new();
    for (path, host) in
        [("/", "evil.test"), ("/api/clients", "evil.test:80"), ("/nowhere", "localhost:1")]
    {
        let answer = room.served.ask("GET", path, &[("host", host)], "");
        assert_eq!(
            answer.problem(),
            (421, "this server does not accept that host name".to_owned())
        );
    }
    let missing = room.served.raw(b"GET /api/clients HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert_eq!(missing.status, 421);
    let double = format!(
        "GET /api/clients HTTP/1.1\r\nhost: {}\r\nhost: evil.test\r\nconnection: close\r\n\r\n",
        room.served.at
    );
    assert_eq!(room.served.raw(double.as_bytes()).status, 421);
    let absolute = format!(
        "GET http://evil.test/api/clients HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        room.served.at
    );
    assert_eq!(room.served.raw(absolute.as_bytes()).status, 421);
    assert_eq!(room.sim.asked(), Vec::<String>::new());
    let named = Served::start(&room.sandbox, "--no-follow --allowed-host nodes.example.com");
    let answer = named.ask("GET", "/healthz", &[("host", "Nodes.Example.com.")], "");
    assert_eq!(answer.status, 200);
}

#[test]
fn s4_another_page_clears_nothing() {
    let room = Room::new();
    room.served.get("/api/clients");
    let post = |headers: &[(&str, &str)]| {
        room.served.ask("POST", "/api/cache/clear", headers, "a=b").status
    };
    assert_eq!(post(&[("origin", "http://evil.test")]), 403);
    assert_eq!(post(&[("origin", "null"), ("content-type", "text/plain")]), 403);
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(room.served.ask("GET", "/api/cache/clear", &[], "").status, 405);
    assert!(room.redis.bytes(&["GET", "nomad:clients:all"]).is_some(), "nothing was cleared");
    let own = format!("http://{}", room.served.at);
    assert_eq!(post(&[("origin", &own), ("sec-fetch-site", "same-origin")]), 200);
    assert!(room.redis.bytes(&["GET", "nomad:clients:all"]).is_none());
}

#[test]
fn s5_beyond_this_machine_only_with_a_token() {
    let room = Room::new();
    let hint = "hint: pass --access-token-file, or --insecure-no-auth if anyone there may read\n";
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let said = room.sandbox.run(&format!("serve --listen 127.0.0.1:0 --listen {listen}"));
        let why = format!("error: refused to listen on {listen} without an access token\n{hint}");
        assert_eq!(said, failure(3, &why));
    }
    let short = room.sandbox.write("short", "0123456789abcdef");
    let said = room.sandbox.run(&format!("serve --access-token-file {}", short.display()));
    let why = "error: the access token (--access-token-file) is shorter than 22 characters\n\
               hint: make one with: openssl rand -hex 16\n";
    assert_eq!(said, failure(3, why));
    let open = Served::start(&room.sandbox, "--no-follow --listen 0.0.0.0:0 --insecure-no-auth");
    assert_eq!(open.get("/api/clients").status, 200);
    let (code, said) = open.end();
    let warning = "warning: anyone who can reach this address can read the nodes: --insecure-no-auth is set\n";
    assert_eq!((code, said.as_str()), (0, warning));
}

#[test]
fn s22_reads_need_the_token_too() {
    let room = Room::new();
    let served = beyond(&room);
    let with =
        |method: &str, path: &str, headers: &[(&str, &str)]| served.ask(method, path, headers, "");
    for path in [
        "/api/clients",
        "/api/discover/clients",
        "/api/clients/worker-1",
        "/api/cache/stats",
        "/api/events",
        "/metrics",
    ] {
        let refused = with("GET", path, &[]);
        assert_eq!(refused.problem(), (401, "the access token is required".to_owned()), "{path}");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    assert_eq!(with("POST", "/api/cache/clear", &[]).status, 401);
    assert_eq!(with("GET", "/api/clients", &[("authorization", "Bearer wrong")]).status, 401);
    for path in ["/healthz", "/login", "/assets/style.css", "/openapi.json"] {
        assert_eq!(with("GET", path, &[]).status, 200, "{path}");
    }
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(with("GET", "/api/clients", &[("authorization", &bearer)]).status, 200);
    let (code, said) = served.end();
    assert_eq!((code, said.contains("canary")), (0, false), "{said}");
}

/// Why not names the address of Nomad, which is nobody's business who may not ask for nodes.
#[test]
fn s22_clients_without_a_token_do_not_learn_why_it_is_not_ready() {
    let room = Room::new();
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "canary"));
    let served = beyond(&room);
    let stranger = served.get("/readyz");
    let what = "not ready: Nomad is unavailable; no list within its TTL is cached";
    assert_eq!(stranger.problem(), (503, what.to_owned()));
    let bearer = format!("Bearer {TOKEN}");
    let known = served.ask("GET", "/readyz", &[("authorization", &bearer)], "");
    let (status, why) = known.problem();
    assert!(status == 503 && why.contains("canary"), "{why}");
    room.sim.heal();
    served.ask("GET", "/api/clients", &[("authorization", &bearer)], "");
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "canary"));
    let degraded = served.until("/readyz", |ready| ready.text().starts_with("ready\ndegraded"));
    assert_eq!((degraded.status, degraded.text()), (200, "ready\ndegraded: nomad\n"));
    let known = served.ask("GET", "/readyz", &[("authorization", &bearer)], "");
    assert!(known.status == 200 && known.text().contains("canary"), "{}", known.text());
}

/// The login page gives a cookie that stands for the token and does not tell it.
#[test]
fn s22_a_browser_signs_in() {
    let room = Room::new();
    let served = beyond(&room);
    let page = served.get("/");
    assert_eq!((page.status, page.header("location")), (303, "login"));
    let sign_in = |body: &str| -> Response {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        served.ask("POST", "/login", &headers, body)
    };
    let wrong = sign_in("token=wrong");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    assert!(wrong.text().contains("That is not the access token."));
    let right = sign_in(&format!("token={TOKEN}"));
    assert_eq!((right.status, right.header("location")), (303, "./"));
    let cookie = right.header("set-cookie");
    let (value, rest) = cookie.split_once("; ").unwrap();
    assert_eq!(rest, "Max-Age=2592000; HttpOnly; SameSite=Strict");
    assert!(!cookie.contains(TOKEN));
    let get = |cookie: &str| served.ask("GET", "/api/clients", &[("cookie", cookie)], "").status;
    assert_eq!((get(value), get(&format!("{value}0")), get("a=b")), (200, 401, 401));
    let evil = [("origin", "http://evil.test")];
    let foreign = served.ask("POST", "/login", &evil, &format!("token={TOKEN}"));
    assert_eq!(foreign.status, 403);
}

#[test]
fn s17_many_readers_cost_one_list() {
    let room = Room::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..125 {
                    assert_eq!(room.served.get("/api/clients").status, 200);
                }
            });
        }
    });
    assert_eq!(room.sim.asked().iter().filter(|what| *what == "list").count(), 1);
}
