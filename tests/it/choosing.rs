//! `list` as asked: columns, filters, order, formats, counts and checks.

mod living;

use nomad_sim::{Fleet, Sim};
use serde_json::{Value, json};

use crate::support::sandbox::{Output, Sandbox, failure};

/// A cluster whose answer is cached already; nobody asks Nomad again.
struct Room {
    sim: Sim,
    sandbox: Sandbox,
}

impl Room {
    fn of(fleet: Fleet) -> Self {
        let sim = Sim::start(fleet);
        let sandbox = Sandbox::local().nomad(&sim.address());
        sandbox.stdout("list");
        sim.asked();
        Self { sim, sandbox }
    }

    fn new() -> Self {
        Self::of(Fleet::recorded())
    }

    #[track_caller]
    fn prints(&self, args: &str, stdout: &str) {
        assert_eq!(self.sandbox.stdout(args), stdout, "{args}");
        assert_eq!(self.sim.asked(), Vec::<String>::new(), "{args} asks nobody");
    }

    #[track_caller]
    fn names(&self, args: &str, names: &str) {
        let said = self.sandbox.stdout(&format!("list -o name {args}"));
        assert_eq!(said.split_whitespace().collect::<Vec<_>>().join(" "), names, "{args}");
    }
}

#[test]
fn columns_shape_every_format() {
    let room = Room::new();
    let table = "Name      DC   meta.rack  attr.kernel.name  cpu_cores
worker-1  dc1  r1         linux             2
worker-2  dc1  r1         linux             2
";
    let columns = "-c name,dc,meta.rack,attr.kernel.name,cpu_cores --limit 2";
    room.prints(&format!("list {columns}"), table);
    let rows = [
        r#"{"name":"worker-1","datacenter":"dc1","meta.rack":"r1","attr.kernel.name":"linux","cpu_cores":2}"#,
        r#"{"name":"worker-2","datacenter":"dc1","meta.rack":"r1","attr.kernel.name":"linux","cpu_cores":2}"#,
    ];
    room.prints(&format!("list {columns} --json"), &format!("[{}]\n", rows.join(",")));
    room.prints(&format!("list {columns} -o jsonl"), &format!("{}\n", rows.join("\n")));
    let yaml = |name: &str| {
        format!(
            "- name: {name}\n  datacenter: dc1\n  meta.rack: r1\n  attr.kernel.name: linux\n  cpu_cores: 2\n"
        )
    };
    room.prints(&format!("list {columns} -o yaml"), &(yaml("worker-1") + &yaml("worker-2")));
    let csv = "name,datacenter,meta.rack,attr.kernel.name,cpu_cores\nworker-1,dc1,r1,linux,2\nworker-2,dc1,r1,linux,2\n";
    room.prints(&format!("list {columns} -o csv"), csv);
    room.prints(&format!("list {columns} -o tsv"), &csv.replace(',', "\t"));
    room.prints("list -c name -c drain -o csv --no-headers --limit 1", "worker-1,false\n");
}

#[test]
fn added_columns_follow_the_usual_ones() {
    let room = Room::new();
    let head = room.sandbox.stdout("list -c +meta.rack");
    let head = head.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(head, "ID Name Status Eligibility Drain DC Pool Class Address Version meta.rack");
    let all: Value = serde_json::from_str(&room.sandbox.stdout("list --json")).unwrap();
    let more: Value =
        serde_json::from_str(&room.sandbox.stdout("list --json -c +attr.kernel.name")).unwrap();
    let mut first = all[0].clone();
    first["attr.kernel.name"] = json!("linux");
    assert_eq!(more[0], first);
}

#[test]
fn a_name_that_is_no_column_is_wrong_usage_and_an_unknown_key_a_warning() {
    let room = Room::new();
    let stderr = "error: invalid value for --columns: unknown column \"nmae\"; did you mean \"name\"?\nhint: list -c help lists all columns\n";
    assert_eq!(room.sandbox.run("list -c nmae"), failure(2, stderr));
    let said = room.sandbox.run("list -c name,meta.rak --limit 1");
    assert_eq!(said.stdout, "Name      meta.rak\nworker-1  -\n");
    assert_eq!(
        (said.stderr.as_str(), said.code),
        ("warning: no node has meta.rak; similar keys: rack, cjk, rtl\n", 0)
    );
    let help = room.sandbox.stdout("list -c help");
    assert!(help.starts_with("Column ") && help.contains("\nmeta.KEY "), "{help}");
}

