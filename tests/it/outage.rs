//! `--stale-if-error`: in an outage of Nomad an old answer, marked as what it is, or none.

use std::time::Duration;

use nomad_clients::discovery::{How, Source};
use nomad_sim::{Fault, Fleet, Sim, Times, Where};

use crate::support::fake_nomad::outage;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Sandbox, failure};
use crate::support::world::{World, counts, row, rows};

#[test]
fn an_outage_shows_the_last_answer_if_that_is_wanted() {
    let world = World::filled(&[("a", 3), ("b", 4)]);
    world.nomad.answer_list(Err(outage("no route")));
    assert!(world.ask(How::Refresh).is_err(), "not unless it is asked for");

    world.nomad.answer_list(Err(outage("no route")));
    let answer = world.ask_stale(How::Refresh, Duration::from_secs(60)).unwrap();
    assert_eq!((answer.source, counts(&answer)), (Source::Stale, [0, 0, 2, 0]));
    assert_eq!(rows(&answer), [row("a", "r3"), row("b", "r4")]);
    assert_eq!(answer.outage.unwrap().to_string(), "no route");
}

#[test]
fn a_cleared_answer_is_never_shown() {
    let world = World::filled(&[("a", 3)]);
    world.store.clear();
    world.nomad.answer_list(Err(outage("no route")));
    assert!(world.ask_stale(How::Get, Duration::from_secs(3600)).is_err());
}

#[test]
fn an_answer_that_is_too_old_is_not_shown() {
    let world = World::filled(&[("a", 3)]);
    world.nomad.answer_list(Err(outage("no route")));
    assert!(world.ask_stale(How::Refresh, Duration::ZERO).is_err());
}

/// Both kinds of cache through the program; a refused token is no outage.
#[test]
fn the_program_says_how_old_it_is() {
    let redis = RedisServer::start();
    for sandbox in [Sandbox::redis(&redis.url()), Sandbox::local()] {
        let sim = Sim::start(Fleet::recorded());
        let sandbox = sandbox.nomad(&sim.address());
        let fresh = sandbox.stdout("list --json");
        sim.fault(Where::List, Times::ALWAYS, Fault::status(500, "No cluster leader"));

        let said = sandbox.run("list --json --refresh --stale-if-error 1h");
        let why = format!("Nomad at {} answered 500: No cluster leader", sim.address());
        assert_eq!((said.stdout.as_str(), said.code), (fresh.as_str(), 0));
        assert_eq!(said.stderr, format!("warning: showing the nodes of 0s ago: {why}\n"));
        let error = format!("error: {why}\nhint: try again when Nomad has elected a leader\n");
        assert_eq!(sandbox.run("list --json --refresh"), failure(5, &error));

        sim.heal();
        sim.fault(Where::List, Times::ALWAYS, Fault::status(403, "Permission denied"));
        assert_eq!(sandbox.run("list --refresh --stale-if-error 1h").code, 4);
        sim.heal();
        sim.fault(Where::List, Times::ALWAYS, Fault::status(500, "No cluster leader"));
        sandbox.stdout("cache clear");
        assert_eq!(sandbox.run("list --stale-if-error 1h").code, 5, "never across a clear");
    }
}

#[test]
fn the_age_is_a_duration() {
    let said = Sandbox::local().run("list --stale-if-error 60");
    let why = "error: invalid value for --stale-if-error: \"60\" has no unit; write 60s or 60m\n";
    assert_eq!(said, failure(2, why));
}
