//! `/metrics` in both formats: what it says, that its grammar holds, and that its size is bounded.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Once;

use nomad_sim::{Fault, Fleet, Times, Where};

use super::Room;
use crate::support::requirements::left_out;
use crate::support::sandbox::Sandbox;
use crate::support::served::{Response, Served};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn scrape(served: &Served, accept: &str) -> Response {
    let headers = [("accept", accept)];
    let all = if accept.is_empty() { &[][..] } else { &headers };
    let answer = served.ask("GET", "/metrics", all, "");
    assert_eq!(answer.status, 200, "{accept}");
    answer
}

/// What each series says, after the grammar of the text format 0.0.4 was checked strictly: a family
/// is described once, before its samples, which stand together; no series stands twice.
#[track_caller]
fn series(text: &str) -> BTreeMap<String, f64> {
    let (mut all, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    let (mut helped, mut family) = (String::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').unwrap();
            assert!(words.len() > 5, "{line}");
            name.clone_into(&mut helped);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped, "HELP comes right before");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert_eq!(kinds.insert(name.to_owned(), kind), None, "{line} stands twice");
            name.clone_into(&mut family);
        } else {
            let (name, labels, value) = sample(line);
            let base = match kinds[&family] {
                "histogram" => {
                    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end))
                }
                _ => Some(name),
            };
            assert_eq!(base, Some(&*family), "{line}");
            assert!(!line.contains("{}"), "{line}");
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let key = format!("{name}{labels}");
            assert_eq!(all.insert(key, value), None, "{line} stands twice");
        }
    }
    all
}

/// `name{label="value",…} 1`
#[track_caller]
fn sample(line: &str) -> (&str, Vec<String>, f64) {
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut escaped = false;
            let closing = |(_, character): &(usize, char)| {
                let closes = *character == '"' && !escaped;
                assert!(!escaped || ['\\', '"', 'n'].contains(character), "{line}");
                escaped = *character == '\\' && !escaped;
                closes
            };
            let (at, _) = after.char_indices().find(closing).unwrap();
            labels.push(format!("{label}=\"{}\"", &after[..at]));
            rest = after[at + 1..].trim_start_matches(',');
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name, labels, value.parse().unwrap_or_else(|_| panic!("{line}")))
}

/// What `promtool check metrics` finds; where it is not installed that is told, and nothing found.
fn linted(text: &str) -> String {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let child = promtool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            static TOLD: Once = Once::new();
            let why = format!("needs promtool: {error}");
            TOLD.call_once(|| left_out("promtool check metrics", &why));
            return String::new();
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    String::from_utf8([said.stdout, said.stderr].concat()).unwrap()
}

#[track_caller]
fn checked(served: &Served) -> BTreeMap<String, f64> {
    let answer = scrape(served, "");
    assert_eq!(linted(answer.text()), "");
    series(answer.text())
}