#[test]
fn filters_choose() {
    let room = Room::new();
    let all = "worker-1 worker-2 worker-3 worker-4 worker-5";
    for (args, names) in [
        ("--status ready", all),
        ("--status down", ""),
        ("--dc dc2", "worker-4 worker-5"),
        ("--dc dc2,dc1 --class edge,gpu", "worker-3 worker-5"),
        ("--datacenter dc1 --datacenter dc2", all),
        ("--pool gpu", "worker-3"),
        ("--class compute worker-[2-4]", "worker-2"),
        ("--eligibility ineligible", ""),
        ("--drain", ""),
        ("--drain=false", all),
        ("--driver java", all),
        ("--driver docker", ""),
        ("--driver docker=undetected", all),
        ("--nomad-version 2.0.5", all),
        ("--nomad-version >=1.9", all),
        ("--nomad-version <2", ""),
        ("--nomad-version 2.*", all),
        ("--meta rack=r1", "worker-1 worker-2"),
        ("--meta rack!=r1", "worker-3 worker-4 worker-5"),
        ("--meta rack=r[34]", "worker-4 worker-5"),
        ("--meta owner", "worker-1"),
        ("--meta owner!=team-a", "worker-2 worker-3 worker-4 worker-5"),
        ("--meta rack=r1 --meta role=db", "worker-2"),
        ("--attr kernel.name=linux --attr cpu.numcores>=2", all),
        ("--attr cpu.numcores>2", ""),
        ("--attr os.version<12.12", all),
    ] {
        room.names(args, names);
    }
    assert_eq!(room.sandbox.stdout("list --status down --json"), "[]\n");
    let stderr = "error: invalid value for --status: unknown status \"dwn\"; expected initializing, ready, down or disconnected\n";
    assert_eq!(room.sandbox.run("list --status dwn"), failure(2, stderr));
    let stderr = "error: invalid value for --meta: > needs a number or a version, not \"many\"\n";
    assert_eq!(room.sandbox.run("list --meta n>many"), failure(2, stderr));
}

