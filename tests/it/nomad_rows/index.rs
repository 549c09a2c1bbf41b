//! N13 to N16: what the headers of the list say about its age.

use nomad_sim::{Fault, Times, Where};

use super::{EVERYTHING, NOTHING, Room};

#[test]
fn n13_a_list_without_an_index_is_reported_and_not_cached() {
    for index in [None, Some("0"), Some("abc"), Some("-1"), Some("18446744073709551616")] {
        let room = Room::new();
        room.sim.fault(Where::List, Times::ALWAYS, Fault::header("X-Nomad-Index", index));
        room.succeeds("list --json", "", &NOTHING);
        let stderr = "the list has no usable X-Nomad-Index: not cached\n5 clients · fetched · 6 Nomad calls · TIME\n";
        room.succeeds("list --json -v", stderr, &NOTHING);
        assert_eq!(room.sim.asked().len(), 12, "{index:?}");
    }
}

/// It is a base for later, and not shown after something newer was.
#[test]
fn n13_an_earlier_cache_is_left_as_it_is() {
    let room = Room::new();
    room.succeeds("list --json", "", &EVERYTHING);
    room.sim.asked();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::header("X-Nomad-Index", None));
    assert_eq!(room.run("refresh").stdout, "Updated: 0 new, 5 changed, 0 cached\n");
    assert_eq!(room.sim.asked().len(), 6, "what has no index proves nothing about what is cached");
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked().len(), 6, "it is older than what was shown");
    room.sim.heal();
    for asked in [&["list"][..], &[]] {
        room.succeeds("list --json", "", &EVERYTHING);
        assert_eq!(room.sim.asked(), asked);
    }
}

#[test]
fn n14_a_lower_index_once_is_a_server_that_lags() {
    let room = Room::new();
    room.succeeds("list --json", "", &EVERYTHING);
    let known = room.sim.cluster().index;
    room.sim.cluster().set_eligible("worker-3", false);
    room.sim.asked();
    room.sim.fault(Where::List, Times::ONCE, Fault::header("X-Nomad-Index", Some("7")));
    let said = room.run("refresh -v");
    assert_eq!(said.stdout, "Updated: 0 new, 1 changed, 4 cached\n");
    assert_eq!(
        said.stderr,
        format!(
            "the list is older than the cache (index 7, known {known}): asked again\n5 clients · updated: 0 new, 1 changed, 4 cached · 3 Nomad calls · TIME\n"
        )
    );
    assert_eq!(room.sim.asked(), ["list", "list", "node worker-3"]);
    assert_eq!(room.sandbox.stdout("list worker-3 --json").matches("ineligible").count(), 1);
    assert_eq!(room.sim.asked(), NOTHING, "the newer data is cached");
    assert_eq!(room.cached(), EVERYTHING);
}

#[test]
fn n15_a_lower_index_twice_is_a_cluster_that_was_restored() {
    let room = Room::new();
    let saved = room.sim.cluster().save();
    let before = room.sim.cluster().index;
    let after = room.sim.cluster().set_meta("worker-3", "rack", Some("r9"));
    room.sandbox.stdout("list --json");
    room.sim.cluster().restore(&saved);
    room.sim.asked();
    let note = format!("note: the Nomad index went back ({after} → {before}); cache rebuilt\n");
    room.succeeds("list --json --refresh", &note, &EVERYTHING);
    let mut asked = room.sim.asked();
    asked.sort();
    assert_eq!(asked[..2], ["list", "list"]);
    assert_eq!(asked.len(), 7, "nothing cached is used: {asked:?}");
    room.succeeds("list --json", "", &EVERYTHING);
    assert_eq!(room.sim.asked(), NOTHING);
    room.succeeds("list --json --refresh", "", &EVERYTHING);
    assert_eq!(room.sim.asked(), ["list"], "from now on this is what is known");
}

#[test]
fn n15_a_rebuilt_cluster_is_reported_once() {
    let room = Room::new();
    room.sandbox.stdout("list --json");
    let known = room.sim.cluster().index;
    room.sim.cluster().rebuild();
    let index = room.sim.cluster().index;
    let said = room.run("refresh");
    assert_eq!(
        said.stderr,
        format!("note: the Nomad index went back ({known} → {index}); cache rebuilt\n")
    );
    assert_eq!((said.code, room.cached()), (0, EVERYTHING.map(str::to_owned).to_vec()));
    assert_eq!(room.sandbox.stdout("refresh"), "Updated: 0 new, 0 changed, 5 cached\n");
    assert_eq!(room.sandbox.stdout("refresh"), "Updated: 0 new, 0 changed, 5 cached\n");
}

const NO_LEADER: &str = "warning: Nomad has no leader; data may be old\n";

#[test]
fn n16_a_list_without_a_leader_is_reported_and_not_cached() {
    let room = Room::new();
    room.sim.cluster().known_leader = false;
    room.succeeds("list --json", NO_LEADER, &NOTHING);
    room.succeeds("list --json -q", "", &NOTHING);
    room.sim.cluster().known_leader = true;
    room.succeeds("list --json", "", &EVERYTHING);
}

#[test]
fn n16_a_list_of_a_server_that_lost_its_leader_is_reported_and_not_cached() {
    let room = Room::new();
    room.sim.cluster().last_contact_ms = 5;
    room.succeeds("list --json", NO_LEADER, &NOTHING);
    room.sim.cluster().last_contact_ms = 0;
    room.succeeds("list --json", "", &EVERYTHING);
}
