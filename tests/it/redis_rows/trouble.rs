//! A Redis in each kind of trouble, real where a real one can be brought there.

use std::any::Any;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use redis::Value;

use crate::support::fake_redis::{FakeRedis, NOTHING, nobody};
use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::relay::{Relay, Treatment};
use crate::support::tls_front;

/// What a user needs to fill the cache, as the program names it.
pub(crate) const ACL: &str = "~nomad:clients* -@all +mget +get +set +del +hgetall +hset +hdel +hlen +strlen +getrange +pexpire +pttl +time +eval +hincrby +expire +hmget +copy";

/// A place where a Redis is looked for, and what keeps it in trouble.
pub(crate) struct Trouble {
    pub(crate) url: String,
    /// Options of the program that belong to it.
    pub(crate) options: String,
    _kept: Vec<Box<dyn Any>>,
}

impl Trouble {
    fn at(url: String, kept: impl Any) -> Self {
        Self { url, options: String::new(), _kept: vec![Box::new(kept)] }
    }

    fn fake(fake: FakeRedis) -> Self {
        Self::at(fake.url(), fake)
    }

    fn server(server: RedisServer) -> Self {
        Self::at(server.url(), server)
    }
}

pub(crate) fn refused() -> Trouble {
    Trouble::at(nobody(), ())
}

pub(crate) fn unknown_host() -> Trouble {
    Trouble::at("redis://no-such-host.invalid".to_owned(), ())
}

/// The queue of those who knock is full, and nobody opens.
pub(crate) fn black_hole_on_connect() -> Trouble {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let knocks: Vec<Socket> = (0..4)
        .map(|_| {
            let knock = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            knock.set_nonblocking(true).unwrap();
            let _ = knock.connect(&address.into());
            knock
        })
        .collect();
    Trouble::at(format!("redis://{address}"), (socket, knocks))
}

pub(crate) fn silent() -> Trouble {
    Trouble::fake(FakeRedis::silent())
}

/// It answers that nothing is cached, and then no more.
pub(crate) fn silent_at_enter() -> Trouble {
    Trouble::fake(FakeRedis::scripted(&[NOTHING]))
}

/// The same after a password.
pub(crate) fn silent_at_enter_of_a_user() -> Trouble {
    let missing: &'static [u8] = [b"+OK\r\n", NOTHING].concat().leak();
    Trouble::fake(FakeRedis::scripted(vec![missing].leak()))
}

/// TLS in front of a good Redis, which shows the certificate `cert`.
pub(crate) fn tls(cert: &str, authority: &str) -> Trouble {
    let server = RedisServer::start();
    let port = tls_front::start(server.socket(), cert, false);
    let mut trouble = Trouble::at(format!("rediss://localhost:{port}"), server);
    trouble.options = format!(" --redis-ca-cert {}", file(authority).display());
    trouble
}

/// TLS in front of a good Redis, which wants a certificate of its clients and is shown this one.
pub(crate) fn tls_for_clients(cert: &str, key: &str) -> Trouble {
    let server = RedisServer::start();
    let port = tls_front::start(server.socket(), "server.pem", true);
    let mut trouble = Trouble::at(format!("rediss://localhost:{port}"), server);
    let [ca, cert, key] = ["ca.pem", cert, key].map(|name| file(name).display().to_string());
    trouble.options =
        format!(" --redis-ca-cert {ca} --redis-client-cert {cert} --redis-client-key {key}");
    trouble
}

pub(crate) fn tls_to_a_plain_port() -> Trouble {
    let fake = FakeRedis::saying(b"-ERR unknown command\r\n");
    Trouble::at(fake.url().replace("redis:", "rediss:"), fake)
}

pub(crate) fn wrong_password() -> Trouble {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    Trouble::at(format!("{}?pass=wrong-canary", server.url()), server)
}

pub(crate) fn no_password() -> Trouble {
    Trouble::server(RedisServer::start_with(&["--requirepass", "secret"]))
}

/// Something in front of Redis that repeats the password in every way there is, in errors of its own
/// wording; with `lets_in` in the answer to every command but AUTH.
pub(crate) fn echoing(lets_in: bool) -> Trouble {
    let said = "-ERR rejected \"pw-canary\" pw%2dcanary pw\\x2dcanary cHctY2FuYXJ5 70772d63616e617279 'pw-can' pw-cana\r\n";
    let (first, rest) = (if lets_in { "+OK\r\n" } else { said }, said.repeat(12));
    Trouble::fake(FakeRedis::saying(format!("{first}{rest}").leak().as_bytes()))
}

pub(crate) fn user_off() -> Trouble {
    user(&["~*", "+@all", "off"])
}

/// One whose user may do only this.
pub(crate) fn user(rules: &[&str]) -> Trouble {
    let server = RedisServer::start();
    let fixed = ["ACL", "SETUSER", "nc", "on", ">pw-canary", "-@all"];
    assert_eq!(server.cli(&[&fixed[..], rules].concat()), Value::Okay);
    Trouble::at(format!("{}?user=nc&pass=pw-canary", server.url()), server)
}

