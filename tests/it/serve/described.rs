//! Answers are what `/openapi.json` says.

use std::io::{Read as _, Write as _};

use super::Room;
use crate::support::schema::Description;
use crate::support::served::response;

/// Every route and its method.
const ROUTES: [(&str, &str); 16] = [
    ("GET", "/"),
    ("GET", "/login"),
    ("GET", "/api/clients"),
    ("GET", "/api/discover/clients"),
    ("POST", "/api/discover/clients"),
    ("GET", "/api/clients/{node}"),
    ("POST", "/api/cache/clear"),
    ("GET", "/api/cache/stats"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/assets/{file}"),
    ("GET", "/favicon.ico"),
    ("GET", "/api/events"),
    ("POST", "/login"),
];

fn filled(path: &str) -> String {
    path.replace("{node}", "worker-1").replace("{file}", "app.js")
}

/// The keys of nodes that are described, those of full records too.
fn keys(description: &Description) -> String {
    let of = |pointer: &str| -> Vec<String> {
        description.part(pointer).as_object().unwrap().keys().cloned().collect()
    };
    let extra = of("/components/schemas/FullNode/allOf/1/properties");
    [of("/components/schemas/Node/properties"), extra].concat().join(",")
}

#[test]
fn nodes_in_every_choice_of_columns() {
    let room = Room::new();
    let description = Description::of(&room.served);
    let keys = keys(&description);
    for query in [
        "",
        "full=true",
        "columns=name",
        "columns=dc,class,pool",
        "columns=name,meta.rack,meta.nowhere",
        "columns=%2Bmeta.rack",
        "columns=%2Battr.kernel.name",
        "columns=attributes.kernel.name,attr.nowhere",
        "columns=drivers.exec,drivers.nowhere,last_drain.status,last_drain.started_at",
        "columns=resources.memory_mb,reserved.ports,host_volumes.nowhere,host_networks.nowhere",
        "columns=id&columns=name",
        "limit=0",
        &format!("columns={keys}"),
    ] {
        for path in ["/api/clients", "/api/discover/clients"] {
            let answer = room.served.get(&format!("{path}?{query}"));
            assert_eq!(answer.status, 200, "{query}");
            let faults = description.faults(("get", path), &answer);
            assert_eq!(faults, Vec::<String>::new(), "{path}?{query}");
        }
    }
    // The names are those that were asked for.
    let first = &room.served.get("/api/clients?columns=dc,meta.rack").json()[0];
    let named: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(named, ["datacenter", "meta.rack"]);
}

#[test]
fn every_route_and_what_it_refuses() {
    let room = Room::new();
    let description = Description::of(&room.served);
    for (method, path) in ROUTES {
        let asked = filled(path);
        let route = (&*method.to_lowercase(), path);
        let refused = room.served.ask(method, &format!("{asked}?nope=1"), &[], "");
        assert_eq!(description.faults(route, &refused), Vec::<String>::new(), "{path}");
        let (status, why) = refused.problem();
        assert_eq!(status, 400, "{method} {path}");
        assert!(why.starts_with("unknown parameter \"nope\""), "{why}");
        // Pictures and scripts have no described type; the events go on for ever.
        if !["/assets/{file}", "/favicon.ico", "/api/events"].contains(&path) && path != "/login" {
            let answer = room.served.ask(method, &asked, &[], "");
            assert_eq!(answer.status, 200, "{method} {path}");
            assert_eq!(description.faults(route, &answer), Vec::<String>::new(), "{path}");
        }
    }
    let missing = room.served.get("/api/clients/nobody");
    assert_eq!(description.faults(("get", "/api/clients/{node}"), &missing), Vec::<String>::new());
}

/// Whatever the route: a type that it does not have, a body that is too large, a foreign name.
#[test]
fn refusals_of_every_route_are_described() {
    let room = Room::new();
    let description = Description::of(&room.served);
    let large = ("content-length", "65537");
    for (method, path) in ROUTES {
        let ask = |headers: &[(&str, &str)]| {
            let answer = room.served.ask(method, &filled(path), headers, "");
            let route = (&*method.to_lowercase(), path);
            assert_eq!(description.faults(route, &answer), Vec::<String>::new(), "{route:?}");
            answer.status
        };
        assert_eq!(ask(&[("host", "elsewhere.example")]), 421, "{path}");
        let has_type = path.starts_with("/api/")
            || ["/", "/openapi.json", "/metrics"].contains(&path)
            || (method, path) == ("GET", "/login");
        if has_type {
            assert_eq!(ask(&[("accept", "image/png")]), 406, "{path}");
        }
        if method == "POST" {
            assert_eq!(ask(&[large]), 413, "{path}");
        }
    }
}

#[test]
fn a_sign_in_that_does_not_come_in_time_is_described() {
    let room = Room::new();
    let description = Description::of(&room.served);
    let mut stream = room.served.connect();
    let at = &room.served.at;
    let head = format!(
        "POST /login HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: 9\r\n\r\ntoken"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    let answer = response(&said);
    assert_eq!(answer.status, 408);
    assert_eq!(description.faults(("post", "/login"), &answer), Vec::<String>::new());
}
