//! S6, G16: every fault of Nomad and of the way to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use nomad_sim::{Fault, Fleet, Framing, Listen, Options, Refusing, Silent, Sim, Times, Where};

use super::{
    FILE_PAIR, PAIR, PROXY_PAIR, Room, check_redis, check_silent, each, echoes, secretive,
};
use crate::support::pki::file;
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::Sandbox;
use crate::support::tls_front;
use crate::support::wire_server::{Act, WireServer};

const COMMANDS: [&str; 6] =
    ["list", "refresh", "list --force", "list --stale-if-error 1h", "show worker-1", "doctor"];

fn faults() -> Vec<Fault> {
    let json = [("Content-Type", "application/json")];
    let plain = vec![
        Fault::status(500, "No cluster leader"),
        Fault::status(403, "Permission denied"),
        Fault::too_many_requests(Some("1")),
        Fault::answer(302, &[("Location", "http://elsewhere.invalid/")], ""),
        Fault::answer(200, &json, "[{"),
        Fault::html(200),
        Fault::Never,
        Fault::Drip(1),
        Fault::Drip(1000),
        Fault::Close,
        Fault::Reset,
        Fault::Cut(500),
        Fault::CutReset(500),
        Fault::Raw(b"no HTTP at all".to_vec()),
        Fault::framing(Framing::Lie(100_000)),
        Fault::bomb(1),
        Fault::header("Content-Encoding", Some("br")),
        Fault::header("Content-Encoding", Some("gzip")),
        Fault::header("X-Nomad-Index", Some("many")),
        Fault::header("X-Nomad-KnownLeader", Some("false")),
    ];
    [plain, echoes()].concat()
}

/// The token and the password were sent, so there was something to tell.
#[track_caller]
fn check_sent(sim: &Sim) {
    let ledger = sim.ledger();
    assert!(!ledger.is_empty());
    for request in ledger {
        assert_eq!(request.token(), Some("token-canary"));
        assert_eq!(request.header("Authorization"), Some(&*format!("Basic {PAIR}=")));
    }
}

#[test]
fn s6_no_fault_of_nomad_leaks_a_secret() {
    let faults = faults();
    let cases: Vec<_> =
        faults.iter().flat_map(|fault| [(fault, Where::List), (fault, Where::Nodes)]).collect();
    each(&cases, |(fault, place)| {
        let redis = RedisServer::start();
        let room = Room::new(&redis.url());
        room.sim.fault(place.clone(), Times::ALWAYS, (*fault).clone());
        for args in COMMANDS {
            check_silent(&room.sandbox, " --timeout 1s", args);
        }
        room.sim.heal();
        assert_eq!(check_silent(&room.sandbox, "", "list").code, 0);
        check_redis(&redis);
        check_sent(&room.sim);
    });
}

/// N11: what unpacks to more than is read.
#[test]
fn s6_a_bomb_leaks_no_secret() {
    let redis = RedisServer::start();
    let room = Room::new(&redis.url());
    room.sim.fault(Where::List, Times::ALWAYS, Fault::bomb(300));
    assert_eq!(check_silent(&room.sandbox, " --timeout 2m", "list").code, 6);
    check_sent(&room.sim);
}

/// Dead, silent, without an address, with user and password in its address, and no TLS where it
/// should be.
#[test]
fn s6_a_nomad_that_can_not_be_reached_leaks_no_secret() {
    let redis = RedisServer::start();
    let (dead, silent, plain) = (Refusing::start(), Silent::start(), Sim::start(Fleet::recorded()));
    let addresses = [
        dead.address(),
        silent.address(),
        dead.address().replace("http://", "http://me:url-canary@"),
        plain.address().replace("http://", "https://"),
        format!("http://{}.invalid:4646", "x".repeat(64)),
        "unix:///nowhere/nomad.sock".to_owned(),
    ];
    each(&addresses, |address| {
        let sandbox = secretive(&redis.url(), address);
        for args in COMMANDS {
            let said = check_silent(&sandbox, " --timeout 1s", args);
            assert_ne!(said.code, 0, "{address}: {args}");
        }
    });
    assert_eq!(plain.asked(), Vec::<String>::new());
}

