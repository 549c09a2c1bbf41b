//! S1, S15, S19: text that others have written, on its way to a terminal, a spreadsheet or an error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nomad_sim::{Fault, Fleet, Sim, Times, Where};

use super::Room;
use crate::support::fake_redis::FakeRedis;
use crate::support::sandbox::Sandbox;

/// One of each kind: CSI, OSC 8, OSC 52, DCS, C1, a bell, a line of its own, and what hides.
const CORPUS: [&str; 9] = [
    "\u{1b}[2J\u{1b}[31mred",
    "\u{1b}]8;;http://evil.test\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{1b}]52;c;cm0gLXJmIC8=\u{7}",
    "\u{1b}Pq\u{1b}\\\u{90}q\u{9c}",
    "\u{9b}2J\u{85}",
    "a\rerror: forged\n\thint",
    "\u{202e}gnp.exe\u{202c}\u{2066}x\u{2069}",
    "a\u{200b}b\u{200d}c\u{feff}d\u{ad}",
    "\u{7f}\u{8}\u{0}",
];

/// The first character that steers or hides, except the ends of lines.
fn steers(text: &str) -> Option<char> {
    let hides = |c: char| matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().find(|c| (c.is_control() && *c != '\n') || hides(*c))
}

#[track_caller]
fn check(room: &Room, args: &[&str], code: i32) {
    let said = room.sandbox.run_each(args);
    assert_eq!(said.code, code, "{args:?}: {}", said.stderr);
    assert_eq!(steers(&said.stdout), None, "{args:?}: {}", said.stdout);
    assert_eq!(steers(&said.stderr), None, "{args:?}: {}", said.stderr);
}

/// Everything that people read: pages, counts, names that are near, what a check found, completion.
#[test]
fn s1_names_keys_and_values_steer_no_terminal() {
    let room = Room::of(Fleet::empty());
    for text in CORPUS {
        let mut cluster = room.sim.cluster();
        cluster.register(text);
        cluster.set_meta(text, text, Some(text));
        cluster.write(text, |node| {
            (node.datacenter, node.node_class) = (text.into(), text.into());
            node.status_description = text.into();
        });
    }
    check(&room, &["list", "-v"], 0);
    for text in CORPUS {
        let id = room.sim.cluster().id(text);
        check(&room, &["show", &id], 0);
        check(&room, &["list", &text.replace('\0', "")], i32::from(text.contains('\0')));
        // What holds a [ is a glob, which may match nothing.
        let near = format!("{}x", text.replace('\0', ""));
        check(&room, &["list", &near], i32::from(!near.contains('[')));
        let key = format!("meta.{}", text.replace('\0', ""));
        check(&room, &["list", "-c", &key], 0);
    }
    for args in [
        vec!["list", "-o", "wide"],
        vec!["list", "-c", "name,dc,class,meta,status_description"],
        vec!["list", "-o", "name"],
        vec!["list", "--count-by", "name,dc"],
        vec!["list", "--color", "never", "-o", "csv"],
        vec!["list", "-c", "meta.none"],
    ] {
        check(&room, &args, 0);
    }
    check(&room, &["list", "--fail-on", "name!=x"], 10);
    check(&room, &["show", "*"], 1);
}

/// What is typed comes back in errors of the program and of its parser of options.
#[test]
fn s1_what_was_typed_steers_no_terminal() {
    let room = Room::new();
    for text in CORPUS {
        let text = text.replace('\0', "");
        for option in [
            "--dc",
            "--sort",
            "-c",
            "--jq",
            "--meta",
            "--status",
            "--ttl",
            "--config",
            "--address",
            "--redis",
            "--token-file",
            "--ca-cert",
            "--cache",
            "-o",
            "--cache-prefix",
            "--region",
        ] {
            let said = room.sandbox.run_each(["list", option, &text, "--require-tls"]);
            assert_eq!(steers(&said.stderr), None, "{option}: {}", said.stderr);
            assert_eq!(steers(&said.stdout), None, "{option}: {}", said.stdout);
        }
        check(&room, &[&text], 2);
        check(&room, &["list", &format!("--{text}")], 2);
        check(&room, &["show", &text, &text], 2);
    }
}

