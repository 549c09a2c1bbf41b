//! N8 to N12: the answer is not quite, or not at all, what Nomad would say.

use std::fs;
use std::process::Stdio;

use nomad_sim::{Fault, Fleet, Framing, Sim, Times, Where};
use serde_json::json;

use super::{EVERYTHING, NOTHING, Room};

/// The list is answered so; it is asked for once, and the run fails with these words.
#[track_caller]
fn fails(fault: Fault, code: i32, stderr: &str) {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, fault);
    room.fails("list --json", code, stderr);
    assert_eq!(room.sim.asked(), ["list"]);
    assert_eq!(room.cached(), NOTHING);
}

#[test]
fn n08_json_of_another_content_type_is_an_answer() {
    for content_type in [Some("text/plain; charset=utf-8"), Some("text/html"), None] {
        let room = Room::new();
        room.sim.fault(Where::List, Times::ALWAYS, Fault::header("Content-Type", content_type));
        let stderr = "the content type of the answer (list) is not JSON\n5 clients · fetched · 6 Nomad calls · TIME\n";
        room.succeeds("list --json -v", stderr, &EVERYTHING);
        room.succeeds("list --json", "", &EVERYTHING);
        assert_eq!(room.sim.asked().len(), 6);
    }
}

#[test]
fn n09_json_that_just_stops_is_cut_off() {
    fails(
        Fault::change(|answer| answer.body.truncate(1000)),
        6,
        "error: answer cut off after 1000 bytes (list, NOMAD)\n",
    );
}

#[test]
fn n09_a_connection_closed_amid_chunks_is_cut_off() {
    fails(Fault::Cut(1000), 6, "error: answer cut off after 1000 bytes (list, NOMAD)\n");
}

#[test]
fn n09_a_length_that_lies_is_cut_off() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::framing(Framing::Lie(100_000)));
    room.sim.fault(Where::List, Times::ALWAYS, Fault::body(b"[]".as_slice()));
    room.fails("list", 6, "error: answer cut off after 2 bytes (list, NOMAD)\n");
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::framing(Framing::Lie(700)));
    room.fails("list", 6, "error: answer cut off after 700 bytes (list, NOMAD)\n");
}

#[test]
fn n09_a_connection_reset_amid_the_body_is_lost() {
    let stderr = "error: cannot reach Nomad at NOMAD: connection lost after 1000 bytes (list)\n";
    fails(Fault::CutReset(1000), 5, stderr);
}

#[test]
fn n09_gzip_that_just_stops_is_cut_off() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::bomb(1));
    room.sim.fault(Where::List, Times::ALWAYS, Fault::change(|answer| answer.body.truncate(100)));
    let said = room.run("list");
    let (start, end) = ("error: answer cut off after ", " bytes (list, NOMAD)\n");
    assert!(said.stderr.starts_with(start) && said.stderr.ends_with(end), "{said:?}");
    assert_eq!((said.code, said.stdout.as_str()), (6, ""));
    assert_eq!(room.cached(), NOTHING);
}

/// This body is refused, with the place and the reason.
#[track_caller]
fn is_no_list(body: impl Into<Vec<u8>>, why: &str) {
    let stderr = format!("error: not a Nomad API answer (list, NOMAD): {why}\n");
    fails(Fault::body(body), 6, &stderr);
}

/// The recorded stubs with another value of one field are refused.
#[track_caller]
fn is_no_stub(field: &str, value: serde_json::Value, why: &str) {
    let stderr = format!("error: not a Nomad API answer (list, NOMAD): {why}\n");
    fails(Fault::field(field, value), 6, &stderr);
}

#[test]
fn n10_json_of_another_shape_is_named_by_its_path() {
    is_no_list("null", "invalid type: null, expected a sequence");
    is_no_list("{}", "invalid type: map, expected a sequence");
    is_no_list("[[]]", "[0]: invalid length 0, expected an object");
    is_no_list("[null]", "[0]: invalid type: null, expected an object");
    is_no_list("[{}]", "[0]: missing field `ID`");
    is_no_list("[] []", "text after the end of the JSON");
    is_no_list("[1 2]", "[0]: invalid type: integer `1`, expected an object");
    is_no_list(
        "\"\u{1b}[31m\"",
        "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 2",
    );
    is_no_stub("Name", json!(7), "[0].Name: invalid type: integer `7`, expected a string");
    is_no_stub(
        "Drivers",
        json!({"exec": {"Healthy": "\u{1b}[2J"}}),
        "[0].Drivers.exec.Healthy: invalid type: string \"\\u{1b}[2J\", expected a boolean",
    );
}