#[test]
fn what_was_asked_and_what_it_cost() {
    let room = Room::new();
    room.served.get("/api/discover/clients");
    room.served.get("/api/discover/clients");
    room.served.get("/api/clients/nobody");
    let found = checked(&room.served);
    for (name, value) in [
        (r#"http_requests_total{route="/api/discover/clients",status="200",cache="miss"}"#, 1.0),
        (r#"http_requests_total{route="/api/discover/clients",status="200",cache="hit"}"#, 1.0),
        (r#"http_requests_total{route="/api/clients/{node}",status="404",cache=""}"#, 1.0),
        (r#"answer_seconds_count{cached="true"}"#, 2.0),
        (r#"answer_seconds_count{cached="false"}"#, 1.0),
        (r#"answer_seconds_bucket{le="+Inf",cached="true"}"#, 2.0),
        ("nomad_calls_total", 6.0),
        ("follower", 0.0),
        ("cache_errors_total", 0.0),
        ("nomad_up", 1.0),
        ("redis_up", 1.0),
        ("event_readers", 0.0),
    ] {
        assert_eq!(found.get(&format!("nomad_clients_{name}")), Some(&value), "{name}\n{found:#?}");
    }
    let age = found["nomad_clients_cache_age_seconds"];
    assert!((0.0..60.0).contains(&age), "{age}");
}

#[test]
fn the_format_is_the_one_that_is_asked_for() {
    let room = Room::new();
    room.served.get("/api/clients");
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, kind) in [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("text/html,*/*;q=0.8", TEXT),
        ("application/openmetrics-text", OPEN),
        (prometheus, OPEN),
    ] {
        let answer = scrape(&room.served, accept);
        assert_eq!(answer.header("content-type"), kind, "{accept}");
        assert_eq!(answer.header("vary"), "accept, accept-encoding");
        let is_open = kind == OPEN;
        assert_eq!(answer.text().ends_with("# EOF\n"), is_open, "{accept}");
        let kind =
            if is_open { "nomad_clients_nomad_calls" } else { "nomad_clients_nomad_calls_total" };
        assert!(answer.text().contains(&format!("# TYPE {kind} counter\n")), "{}", answer.text());
        assert!(answer.text().contains("\nnomad_clients_nomad_calls_total 6\n"));
        assert_eq!(answer.text().contains("# UNIT "), is_open);
    }
    let refused = room.served.ask("GET", "/metrics", &[("accept", "application/json")], "");
    let why = "metrics are only available as text/plain or application/openmetrics-text";
    assert_eq!(refused.problem(), (406, why.to_owned()));
    let zipped = room.served.ask("GET", "/metrics", &[("accept-encoding", "gzip")], "");
    assert_eq!(zipped.header("content-encoding"), "gzip");
    let mut unzipped = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&zipped.body[..]);
    std::io::Read::read_to_string(&mut decoder, &mut unzipped).unwrap();
    assert!(series(&unzipped).contains_key("nomad_clients_nomad_calls_total"));
}

/// The series of the nodes as the list has them.
fn expected(served: &Served) -> BTreeMap<String, f64> {
    let mut expected = BTreeMap::new();
    for node in served.get("/api/clients").json().as_array().unwrap() {
        let text = |key: &str| node[key].as_str().unwrap().to_owned();
        let name = format!(
            r#"nomad_clients_nodes{{status="{}",eligibility="{}",drain="{}",datacenter="{}",pool="{}",class="{}",version="{}"}}"#,
            text("status"),
            text("eligibility"),
            node["drain"],
            text("datacenter"),
            text("node_pool"),
            text("node_class"),
            text("version"),
        );
        *expected.entry(name).or_default() += 1.0;
    }
    expected
}

fn of_nodes(all: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    all.into_iter().filter(|(name, _)| name.starts_with("nomad_clients_nodes{")).collect()
}

#[test]
fn nodes_by_what_distinguishes_them() {
    let room = Room::new();
    room.sim.cluster().set_eligible("worker-3", false);
    room.sim.cluster().drain("worker-4", 3_600_000_000_000, serde_json::Value::Null);
    room.sim.cluster().write("worker-5", |node| node.node_class = "gpu".into());
    let wanted = expected(&room.served);
    assert!(wanted.len() >= 4, "{wanted:#?}");
    assert_eq!(of_nodes(checked(&room.served)), wanted);
    // What is no longer so is no longer told.
    room.sim.cluster().set_eligible("worker-3", true);
    room.served.get("/api/discover/clients?refresh=true");
    let wanted = expected(&room.served);
    assert_eq!(of_nodes(checked(&room.served)), wanted);
}

/// Whoever runs a node chooses its class.
#[test]
fn classes_that_would_be_lines_of_their_own() {
    let room = Room::new();
    let hostile = "a\"} 1\nnomad_clients_nomad_up 7\n# EOF\n\\\u{202e}";
    room.sim.cluster().write("worker-2", |node| node.node_class = hostile.into());
    room.served.get("/api/clients");
    let found = checked(&room.served);
    assert_eq!(found["nomad_clients_nomad_up"], 1.0);
    let nodes: f64 = of_nodes(found).values().sum();
    assert_eq!(nodes, 5.0);
}

#[test]
fn many_different_nodes_are_a_bounded_answer() {
    let options = nomad_sim::Options { fleet: Fleet::generated(2_500), ..Default::default() };
    let sim = nomad_sim::Sim::start(options);
    let sandbox = Sandbox::local().nomad(&sim.address());
    let names: Vec<String> = sim.cluster().nodes().map(|node| node.name.to_string()).collect();
    for (at, name) in names.iter().enumerate() {
        sim.cluster().write(name, |node| {
            node.node_class = format!("class-{at}").into();
            node.datacenter = format!("dc-{}", at % 700).into();
        });
    }
    let served = Served::start(&sandbox, "--no-follow --timeout 2m");
    served.get("/api/clients");
    let nodes = of_nodes(checked(&served));
    assert_eq!(nodes.values().sum::<f64>(), 2_500.0);
    assert!(nodes.len() < 1_200, "{} series", nodes.len());
}

#[test]
fn whether_nomad_and_redis_answer() {
    let mut room = Room::new();
    let up = |served: &Served| {
        let found = checked(served);
        ["nomad_up", "redis_up"].map(|name| found.get(&format!("nomad_clients_{name}")).copied())
    };
    assert_eq!(up(&room.served), [None, Some(1.0)], "Nomad was not yet asked");
    assert_eq!(room.sim.asked(), Vec::<String>::new(), "to look costs no call");
    room.served.get("/api/clients");
    assert_eq!(up(&room.served), [Some(1.0), Some(1.0)]);
    room.sim.fault(Where::Everything, Times::ALWAYS, Fault::status(500, "no"));
    assert_eq!(room.served.get("/api/discover/clients?refresh=true").status, 503);
    assert_eq!(up(&room.served), [Some(0.0), Some(1.0)]);
    room.redis.kill();
    assert_eq!(up(&room.served), [Some(0.0), Some(0.0)]);
    let local = Sandbox::local().nomad(&room.sim.address());
    let served = Served::start(&local, "--no-follow");
    assert_eq!(up(&served), [None, None], "there is no Redis");
}
