//! TLS that fails, to Nomad and to Redis: both say the same, each with its own options.
//!
//! | the other end | is |
//! |---|---|
//! | TLS 1.3 | `tls_front` |
//! | TLS 1.2, as OpenSSL speaks it | a `redis-server`, also where Nomad is looked for: no word gets through |
//! | any alert | a fake, which answers the greeting with it |

use crate::support::fake_redis::FakeRedis;
use crate::support::pki::file;
use crate::support::redis_server::{RedisServer, without_redis};
use crate::support::sandbox::{Output, Sandbox, failure};
use crate::support::tls_front;

use super::Room;

const NO_NOMAD: &str = "skipped nomad/answer leader token permission version latency: needs tls";
const NO_REDIS: &str =
    "skipped redis/credentials version latency commands keys writes memory: needs tls";
const UNKNOWN: &str =
    "skipped cache/state: unknown: nothing is cached yet, or a check above failed";

/// As the words about Nomad are, those about Redis.
pub(super) fn of_redis(text: &str) -> String {
    let text = text.replace("Nomad", "Redis");
    text.replace("--client-", "--redis-client-")
}

/// What is said of the server at `host`, by `doctor` and by `list`, if this certificate is shown.
#[track_caller]
fn says(host: &str, client: Option<&str>, nomad: [&str; 2], redis: [&str; 2]) {
    says_trusting("ca.pem", host, client, nomad, redis);
}

/// The same with another authority.
#[track_caller]
pub(super) fn says_trusting(
    ca: &str,
    host: &str,
    client: Option<&str>,
    nomad: [&str; 2],
    redis: [&str; 2],
) {
    let (address, url) = (format!("https://{host}"), format!("rediss://{host}"));
    let shown = |name: &str| file(name).display().to_string();
    let client = client
        .map(|cert| format!(" --client-cert {} --client-key {}", shown(cert), shown("server.key")));
    let client = client.unwrap_or_default();
    let of_nomad = format!("--ca-cert {}{client}", shown(ca));
    let of_redis = of_nomad.replace("--c", "--redis-c");
    let room = Room::new();
    let room = Room { sandbox: Sandbox::redis(&url).nomad(&address), ..room };
    let ([why, cure], [redis_why, redis_cure]) = (nomad, redis);
    let nomad = format!("problem nomad/tls: cannot reach Nomad at {address}: TLS: {why} → {cure}");
    let redis = format!("problem redis/tls: {redis_why} → {redis_cure}");
    let expected = [&*nomad, NO_NOMAD, &redis, NO_REDIS, UNKNOWN];
    room.finds(&format!("{of_nomad} {of_redis}"), 1, &expected);
    let stderr = format!("error: cannot reach Nomad at {address}: TLS: {why}\nhint: {cure}\n");
    let list = format!("list -o name {of_nomad} --cache none");
    assert_eq!(room.sandbox.run(&list), failure(5, &stderr));
    let why = format!("tls: {redis_why}: {redis_cure}");
    let stderr = format!("warning: {}\n", without_redis(&url, "reach", &why));
    let sandbox = Sandbox::redis(&url).nomad(&room.sim.address());
    let stdout = "worker-1\nworker-2\nworker-3\nworker-4\nworker-5\n".to_owned();
    let said = sandbox.run(&format!("list -o name {of_redis}"));
    assert_eq!(said, Output { stdout, stderr, code: 0 });
}

/// The same of both.
#[track_caller]
fn check(host: &str, client: Option<&str>, why: &str, cure: &str) {
    let (redis_why, redis_cure) = (of_redis(why), of_redis(cure));
    says(host, client, [why, cure], [&redis_why, &redis_cure]);
}

const MISSING: &str = "Nomad requires a client certificate";
const PASS: &str = "pass --client-cert and --client-key";
const EXPIRED: &str = "Nomad refuses the client certificate, which has expired";
const RENEW: &str =
    "pass --client-cert and --client-key of a new one, or set the clocks of both ends";
