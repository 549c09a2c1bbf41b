//! N17 to N22: one detail, many details, no node at all, and very many.

use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Times, Where};
use serde_json::{Value, json};

use super::{EVERYTHING, NOTHING, Room, recorded};

const AGAIN: &str = "hint: try again, or pass --allow-partial to exit with 0\n";

/// The rows of `list --json`.
#[track_caller]
fn rows(stdout: &str) -> Vec<Value> {
    serde_json::from_str(stdout).unwrap()
}

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["name"] == name).unwrap()
}

#[test]
fn n17_a_node_that_goes_between_list_and_detail_is_left_out() {
    let room = Room::new();
    let id = room.sim.cluster().id("worker-3");
    let gone = Fault::status(404, "node not found");
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, gone);
    let said = room.run("list --json -v");
    assert_eq!(
        said.stderr,
        format!("node {id} is gone since the list\n4 clients · fetched · 6 Nomad calls · TIME\n")
    );
    let mut expected = rows(&recorded());
    expected.retain(|row| row["name"] != "worker-3");
    assert_eq!((said.code, rows(&said.stdout)), (0, expected));
    assert_eq!(room.cached(), EVERYTHING);
    room.sim.asked();
    assert_eq!(room.sandbox.stdout("list --json"), said.stdout);
    assert_eq!(room.sim.asked(), NOTHING);
}

/// One detail of five fails like this: all rows are there, and this reason.
#[track_caller]
fn is_partial(fault: Fault, args: &str, why: &str) -> Room {
    let room = Room::new();
    let id = room.sim.cluster().id("worker-3");
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, fault);
    let said = room.run(&format!("list --json {args}"));
    let why = why.replace("node ID", &format!("node {id}"));
    assert_eq!(said.stderr, format!("error: 1 of 5 nodes without details: {id}: {why}\n{AGAIN}"));
    assert_eq!(said.code, 8);
    let (complete, partial) = (rows(&recorded()), rows(&said.stdout));
    for (complete, partial) in complete.iter().zip(&partial) {
        if partial["name"] == "worker-3" {
            assert_eq!((&partial["os"], &partial["meta"]), (&Value::Null, &Value::Null));
            assert_eq!(partial["status"], complete["status"]);
        } else {
            assert_eq!(partial, complete);
        }
    }
    assert_eq!((partial.len(), room.cached()), (5, vec!["hash".to_owned(), "meta".to_owned()]));
    room
}

#[test]
fn n18_a_detail_that_fails_three_times_leaves_its_row_without() {
    let room = is_partial(
        Fault::status(500, "rpc error: EOF"),
        "",
        "Nomad at NOMAD answered 500: rpc error: EOF",
    );
    let asked = room.sim.asked();
    assert_eq!(asked.iter().filter(|what| *what == "node worker-3").count(), 3);
    assert_eq!(asked.len(), 8);
    room.sim.heal();
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked(), ["list", "node worker-3"], "the other details are kept");
}

#[test]
fn n18_bad_json_leaves_a_row_without_details() {
    is_partial(
        Fault::body(b"{}".as_slice()),
        "",
        "not a Nomad API answer (node ID, NOMAD): missing field `ID`",
    );
    is_partial(Fault::Cut(100), "", "answer cut off after 100 bytes (node ID, NOMAD)");
    is_partial(Fault::html(502), "", "not a Nomad API answer (text/html) from NOMAD");
    is_partial(
        Fault::Close,
        "",
        "cannot reach Nomad at NOMAD: connection closed without an answer",
    );
}

#[test]
fn n18_a_detail_that_never_comes_costs_no_more_than_the_commands_time() {
    let began = Instant::now();
    is_partial(
        Fault::Never,
        "--timeout 2s",
        "cannot reach Nomad at NOMAD: timed out after 2s (node ID)",
    );
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn n18_rows_without_details_are_an_answer_to_who_allows_them() {
    let room = Room::new();
    let id = room.sim.cluster().id("worker-3");
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, Fault::status(500, "no"));
    let said = room.run("list --json --allow-partial");
    let warning =
        format!("warning: 1 of 5 nodes without details: {id}: Nomad at NOMAD answered 500: no\n");
    assert_eq!((said.code, said.stderr), (0, warning));
    assert_eq!(rows(&said.stdout).len(), 5);
    assert_eq!(row(&rows(&said.stdout), "worker-3")["os"], Value::Null);
}

#[test]
fn n18_a_detail_that_fails_twice_is_an_answer() {
    let room = Room::new();
    room.sim.fault(Where::node("worker-3"), Times::next(2), Fault::status(500, "not now"));
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked().len(), 8);
}