#[test]
fn n10_deep_nesting_is_refused() {
    let stderr = "error: answer cut off after 100000 bytes (list, NOMAD)\n";
    fails(Fault::body("[".repeat(100_000)), 6, stderr);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    is_no_list(deep.as_str(), "[0][0]: invalid type: sequence, expected a string");
    is_no_list(
        format!("[{{\"Drivers\":{deep}}}]"),
        "[0].Drivers: invalid type: sequence, expected a map",
    );
}

/// What is not looked at may be as deep as it likes: nobody recurses into it.
#[test]
fn n10_deep_nesting_of_an_unknown_field_does_no_harm() {
    let room = Room::new();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = Fault::change(move |answer| {
        let list = String::from_utf8(answer.body.clone()).unwrap();
        answer.body = list.replacen("[{", &format!("[{{\"Unknown\":{deep},"), 1).into_bytes();
    });
    room.sim.fault(Where::List, Times::ALWAYS, body);
    room.succeeds("list --json", "", &EVERYTHING);
}

#[test]
fn n10_ids_are_uuids_and_unique() {
    is_no_stub("ID", json!("../../etc/passwd"), "[0].ID: not a UUID");
    is_no_stub("ID", json!(null), "[0].ID: invalid type: null, expected a string");
    is_no_stub(
        "ID",
        json!("6f1c36aa-0000-4000-8000-000000000001"),
        "[1].ID: 6f1c36aa-0000-4000-8000-000000000001 is listed twice",
    );
}

#[test]
fn n10_indexes_are_of_64_bits() {
    for (value, why) in [
        (json!(-1), "invalid value: integer `-1`, expected u64"),
        (json!(1.5), "invalid type: floating point `1.5`, expected u64"),
        (json!("7"), "invalid type: string \"7\", expected u64"),
        (
            json!(18_446_744_073_709_551_616_f64),
            "invalid type: floating point `1.8446744073709552e+19`, expected u64",
        ),
    ] {
        is_no_stub("ModifyIndex", value, &format!("[0].ModifyIndex: {why}"));
    }
}

#[test]
fn n10_every_index_of_64_bits_is_fine() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::field("ModifyIndex", json!(u64::MAX)));
    room.sim.fault(Where::Nodes, Times::ALWAYS, Fault::field("ModifyIndex", json!(u64::MAX)));
    room.sim.fault(
        Where::List,
        Times::ALWAYS,
        Fault::header("X-Nomad-Index", Some("18446744073709551615")),
    );
    let first = room.sandbox.stdout("list --json");
    assert_eq!(first.matches("18446744073709551615").count(), 5, "{first}");
    assert_eq!(room.cached(), EVERYTHING);
    assert_eq!(room.sim.asked().len(), 6);
    assert_eq!(room.sandbox.stdout("list --json"), first);
    assert_eq!(room.sim.asked(), NOTHING);
}

#[test]
fn n10_text_that_is_no_utf8_is_refused() {
    is_no_list(
        b"[{\"ID\":\"\xff\"}]".as_slice(),
        "[0].ID: invalid unicode code point at line 1 column 9",
    );
}

