//! N26: a fetch fails while others wait for it.

use std::process::{Child, Stdio};
use std::time::Duration;

use nomad_sim::{Fault, Times, Where};

use super::{EVERYTHING, NOTHING, Room, until};
use crate::support::sandbox::{Output, failure};

const WAITERS: usize = 12;

fn started(room: &Room) -> Child {
    let mut command = room.sandbox.command(["list", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(room: &Room, child: Child) -> Output {
    let said = Output::from(child.wait_with_output().unwrap());
    Output { stderr: said.stderr.replace(&room.sim.address(), "NOMAD"), ..said }
}

/// How many processes have entered: the last that they asked of Redis was a script.
fn entered(room: &Room) -> usize {
    let list = String::from_utf8(room.redis.bytes(&["CLIENT", "LIST"]).unwrap()).unwrap();
    list.lines().filter(|client| client.contains(" cmd=eval")).count()
}

/// One fetches and fails like this; all who wait for it are told, and nobody asks again.
#[track_caller]
fn fails_for_all(fault: Fault, code: i32, own: &str, told: &str) {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, fault);
    let gate = room.sim.hold(Where::List);
    let winner = started(&room);
    assert!(gate.await_waiting(1, Duration::from_secs(10)));
    let waiters: Vec<Child> = (0..WAITERS).map(|_| started(&room)).collect();
    until("all have entered", || entered(&room) > WAITERS);
    gate.open();
    assert_eq!(ended(&room, winner), failure(code, own));
    for waiter in waiters {
        assert_eq!(ended(&room, waiter), failure(code, told));
    }
    assert_eq!(room.sim.asked(), ["list"]);
    assert_eq!(room.cached(), NOTHING);
    room.sim.heal();
    room.succeeds("list --json", "", &EVERYTHING);
}

#[test]
fn n26_an_outage_is_reported_to_all_who_wait() {
    fails_for_all(
        Fault::status(500, "No cluster leader"),
        5,
        "error: Nomad at NOMAD answered 500: No cluster leader\nhint: try again when Nomad has elected a leader\n",
        "error: cannot get the nodes from Nomad (from a concurrent refresh)\n",
    );
}

#[test]
fn n26_what_is_not_nomad_is_reported_to_all_who_wait() {
    fails_for_all(
        Fault::html(200),
        6,
        "error: not a Nomad API answer (text/html) from NOMAD\nhint: set NOMAD_ADDR or pass --address\n",
        "error: not a Nomad API answer (from a concurrent refresh)\n",
    );
}

#[test]
fn n26_a_refused_token_is_reported_to_all_who_wait() {
    fails_for_all(
        Fault::status(403, "Permission denied"),
        4,
        "error: permission denied: no token was sent (NOMAD)\nhint: set NOMAD_TOKEN or --token-file to a token with node:read\n",
        "error: permission denied: token needs node:read (from a concurrent refresh)\n",
    );
}