#[test]
fn n18_one_of_a_thousand_is_named() {
    let room = Room::of(Fleet::generated(1000));
    let id = room.sim.cluster().nodes().nth(500).unwrap().id.to_string();
    room.sim.fault(Where::node(&id), Times::ALWAYS, Fault::status(500, "no"));
    let said = room.run("list --json");
    let why = format!("1 of 1000 nodes without details: {id}: Nomad at NOMAD answered 500: no");
    assert_eq!((said.code, said.stderr), (8, format!("error: {why}\n{AGAIN}")));
    let rows = rows(&said.stdout);
    assert_eq!(rows.len(), 1000);
    let without: Vec<&Value> = rows.iter().filter(|row| row["os"].is_null()).collect();
    assert_eq!((without.len(), &without[0]["id"]), (1, &json!(id)));
    assert_eq!(room.sim.ledger().len(), 1003);
    assert_eq!(room.cached(), ["hash", "meta"]);
}

#[test]
fn n19_many_failing_details_end_the_run_early() {
    let room = Room::of(Fleet::generated(100));
    room.sim.fault(Where::Nodes, Times::ALWAYS, Fault::status(500, "rpc error: EOF"));
    let stderr = "error: cannot get the details of 11 of 100 nodes: Nomad at NOMAD answered 500: rpc error: EOF\n";
    room.fails("list --json --concurrency 1", 5, stderr);
    assert_eq!(room.sim.asked().len(), 1 + 11 * 3, "the other 89 were not asked for");
    assert_eq!(room.cached(), NOTHING);
}

#[test]
fn n19_three_of_five_are_not_many() {
    let room = Room::new();
    for name in ["worker-1", "worker-2", "worker-3"] {
        room.sim.fault(Where::node(name), Times::ALWAYS, Fault::status(500, "no"));
    }
    let said = room.run("list --json");
    assert_eq!(said.code, 8);
    assert!(said.stderr.starts_with("error: 3 of 5 nodes without details: "), "{said:?}");
    room.sim.fault(Where::node("worker-4"), Times::ALWAYS, Fault::status(500, "no"));
    let stderr = "error: cannot get the details of 4 of 5 nodes: Nomad at NOMAD answered 500: no\n";
    room.fails("list --json --force", 5, stderr);
}

#[test]
fn n20_a_detail_older_than_its_stub_is_listed_again() {
    let room = Room::new();
    let old = Fault::field("ModifyIndex", json!(1));
    room.sim.fault(Where::node("worker-3"), Times::ONCE, old);
    room.succeeds("list --json", "", &EVERYTHING);
    let asked = room.sim.asked();
    assert_eq!(asked.iter().filter(|what| *what == "list").count(), 2);
    assert_eq!(asked.len(), 12, "nothing of the torn state is used");
}

#[test]
fn n20_details_that_stay_older_are_no_answer() {
    let room = Room::new();
    room.sim.fault(Where::Nodes, Times::ALWAYS, Fault::field("ModifyIndex", json!(1)));
    let stderr = "error: cannot get the nodes: 4 lists of Nomad in a row were older than their details or the cache\n";
    room.fails("list --json", 5, stderr);
    assert_eq!(room.sim.asked().len(), 24);
    assert_eq!(room.cached(), NOTHING);
}

#[test]
fn n20_a_detail_of_another_node_is_refused() {
    let room = Room::new();
    let asked = room.sim.cluster().id("worker-3");
    let other = room.sim.cluster().id("worker-4");
    let swapped = Fault::field("ID", json!(other));
    room.sim.fault(Where::node("worker-3"), Times::ALWAYS, swapped);
    let stderr = format!("error: not an answer of Nomad's: asked for node {asked}, got {other}\n");
    room.fails("list --json", 6, &stderr);
    assert_eq!(room.cached(), NOTHING);
}

#[test]
fn n20_a_detail_that_redirects_is_a_failed_detail() {
    let host = "192.0.2.1";
    let room = is_partial(
        Fault::redirect(307, &format!("http://{host}/v1/node/x")),
        "",
        &format!("redirect to {host} refused (NOMAD)"),
    );
    assert_eq!(room.sim.asked().len(), 8);
}

#[test]
fn n21_no_nodes_are_an_answer() {
    let room = Room::of(Fleet::empty());
    room.sim.cluster().index = 7;
    assert_eq!(room.sandbox.stdout("list --json"), "[]\n");
    assert_eq!(room.sim.asked(), ["list"]);
    assert_eq!(room.sandbox.stdout("list --json"), "[]\n");
    assert_eq!(room.sim.asked(), NOTHING, "cached");
    assert_eq!(room.sandbox.stdout("list -o jsonl"), "");
    assert_eq!(room.sandbox.stdout("list -o name"), "");
    assert_eq!(room.sandbox.stdout("refresh"), "Updated: 0 new, 0 changed, 0 cached\n");
    assert!(room.cached().contains(&"all".to_owned()), "{:?}", room.cached());
}
