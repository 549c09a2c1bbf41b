//! What changes while somebody looks: watch, completion at the prompt, and the events of a node.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use nomad_clients::model::node::NodeId;
use nomad_sim::{Fault, Times, Where};
use serde_json::{Value, json};

use super::Room;
use crate::support::pty::Pty;
use crate::support::sandbox::failure;

/// Goes on until a test is over, also one that fails.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// In a pipe: a line for each node, then one for each change.
#[test]
fn a_watch_reports_changes() {
    let room = Room::new();
    let mut command =
        room.sandbox.command(["list", "--watch=100ms", "--refresh", "-c", "name,meta.rack"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut watch = Watch(child);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let mut next = || -> Value {
        let mut line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let time = line.as_object_mut().unwrap().remove("time").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'));
        line
    };
    for number in 1..=5 {
        let line = next();
        assert_eq!((&line["change"], &line["before"]), (&json!("present"), &Value::Null));
        assert_eq!(line["after"]["name"], format!("worker-{number}"));
    }
    room.sim.cluster().set_meta("worker-1", "rack", Some("moved"));
    let (before, after) = (
        json!({"name": "worker-1", "meta.rack": "r1"}),
        json!({"name": "worker-1", "meta.rack": "moved"}),
    );
    assert_eq!(next(), json!({"change": "changed", "before": before, "after": after}));
    room.sim.cluster().purge("worker-1");
    assert_eq!(next(), json!({"change": "gone", "before": after, "after": null}));
    room.sim.cluster().register("worker-9");
    let line = next();
    assert_eq!((&line["change"], &line["after"]["name"]), (&json!("new"), &json!("worker-9")));
}

/// A node that another one pushes beyond the limit is still there.
#[test]
fn a_watch_with_a_limit_reports_as_gone_only_what_is_gone() {
    let room = Room::new();
    let line = ["list", "--watch=100ms", "--refresh", "-c", "name", "--sort=name", "--limit=1"];
    let child = room.sandbox.command(line).stdout(Stdio::piped()).spawn().unwrap();
    let mut watch = Watch(child);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let mut next = || -> (String, String) {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let node = line["after"].as_object().or(line["before"].as_object()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&line["change"]), text(&node["name"]))
    };
    let told = |change: &str, name: &str| (change.to_owned(), name.to_owned());
    assert_eq!(next(), told("present", "worker-1"));
    room.sim.cluster().register("early-1");
    assert_eq!(next(), told("new", "early-1"));
    room.sim.cluster().purge("early-1");
    assert_eq!(next(), told("gone", "early-1"));
    room.sim.cluster().purge("worker-1");
    assert_eq!(next(), told("present", "worker-2"));
    assert_eq!(next(), told("gone", "worker-1"));
}

/// Also while nothing changes that could be written.
#[test]
fn a_watch_ends_when_nobody_reads_any_more() {
    let room = Room::new();
    let mut command = room.sandbox.command(["list", "--watch=100ms", "-c", "name"]);
    let mut watch = Watch(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("worker-1"));
    drop(lines);
    assert_eq!(watch.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_watch_is_a_screen_or_lines() {
    let room = Room::new();
    let stderr = "error: --watch prints a table on a terminal and JSON lines in a pipe\nhint: leave --output out, or pass --json\n";
    assert_eq!(room.sandbox.run("list -w -o csv"), failure(2, stderr));
    let stderr = "error: invalid value for --watch: must be at least 100ms\n";
    assert_eq!(room.sandbox.run("list --watch=1ms"), failure(2, stderr));
}

/// Whoever runs a node chooses its name.
#[test]
fn s1_the_name_of_a_node_that_is_gone_steers_no_terminal() {
    let room = Room::new();
    room.sim.cluster().register("\u{1b}]0;x\u{7}\u{202e}evil");
    let (mut pty, terminal) = Pty::open();
    let mut command = room.sandbox.command(["list", "--watch=100ms", "--refresh"]);
    let _watch = Watch(command.stdout(terminal).stderr(Stdio::null()).spawn().unwrap());
    pty.until("\\u{1b}");
    room.sim.cluster().purge("\u{1b}]0;x\u{7}\u{202e}evil");
    let shown = pty.until("gone: \\u{1b}]0;x\\u{7}\\u{202e}evil");
    assert!(!shown.contains(['\u{7}', '\u{202e}']) && !shown.contains("\u{1b}]"), "{shown:?}");
}

fn on_terminal(room: &Room, args: &[&str]) -> (Pty, Watch) {
    let (pty, terminal) = Pty::open();
    let mut command = room.sandbox.command(["list"].iter().chain(args));
    command.stdout(terminal).stderr(Stdio::null());
    (pty, Watch(command.spawn().unwrap()))
}

/// Not those of the moment in which the answer came.
#[test]
fn ages_on_a_screen_grow_until_the_next_round() {
    let room = Room::new();
    let (mut pty, _watch) = on_terminal(&room, &["--watch=1h", "--force"]);
    pty.until("5 clients · fetched · ");
    pty.until("5 clients · fetched 1s ago · ");
    pty.until("5 clients · fetched 3s ago · ");
    room.sandbox.stdout("refresh");
    let (mut pty, _watch) = on_terminal(&room, &["--watch=1h"]);
    pty.until("cached 0s ago");
    pty.until("cached 2s ago");
}

/// Nomad answers no more: that too is a time in which ages grow.
#[test]
fn trouble_on_a_screen_is_one_line_and_goes_when_it_is_over() {
    let room = Room::new();
    let (mut pty, _watch) = on_terminal(&room, &["--watch=100ms", "--refresh"]);
    pty.until("5 clients");
    let gate = room.sim.hold(Where::Everything);
    assert!(gate.await_waiting(1, std::time::Duration::from_secs(30)));
    pty.until("5 cached");
    pty.until("updated 2s ago: ");
    let fault = Fault::status(500, "No cluster leader");
    room.sim.fault(Where::Everything, Times::ALWAYS, fault);
    gate.open();
    pty.until("failing for 0s: ");
    assert_eq!(pty.drawing("failing for 1s: ").matches("failing for").count(), 1);
    room.sim.heal();
    room.sim.cluster().register("worker-9");
    let shown = pty.drawing("+ ");
    assert!(shown.contains("worker-9") && !shown.contains("failing"), "{shown}");
}

#[test]
fn a_screen_begins_with_what_needs_attention_and_ends_with_how_many() {
    let room = Room::of(nomad_sim::Fleet::generated(300));
    let drawn = |args: &[&str]| {
        let (mut pty, _watch) = on_terminal(&room, args);
        pty.drawing("every 1h0m")
    };
    let shown = drawn(&["--watch=1h"]);
    let is_down = |line: &str| line.contains("down\u{1b}") || line.contains(" down ");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.iter().take_while(|line| is_down(line) || line.contains("ID")).count(), 12);
    assert!(shown.contains("289 ready · 11 down · ") && shown.contains("… 28"), "{shown}");
    let shown = drawn(&["--watch=1h", "--sort", "name"]);
    assert!(shown.lines().filter(|line| is_down(line)).count() < 5, "{shown}");
}

/// It may be back in seconds.
#[test]
fn a_named_node_that_is_purged_is_gone_and_the_watch_goes_on() {
    let room = Room::new();
    let mut command =
        room.sandbox.command(["list", "worker-1", "--watch=100ms", "--refresh", "-c", "name"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut watch = Watch(child);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let mut next = || -> (String, Value) {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let node = if line["after"].is_null() { &line["before"] } else { &line["after"] };
        (line["change"].as_str().unwrap().to_owned(), node["name"].clone())
    };
    let (mut pty, _screen) = on_terminal(&room, &["worker-1", "--watch=100ms", "--refresh"]);
    pty.until("1 of 5 clients");
    assert_eq!(next(), ("present".to_owned(), json!("worker-1")));
    room.sim.cluster().purge("worker-1");
    assert_eq!(next(), ("gone".to_owned(), json!("worker-1")));
    let shown = pty.drawing("0 of 4 clients");
    assert!(shown.contains("gone: worker-1"), "{shown}");
    room.sim.cluster().register("worker-1");
    assert_eq!(next(), ("new".to_owned(), json!("worker-1")));
    let said = room.sandbox.run("list nobody --watch=100ms");
    assert!(said.code != 0 && said.stderr.starts_with("error: no node named"), "{said:?}");
}

/// What a shell is told, `line` being what stands at the prompt.
fn completed(room: &Room, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = room.sandbox.command(["--", "nomad-clients"].iter().chain(&words));
    command
        .env("NOMAD_CLIENTS_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_IFS", "\n");
    let output = command.output().unwrap();
    assert_eq!((output.stderr.len(), output.status.code()), (0, Some(0)), "{line}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn values_are_completed_from_the_cache() {
    let room = Room::new();
    assert_eq!(completed(&room, "list worker-").len(), 5);
    assert_eq!(completed(&room, "show d09a"), ["d09a38cf-11a6-714a-02fb-c2be1a25c90c"]);
    assert_eq!(completed(&room, "list --dc d"), ["dc1", "dc2"]);
    assert_eq!(completed(&room, "list --class e"), ["edge"]);
    assert_eq!(completed(&room, "list --pool g"), ["gpu"]);
    assert_eq!(completed(&room, "list --status d"), ["down", "disconnected"]);
    assert_eq!(completed(&room, "list --meta rack=r1"), ["rack=r1"]);
    assert_eq!(completed(&room, "list --attr kernel.n"), ["kernel.name"]);
    assert_eq!(completed(&room, "list -c id,attr.kernel.n"), ["id,attr.kernel.name"]);
    assert_eq!(completed(&room, "list --sort -na"), ["-name"]);
    assert_eq!(completed(&room, "list --cache none worker-"), Vec::<String>::new());
    assert_eq!(completed(&room, "cache stats --cache lo"), ["local"]);
    assert_eq!(completed(&room, "list -o c"), ["csv"]);
    assert_eq!(room.sim.asked(), Vec::<String>::new(), "Nomad is not asked");
}

/// Shells put what is offered on the command line without quotes.
#[test]
fn s1_what_a_shell_could_take_for_a_command_is_not_offered() {
    let room = Room::new();
    let harmful = [
        "$(x)",
        "`x`",
        "$x",
        "a;b",
        "a|b",
        "a&b",
        "a>b",
        "<a",
        "a b",
        "'a",
        "\"a",
        "a\\b",
        "~a",
        "#a",
        "*a",
        "a?",
        "[a]",
        "{a,b}",
        "!a",
        "^a",
        "--cache=none",
        "a\nb",
        "a\u{202e}b",
    ];
    for name in harmful {
        room.sim.cluster().register(name);
        room.sim.cluster().set_meta(name, name, Some("x"));
        room.sim.cluster().set_meta(name, "key", Some(name));
    }
    room.sim.cluster().register("grün_1.a:b,c=d+e/f%");
    room.sandbox.stdout("refresh");
    let is_name = |word: &String| !word.starts_with('-') && NodeId::parse(word).is_none();
    let words = completed(&room, "show ").into_iter().filter(is_name);
    let names = ["grün_1.a:b,c=d+e/f%", "worker-1", "worker-2", "worker-3", "worker-4", "worker-5"];
    assert_eq!(words.collect::<Vec<_>>(), names);
    assert_eq!(completed(&room, "list --meta key="), ["key=--cache=none"], "no option");
    let keys = completed(&room, "list --meta ");
    let offered = keys.iter().filter(|key| harmful.contains(&key.as_str()) || *key == "rack");
    assert_eq!(offered.collect::<Vec<_>>(), ["rack"]);
}

/// What no cache knows is asked for and marked; without Nomad the page is still a page.
#[test]
fn the_page_of_a_node_has_its_last_events() {
    let room = Room::new();
    room.sim.cluster().drain("worker-2", 3_600_000_000_000, json!({"reason": "disk"}));
    room.sandbox.stdout("refresh");
    room.sim.asked();
    let page = room.sandbox.stdout("show worker-2");
    assert_eq!(room.sim.asked(), ["node worker-2"]);
    assert!(page.contains(" reserved 100 MHz, allocatable 4500 MHz\n"), "{page}");
    assert!(!page.contains("free "), "{page}");
    let (_, events) = page.split_once("\nEvents (asked for now, not cached)\n").unwrap();
    assert!(events.lines().next().unwrap().contains("Node drain strategy set"), "{events}");
    assert!(page.contains("\n  Drain deadline") && page.contains("(asked for now)\n"), "{page}");
    room.sim.fault(Where::Nodes, Times::ALWAYS, Fault::status(500, "No cluster leader"));
    let said = room.sandbox.run("show worker-2");
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    assert!(said.stdout.ends_with("answered 500: No cluster leader\n"), "{}", said.stdout);
}
