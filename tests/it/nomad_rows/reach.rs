//! N1 to N3: Nomad is not there, is silent, or its TLS does not fit.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use nomad_sim::{Fault, Fleet, Listen, Options, Refusing, Silent, Sim, Times, Where};

use super::{NOTHING, Room};
use crate::support::pki::file;
use crate::support::sandbox::Sandbox;
use crate::support::tls_front;

const HINT: &str = "hint: set NOMAD_ADDR or pass --address\n";
const LONGER: &str = "hint: pass a longer --timeout\n";

#[track_caller]
fn unreachable_at(address: &str, why: &str) {
    let room = Room::new().at(address);
    room.fails("list --json", 5, &format!("error: cannot reach Nomad at {address}: {why}\n{HINT}"));
    assert_eq!(room.sim.asked(), NOTHING);
}

#[test]
fn n01_a_refused_connection_is_named_with_its_address() {
    let refusing = Refusing::start();
    unreachable_at(&refusing.address(), "connection refused");
}

#[test]
fn n01_an_unreachable_network_is_named() {
    // The system itself refuses to connect to the broadcast address.
    unreachable_at("http://255.255.255.255:4646", "network is unreachable");
}

#[test]
fn n01_a_name_without_an_address_is_named() {
    // No label may be that long, so nobody is asked for it.
    let name = "x".repeat(64);
    unreachable_at(&format!("http://{name}.invalid:4646"), "no such host");
}

#[test]
fn n01_a_missing_unix_socket_is_named() {
    unreachable_at("unix:///nowhere/nomad.sock", "no such socket");
}

/// Fails with these words, which tell the limit that ended it, and does end: the system itself would
/// wait for minutes.
#[track_caller]
fn times_out(room: &Room, args: &str, stderr: &str) {
    let began = Instant::now();
    room.fails(args, 5, stderr);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn n02_a_black_hole_at_connect_times_out() {
    let silent = Silent::start();
    let address = silent.address();
    let room = Room::new().at(&address);
    let stderr =
        format!("error: cannot reach Nomad at {address}: timed out after 2s (list)\n{LONGER}");
    times_out(&room, "list --timeout 2s", &stderr);
    assert_eq!(room.sim.connections(), 0);
}

#[test]
fn n02_a_connection_has_three_seconds() {
    let silent = Silent::start();
    let address = silent.address();
    let room = Room::new().at(&address);
    let stderr = format!("error: cannot reach Nomad at {address}: timed out after 3s (connect)\n");
    times_out(&room, "list", &stderr);
}

#[test]
fn n02_no_reply_times_out() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::Never);
    let stderr = format!("error: cannot reach Nomad at NOMAD: timed out after 1s (list)\n{LONGER}");
    times_out(&room, "list --timeout 1s", &stderr);
    assert_eq!(room.sim.asked(), ["list"]);
}

#[test]
fn n02_a_head_that_drips_times_out() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::Drip(1));
    let stderr = format!("error: cannot reach Nomad at NOMAD: timed out after 2s (list)\n{LONGER}");
    times_out(&room, "list --timeout 2s", &stderr);
    assert_eq!(room.sim.asked(), ["list"]);
}

#[test]
fn n02_a_body_that_drips_times_out() {
    let room = Room::new();
    room.sim.fault(Where::List, Times::ALWAYS, Fault::Drip(1000));
    let stderr = format!("error: cannot reach Nomad at NOMAD: timed out after 2s (list)\n{LONGER}");
    times_out(&room, "list --timeout 2s", &stderr);
    assert_eq!(room.sim.asked(), ["list"]);
}

/// A Nomad behind TLS with this certificate; the run, its arguments beyond `list`, and what it says.
#[track_caller]
fn tls(cert: &str, clients: bool, args: &str, why: &str) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nomad");
    let listen = Some(Listen::Unix(socket.clone()));
    let room = Room::of(Options { listen, ..Fleet::recorded().into() });
    let address = format!("https://127.0.0.1:{}", tls_front::start(socket, cert, clients));
    let room = room.at(&address);
    let ca = file("ca.pem");
    let args = args.replace("CA", &ca.display().to_string());
    if why.is_empty() {
        room.succeeds(&format!("list --json {args}"), "", &super::EVERYTHING);
        assert_eq!(room.sim.asked().len(), 6);
    } else {
        let stderr = format!("error: cannot reach Nomad at {address}: {why}\n");
        room.fails(&format!("list --json {args}"), 5, &stderr);
        assert_eq!(room.sim.asked(), NOTHING, "nothing was sent without TLS");
    }
}

#[test]
fn n03_a_known_authority_is_trusted() {
    tls("server.pem", false, "--ca-cert CA", "");
}

#[test]
fn n03_an_unknown_authority_is_refused() {
    let why = "TLS: the certificate is signed by an unknown authority\nhint: pass --ca-cert or set NOMAD_CACERT";
    tls("server.pem", false, "", why);
}

