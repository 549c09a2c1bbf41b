//! `list` and `refresh` through the program: what is asked of Nomad, what is cached, what is printed.

use nomad_sim::{Fleet, Sim};
use serde_json::Value;

use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Sandbox, failure};

/// The IDs of worker-1 to worker-5.
const IDS: [&str; 5] = [
    "d09a38cf-11a6-714a-02fb-c2be1a25c90c",
    "1d257d4e-9155-c4bf-829b-2567ad4fe3c5",
    "e0e8a386-4cc2-17ae-c626-80a03bbfabe8",
    "11891f75-a56e-cc8e-8a14-b2cdff8326f7",
    "5b37d234-7141-8e80-b4d1-1a819cf37d5d",
];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn each_state_of_the_cache_costs_what_it_must() {
    let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
    let sandbox = Sandbox::redis(&redis.url()).nomad(&sim.address());

    let cold = sandbox.stdout("list --json");
    assert_eq!(sim.asked().len(), 6, "cold: the list and five details");
    assert_eq!(sandbox.stdout("list --json"), cold);
    assert_eq!(sim.asked(), Vec::<String>::new(), "hot");

    let all = redis.bytes(&["GET", "nomad:clients:all"]).unwrap();
    assert_eq!([all, b"\n".to_vec()].concat(), cold.as_bytes(), "the very bytes");
    assert_eq!(json(&cold).as_array().unwrap().len(), 5);
    assert_eq!(redis.int(&["HLEN", "nomad:clients:hash"]), 5);
    let ttl = |key: &str| redis.int(&["PTTL", key]);
    assert!((1..=60_000).contains(&ttl("nomad:clients:all")));
    assert!((60_001..=300_000).contains(&ttl("nomad:clients:hash")));

    sim.cluster().set_eligible("worker-3", false);
    assert_eq!(sandbox.stdout("refresh"), "Updated: 0 new, 1 changed, 4 cached\n");
    assert_eq!(sim.asked(), ["list", "node worker-3"]);

    sandbox.stdout("list --force --json");
    assert_eq!(sim.asked().len(), 6, "forced");

    assert_eq!(sandbox.stdout("cache clear").lines().count(), 2, "Redis and the files");
    sandbox.stdout("list --json");
    assert_eq!(sim.asked().len(), 6, "cold again");
}

#[test]
fn without_redis_the_files_of_the_machine_serve() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let cold = sandbox.stdout("list --json");
    assert_eq!(sim.asked().len(), 6);
    assert_eq!(sandbox.stdout("list --json"), cold);
    assert_eq!(sim.asked(), Vec::<String>::new());
    sim.cluster().purge("worker-5");
    assert_eq!(sandbox.stdout("refresh"), "Updated: 0 new, 0 changed, 4 cached, 1 gone\n");
    assert_eq!(sim.asked(), ["list"]);
}

#[test]
fn a_pipe_gets_whole_ids_and_all_columns() {
    let sim = Sim::start(Fleet::recorded());
    sim.cluster().set_eligible("worker-3", false);
    let sandbox = Sandbox::local().nomad(&sim.address());
    let [one, two, three, four, five] = IDS;
    let expected = format!(
        "\
ID                                    Name      Status  Eligibility  Drain  DC   Pool     Class    Address    Version
{one}  worker-1  ready   eligible     -      dc1  default  compute  127.0.0.1  2.0.5
{two}  worker-2  ready   eligible     -      dc1  default  compute  127.0.0.1  2.0.5
{three}  worker-3  ready   ineligible   -      dc1  gpu      gpu      127.0.0.1  2.0.5
{four}  worker-4  ready   eligible     -      dc2  default  -        127.0.0.1  2.0.5
{five}  worker-5  ready   eligible     -      dc2  edge     edge     127.0.0.1  2.0.5
"
    );
    assert_eq!(sandbox.stdout("list"), expected);
    assert_eq!(sandbox.stdout("clients"), expected);
    let rows = expected.split_once('\n').unwrap().1;
    assert_eq!(sandbox.stdout("ls --no-headers").lines().count(), 5);
    assert_eq!(sandbox.stdout("ls --no-headers").replace(' ', ""), rows.replace(' ', ""));
}

#[test]
fn machines_get_what_they_can_read() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let all = json(&sandbox.stdout("list --json"));
    let names = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    assert_eq!(
        names(&sandbox.stdout("list -o name")),
        ["worker-1", "worker-2", "worker-3", "worker-4", "worker-5"]
    );
    assert_eq!(names(&sandbox.stdout("list -o id")), IDS);

    let lines: Vec<Value> = sandbox.stdout("list -o jsonl").lines().map(json).collect();
    assert_eq!(Value::Array(lines), all);

    let fulls = json(&sandbox.stdout("list --json --full"));
    for (full, record) in fulls.as_array().unwrap().iter().zip(all.as_array().unwrap()) {
        let mut rest = full.as_object().unwrap().clone();
        let extra: Vec<(&str, bool)> =
            ["attributes", "resources", "reserved", "host_volumes", "host_networks"]
                .map(|key| (key, rest.remove(key).is_some_and(|value| !value.is_null())))
                .into();
        assert!(extra.iter().all(|(_, there)| *there), "{extra:?}");
        assert_eq!(Value::Object(rest), *record);
    }
    let keys: Vec<&String> = all[0].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 22, "{keys:?}");
    assert_eq!(
        (&all[0]["cpu_mhz"], &all[0]["cpu_cores"], &all[0]["memory_mb"]),
        (&4600.into(), &2.into(), &24105.into())
    );
    assert_eq!(
        (&all[0]["os"], &all[0]["arch"], &all[0]["last_drain"]),
        (&"debian 12.11".into(), &"amd64".into(), &Value::Null)
    );
    assert_eq!(
        (&all[0]["drivers"]["exec"], &all[0]["drivers"]["docker"]),
        (&"healthy".into(), &"undetected".into())
    );
}

