//! Answers are what `/openapi.json` says.

use super::Room;
use crate::support::schema::Description;

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
    for (method, path) in [
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
    ] {
        let asked = path.replace("{node}", "worker-1").replace("{file}", "app.js");
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
