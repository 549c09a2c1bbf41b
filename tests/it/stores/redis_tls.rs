//! R4: a Redis behind TLS, and every reason not to trust it by its name.

use nomad_clients::model::notice::Notifier;
use nomad_clients::store::redis::RedisStore;
use nomad_clients::store::{Error, ErrorKind, Look, RedisPlace, Store as _, Want};

use crate::support::bench::place;
use crate::support::fake_redis::FakeRedis;
use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::tls_front::start;

fn look(url: &str, change: impl FnOnce(&mut RedisPlace)) -> Result<Look, Error> {
    let mut place = place("a0", url);
    place.redis.ca_cert = Some(file("ca.pem"));
    change(&mut place.redis);
    RedisStore::new(&place, Notifier::nobody()).unwrap().look(Want::Records)
}

#[track_caller]
fn check(url: &str, what: &str) {
    let error = look(url, |_| ()).unwrap_err();
    assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Unavailable, what));
}

#[test]
fn a_trusted_redis_is_used() {
    let server = RedisServer::start();
    let port = start(server.socket(), "server.pem", false);
    let empty = Look::Miss { refuse: None };
    assert_eq!(look(&format!("rediss://127.0.0.1:{port}"), |_| ()).unwrap(), empty);
    assert_eq!(look(&format!("rediss://localhost:{port}"), |_| ()).unwrap(), empty);
    let strict = start(server.socket(), "server.pem", true);
    let with_client = look(&format!("rediss://localhost:{strict}"), |redis| {
        redis.client_cert = Some(file("client.pem"));
        redis.client_key = Some(file("server.key"));
    });
    assert_eq!(with_client.unwrap(), empty);
}

#[test]
fn the_reason_for_distrust_is_named() {
    let server = RedisServer::start();
    let url =
        |cert, clients| format!("rediss://localhost:{}", start(server.socket(), cert, clients));
    check(
        &url("expired.pem", false),
        "tls: the certificate has expired: renew the certificate of Redis, or set the clock of this machine",
    );
    check(
        &url("other.pem", false),
        "tls: the certificate is for another name: pass that name in --redis",
    );
    check(
        &url("server.pem", true),
        "tls: Redis requires a client certificate: pass --redis-client-cert and --redis-client-key",
    );
    let unknown =
        look(&url("server.pem", false), |redis| redis.ca_cert = Some(file("other-ca.pem")));
    assert_eq!(
        unknown.unwrap_err().to_string(),
        "tls: the certificate is signed by an unknown authority: pass --redis-ca-cert"
    );
}

#[test]
fn a_plain_port_is_no_tls_port_and_the_other_way_round() {
    let plain = FakeRedis::saying(b"-ERR unknown command\r\n").url();
    check(&plain.replace("redis:", "rediss:"), "tls: the port does not speak TLS");
    let closing = FakeRedis::cut_off(b"").url();
    check(&closing.replace("redis:", "rediss:"), "tls: the port does not speak TLS");
    let server = RedisServer::start();
    let port = start(server.socket(), "server.pem", false);
    let error = look(&format!("redis://localhost:{port}"), |_| ()).unwrap_err();
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (ErrorKind::Unavailable, "the server uses TLS: use rediss://")
    );
}

#[test]
fn files_that_can_not_be_used_are_named() {
    let error =
        |change: fn(&mut RedisPlace)| look("rediss://localhost:1", change).unwrap_err().to_string();
    let missing = error(|redis| redis.ca_cert = Some("/nowhere/ca.pem".into()));
    assert!(missing.starts_with("tls: cannot read /nowhere/ca.pem: "), "{missing}");
    let lonely = error(|redis| redis.client_cert = Some(file("client.pem")));
    assert_eq!(lonely, "tls: a client certificate and its key must be given together");
    let empty = error(|redis| redis.ca_cert = Some(file("server.key")));
    assert!(empty.starts_with("tls: no PEM certificate in "), "{empty}");
}