#[test]
fn a_node_is_named_by_id_prefix_name_glob_or_address() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let names = |args: &str| {
        sandbox.stdout(&format!("list -o name {args}")).lines().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(IDS[4]), "worker-5");
    assert_eq!(names("5b37"), "worker-5");
    assert_eq!(names("worker-2 5B37"), "worker-2 worker-5");
    assert_eq!(names("worker-[2-4]"), "worker-2 worker-3 worker-4");
    assert_eq!(names("127.0.0.1"), "worker-1 worker-2 worker-3 worker-4 worker-5");
    assert_eq!(names("nothing-*"), "");
    assert_eq!(sandbox.stdout("list --json nothing-*"), "[]\n");
    let unknown =
        "error: no node named \"workr-2\"\nhint: similar names: worker-2, worker-1, worker-3\n";
    assert_eq!(sandbox.run("list workr-2"), failure(1, unknown));
}

#[test]
fn show_wants_exactly_one() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let shown = json(&sandbox.stdout("show --json worker-4"));
    assert_eq!(
        (&shown["id"], &shown["attributes"]["kernel.name"]),
        (&IDS[3].into(), &"linux".into())
    );
    let page = sandbox.stdout("show worker-4");
    assert!(
        page.starts_with(
            "Name        worker-4\nID          11891f75-a56e-cc8e-8a14-b2cdff8326f7\n"
        ),
        "{page}"
    );
    assert!(
        page.contains("\n  plugins.secrets.nomad.version      ***\n"),
        "secrets are masked: {page}"
    );
    assert!(!sandbox.stdout("show worker-4 --show-secrets").contains("***"));
    let several = format!(
        "error: \"worker-[12]\" names 2 nodes: worker-1 ({}), worker-2 ({})\nhint: pass a full ID or a name that only one node has\n",
        IDS[0], IDS[1]
    );
    assert_eq!(sandbox.run("show worker-[12]"), failure(1, &several));
    assert_eq!(
        sim.asked().len(),
        8,
        "one cold read serves them all; each page asks for its events"
    );
}

#[test]
fn foreign_text_reaches_no_terminal_raw() {
    let sim = Sim::start(Fleet::hostile());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let harmful = |text: &str| {
        text.chars()
            .any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
    };
    for format in ["table", "wide", "name"] {
        let said = sandbox.stdout(&format!("list -o {format}"));
        assert!(!harmful(&said), "{format}: {said:?}");
    }
    for id in sandbox.stdout("list -o id").lines() {
        let said = sandbox.stdout(&format!("show {id}"));
        assert!(!harmful(&said), "{said:?}");
    }
    for format in ["json", "jsonl", "json --full"] {
        let said = sandbox.stdout(&format!("list -o {format}"));
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{format}: {said:?}");
    }
}

/// A whole table is read in another way than chosen nodes.
#[test]
fn a_table_of_all_is_that_of_chosen_nodes() {
    for fleet in [Fleet::recorded(), Fleet::hostile(), Fleet::generated(50)] {
        let sim = Sim::start(fleet);
        let sandbox = Sandbox::local().nomad(&sim.address());
        for list in ["list", "list -o wide", "list -c name,dc,drain,id", "list --color always"] {
            let chosen = sandbox.stdout(&format!("{list} --limit 1000"));
            assert_eq!(sandbox.stdout(list), chosen, "{list}");
        }
    }
}

#[test]
fn a_refresh_counts_for_programs_too() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    assert_eq!(sandbox.stdout("refresh"), "Updated: 5 new, 0 changed, 0 cached\n");
    let mut counts = json(&sandbox.stdout("refresh --json"));
    let took = counts.as_object_mut().unwrap().remove("took_ms").unwrap();
    assert!(took.is_u64());
    let expected = r#"{"total":5,"new":0,"changed":0,"cached":5,"gone":0,"nomad_calls":1}"#;
    assert_eq!(counts, json(expected));
}

#[test]
fn more_words_say_what_it_cost() {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::local().nomad(&sim.address());
    let said = sandbox.run("list -o name -v").stderr;
    assert!(
        said.starts_with("5 clients · fetched · 6 Nomad calls · ") && said.lines().count() == 1,
        "{said}"
    );
    let said = sandbox.run("list -o name -v").stderr;
    assert!(said.starts_with("5 clients · cached 0s ago · 0 Nomad calls · "), "{said}");
    let said = sandbox.run("list -o name -vv --refresh").stderr;
    assert!(said.contains(&format!("GET {}/v1/nodes → 200, ", sim.address())), "{said}");
}

#[test]
fn an_empty_cluster_is_a_normal_answer() {
    let sim = Sim::start(Fleet::empty());
    sim.cluster().register("gone");
    sim.cluster().purge("gone");
    sim.asked();
    let sandbox = Sandbox::local().nomad(&sim.address());
    assert_eq!(sandbox.stdout("list --json"), "[]\n");
    let head = "ID  Name  Status  Eligibility  Drain  DC  Pool  Class  Address  Version\n";
    assert_eq!(sandbox.stdout("list"), head);
    assert_eq!(sandbox.stdout("list --no-headers"), "");
    assert_eq!(sim.asked(), ["list"], "nothing is cached as well as something");
}
