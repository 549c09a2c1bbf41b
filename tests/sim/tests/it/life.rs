//! The live model: what moves which index, and who is woken.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nomad_sim::{Fleet, Listen, Options, Shape, Sim};
use serde_json::{Value, json};

use crate::client::{get, parse, raw, send};

const LONG: Duration = Duration::from_secs(10);

fn stub(sim: &Sim, name: &str) -> Value {
    let list = get(sim, "/v1/nodes").json();
    list.as_array().unwrap().iter().find(|stub| stub["Name"] == name).cloned().unwrap_or_default()
}

fn detail_target(sim: &Sim, name: &str) -> String {
    format!("/v1/node/{}", sim.cluster().id(name))
}

#[test]
fn each_write_moves_the_indexes_that_nomads_moves() {
    let sim = Sim::start(Fleet::recorded());
    assert_eq!(get(&sim, "/v1/nodes").index(), 17);

    sim.cluster().report_allocation("worker-1");
    assert_eq!(
        (get(&sim, "/v1/nodes").index(), &stub(&sim, "worker-1")["ModifyIndex"]),
        (18, &json!(9))
    );
    let detail = get(&sim, &detail_target(&sim, "worker-1"));
    assert_eq!((detail.index(), &detail.json()["LastAllocUpdateIndex"]), (9, &json!(18)));

    sim.cluster().set_eligible("worker-1", false);
    sim.cluster().set_eligible("worker-1", false);
    let node = stub(&sim, "worker-1");
    assert_eq!(
        (&node["ModifyIndex"], &node["SchedulingEligibility"]),
        (&json!(19), &json!("ineligible"))
    );
    assert_eq!(get(&sim, "/v1/nodes").index(), 19);

    sim.cluster().set_meta("worker-1", "rack", Some("r9"));
    let detail = get(&sim, &detail_target(&sim, "worker-1")).json();
    assert_eq!((&detail["Meta"]["rack"], &detail["ModifyIndex"]), (&json!("r9"), &json!(20)));
    assert_eq!(detail["Events"][1]["Message"], "Node marked as ineligible for scheduling");

    sim.cluster().set_status("worker-1", "down");
    assert_eq!(stub(&sim, "worker-1")["Status"], "down");
}