/// JSON needs no more than its own escapes and those of DEL, C1, U+2028 and U+2029.
#[test]
fn s1_json_escapes_what_terminals_and_scripts_take_for_controls() {
    let room = Room::of(Fleet::empty());
    let name = "a\u{1b}b\u{7f}c\u{80}d\u{9f}e\u{2028}f\u{2029}g\u{e9}\"\\";
    room.sim.cluster().register(name);
    let escaped = r#""a\u001bb\u007fc\u0080d\u009fe\u2028f\u2029gé\"\\""#;
    for args in ["list --json -c name", "list -o jsonl -c name", "list --json --full"] {
        let said = room.sandbox.stdout(args);
        assert!(said.contains(escaped), "{args}: {said}");
        let raw = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}');
        assert!(!said.contains(raw), "{args}");
    }
    let parsed: serde_json::Value =
        serde_json::from_str(&room.sandbox.stdout("list --json -c name")).unwrap();
    assert_eq!(parsed[0]["name"], name);
}

/// What a spreadsheet would run, between the quotes of RFC 4180; numbers stay numbers.
#[test]
fn s15_no_cell_is_a_formula() {
    let room = Room::of(Fleet::empty());
    let cells = [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\u{9}=1"),
        ("\r=1", "'\\u{d}=1"),
        ("  =1+1", "'  =1+1"),
        ("\u{a0}=1+1", "'\u{a0}=1+1"),
        ("=1,\"x\"\ny", "\"'=1,\"\"x\"\"\ny\""),
        ("-1", "-1"),
        ("+1.5e3", "+1.5e3"),
        ("-inf", "'-inf"),
        ("a=b", "a=b"),
        ("a,b", "\"a,b\""),
    ];
    room.sim.cluster().register("n");
    for (value, cell) in cells {
        room.sim.cluster().set_meta("n", "k", Some(value));
        room.sandbox.stdout("refresh");
        let csv = "list -o csv -c meta.k --no-headers";
        assert_eq!(room.sandbox.stdout(csv), format!("{cell}\n"), "{value:?}");
        let quoted = |text: &str| match text.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let raw = room.sandbox.stdout(&format!("{csv} --csv-raw"));
        assert_eq!(raw, format!("{}\n", quoted(value)), "{value:?}");
        let tsv = room.sandbox.stdout("list -o tsv -c meta.k --no-headers");
        assert_eq!(tsv.starts_with('\''), cell.trim_start_matches('"').starts_with('\''), "{tsv}");
        assert_eq!(tsv.matches(['\t', '\n']).count(), 1, "{tsv:?} is one cell");
    }
    // A key is a head, and heads are cells too.
    room.sim.cluster().set_meta("n", "=evil", Some("x"));
    room.sandbox.stdout("refresh");
    let head = room.sandbox.stdout("list -o csv -c meta.=evil --limit 0");
    assert_eq!(head, "meta.=evil\n");
}

/// N6 and N12 have the list; here the details, the reason of a status, and Redis.
#[test]
fn s19_what_servers_say_in_errors_is_short_and_harmless() {
    for text in CORPUS {
        let room = Room::new();
        room.sim.fault(Where::node("worker-3"), Times::ALWAYS, Fault::status(500, text));
        check(&room, &["list", "-vv"], 8);
        room.sim.heal();
        let line = text.replace(['\r', '\n', '\0'], "");
        let head = format!(
            "HTTP/1.1 500 {line}\r\nX-{line}: {line}\r\nContent-Type: {line}\r\n\r\n{line}"
        );
        room.sim.fault(Where::List, Times::ALWAYS, Fault::Raw(head.into_bytes()));
        let said = room.sandbox.run("list --force -vv");
        assert_ne!(said.code, 0);
        assert_eq!(steers(&said.stderr), None, "{}", said.stderr);
    }
    let hostile = b"-ERR \x1b[2J\xe2\x80\xaeevil\r\n";
    let fake = FakeRedis::saying(hostile);
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::redis(&fake.url()).nomad(&sim.address());
    for args in ["list -o name -vv", "cache stats", "cache clear"] {
        let said = sandbox.run(args);
        assert_eq!(steers(&said.stderr), None, "{args}: {}", said.stderr);
        assert!(said.stderr.lines().all(|line| line.chars().count() < 400), "{}", said.stderr);
    }
    assert!(sandbox.run("list").stderr.contains("\\u{1b}[2J\\u{202e}evil"));
}

/// The words by which text is escaped or looked through for controls stand in one file each.
#[test]
fn s1_there_is_one_sanitiser() {
    let words = [
        "is_control",
        "is_ascii_control",
        "escape_default",
        "escape_debug",
        "escape_unicode",
        "\\\\u{",
        "u{200b}",
        "u{202e}",
    ];
    let mut found = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = code.collect();
        if words.iter().any(|word| code.contains(word)) {
            found.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    // JSON has escapes of its own.
    assert_eq!(found, BTreeSet::from(["json.rs", "text.rs"].map(str::to_owned)));
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let deeper = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    entries.flat_map(deeper).filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}
