//! S20 and TLS at both ends: a real `redis-server` that speaks it, and every reason to go away.

use nomad_sim::{Fleet, Listen, Options, Sim};

use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::redis_server::without_redis;
use crate::support::sandbox::{Output, Sandbox, failure};
use crate::support::tls_front;

use super::good;

/// A Nomad behind TLS.
struct Nomad {
    sim: Sim,
    address: String,
    _folder: tempfile::TempDir,
}

impl Nomad {
    fn with(cert: &str, clients: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("nomad");
        let listen = Some(Listen::Unix(socket.clone()));
        let sim = Sim::start(Options { listen, ..Fleet::recorded().into() });
        let address = format!("https://127.0.0.1:{}", tls_front::start(socket, cert, clients));
        Self { sim, address, _folder: folder }
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::local().nomad(&self.address)
    }

    /// Nothing is said to it, and this is why.
    #[track_caller]
    fn distrusted(&self, sandbox: &Sandbox, args: &str, why: &str) {
        let stderr = format!("error: cannot reach Nomad at {}: TLS: {why}\n", self.address);
        assert_eq!(sandbox.run(args), failure(5, &stderr), "{args}");
        assert_eq!(self.sim.asked(), Vec::<String>::new(), "nothing was said without TLS");
    }
}

fn shown(name: &str) -> String {
    file(name).display().to_string()
}

const SKIPPED: &str =
    "warning: Nomad's certificate is not verified: --tls-skip-verify or NOMAD_SKIP_VERIFY is set\n";

/// However it is said, and also when nothing is asked of Nomad; once, though `show` asks twice.
#[test]
fn s20_skipping_the_proof_is_warned_of_in_every_run() {
    let nomad = Nomad::with("expired.pem", false);
    let set = nomad.sandbox().with("NOMAD_SKIP_VERIFY", "true");
    let all = nomad.sandbox().run("list --json --tls-skip-verify --cache none").stdout;
    for _ in 0..2 {
        assert_eq!(nomad.sandbox().run("list --json --tls-skip-verify"), good(&all, SKIPPED));
        assert_eq!(set.run("list --json"), good(&all, SKIPPED));
    }
    nomad.sim.asked();
    assert_eq!(set.run("list --json"), good(&all, SKIPPED));
    assert_eq!(nomad.sim.asked(), Vec::<String>::new(), "a hit");
    assert_eq!(set.run("show worker-1").stderr, SKIPPED);
    assert_eq!(set.run("list --json -q"), good(&all, ""));
    let configured = nomad.sandbox();
    configured.write(".config/nomad-clients/config.toml", "tls-skip-verify = true\n");
    assert_eq!(configured.run("list --json"), good(&all, SKIPPED));
    let unset = |value| nomad.sandbox().with("NOMAD_SKIP_VERIFY", value);
    let args = format!("list --ca-cert {}", shown("ca.pem"));
    nomad.sim.asked();
    let why = "the certificate has expired\nhint: renew the certificate of Nomad, or set the clock of this machine";
    // As by Nomad's own command line, what is no truth value of Go is ignored.
    for value in ["false", "yes", "on"] {
        nomad.distrusted(&unset(value), &args, why);
    }
}

/// What is said of Nomad is not said of Redis.
#[test]
fn s20_redis_is_verified_whatever_is_said_of_nomad() {
    let sim = Sim::start(Fleet::recorded());
    let redis = Tls::with("server.pem", false);
    let sandbox = Sandbox::redis(&redis.url).nomad(&sim.address());
    let sandbox = sandbox.with("NOMAD_SKIP_VERIFY", "true");
    let why = "tls: the certificate is signed by an unknown authority: pass --redis-ca-cert";
    let stderr = format!("warning: {}\n", without_redis(&redis.url, "reach", why));
    let args = format!("list -o name --redis-ca-cert {}", shown("other-ca.pem"));
    let names = "worker-1\nworker-2\nworker-3\nworker-4\nworker-5\n";
    assert_eq!(sandbox.run(&args), good(names, &stderr));
    assert_eq!(redis.server.int(&["DBSIZE"]), 0);
}

#[test]
fn s20_nomad_is_trusted_by_a_directory_a_name_and_both_certificates() {
    let nomad = Nomad::with("other.pem", true);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(file("ca.pem"), folder.path().join("ca.pem")).unwrap();
    let sandbox = nomad.sandbox();
    let options = format!(
        "--ca-path {} --tls-server-name other.example.com --client-cert {} --client-key {}",
        folder.path().display(),
        shown("client.pem"),
        shown("server.key")
    );
    let names = "worker-1\nworker-2\nworker-3\nworker-4\nworker-5\n";
    assert_eq!(sandbox.stdout(&format!("list -o name {options}")), names);
    let set = nomad
        .sandbox()
        .with("NOMAD_CAPATH", &folder.path().display().to_string())
        .with("NOMAD_TLS_SERVER_NAME", "other.example.com")
        .with("NOMAD_CLIENT_CERT", &shown("client.pem"))
        .with("NOMAD_CLIENT_KEY", &shown("server.key"));
    assert_eq!(set.stdout("list -o name"), names);
}