/// Runs `list` and gives the most memory it ever had, in MB.
#[track_caller]
fn memory_of_failure(room: &Room, stderr: &str) -> u64 {
    let mut command = room.sandbox.command(["list", "--timeout", "2m"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        // The last state that has memory at all is that at the end.
        while let Ok(status) = fs::read_to_string(&path) {
            let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else {
                break;
            };
            let number = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
            most = most.max(number >> 10);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap().replace(&room.sim.address(), "NOMAD");
    assert_eq!((said.as_str(), output.status.code()), (stderr, Some(6)));
    assert_eq!(output.stdout, b"");
    assert_eq!(room.cached(), NOTHING);
    watcher.join().unwrap()
}

/// S6: what a server repeats is hidden before it is cut off.
#[test]
fn n10_a_token_in_a_wrong_answer_is_hidden_also_at_its_cut() {
    const TOKEN: &str = "6f1c36aa-1111-4000-8000-secretsecret";
    let room = Room::new();
    for before in [0, 100, 150, 170, 200] {
        let body = format!("\"{}{TOKEN}\"", "x".repeat(before));
        room.sim.fault(Where::List, Times::ALWAYS, Fault::body(body.as_str()));
        let mut command = room.sandbox.command(["list", "-vv", "--cache", "none"]);
        let output = command.env("NOMAD_TOKEN", TOKEN).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "{said}");
        assert!(!said.contains("6f1c"), "{said}");
        assert!(said.contains("not a Nomad API answer"), "{said}");
    }
}

const TOO_LARGE: &str = "error: answer larger than 256 MB (list, NOMAD)\n";

#[test]
fn n11_an_answer_without_end_is_refused() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::Huge(300 << 20));
    let most = memory_of_failure(&room, TOO_LARGE);
    assert!(most <= 256 + 64, "{most} MB");
}

/// S18: what counts is what a body unpacks to.
#[test]
fn n11_a_bomb_is_refused() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::bomb(300));
    let most = memory_of_failure(&room, TOO_LARGE);
    assert!(most <= 256 + 64, "{most} MB");
}

#[test]
fn n11_a_bomb_below_the_limit_is_an_empty_list() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::bomb(200));
    assert_eq!(room.sandbox.stdout("list --json --timeout 2m"), "[]\n");
}

#[test]
fn n11_an_unknown_encoding_is_named() {
    let stderr = "error: not a Nomad API answer (content-encoding br) from NOMAD\nhint: set NOMAD_ADDR or pass --address\n";
    fails(Fault::header("Content-Encoding", Some("br")), 6, stderr);
}

#[test]
fn n11_a_body_that_is_not_packed_as_it_says_is_refused() {
    let stderr = "error: not a Nomad API answer (broken gzip) from NOMAD\nhint: set NOMAD_ADDR or pass --address\n";
    fails(Fault::header("Content-Encoding", Some("gzip")), 6, stderr);
}

const OWN: &str =
    "hint: Nomad's API never redirects: pass --address with the address of Nomad itself\n";

/// S11: nobody else is connected to, and nobody else sees the token.
#[test]
fn n12_a_redirect_to_another_host_is_refused() {
    for status in [301, 302, 303, 307, 308] {
        let room = Room::new().with("NOMAD_TOKEN", "6f1c36aa-1111-4000-8000-000000000001");
        let other = Sim::start(Fleet::recorded());
        let to = other.address().replace("http://", "");
        room.sim.fault(
            Where::List,
            Times::ALWAYS,
            Fault::redirect(status, &format!("{}/v1/nodes", other.address())),
        );
        room.fails("list --json", 6, &format!("error: redirect to {to} refused (NOMAD)\n{OWN}"));
        assert_eq!((room.sim.asked(), other.connections()), (vec!["list".to_owned()], 0));
    }
}

#[test]
fn n12_a_redirect_to_the_same_host_is_refused() {
    for status in [301, 302, 303, 307, 308] {
        let room = Room::new();
        room.sim.fault(Where::List, Times::ALWAYS, Fault::redirect(status, "/ui/"));
        let host = room.sim.address().replace("http://", "");
        room.fails("list", 6, &format!("error: redirect to {host} refused (NOMAD)\n{OWN}"));
        assert_eq!(room.sim.asked(), ["list"]);
    }
}

#[test]
fn n12_a_redirect_cannot_steer_the_terminal() {
    let room = Room::new();
    let location = "https://user:pw@\u{202e}evil.test?\u{200b}";
    room.sim.fault(Where::List, Times::ALWAYS, Fault::redirect(302, location));
    let stderr = format!("error: redirect to \\u{{202e}}evil.test refused (NOMAD)\n{OWN}");
    room.fails("list", 6, &stderr);
}