#[test]
fn n03_an_expired_certificate_is_refused() {
    let why = "TLS: the certificate has expired\nhint: renew the certificate of Nomad, or set the clock of this machine";
    tls("expired.pem", false, "--ca-cert CA", why);
}

#[test]
fn n03_a_certificate_of_another_name_is_refused() {
    let why = "TLS: the certificate is for another name\nhint: pass --tls-server-name, for Nomad's own certificates server.<region>.nomad or client.<region>.nomad";
    tls("other.pem", false, "--ca-cert CA", why);
}

#[test]
fn n03_an_authority_that_plays_the_server_is_named() {
    let why = "TLS: the certificate is a CA certificate, not one of a server\nhint: give Nomad one that a CA has signed for it";
    tls("self-signed.pem", false, "", why);
}

#[test]
fn n03_a_missing_client_certificate_is_named() {
    let why = "TLS: Nomad requires a client certificate\nhint: pass --client-cert and --client-key";
    tls("server.pem", true, "--ca-cert CA", why);
}

/// `https://` to a listener that answers the first bytes with these; with none it never answers.
#[track_caller]
fn https_to(answer: &'static [u8], stderr: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    if !answer.is_empty() {
        thread::spawn(move || {
            let mut client = listener.accept().unwrap().0;
            client.read(&mut [0; 4096]).and_then(|_| client.write_all(answer)).unwrap();
        });
    }
    let stderr = format!(
        "error: cannot reach Nomad at {address}: {stderr}\nhint: use http:// in the address if Nomad has no TLS\n"
    );
    Room::new().at(&address).fails("list", 5, &stderr);
}

#[test]
fn n03_https_to_a_plain_port_is_named() {
    let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request";
    https_to(answer, "TLS: the answer is not TLS");
}

#[test]
fn n03_https_to_a_plain_port_that_waits_for_more_times_out() {
    https_to(b"", "timed out after 3s (connect)");
}

#[test]
fn n03_http_to_a_tls_port_is_named() {
    let room = Room::new();
    let said = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    room.sim.fault(Where::List, Times::ALWAYS, Fault::Raw(said.to_vec()));
    let stderr = "error: Nomad at NOMAD answered 400: Client sent an HTTP request to an HTTPS server.\nhint: use https:// in the address\n";
    room.fails("list", 5, stderr);
    assert_eq!(room.sim.asked(), ["list"]);
}

#[test]
fn n03_a_client_certificate_is_taken() {
    let (cert, key) = (file("client.pem"), file("server.key"));
    let args =
        format!("--ca-cert CA --client-cert {} --client-key {}", cert.display(), key.display());
    tls("server.pem", true, &args, "");
}

/// Reading the authorities costs more than all else that a hot run does.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_from_the_cache_reads_no_certificate() {
    for variable in ["NOMAD_CACERT", "SSL_CERT_FILE"] {
        let folder = tempfile::tempdir().unwrap();
        let (socket, ca) = (folder.path().join("nomad"), folder.path().join("ca.pem"));
        let listen = Some(Listen::Unix(socket.clone()));
        let sim = Sim::start(Options { listen, ..Fleet::recorded().into() });
        let port = tls_front::start(socket, "server.pem", false);
        // Files, as a busy machine may take longer to answer for a Redis than a run waits for it.
        let sandbox = Sandbox::local().nomad(&format!("https://127.0.0.1:{port}"));
        let sandbox = sandbox.with(variable, ca.to_str().unwrap());
        std::fs::copy(file("ca.pem"), &ca).unwrap();
        let all = sandbox.stdout("list -o name --ttl 1h");
        let reads = Reads::of(&ca);
        assert_eq!(sandbox.stdout("list -o name --ttl 1h"), all, "{variable}");
        assert_eq!((reads.any(), sim.asked().len()), (false, 6), "{variable}");
        assert_eq!(sandbox.stdout("list -o name --refresh"), all, "{variable}");
        assert!(reads.any(), "{variable}: whoever asks Nomad reads it");
        std::fs::write(&ca, "nothing").unwrap();
        let said = sandbox.run("list --refresh");
        assert_eq!(said.code, if variable == "NOMAD_CACERT" { 3 } else { 5 }, "{}", said.stderr);
    }
}

/// What is read of a file.
#[cfg(target_os = "linux")]
struct Reads(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Reads {
    fn of(path: &std::path::Path) -> Self {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        add_watch(&watch, path, WatchFlags::ACCESS).unwrap();
        Self(watch)
    }

    /// Whether there was anything since the last time.
    fn any(&self) -> bool {
        let read = rustix::io::read(&self.0, &mut [0; 4096]);
        assert!(matches!(read, Ok(_) | Err(rustix::io::Errno::AGAIN)), "{read:?}");
        read.is_ok()
    }
}
