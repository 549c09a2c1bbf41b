//! The program with copies on its host: what the second run moves, and what is left where.

use std::path::Path;
use std::process::{Child, Stdio};

use nomad_sim::{Fleet, Sim};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::served::Served;

/// Bytes that Redis has read and written so far, and commands of one kind.
fn counted(redis: &RedisServer, section: &str, names: [&str; 2]) -> [u64; 2] {
    let info = redis.bytes(&["INFO", section]).unwrap();
    let text = String::from_utf8(info).unwrap();
    names.map(|name| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or("none:0");
        let number = line[line.find([':', '=']).unwrap() + 1..].trim_start_matches("calls=");
        number.split(',').next().unwrap().parse().unwrap()
    })
}

fn moved(redis: &RedisServer, run: impl FnOnce()) -> u64 {
    let total = || {
        let both = ["total_net_input_bytes", "total_net_output_bytes"];
        counted(redis, "stats", both).iter().sum::<u64>()
    };
    // What it costs to ask.
    let (first, second) = (total(), total());
    run();
    total() - second - (second - first)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut copies: Vec<String> = names.filter(|name| name.contains(".copy")).collect();
    copies.sort();
    copies
}

#[test]
fn a_second_hot_list_moves_less_than_a_kilobyte() {
    const LISTS: [&str; 5] =
        ["list --json", "list", "list --full --json", "list -c name,attr.kernel.name", "show 9"];
    let (redis, sim) = (RedisServer::start(), Sim::start(Fleet::generated(1500)));
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
    let full = sandbox.stdout("list --full --json");
    let scope = names(&sandbox.cache()).pop().unwrap();
    let scope = scope.trim_end_matches(".copy-full");
    assert_eq!(names(&sandbox.cache()), [format!("{scope}.copy"), format!("{scope}.copy-full")]);
    let cold = [sandbox.stdout("list --json --cache none"), full];
    for list in LISTS {
        let bytes = moved(&redis, || {
            let said = sandbox.run(list);
            match list {
                "list --json" => assert!(said.stdout == cold[0], "{}", said.stderr),
                "list --full --json" => assert!(said.stdout == cold[1], "{}", said.stderr),
                _ => assert!(!said.stdout.is_empty() || list == "show 9", "{}", said.stderr),
            }
        });
        assert!(bytes <= 1024, "{list}: {bytes} bytes");
    }
    // Those who come at once to another host read it once.
    let other = Sandbox::redis(&redis.url()).nomad(&sim.address());
    let mgets = || counted(&redis, "commandstats", ["cmdstat_mget", "cmdstat_hgetall"]);
    let before = mgets();
    let start = |_| -> Child {
        let mut command = other.command(["list", "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..6).map(start).collect();
    let waits = children
        .into_iter()
        .map(|child| std::thread::spawn(|| child.wait_with_output().unwrap()))
        .collect::<Vec<_>>();
    for wait in waits {
        let said = wait.join().unwrap();
        assert!(said.stdout == cold[0].as_bytes(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    assert_eq!(mgets(), [before[0] + 7, before[1]], "six looks, and one that reads");

    assert!(sandbox.run("cache clear").stderr.is_empty());
    assert_eq!(names(&sandbox.cache()), [""; 0], "a clear removes them");
    assert_eq!(names(&other.cache()), [format!("{scope}.copy")], "on its own host");
    assert!(other.stdout("list --json") == cold[0]);
}

#[test]
fn serve_keeps_no_copies() {
    let (redis, sim) = (RedisServer::start(), Sim::start(Fleet::generated(60)));
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
    let served = Served::start(&sandbox, "");
    assert_eq!(served.get("/api/clients").status, 200);
    assert_eq!(served.get("/api/clients?full=true").status, 200);
    assert_eq!(served.end().0, 0);
    assert_eq!(names(&sandbox.cache()), [""; 0]);
    sandbox.stdout("list --full --json");
    assert_eq!(names(&sandbox.cache()).len(), 2);
}
