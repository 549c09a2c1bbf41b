//! S11, S12, S18: what is sent on the way to Nomad, where it goes, and how much may come back.

use nomad_sim::{Fault, Fleet, Sim, Times, Where};

use super::{Room, good};
use crate::support::sandbox::Sandbox;

const TOKEN: &str = "6f1c36aa-1111-4000-8000-000000000001";

/// N12 has the list; here the details and the page of `show`, which are asked for on their own.
#[test]
fn s11_a_redirect_of_a_detail_connects_to_nobody() {
    let other = Sim::start(Fleet::recorded());
    for status in [301, 302, 303, 307, 308] {
        let room = Room::new();
        let sandbox = Sandbox::local().nomad(&room.sim.address()).with("NOMAD_TOKEN", TOKEN);
        sandbox.stdout("list");
        let to = format!("{}/v1/node/x", other.address());
        room.sim.fault(Where::Nodes, Times::ALWAYS, Fault::redirect(status, &to));
        let said = sandbox.run("list --force");
        assert_eq!((said.stdout.as_str(), said.code), ("", 5), "{}", said.stderr);
        let host = other.address().replace("http://", "");
        assert!(said.stderr.contains(&format!("redirect to {host} refused")), "{}", said.stderr);
        assert_eq!(sandbox.run("show worker-1").code, 0, "the page says that it has no events");
        assert_eq!(other.connections(), 0);
    }
}

/// Through a proxy on this machine, because nothing here leaves it.
#[test]
fn s12_a_token_over_plain_http_is_warned_of_once_and_only_when_it_is_sent() {
    let sim = Sim::start(Fleet::recorded());
    let address = "http://nomad.invalid:4646";
    let open = || Sandbox::local().nomad(address).with("HTTP_PROXY", &sim.address());
    let all = open().stdout("list --json");
    let warning = format!(
        "warning: credentials are sent unencrypted to {address}: use https://; --require-tls enforces it\n"
    );
    for (name, value) in [("NOMAD_TOKEN", TOKEN), ("NOMAD_HTTP_AUTH", "me:canary")] {
        let sandbox = open().with(name, value);
        assert_eq!(sandbox.run("list --json"), good(&all, &warning), "six requests, one warning");
        assert_eq!(sandbox.run("list --json"), good(&all, ""), "a hit sends nothing");
        assert_eq!(sandbox.run("show worker-1").stderr, warning, "it asks for the events");
        assert_eq!(sandbox.run("list --json -q --refresh"), good(&all, ""));
        let refused = sandbox.run("list --require-tls");
        assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    }
    let loopback = Sandbox::local().nomad(&sim.address()).with("NOMAD_TOKEN", TOKEN);
    assert_eq!(loopback.run("list --json"), good(&all, ""), "what stays here is no risk");
}

/// N11 has the list. A detail is never asked for compressed; a server may do it all the same.
#[test]
fn s18_a_detail_that_unpacks_without_end_is_a_failed_detail() {
    let room = Room::new();
    let of = Where::node("worker-3");
    room.sim.fault(of, Times::ALWAYS, Fault::bomb(300));
    let said = room.sandbox.run("list -o name --timeout 2m");
    assert_eq!((said.code, said.stdout.lines().count()), (8, 5), "{}", said.stderr);
    assert!(said.stderr.contains("answer larger than 256 MB"), "{}", said.stderr);
}
