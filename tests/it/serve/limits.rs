//! Limits: slow, many and large requests (S16), and the sockets that are listened on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Room;
use crate::support::sandbox::{Sandbox, failure};
use crate::support::served::Served;

/// Each has sent nearly as much as it may. Who had to wait for one of them to be given up would wait
/// for the five seconds that a head has.
#[test]
fn s16_a_thousand_half_open_connections_keep_nobody_waiting() {
    let room = Room::new();
    room.served.get("/api/clients");
    let (memory, _) = room.served.size();
    let head = format!("GET /api/clients HTTP/1.1\r\nhost: x\r\nx-long: {}", "x".repeat(15_000));
    let (mut half, mut waited) = (Vec::<TcpStream>::new(), Duration::ZERO);
    for _ in 0..20 {
        for _ in 0..50 {
            let mut stream = room.served.connect();
            // Some are cut off at once: there are too many.
            let _ = stream.write_all(head.as_bytes());
            half.push(stream);
        }
        let began = Instant::now();
        assert_eq!(room.served.get("/api/clients").status, 200);
        waited += began.elapsed();
    }
    // From the sixth on they would be 75 s.
    assert!(waited < Duration::from_secs(45), "{waited:?}");
    let (most, open) = room.served.size();
    // 256 connections, and for each a head of 16 KB in a buffer of 64 KB.
    assert!(most < memory + 256 * (16 + 64), "{memory} KB, then {most} KB");
    assert!(open < 256 + 64, "{open} descriptors");
}

#[test]
fn s16_a_head_that_does_not_come_is_not_waited_for() {
    let room = Room::new();
    let mut stream = room.served.connect();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x").unwrap();
    let began = Instant::now();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    // The client gives up after a minute.
    assert!((4..45).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn s16_large_requests_are_refused() {
    let room = Room::new();
    let long = "x".repeat(20 << 10);
    assert_eq!(room.served.ask("GET", "/healthz", &[("x-long", &long)], "").status, 431);
    assert!([414, 431].contains(&room.served.get(&format!("/{long}")).status));
    let body = "x".repeat(65 << 10);
    let clear = room.served.ask("POST", "/api/cache/clear", &[], &body);
    assert_eq!(clear.problem(), (413, "the body is larger than 65536 bytes".to_owned()));
    let huge = [("content-length", "4611686018427387904")];
    assert_eq!(room.served.ask("POST", "/api/cache/clear", &huge, "").status, 413);
    assert_eq!(room.served.raw(b"no HTTP at all\r\n\r\n").status, 400);
    let smuggled = b"POST /api/cache/clear HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!([400, 421].contains(&room.served.raw(smuggled).status));
    assert_eq!(room.served.get("/healthz").status, 200);
}

/// One connection for many requests, also when several are sent at once.
#[test]
fn connections_are_kept() {
    let room = Room::new();
    room.served.get("/api/clients");
    let mut stream = room.served.connect();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", room.served.at);
    stream.write_all(request.repeat(3).as_bytes()).unwrap();
    let mut said = String::new();
    while said.matches("ok\n").count() < 3 {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "{said}");
        said += std::str::from_utf8(&part[..read]).unwrap();
    }
    assert_eq!(said.matches("HTTP/1.1 200 OK").count(), 3);
}

#[test]
fn several_sockets_and_what_can_not_be_listened_on() {
    let room = Room::new();
    let socket = room.sandbox.home().join("s.sock");
    let args = format!("--no-follow --listen [::1]:0 --listen unix:{}", socket.display());
    let mut served = Served::start(&room.sandbox, &args);
    let second = served.line();
    assert!(second.starts_with("listening on http://[::1]:"), "{second}");
    assert_eq!(served.line(), format!("listening on unix:{}\n", socket.display()));
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("\r\n\r\nok\n"), "{said}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let taken = |listen: &str, why: &str| {
        let said = room.sandbox.run(&format!("serve --no-follow --listen {listen}"));
        let place = listen.trim_start_matches("unix:");
        assert_eq!(said, failure(1, &format!("error: cannot listen on {place}: {why}\n")));
    };
    taken(&served.at, "the address is in use");
    taken(&format!("unix:{}", socket.display()), "the address is in use");
    taken("unix:/nowhere/at/all", "no such file or directory");
    assert_eq!(served.end().0, 0);
    assert!(!socket.exists(), "its own socket is removed");
    let said = room.sandbox.run("serve --listen example.com:80");
    let why = "error: invalid value for --listen: must be IP:PORT, localhost:PORT or unix:PATH, like 127.0.0.1:8080\n";
    assert_eq!(said, failure(2, why));
}