const FOREIGN: &str = "Nomad refuses the client certificate, whose authority it does not know";
const OWN: &str = "pass --client-cert and --client-key of its own CA";
pub(super) const MAYBE: &str = "Nomad refuses the handshake; it may require a client certificate";
pub(super) const MAYBE_PASS: &str = "pass --client-cert and --client-key; if it requires none, its own key may be of an unsupported type, such as P-521; else check the log of Nomad";

#[test]
fn a_certificate_for_another_name() {
    let server = RedisServer::start();
    let host = format!("localhost:{}", tls_front::start(server.socket(), "other.pem", false));
    let why = "the certificate is for another name";
    let nomad = "pass --tls-server-name, for Nomad's own certificates server.<region>.nomad or client.<region>.nomad";
    says(&host, None, [why, nomad], [why, "pass that name in --redis"]);
}

#[test]
fn a_certificate_that_has_expired() {
    let server = RedisServer::start();
    let host = format!("localhost:{}", tls_front::start(server.socket(), "expired.pem", false));
    let cure = "renew the certificate of Nomad, or set the clock of this machine";
    check(&host, None, "the certificate has expired", cure);
}

#[test]
fn a_client_certificate_that_is_missing_or_not_wanted() {
    let server = RedisServer::start();
    let host = format!("localhost:{}", tls_front::start(server.socket(), "server.pem", true));
    check(&host, None, MISSING, PASS);
    check(&host, Some("expired.pem"), EXPIRED, RENEW);
    check(&host, Some("foreign-client.pem"), FOREIGN, OWN);
}

/// OpenSSL hangs up as soon as it has said why, while the rest of the handshake is being sent.
#[test]
fn the_same_over_tls_1_2() {
    let (_server, port) =
        RedisServer::start_tls("server.pem", true, &["--tls-protocols", "TLSv1.2"]);
    let host = format!("localhost:{port}");
    check(&host, None, MAYBE, MAYBE_PASS);
    check(&host, Some("expired.pem"), EXPIRED, RENEW);
    check(&host, Some("foreign-client.pem"), FOREIGN, OWN);
}

/// Servers of Go before 1.21 call a missing certificate a bad one.
#[test]
fn alerts_that_no_server_here_sends() {
    let fake = |alert: u8| FakeRedis::saying(vec![21, 3, 3, 0, 2, 2, alert].leak());
    let answers = |alert: u8, client: Option<&str>, why: &str, cure: &str| {
        let url = fake(alert).url();
        check(url.trim_start_matches("redis://"), client, why, cure);
    };
    let (bad, revoked, handshake, internal, version) = (42, 44, 40, 80, 70);
    let client = Some("client.pem");
    answers(bad, None, MISSING, PASS);
    let refuses = "Nomad refuses the client certificate";
    let valid = "pass --client-cert and --client-key of its own CA, made for clients and valid now";
    answers(bad, client, refuses, valid);
    let was = "Nomad refuses the client certificate, which was revoked";
    answers(revoked, client, was, "pass --client-cert and --client-key of another one");
    let spite = "Nomad refuses the handshake despite the client certificate";
    let other = "check the log of Nomad: it may require another certificate or cipher";
    answers(handshake, client, spite, other);
    let neither = "Nomad supports neither TLS 1.2 nor TLS 1.3";
    answers(version, None, neither, "enable one of them there");
    answers(internal, None, "Nomad refused: InternalError", "check the log of Nomad");
}

/// It has begun to speak TLS: to write `redis://` would be no help, and a secret given away.
#[test]
fn a_redis_that_hangs_up_in_the_midst_of_a_handshake() {
    // The beginning of a record.
    let host = FakeRedis::cut_off(&[22, 3, 3, 0, 80, 2]).url();
    let room = Room::new().with_url(&host.replace("redis:", "rediss:"));
    let problem = "problem redis/tls: connection lost during the handshake → check the Redis log; if it requires a client certificate, pass --redis-client-cert and --redis-client-key";
    let ca = format!("--redis-ca-cert {}", file("ca.pem").display());
    room.finds(&ca, 1, &[problem, NO_REDIS, UNKNOWN]);
}