/// A slip must not look like a cluster without such nodes: a check would never fail.
#[test]
fn what_can_not_match_is_wrong_usage() {
    let room = Room::new();
    let sign = |sign: &str, first: &str| {
        format!(
            "unknown operator {sign}{first}; {sign} compares with a glob, in which [{first}] is a literal {first}"
        )
    };
    let empty = "the value is empty, but no node has an empty one".to_owned();
    let key = "missing key; expected KEY, KEY=VALUE, KEY!=VALUE or KEY>=VALUE".to_owned();
    for (option, value, why) in [
        ("--meta", "rack==r1", sign("=", "=")),
        ("--attr", "os.name=~ub", sign("=", "~")),
        ("--fail-on", "meta.rack!==r1", sign("!=", "=")),
        ("--nomad-version", "==1.9", sign("=", "=")),
        ("--datacenter", "", empty.clone()),
        ("--datacenter", "dc1,", empty.clone()),
        ("--nomad-version", "", empty),
        (
            "--driver",
            "docker=nope",
            "unknown health \"nope\"; expected healthy, unhealthy or undetected".to_owned(),
        ),
        ("--meta", "", key.clone()),
        ("--meta", "=x", key.clone()),
        ("--driver", "", key),
    ] {
        let stderr = format!("error: invalid value for {option}: {why}\n");
        assert_eq!(
            room.sandbox.run_each(["list", option, value]),
            failure(2, &stderr),
            "{option} {value}"
        );
    }
    // Of a class that may be missing it is a question like any other.
    let said = room.sandbox.run_each(["list", "--class", "", "-o", "name"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{}", said.stdout);
}

#[test]
fn the_order_is_natural_stable_and_by_value() {
    let sim = Sim::start(Fleet::empty());
    for (name, weight) in [("web-10", "9"), ("web-2", "10"), ("db-1", "10"), ("web-1", "")] {
        sim.cluster().register(name);
        sim.cluster().set_meta(name, "weight", Some(weight));
    }
    let sandbox = Sandbox::local().nomad(&sim.address());
    let names = |args: &str| {
        let said = sandbox.stdout(&format!("list -o name {args}"));
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(""), "db-1 web-1 web-2 web-10");
    assert_eq!(names("--sort -name"), "web-10 web-2 web-1 db-1");
    assert_eq!(names("--sort meta.weight"), "web-10 db-1 web-2 web-1");
    assert_eq!(names("--sort -meta.weight,name"), "db-1 web-2 web-10 web-1");
    assert_eq!(names("--sort -meta.weight,-name --limit 1"), "web-2");
}

#[test]
fn counts_in_every_format() {
    let room = Room::new();
    room.prints("list --count-by dc", "datacenter  count\ndc1         3\ndc2         2\n");
    let two = r#"{"datacenter":"dc1","node_class":"compute","count":2}"#;
    let stdout = room.sandbox.stdout("list --count-by dc,class -o jsonl");
    assert_eq!((stdout.lines().next(), stdout.lines().count()), (Some(two), 4));
    room.prints(
        "list --count-by dc --json",
        "[{\"datacenter\":\"dc1\",\"count\":3},{\"datacenter\":\"dc2\",\"count\":2}]\n",
    );
    room.prints("list --count-by dc -o csv", "datacenter,count\ndc1,3\ndc2,2\n");
    room.prints(
        "list --count-by dc -o yaml",
        "- datacenter: dc1\n  count: 3\n- datacenter: dc2\n  count: 2\n",
    );
}

#[test]
fn nothing_is_named_twice_and_something_must_be() {
    let room = Room::new();
    room.prints("list -c name,dc,name --limit 1", "Name      DC\nworker-1  dc1\n");
    let head = room.sandbox.stdout("list -o csv -c +name,meta.rack --limit 0");
    assert!(head.ends_with(",version,meta.rack\n") && head.matches("name").count() == 1, "{head}");
    room.prints("list --count-by dc --limit 1", "datacenter  count\ndc1         3\n");
    for (option, hint) in [("columns", "hint: list -c help lists all columns\n"), ("count-by", "")]
    {
        let stderr = format!("error: invalid value for --{option}: no column is named\n{hint}");
        assert_eq!(
            room.sandbox.run_each(["list", &format!("--{option}"), ""]),
            failure(2, &stderr)
        );
    }
}

#[test]
fn a_check_fails_with_ten_and_keeps_the_rows() {
    let room = Room::new();
    let stderr = "error: 2 nodes match meta.rack=r1: worker-1, worker-2\n".to_owned();
    let said =
        room.sandbox.run("list -o name --dc dc1 --fail-on status=down --fail-on meta.rack=r1");
    assert_eq!(
        said,
        Output { stdout: "worker-1\nworker-2\nworker-3\n".to_owned(), stderr, code: 10 }
    );
    room.prints("list -o name --dc dc2 --fail-on meta.rack=r1", "worker-4\nworker-5\n");
    assert_eq!(room.sandbox.run("list --json --fail-on status=ready").code, 10);
    // What a limit leaves out is checked all the same.
    let limited = room.sandbox.run("list -o name --sort -name --limit 1 --fail-on meta.rack=r1");
    let stderr = "error: 2 nodes match meta.rack=r1: worker-2, worker-1\n".to_owned();
    assert_eq!(limited, Output { stdout: "worker-5\n".to_owned(), stderr, code: 10 });
    let stderr = "error: invalid value for --fail-on: unknown status \"dwn\"; expected initializing, ready, down or disconnected\n";
    assert_eq!(room.sandbox.run("list --fail-on status=dwn"), failure(2, stderr));
}

/// `| head -1` has seen enough, but a check is no less broken for that.
#[test]
fn a_check_fails_also_where_nobody_reads_to_the_end() {
    let room = Room::new();
    for args in ["list --fail-on status=ready", "list --json -c name --fail-on status=ready"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = room.sandbox.command(args.split(' ')).stdout(writer).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: 5 nodes match status=ready: "), "{said}");
        assert_eq!(output.status.code(), Some(10), "{args}");
    }
}

/// What is usual for a list may be impossible for what is asked now.
#[test]
fn a_usual_format_that_does_not_fit_gives_way() {
    let room = Room::new();
    room.sandbox.write(".config/nomad-clients/config.toml", "output = \"name\"\n");
    assert_eq!(room.sandbox.stdout("list --limit 1"), "worker-1\n");
    let counts = room.sandbox.stdout("list --count-by drain");
    assert_eq!(counts, "drain  count\nfalse  5\n");
    let mut command = room.sandbox.command(["list", "--watch=100ms", "--fail-on", "status=ready"]);
    assert_eq!(command.output().unwrap().status.code(), Some(10), "it watches");
}

/// Whatever the names and metadata are, only JSON lines, line breaks and harmless text come out.
#[test]
fn s1_hostile_names_are_harmless_in_every_format() {
    let room = Room::of(Fleet::hostile());
    for format in ["table", "wide", "json", "jsonl", "yaml", "csv", "tsv", "name", "id"] {
        for columns in ["", " -c name,meta,drivers,attributes"] {
            let stdout = room.sandbox.stdout(&format!("list -o {format}{columns}"));
            let may = |c: char| c == '\n' || (c == '\t' && format == "tsv");
            let raw = stdout.chars().find(|c| c.is_control() && !may(*c));
            assert_eq!(raw, None, "{format}{columns}");
            assert!(stdout.lines().count() > 0, "{format}");
        }
    }
    let counted = room.sandbox.stdout("list --count-by name");
    assert_eq!(counted.chars().find(|c| c.is_control() && *c != '\n'), None);
}

/// The very bytes of each format.
#[test]
fn s1_hostile_names_in_each_format() {
    let room = Room::of(Fleet::hostile());
    for format in ["table", "json", "jsonl", "yaml", "csv", "tsv", "name"] {
        let stdout = room.sandbox.stdout(&format!("list -o {format} -c name,dc,class,meta"));
        insta::assert_snapshot!(format!("hostile_{format}"), stdout);
    }
}

#[test]
fn s8_secrets_are_masked_except_in_json() {
    let room = Room::new();
    room.sim.cluster().set_meta("worker-1", "api_token", Some("canary"));
    room.sandbox.stdout("refresh");
    for args in ["", " -o csv", " -o tsv"] {
        let line = format!("list worker-1 -c meta.api_token --no-headers{args}");
        assert_eq!(room.sandbox.stdout(&line), "***\n", "{args}");
        assert_eq!(room.sandbox.stdout(&format!("{line} --show-secrets")), "canary\n");
    }
    assert!(!room.sandbox.stdout("list -c name,meta").contains("canary"));
    assert!(!room.sandbox.stdout("list --count-by meta.api_token").contains("canary"));
    let json = room.sandbox.stdout("list worker-1 -c meta.api_token --json");
    assert_eq!(json, "[{\"meta.api_token\":\"canary\"}]\n");
    for args in ["show worker-1", "list -o wide -c +meta,attributes", "list --count-by meta"] {
        let said = room.sandbox.stdout(args);
        assert!(said.contains("***") && !said.contains("canary"), "{args}: {said}");
    }
    assert!(room.sandbox.stdout("show worker-1 --show-secrets").contains("canary"));
    // No log tells it, and no shell offers it.
    for args in ["list -vv --force", "list -vv", "show worker-1 -vv"] {
        assert!(!room.sandbox.run(args).stderr.contains("canary"), "{args}");
    }
    let line = ["--", "nomad-clients", "list", "--meta", "api_token="];
    let mut command = room.sandbox.command(line);
    command.env("NOMAD_CLIENTS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "3");
    let offered = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(!offered.contains("canary"), "{offered}");
}

/// Ten thousand nodes, fields that only full records have: all from the cache.
#[test]
fn full_records_come_from_the_cache_too() {
    let room = Room::of(Fleet::generated(2000));
    let stdout = room.sandbox.stdout("list -c meta.rack,attr.kernel.name,attr.cpu.numcores -o csv");
    assert_eq!(stdout.lines().count(), 2001);
    assert_eq!(room.sim.asked(), Vec::<String>::new());
}

#[test]
fn states_that_are_news_are_reported() {
    let room = Room::new();
    room.sim.cluster().set_eligible("worker-2", false);
    room.sim.cluster().set_status("worker-3", "down");
    room.sandbox.stdout("refresh");
    let said = room.sandbox.run("list -v -o name");
    let second = said.stderr.lines().nth(1);
    assert_eq!(second, Some("4 ready · 1 down · 1 ineligible"), "{}", said.stderr);
}

#[test]
fn columns_and_order_of_the_configuration() {
    let room = Room::new();
    room.sandbox
        .write(".config/nomad-clients/config.toml", "columns = \"name,dc\"\nsort = \"-name\"\n");
    let first = |args: &str| {
        room.sandbox.stdout(args).lines().take(2).map(str::to_owned).collect::<Vec<_>>().join("|")
    };
    assert_eq!(first("list"), "Name      DC|worker-5  dc2");
    assert_eq!(first("list -c id --sort name --no-headers").len(), 36 * 2 + 1);
}