#[test]
fn who_may_connect_to_a_unix_socket() {
    use std::os::unix::fs::MetadataExt as _;
    let room = Room::new();
    let socket = room.sandbox.home().join("s.sock");
    let own = std::fs::metadata(room.sandbox.home()).unwrap().gid();
    // Another group than one's own may only be given by root.
    let group = if rustix::process::geteuid().is_root() { 4_711 } else { own };
    for (args, gid, mode) in [
        (String::new(), own, 0o600),
        ("--listen-mode 0660".to_owned(), own, 0o660),
        (format!("--listen-group {group}"), group, 0o660),
        (format!("--listen-group {group} --listen-mode 666"), group, 0o666),
    ] {
        let listen = format!("--no-follow --listen unix:{} {args}", socket.display());
        let served = Served::start(&room.sandbox, &listen);
        // Its access stands before the first line is printed.
        let found = std::fs::metadata(&socket).unwrap();
        assert_eq!((found.gid(), found.mode() & 0o777), (gid, mode), "{args}");
        assert_eq!((served.get("/healthz").status, served.end().0), (200, 0));
    }
    let refused = |args: &str, why: &str| {
        let said = room.sandbox.run(&format!("serve --no-follow {args}"));
        assert_eq!(said, failure(2, &format!("error: invalid value for {why}\n")), "{args}");
    };
    let unix = format!("--listen unix:{}", socket.display());
    let mode = "--listen-mode: must be an octal mode that includes 0600, like 0660";
    refused(&format!("{unix} --listen-mode 0888"), mode);
    let group = "--listen-group: no such group in /etc/group; a group ID works too";
    refused(&format!("{unix} --listen-group no-such-group"), group);
    refused("--listen-mode 0660", "--listen-mode: there is no --listen unix:PATH");
    refused(
        "--listen 127.0.0.1:0 --listen-group 0",
        "--listen-group: there is no --listen unix:PATH",
    );
    refused("--base-path nodes", "--base-path: must be a path like /tools/nodes");
    for name in ["x:y", "x:0", "x:", "http://x", "a b"] {
        let said = room.sandbox.run_each(["serve", "--no-follow", "--allowed-host", name]);
        let why = "must be a host name, or NAME:PORT";
        assert_eq!(said, failure(2, &format!("error: invalid value for --allowed-host: {why}\n")));
    }
    assert!(!socket.exists());
}

#[test]
fn a_file_in_the_place_of_a_socket_stays_and_is_reported() {
    let sandbox = Sandbox::local();
    let file = sandbox.write("file", "text");
    let said = sandbox.run(&format!("serve --listen unix:{}", file.display()));
    let why = format!(
        "error: cannot listen on {}: the file exists and is not a socket\n",
        file.display()
    );
    assert_eq!((said.stderr.lines().next(), said.code), (why.lines().next(), 1));
    assert_eq!(std::fs::read(&file).unwrap(), b"text");
}

/// A socket that a killed server left behind is taken over.
#[test]
fn a_socket_without_an_owner_is_replaced() {
    let room = Room::new();
    let socket = room.sandbox.home().join("s.sock");
    let args = format!("--no-follow --listen unix:{}", socket.display());
    drop(Served::start(&room.sandbox, &args));
    assert!(socket.exists());
    let mut served = Served::start(&room.sandbox, &args);
    assert_eq!(served.line(), format!("listening on unix:{}\n", socket.display()));
}

/// Another process has replaced the file in the meantime, by a socket or by something else.
#[test]
fn a_file_that_took_the_place_of_the_socket_is_left_alone() {
    let sandbox = Sandbox::local();
    let path = sandbox.home().join("s.sock");
    let serving = || {
        let mut served =
            Served::start(&sandbox, &format!("--no-follow --listen unix:{}", path.display()));
        served.line();
        std::fs::rename(&path, sandbox.home().join("away")).unwrap();
        served
    };
    let served = serving();
    let _other = UnixListener::bind(&path).unwrap();
    assert_eq!(served.end(), (0, String::new()));
    assert!(path.exists(), "another's socket");
    std::fs::remove_file(&path).unwrap();
    let served = serving();
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(served.end(), (0, String::new()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
}

/// Its owner is alive, though it accepts nothing any more: nobody waits for it, nor takes its place.
#[test]
fn a_socket_whose_queue_is_full_is_in_use() {
    let sandbox = Sandbox::local();
    let path = sandbox.home().join("s.sock");
    let owner = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    owner.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    owner.listen(0).unwrap();
    let _waits = UnixStream::connect(&path).unwrap();
    let said = sandbox.run(&format!("serve --no-follow --listen unix:{}", path.display()));
    let why = format!("error: cannot listen on {}: the address is in use\n", path.display());
    assert_eq!(said, failure(1, &why));
    assert!(path.exists());
}
