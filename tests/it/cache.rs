//! `cache stats` through the program; what `cache clear` does in trouble is told by the Redis rows.

use nomad_sim::{Fleet, Sim};
use serde_json::{Value, json};

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Sandbox, UNUSED};

fn stats(sandbox: &Sandbox) -> Value {
    serde_json::from_str(&sandbox.stdout("cache stats --json")).unwrap()
}

/// Takes a number that differs from run to run out of `value`.
#[track_caller]
fn take(value: &mut Value, key: &str) -> f64 {
    value.as_object_mut().unwrap().remove(key).unwrap().as_f64().unwrap()
}

#[test]
fn stats_report_what_redis_holds_and_what_it_was_good_for() {
    let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address()).with("NOMAD_REGION", "global");
    for _ in 0..4 {
        sandbox.stdout("list");
    }
    sim.asked();
    let mut stats = stats(&sandbox);
    assert_eq!(sim.asked(), Vec::<String>::new(), "Nomad is not asked");

    assert!(take(&mut stats, "age_ms") < 60_000.0 && take(&mut stats, "fresh_for_ms") <= 60_000.0);
    assert!(take(&mut stats["memory"], "used_bytes") > 100_000.0);
    let hour = &mut stats["last_hour"];
    assert!(take(hour, "cached_ms_mean") > 0.0 && take(hour, "uncached_ms_mean") > 0.0);
    let minutes = hour["per_minute"].take();
    let sum = |of: &str| {
        minutes.as_array().unwrap().iter().map(|minute| minute[of].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((sum("hits"), sum("misses")), (3, 1));
    assert!(minutes[0]["minute"].as_str().unwrap().ends_with(":00Z"));
    for key in stats["keys"].as_array_mut().unwrap() {
        assert!(take(key, "ttl_ms") > 0.0 && take(key, "bytes") > 0.0);
    }
    let expected = json!({
        "cache": {"kind": "redis", "where": redis.url()},
        "cluster": {"address": sim.address(), "region": "global"},
        "state": "hot", "nodes": 5,
        "keys": [
            {"key": "nomad:clients:all", "type": "string"},
            {"key": "nomad:clients:hash", "type": "hash"},
            {"key": "nomad:clients:kept", "type": "string"},
            {"key": "nomad:clients:meta", "type": "string"},
            {"key": "nomad:clients:epoch", "type": "string"},
        ],
        "memory": {"max_bytes": 0, "policy": "noeviction"},
        "last_hour": {"hits": 3, "misses": 1, "hit_rate": 0.75, "nomad_calls": 6, "nomad_calls_saved": 18, "per_minute": null},
    });
    assert_eq!(stats, expected);
}

#[test]
fn stats_of_the_files_follow_the_state() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let state = |sandbox: &Sandbox| {
        let stats = stats(sandbox);
        (stats["state"].clone(), stats["nodes"].clone(), stats["keys"].as_array().unwrap().len())
    };
    assert_eq!(state(&sandbox), ("cold".into(), Value::Null, 0));
    sandbox.stdout("list");
    assert_eq!(state(&sandbox), ("hot".into(), 5.into(), 2));
    let stale = stats(&sandbox.with("NOMAD_CLIENTS_TTL", "0s"));
    assert_eq!(
        (&stale["state"], &stale["fresh_for_ms"], &stale["nodes"]),
        (&"stale".into(), &Value::Null, &5.into())
    );
    assert!(stale["age_ms"].as_u64().unwrap() < 60_000);
}

#[test]
fn the_page_of_stats_has_every_figure() {
    let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());
    sandbox.stdout("list");
    let page = sandbox.stdout("cache stats");
    let labels: Vec<&str> = page
        .lines()
        .map(|line| line.split("  ").find(|part| !part.is_empty()).unwrap_or("").trim())
        .collect();
    let expected = [
        "Cache",
        "Cluster",
        "State",
        "Nodes",
        "Key",
        "Key",
        "Key",
        "Key",
        "Key",
        "Memory",
        "",
        "Last hour",
        "Hit rate",
        "Hits, misses",
        "Mean time",
        "Nomad calls",
        "",
        "Minute (UTC)",
    ];
    assert_eq!(labels[..expected.len()], expected, "{page}");
    assert!(
        page.contains("\n  Hits, misses  0, 1\n") && page.contains("░░░░░░░░░░░░░░░░░░░░ 0 %\n"),
        "{page}"
    );
}

/// A size that this user may not ask for is not made up.
#[test]
fn a_size_that_is_not_known_is_none() {
    let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
    Sandbox::redis(&redis.url()).nomad(&sim.address()).stdout("list");
    let sizes = |rights: &str| {
        let user: Vec<&str> =
            "ACL SETUSER nc on >pw -@all ~*".split(' ').chain(rights.split(' ')).collect();
        assert_eq!(redis.cli(&user), ::redis::Value::Okay);
        let url = format!("{}?user=nc&pass=pw", redis.url());
        let sandbox = Sandbox::redis(&url).nomad(&sim.address());
        let page = sandbox.stdout("cache stats");
        let of = |line: &str| line.split(", ").nth(1).unwrap().trim_end_matches(')').to_owned();
        let text: Vec<bool> = page
            .lines()
            .filter(|line| line.starts_with("Key "))
            .map(|line| of(line) == "-")
            .collect();
        let keys = stats(&sandbox)["keys"].as_array().unwrap().clone();
        let json: Vec<bool> = keys.iter().map(|key| key["bytes"].is_null()).collect();
        assert!(keys.iter().all(|key| key.as_object().unwrap().contains_key("bytes")));
        assert_eq!(text, json, "{page}");
        json
    };
    assert_eq!(sizes("+mget +pttl +hgetall"), [true; 5]);
    assert_eq!(sizes("+mget +pttl +hgetall +strlen"), [false, true, false, false, false]);
    assert_eq!(sizes("+mget +pttl +hgetall +strlen +memory|usage"), [false; 5]);
}

#[test]
fn an_empty_cache_has_its_page() {
    let sandbox = Sandbox::local().nomad(UNUSED);
    let place = sandbox.cache().display().to_string();
    assert_eq!(sandbox.stdout("cache clear"), format!("cleared {place}\n"));
    let page = sandbox.stdout("cache stats");
    assert!(
        page.starts_with(&format!("Cache           local {place}\nCluster         {UNUSED}\n")),
        "{page}"
    );
    assert!(page.ends_with("\nLast hour\n  nothing was asked\n"), "{page}");
}