/// One that knows no AUTH, and says what it was sent instead.
pub(crate) fn no_auth() -> Trouble {
    let server = RedisServer::start_with(&["--rename-command", "AUTH", "HIDDEN"]);
    Trouble::at(format!("{}?user=nc&pass=pw-canary", server.url()), server)
}

pub(crate) fn member_without(command: &str) -> Trouble {
    user(&ACL.split(' ').filter(|rule| *rule != command).collect::<Vec<_>>())
}

pub(crate) fn replica() -> Trouble {
    let server = RedisServer::start();
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    Trouble::server(server)
}

/// A replica that has lost its primary and serves nothing meanwhile.
pub(crate) fn master_down() -> Trouble {
    let server = RedisServer::start_with(&["--replica-serve-stale-data", "no"]);
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    Trouble::server(server)
}

pub(crate) fn out_of_memory() -> Trouble {
    Trouble::server(RedisServer::start_with(&["--maxmemory", "1"]))
}

/// The last save failed: Redis refuses to write.
pub(crate) fn cannot_save() -> Trouble {
    let server = RedisServer::start();
    assert_eq!(server.cli(&["CONFIG", "SET", "save", "3600 1"]), Value::Okay);
    server.cli(&["SET", "other", "1"]);
    std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
    server.cli(&["BGSAVE"]);
    let failed = || String::from_utf8(server.bytes(&["INFO", "persistence"]).unwrap()).unwrap();
    until("the save fails", || failed().contains("rdb_last_bgsave_status:err"));
    Trouble::server(server)
}

pub(crate) fn too_few_replicas() -> Trouble {
    Trouble::server(RedisServer::start_with(&["--min-replicas-to-write", "1"]))
}

/// It reads a saved file, a hundredth of a second for each key.
pub(crate) fn loading() -> Trouble {
    let mut server = RedisServer::start();
    let value = "x".repeat(1100);
    for key in 0..1500 {
        server.cli(&["SET", &format!("other:{key}"), &value]);
    }
    assert_eq!(server.cli(&["SAVE"]), Value::Okay);
    let slowly = ["--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"];
    server.restart(&slowly);
    Trouble::server(server)
}

/// A script runs, and runs.
pub(crate) fn busy() -> Trouble {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "1"]);
    let mut endless = UnixStream::connect(server.socket()).unwrap();
    endless.write_all(b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n").unwrap();
    until("it is busy", || matches!(server.cli(&["PING"]), Value::ServerError(_)));
    Trouble::at(server.url(), (endless, server))
}

/// A cluster none of whose slots is served.
pub(crate) fn cluster_down() -> Trouble {
    Trouble::server(RedisServer::cluster())
}

/// A cluster of one.
pub(crate) fn cluster() -> Trouble {
    let server = RedisServer::cluster();
    assert_eq!(server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), Value::Okay);
    let up = || String::from_utf8(server.bytes(&["CLUSTER", "INFO"]).unwrap()).unwrap();
    until("the cluster is up", || up().contains("cluster_state:ok"));
    Trouble::server(server)
}

pub(crate) fn no_room() -> Trouble {
    let server = RedisServer::start_with(&["--maxclients", "1"]);
    let mut only = UnixStream::connect(server.socket()).unwrap();
    until("the only client is let in", || {
        let mut greeted = [0; 5];
        let sent = only.write_all(b"PING\r\n").and_then(|()| only.read_exact(&mut greeted));
        let is_in = sent.is_ok() && &greeted == b"+PONG";
        if !is_in {
            only = UnixStream::connect(server.socket()).unwrap();
        }
        is_in
    });
    Trouble::at(server.url(), (only, server))
}

pub(crate) fn http_server() -> Trouble {
    Trouble::fake(FakeRedis::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
}

pub(crate) fn garbage() -> Trouble {
    Trouble::fake(FakeRedis::saying(b"\x16\x04\x01\x00\x02\x02\x50"))
}

/// Every command takes twenty seconds longer.
pub(crate) fn slow() -> Trouble {
    let server = RedisServer::start();
    let relay = Relay::start(server.socket(), |_| Treatment::Late(Duration::from_secs(20)));
    Trouble::at(relay.url(), (relay, server))
}

/// A replica that takes everything and confirms nothing; it ends when this is dropped.
pub(crate) fn mute_replica(server: &RedisServer) -> UnixStream {
    let mut replica = UnixStream::connect(server.socket()).unwrap();
    replica.write_all(b"SYNC\r\n").unwrap();
    until("the replica is online", || {
        let role = server.cli(&["ROLE"]);
        matches!(role, Value::Array(role) if role[2] != Value::Array(vec![]))
    });
    replica
}

/// Asks again and again until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < limit, "it never happened: {what}");
    }
}