#[test]
fn a_drain_goes_its_way_over_http() {
    let sim = Sim::start(Fleet::recorded());
    let target = detail_target(&sim, "worker-2");
    let body = r#"{"DrainSpec":{"Deadline":3600000000000},"Meta":{"message":"kernel"}}"#;
    let reply = send(&sim, "PUT", &format!("{target}/drain"), body);
    assert_eq!((reply.status, reply.json()["NodeModifyIndex"].as_u64()), (200, Some(18)));
    let node = stub(&sim, "worker-2");
    assert_eq!((&node["Drain"], &node["LastDrain"]["Status"]), (&json!(true), &json!("draining")));
    assert_eq!(node["SchedulingEligibility"], "ineligible");
    let eligible =
        send(&sim, "PUT", &format!("{target}/eligibility"), r#"{"Eligibility":"eligible"}"#);
    assert_eq!(eligible.status, 500);
    assert_eq!(
        eligible.text(),
        "can not set node's scheduling eligibility to eligible while it is draining"
    );

    sim.cluster().drain_complete("worker-2");
    let node = stub(&sim, "worker-2");
    assert_eq!((&node["Drain"], &node["LastDrain"]["Status"]), (&json!(false), &json!("complete")));
    assert_eq!(node["SchedulingEligibility"], "ineligible");

    send(&sim, "PUT", &format!("{target}/drain"), body);
    send(&sim, "PUT", &format!("{target}/drain"), r#"{"DrainSpec":null,"MarkEligible":true}"#);
    let node = stub(&sim, "worker-2");
    assert_eq!(
        (&node["LastDrain"]["Status"], &node["SchedulingEligibility"]),
        (&json!("canceled"), &json!("eligible"))
    );
}

#[test]
fn a_purged_node_comes_back_with_its_id_and_a_new_create_index() {
    let sim = Sim::start(Fleet::recorded());
    let target = detail_target(&sim, "worker-5");
    assert_eq!(send(&sim, "PUT", &format!("{target}/purge"), "{}").json()["Index"], 18);
    assert_eq!((get(&sim, &target).status, get(&sim, &target).text()), (404, "node not found"));
    assert_eq!(stub(&sim, "worker-5"), Value::Null);
    sim.cluster().reregister("worker-5");
    let node = get(&sim, &target).json();
    assert_eq!((&node["CreateIndex"], &node["ModifyIndex"]), (&json!(19), &json!(19)));
}

#[test]
fn a_restore_goes_back_and_a_rebuild_begins_anew() {
    let sim = Sim::start(Fleet::recorded());
    let saved = sim.cluster().save();
    sim.cluster().register("web-1");
    sim.cluster().set_eligible("worker-1", false);
    assert_eq!(get(&sim, "/v1/nodes").index(), 19);
    sim.cluster().restore(&saved);
    assert_eq!((get(&sim, "/v1/nodes").index(), stub(&sim, "web-1")), (17, Value::Null));
    assert_eq!(stub(&sim, "worker-1")["ModifyIndex"], 9);
    assert!(sim.cluster().set_eligible("worker-1", false) > 19);

    let before = get(&sim, &detail_target(&sim, "worker-1")).json();
    sim.cluster().rebuild();
    let after = get(&sim, &detail_target(&sim, "worker-1")).json();
    assert_eq!(after["ID"], before["ID"]);
    assert_ne!(after["IdentitySigningKeyID"], before["IdentitySigningKeyID"]);
    assert_eq!(get(&sim, "/v1/nodes").index(), 16);
}

#[test]
fn a_blocking_query_wakes_for_what_passes_its_index_only() {
    let sim = Sim::start(Fleet::recorded());
    let blocked = |index: u64, wait: &str, act: &dyn Fn()| {
        let target = format!("/v1/nodes?per_page=1&index={index}&wait={wait}");
        std::thread::scope(|scope| {
            let before = sim.ledger().len();
            let reply = scope.spawn(|| get(&sim, &target));
            assert!(sim.await_requests(before + 1, LONG));
            act();
            reply.join().unwrap().index()
        })
    };
    assert_eq!(
        blocked(17, "60s", &|| {
            sim.cluster().report_allocation("worker-1");
        }),
        18
    );
    assert_eq!(
        blocked(19, "60s", &|| (0..2).for_each(|_| {
            sim.cluster().send_event("worker-1", "x");
        })),
        20
    );
    let saved = sim.cluster().save();
    sim.cluster().set_eligible("worker-1", false);
    let started = Instant::now();
    assert_eq!(blocked(21, "300ms", &|| sim.cluster().restore(&saved)), 20);
    assert!(started.elapsed() >= Duration::from_millis(300), "a restore releases nobody");
}

#[test]
fn a_dropped_simulator_releases_everybody() {
    let sim = Sim::start(Fleet::recorded());
    let address = sim.address();
    std::thread::scope(|scope| {
        let request = "GET /v1/nodes?index=17&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n";
        let blocked = scope.spawn({
            let stream = crate::client::connect(&sim);
            move || {
                use std::io::{Read as _, Write as _};
                let mut stream = stream;
                stream.write_all(request.as_bytes()).unwrap();
                stream.read_to_end(&mut Vec::new())
            }
        });
        assert!(sim.await_requests(1, LONG));
        let started = Instant::now();
        drop(sim);
        assert!(blocked.join().is_ok());
        assert!(started.elapsed() < LONG);
    });
    assert!(std::net::TcpStream::connect(address.trim_start_matches("http://")).is_err());
}

#[test]
fn tokens_and_regions_are_checked() {
    let sim = Sim::start(Fleet::recorded());
    sim.cluster().tokens = Some(BTreeSet::from(["good".to_owned()]));
    let ask = |header: &str| {
        let request = format!("GET /v1/nodes HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        parse(&raw(&sim, &request).unwrap()).status
    };
    assert_eq!(ask("X-Nomad-Token: good\r\n"), 200);
    assert_eq!(ask("Authorization: bearer good\r\n"), 200);
    for refused in
        ["", "X-Nomad-Token: \r\n", "X-Nomad-Token: bad\r\n", "Authorization: Basic good\r\n"]
    {
        assert_eq!(ask(refused), 403, "{refused}");
    }
    sim.cluster().anonymous = true;
    assert_eq!((ask(""), ask("X-Nomad-Token: bad\r\n")), (200, 403));
    sim.cluster().tokens = None;
    assert_eq!(
        (ask("X-Nomad-Token: any\r\n"), get(&sim, "/v1/nodes?region=mars").status),
        (200, 500)
    );
    assert_eq!(sim.ledger()[0].token(), Some("good"));
}

#[test]
fn fleets_have_the_size_of_real_ones() {
    let sim = Sim::start(Fleet::generated(1_000));
    let list = get(&sim, "/v1/nodes");
    let stubs = list.json();
    assert_eq!((stubs.as_array().unwrap().len(), list.index()), (1_000, 2_009));
    assert!((1_350_000..1_650_000).contains(&list.body.len()), "{}", list.body.len());
    let ids: Vec<&str> =
        stubs.as_array().unwrap().iter().map(|stub| stub["ID"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    for id in &ids[..40] {
        let detail = get(&sim, &format!("/v1/node/{id}"));
        assert!((4_800..7_900).contains(&detail.body.len()), "{}", detail.body.len());
        assert_eq!(
            (&detail.json()["ID"], detail.json().as_object().unwrap().len()),
            (&json!(id), 35)
        );
    }
    let texts: BTreeSet<Vec<u8>> =
        (0..5).map(|_| get(&sim, &format!("/v1/node/{}", ids[0])).body).collect();
    assert_eq!(texts.len(), 5, "maps are written in a new order each time");
}

#[test]
fn a_hundred_thousand_nodes_fit() {
    let sim = Sim::start(Fleet::generated(100_000));
    let page = get(&sim, "/v1/nodes?per_page=2");
    assert_eq!((page.index(), page.json().as_array().unwrap().len()), (200_009, 2));
}

#[test]
fn hostile_texts_come_through_unchanged() {
    let sim = Sim::start(Fleet::hostile());
    let list = get(&sim, "/v1/nodes").json();
    let names: Vec<&str> =
        list.as_array().unwrap().iter().map(|stub| stub["Name"].as_str().unwrap()).collect();
    assert!(names.contains(&"</script><img src=x onerror=alert(1)>") && names.contains(&""));
    let id = sim.cluster().id("\u{1b}[31mred\u{1b}[0m");
    let detail = get(&sim, &format!("/v1/node/{id}"));
    assert!(!detail.body.contains(&0x1b), "control characters are escaped in JSON");
    assert_eq!(detail.json()["Meta"]["text"], "\u{1b}[31mred\u{1b}[0m");
}

#[test]
fn a_unix_socket_serves_as_well() {
    use std::io::{Read as _, Write as _};
    let path = std::env::temp_dir().join(format!("nomad-sim-test-{}.sock", std::process::id()));
    let listen = Some(Listen::Unix(path.clone()));
    let sim = Sim::start(Options { fleet: Fleet::recorded(), listen, ..Options::default() });
    assert_eq!(sim.address(), format!("unix://{}", path.display()));
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(b"HEAD /v1/nodes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{text}");
    assert!(text.ends_with("Content-Length: 14\r\nConnection: close\r\n\r\n"), "{text}");
    drop(sim);
    assert!(!path.exists());
}

#[test]
fn old_servers_and_prefixes_exist() {
    let options =
        Options { fleet: Fleet::recorded(), prefix: "/nomad".to_owned(), ..Options::default() };
    let sim = Sim::start(options);
    sim.cluster().shape = Shape::Old;
    assert!(sim.address().ends_with("/nomad"));
    let stub = get_at(&sim, "/nomad/v1/nodes").json()[0].clone();
    assert!(stub.get("NodePool").is_none() && stub.get("LastDrain").is_none());
    assert_eq!(stub["HostVolumes"], Value::Null);
}

fn get_at(sim: &Sim, target: &str) -> crate::client::Reply {
    use std::io::{Read as _, Write as _};
    let address = sim.address();
    let host = address.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    parse(&bytes)
}

#[test]
fn the_simulator_is_a_proxy_too() {
    let sim = Sim::start(Fleet::recorded());
    let tunnel = "CONNECT nomad.test:4646 HTTP/1.1\r\nHost: nomad.test:4646\r\n\r\n";
    let request = "GET /v1/regions HTTP/1.1\r\nHost: x\r\n\r\n";
    let bytes = raw(&sim, &format!("{tunnel}{request}")).unwrap();
    let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
    assert!(bytes.starts_with(established));
    assert_eq!(parse(&bytes[established.len()..]).text(), "[\"global\"]");
    assert_eq!(get(&sim, "http://nomad.test:4646/v1/nodes").json().as_array().unwrap().len(), 5);
    let asked = ["CONNECT nomad.test:4646", "GET /v1/regions", "list"];
    assert_eq!(sim.asked(), asked);
}

#[test]
fn the_command_line_says_where_it_listens() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_nomad-sim"))
        .args(["serve", "--listen", "127.0.0.1:0", "--fleet", "generated:7", "--token", "good"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = "GET /v1/nodes HTTP/1.0\r\nX-Nomad-Token: good\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(parse(&bytes).json().as_array().unwrap().len(), 7);
}
