//! The built-in jq: its values, its mistakes, and its end.

use serde_json::Value;

use super::Room;
use crate::support::sandbox::failure;

#[test]
fn a_filter_that_never_ends_is_ended() {
    let room = Room::new();
    for filter in ["range(1e18)", "last(repeat(1))"] {
        let said = room.sandbox.run_each(["list", "--jq", filter, "--timeout", "1s"]);
        assert_eq!(said, failure(1, "error: --jq: timed out: does it ever end?\n"), "{filter}");
    }
}

/// The values are those of jq 1.6, see tests/fixtures/jq.
#[test]
fn jq_gives_what_jq_gives() {
    let room = Room::new();
    let expected = include_str!("../../fixtures/jq/expected.txt");
    let mut filters = 0;
    for case in expected.split("# ").skip(1) {
        let (filter, values) = case.split_once('\n').unwrap();
        let said = room.sandbox.run_each(["list", "--jq", filter]);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{filter}");
        let parsed = |text: &str| -> Vec<Value> {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        assert_eq!(parsed(&said.stdout), parsed(values), "{filter}");
        filters += 1;
    }
    assert!(filters >= 30, "{filters} filters");
    let names =
        room.sandbox.run_each(["list", "-c", "name", "--jq", ".[].name", "-r", "--limit", "2"]);
    assert_eq!(names.stdout, "worker-1\nworker-2\n");
}

#[test]
fn a_broken_filter_shows_where() {
    let room = Room::new();
    let stderr = "error: invalid value for --jq: closing parenthesis expected at character 15, after \"map(.nam | foo\"\n";
    assert_eq!(room.sandbox.run_each(["list", "--jq", "map(.nam | foo"]), failure(2, stderr));
    let said = room.sandbox.run_each(["list", "--jq", ".[] | nope"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("there is no filter nope at character 7"), "{}", said.stderr);
    let said = room.sandbox.run_each(["list", "--jq", ".[0].name | tonumber"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert!(said.stderr.starts_with("error: --jq: "), "{}", said.stderr);
}