#[test]
fn s20_a_certificate_that_nomad_does_not_want_or_that_is_not_valid_yet() {
    let nomad = Nomad::with("server.pem", true);
    let args = |cert: &str| {
        format!(
            "list --ca-cert {} --client-cert {} --client-key {}",
            shown("ca.pem"),
            shown(cert),
            shown("server.key")
        )
    };
    let why = "Nomad refuses the client certificate, whose authority it does not know\nhint: pass --client-cert and --client-key of its own CA";
    nomad.distrusted(&nomad.sandbox(), &args("foreign-client.pem"), why);
    let early = Nomad::with("early.pem", false);
    let why = "the certificate is not valid yet\nhint: set the clock of this machine";
    early.distrusted(&early.sandbox(), &args("client.pem"), why);
}

/// A `redis-server` that speaks TLS on a port of loopback, and nothing else there.
struct Tls {
    server: RedisServer,
    url: String,
    port: u16,
}

impl Tls {
    fn with(cert: &str, clients: bool) -> Self {
        let (server, port) = RedisServer::start_tls(cert, clients, &[]);
        Self { server, url: format!("rediss://localhost:{port}"), port }
    }
}

#[test]
fn s20_a_redis_that_proves_itself_holds_the_cache() {
    for (clients, options) in [
        (false, format!("--redis-ca-cert {}", shown("ca.pem"))),
        (
            true,
            format!(
                "--redis-ca-cert {} --redis-client-cert {} --redis-client-key {}",
                shown("ca.pem"),
                shown("client.pem"),
                shown("server.key")
            ),
        ),
    ] {
        let sim = Sim::start(Fleet::recorded());
        let redis = Tls::with("server.pem", clients);
        let sandbox = Sandbox::redis(&redis.url).nomad(&sim.address());
        let all = sandbox.stdout(&format!("list --json {options}"));
        assert_eq!(sandbox.stdout(&format!("list --json {options}")), all);
        assert_eq!(sim.asked().len(), 6, "the second list is a hit");
        let held = redis.server.bytes(&["GET", "nomad:clients:all"]).unwrap();
        assert_eq!(String::from_utf8(held).unwrap() + "\n", all);
        let cleared = format!("cleared rediss://localhost:{}/0\n", redis.port);
        let said = sandbox.stdout(&format!("cache clear {options}"));
        assert!(said.starts_with(&cleared), "{said}");
        assert!(redis.server.bytes(&["GET", "nomad:clients:all"]).is_none());
    }
}

/// The whole list, why Redis was left alone, and `cache clear` that says the same.
#[track_caller]
fn left_alone(url: &str, server: &RedisServer, options: &str, why: &str) {
    let sim = Sim::start(Fleet::recorded());
    let sandbox = Sandbox::redis(url).nomad(&sim.address());
    let all = Sandbox::local().nomad(&sim.address()).stdout("list --json");
    let stderr = format!("warning: {}\n", without_redis(url, "reach", why));
    assert_eq!(sandbox.run(&format!("list --json {options}")), good(&all, &stderr));
    assert_eq!(server.int(&["DBSIZE"]), 0, "nothing was written without TLS");
    let stderr = format!(
        "note: cleared {}\nerror: cache NOT cleared in redis: {why}; old data may be served up to 60 s; rerun\n",
        sandbox.cache().display()
    );
    let cleared = Output { stdout: String::new(), stderr, code: 7 };
    assert_eq!(sandbox.run(&format!("cache clear {options}")), cleared);
}

#[test]
fn s20_every_reason_to_leave_a_redis_alone_is_named_with_its_cure() {
    let (ours, theirs) = (
        format!("--redis-ca-cert {}", shown("ca.pem")),
        format!("--redis-ca-cert {}", shown("other-ca.pem")),
    );
    let foreign = format!(
        "{ours} --redis-client-cert {} --redis-client-key {}",
        shown("foreign-client.pem"),
        shown("server.key")
    );
    for (cert, clients, options, why) in [
        (
            "expired.pem",
            false,
            &ours,
            "tls: the certificate has expired: renew the certificate of Redis, or set the clock of this machine",
        ),
        (
            "early.pem",
            false,
            &ours,
            "tls: the certificate is not valid yet: set the clock of this machine",
        ),
        (
            "other.pem",
            false,
            &ours,
            "tls: the certificate is for another name: pass that name in --redis",
        ),
        (
            "server.pem",
            false,
            &theirs,
            "tls: the certificate is signed by an unknown authority: pass --redis-ca-cert",
        ),
        (
            "server.pem",
            true,
            &ours,
            "tls: Redis requires a client certificate: pass --redis-client-cert and --redis-client-key",
        ),
        (
            "server.pem",
            true,
            &foreign,
            "tls: Redis refuses the client certificate, whose authority it does not know: pass --redis-client-cert and --redis-client-key of its own CA",
        ),
    ] {
        let redis = Tls::with(cert, clients);
        left_alone(&redis.url, &redis.server, options, why);
    }
}

/// Neither end takes the other's word for what is spoken.
#[test]
fn s20_a_redis_that_speaks_tls_is_not_spoken_to_without() {
    let redis = Tls::with("server.pem", false);
    let plain = format!("redis://localhost:{}", redis.port);
    left_alone(&plain, &redis.server, "", "connection lost");
}