/// N3: certificates of the server and of the client, the authority, and what is said of them.
const TLS: [(&str, &str, &str, &str); 5] = [
    ("expired.pem", "client.pem", "ca.pem", "the certificate has expired"),
    ("other.pem", "client.pem", "ca.pem", "the certificate is for another name"),
    (
        "server.pem",
        "client.pem",
        "other-ca.pem",
        "the certificate is signed by an unknown authority",
    ),
    ("server.pem", "", "ca.pem", "Nomad requires a client certificate"),
    ("server.pem", "client.pem", "ca.pem", ""),
];

#[test]
fn s6_tls_that_does_not_fit_leaks_no_secret() {
    let path = |name: &str| match name {
        "" => String::new(),
        name => file(name).display().to_string(),
    };
    for (cert, client, authority, why) in TLS {
        let (folder, redis) = (tempfile::tempdir().unwrap(), RedisServer::start());
        let socket = folder.path().join("nomad");
        let listen = Some(Listen::Unix(socket.clone()));
        let sim = Sim::start(Options { listen, ..Fleet::recorded().into() });
        let address = format!("https://127.0.0.1:{}", tls_front::start(socket, cert, true));
        let key = if client.is_empty() { "" } else { "server.key" };
        let sandbox = secretive(&redis.url(), &address)
            .with("NOMAD_CACERT", &path(authority))
            .with("NOMAD_CLIENT_CERT", &path(client))
            .with("NOMAD_CLIENT_KEY", &path(key));
        for args in COMMANDS {
            let said = check_silent(&sandbox, "", args);
            let told = format!("{}{}", said.stdout, said.stderr);
            assert!(told.contains(why) && (said.code == 0) == why.is_empty(), "{args}: {said:?}");
        }
        assert_eq!(sim.asked().is_empty(), !why.is_empty());
    }
}

/// A proxy that repeats what it was sent and passes nothing on. Only what is not on this machine is
/// asked through one.
#[test]
fn s6_a_proxy_leaks_no_secret() {
    let redis = RedisServer::start();
    let answers = ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"];
    let cases: Vec<_> =
        answers.iter().flat_map(|answer| [("http", answer), ("https", answer)]).collect();
    each(&cases, |(scheme, answer)| {
        let answer = answer.to_string();
        let proxy = WireServer::start(move |asked| {
            let mut lines = asked.lines.clone();
            lines.reverse();
            let body = lines.join(" and ");
            let head = format!("content-type: text/plain\r\ncontent-length: {}", body.len());
            Act::Close(format!("HTTP/1.1 {answer}\r\n{head}\r\n\r\n{body}").into_bytes())
        });
        let url = format!("http://me:proxy-canary@127.0.0.1:{}", proxy.port);
        let sandbox = secretive(&redis.url(), &format!("{scheme}://nomad.test:4646"))
            .with("HTTP_PROXY", &url)
            .with("HTTPS_PROXY", &url);
        for args in COMMANDS {
            let said = check_silent(&sandbox, " --timeout 2s", args);
            assert_ne!(said.code, 0, "{args}: {said:?}");
        }
        assert!(proxy.asked().len() >= COMMANDS.len());
        for asked in proxy.asked() {
            let sent = asked.header("Proxy-Authorization").unwrap_or_default();
            assert!(sent.contains(PROXY_PAIR), "{asked:?}");
        }
    });
}

/// A good configuration file, which only its owner can read.
#[test]
fn s6_what_is_configured_is_used_and_not_shown() {
    let (sim, redis) = (Sim::start(Fleet::recorded()), RedisServer::start());
    redis.cli(&["ACL", "SETUSER", "nc", "on", ">file-canary", "~*", "+@all"]);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let address = sim.address().replace("http://", "http://me:file-canary@");
    let text = format!(
        "address = '{address}'\nredis = '{}?user=nc&pass=file-canary'\ntoken-file = '{}'\n",
        redis.url(),
        write("token", "file-canary\n")
    );
    let (sandbox, options) =
        (Sandbox::empty().configured(), format!(" --config {}", write("config.toml", &text)));
    for args in ["list", "refresh", "show worker-1", "cache stats", "doctor"] {
        let said = check_silent(&sandbox, &options, args);
        assert_eq!(said.code, 0, "{args}: {said:?}");
    }
    // They are there, so the password was right.
    check_redis(&redis);
    assert_eq!(check_silent(&sandbox, &options, "cache clear").code, 0);
    for request in sim.ledger() {
        assert_eq!(request.token(), Some("file-canary"));
        assert_eq!(request.header("Authorization"), Some(&*format!("Basic {FILE_PAIR}=")));
    }
}
