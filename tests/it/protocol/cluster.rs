//! The hash tag is prepared: with a tagged prefix every step works at a real cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{How, Place, Published, Sample, Want};
use redis::Value;

use crate::support::bench::place;
use crate::support::process::{Process, X, records};
use crate::support::redis_server::RedisServer;

/// A cluster of one server, which has all slots.
fn cluster() -> RedisServer {
    let server = RedisServer::cluster();
    assert_eq!(server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), Value::Okay);
    let until = Instant::now() + Duration::from_secs(20);
    while server.cli(&["SET", "x", "x"]) != Value::Okay {
        assert!(Instant::now() < until, "the cluster did not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.cli(&["DEL", "x"]);
    server
}

fn process(server: &RedisServer, scope: &str, prefix: &str) -> Process {
    let place = Place { prefix: prefix.to_owned(), ..place(scope, &server.url()) };
    Process::new(Arc::new(RedisStore::new(&place, Notifier::nobody()).unwrap()), 'N')
}

#[test]
fn a_tagged_prefix_puts_everything_into_one_slot() {
    let server = cluster();
    let refused = process(&server, "a0", "nomad:clients").store.look(Want::Records);
    assert!(refused.unwrap_err().to_string().contains("CROSSSLOT"), "without the tag");
    for prefix in ["{nomad:clients}", "{nomad:clients}:team"] {
        // The second scope has a family of its own, unless the prefix is one's own.
        for scope in ["a0", "b0"] {
            let mut own = process(&server, scope, prefix);
            own.own(How::Refresh);
            assert!(own.store.renew(own.flight().lease()).unwrap());
            assert_eq!(own.put(5, &records(&[(X, 5)])), Published::Done);
            assert!(own.whole().is_some() && own.store.last(Want::Full).is_some());
            assert!(own.store.follow("me").unwrap());
            own.store.count(&Sample::of(true, Duration::from_millis(1), 0));
            assert!(own.store.stats().is_ok());
        }
    }
    let both = ["a0", "b0"].map(|scope| process(&server, scope, "{nomad:clients}").hit());
    assert!(both.iter().all(Option::is_some), "one beside the other");
    let Value::Array(keys) = server.cli(&["KEYS", "*"]) else { panic!("no keys") };
    let slot = server.int(&["CLUSTER", "KEYSLOT", "nomad:clients"]);
    for key in keys {
        let Value::BulkString(key) = key else { panic!("{key:?}") };
        let of = server.int(&[b"CLUSTER".as_slice(), b"KEYSLOT", &key]);
        assert_eq!(of, slot, "{}", String::from_utf8_lossy(&key));
    }
    let own = process(&server, "a0", "{nomad:clients}");
    assert!(own.store.clear().places.iter().all(|place| place.outcome.is_ok()));
    assert_eq!(own.hit(), None);
}
