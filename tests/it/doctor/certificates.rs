//! Certificates that no library accepts, and keys that none can use: each is told for what it is.

use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Sandbox, UNUSED, failure};
use crate::support::tls_front;

use super::tls::{MAYBE, MAYBE_PASS, of_redis, says_trusting};

/// A server with this certificate, by one that trusts this authority.
#[track_caller]
fn check(cert: &str, ca: &str, why: &str, cure: &str) {
    let (_server, port) = RedisServer::start_tls(cert, false, &[]);
    let (redis_why, redis_cure) = (of_redis(why), of_redis(cure));
    let host = format!("localhost:{port}");
    says_trusting(ca, &host, None, [why, cure], [&redis_why, &redis_cure]);
}

#[test]
fn x509_of_version_1() {
    let cure = "give Nomad one of version 3, with its host name or IP address as a subject alternative name";
    let why = "the certificate is of X.509 version 1, which is not supported";
    check("fixture/v1.pem", "fixture/ca.pem", why, cure);
}

#[test]
fn a_name_that_stands_in_the_common_name_alone() {
    let cure = "give Nomad one with its host name or IP address as a subject alternative name";
    let why = "the certificate has no subject alternative name (its common name is not used)";
    check("common-name.pem", "ca.pem", why, cure);
}

/// The server can't even show its certificate: what it says is all that can be told.
#[test]
fn a_key_of_p_521() {
    check("fixture/p521.pem", "fixture/ca.pem", MAYBE, MAYBE_PASS);
}

#[test]
fn an_authority_with_a_key_of_p_521() {
    let why = "the certificate is signed with an unsupported algorithm, such as P-521 or SHA-1";
    let cure = "give Nomad one that is signed with an RSA, ECDSA P-256 or P-384, or Ed25519 key";
    check("fixture/by-p521.pem", "fixture/p521-ca.pem", why, cure);
}

#[test]
fn an_authority_of_the_same_name_with_another_key() {
    let server = RedisServer::start();
    let host = format!("localhost:{}", tls_front::start(server.socket(), "server.pem", false));
    let why = "the certificate is signed with another key than the known one of its authority";
    let nomad = "pass --ca-cert or set NOMAD_CACERT: the authority's current certificate";
    let redis = "pass --redis-ca-cert: the authority's current certificate";
    says_trusting("renewed-ca.pem", &host, None, [why, nomad], [why, redis]);
}

/// What is wrong with the files of a client certificate is found before anything is sent.
#[test]
fn keys_that_no_client_can_use() {
    let sandbox = Sandbox::local();
    for (cert, key, why) in [
        (
            "fixture/ca.pem",
            "fixture/encrypted.key",
            "the private key KEY is encrypted: decrypt it with openssl pkey -in KEY -out NEW.key",
        ),
        (
            "fixture/ca.pem",
            "fixture/encrypted-old.key",
            "the private key KEY is encrypted: decrypt it with openssl pkey -in KEY -out NEW.key",
        ),
        (
            "fixture/p521.pem",
            "fixture/p521.key",
            "the private key KEY is of an unsupported type: use RSA, ECDSA P-256 or P-384, or Ed25519",
        ),
        ("client.pem", "another.key", "the key KEY does not match the certificate CERT"),
        (
            "fixture/v1.pem",
            "fixture/p256.key",
            "cannot read the certificate CERT: it must be X.509 version 3",
        ),
    ] {
        let [cert, key] = [cert, key].map(|name| file(name).display().to_string());
        let why = why.replace("KEY", &key).replace("CERT", &cert);
        let options = format!("--client-cert {cert} --client-key {key}");
        let said = sandbox.run(&format!("list -a https://localhost:1 {options}"));
        assert_eq!(said, failure(3, &format!("error: {why}\n")));
        let redis = Sandbox::redis("rediss://localhost:1").nomad(UNUSED);
        let options = options.replace("--c", "--redis-c");
        let said = redis.run(&format!("cache clear {options}"));
        let error = said.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        let start = format!("error: cache NOT cleared in redis: tls: {why}");
        assert!(error.starts_with(&start), "{error}");
    }
}
