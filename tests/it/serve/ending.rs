//! SIGTERM: requests in flight are answered, within a limit.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nomad_sim::Fleet;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use super::Room;
use crate::support::served::Served;

/// Nothing that a test waits for may take longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Asks for all nodes over a connection that holds little of the answer: its buffers are small, and
/// so are its segments, by which the sender measures his own.
fn reader(served: &Served) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_tcp_mss(536).unwrap();
    let at: std::net::SocketAddr = served.at.parse().unwrap();
    socket.connect(&at.into()).unwrap();
    let mut stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let head = format!("GET /api/clients HTTP/1.1\r\nhost: {}\r\n\r\n", served.at);
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// All of them read on for longer than a fast one would need.
#[test]
fn a_hundred_large_answers_are_finished() {
    let room = Room::of(Fleet::generated(1000), "--no-follow");
    let whole = room.served.get("/api/clients").body.len();
    let mut readers: Vec<(TcpStream, Vec<u8>)> =
        (0..100).map(|_| (reader(&room.served), vec![0; 1])).collect();
    for (stream, said) in &mut readers {
        stream.read_exact(said).unwrap();
    }
    room.served.signal(Signal::TERM);
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        for (stream, said) in &mut readers {
            let mut part = [0; 512];
            let read = stream.read(&mut part).unwrap();
            assert!(read > 0, "it is not finished");
            said.extend_from_slice(&part[..read]);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for (mut stream, mut said) in readers {
        stream.read_to_end(&mut said).unwrap();
        let head = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        assert!(said.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert_eq!(said.len() - head - 4, whole);
    }
    assert_eq!(room.served.end(), (0, String::new()));
}

/// Whoever has connected and asked is answered, though nobody had accepted the connection yet.
#[test]
fn who_has_asked_just_before_is_answered() {
    let room = Room::new();
    room.served.get("/api/clients");
    room.served.signal(Signal::STOP);
    let mut readers: Vec<TcpStream> = (0..20).map(|_| reader(&room.served)).collect();
    room.served.signal(Signal::TERM);
    room.served.signal(Signal::CONT);
    for stream in &mut readers {
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("]\n"), "{said}");
    }
    assert_eq!(room.served.end(), (0, String::new()));
}

#[test]
fn the_second_signal_waits_for_nobody() {
    let room = Room::of(Fleet::generated(1000), "--no-follow");
    room.served.get("/api/clients");
    let mut stalled = reader(&room.served);
    stalled.read_exact(&mut [0]).unwrap();
    room.served.signal(Signal::TERM);
    let began = Instant::now();
    while TcpStream::connect(&room.served.at).is_ok() {
        assert!(began.elapsed() < LIMIT, "it takes no connections any more");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(room.served.size().1 > 0, "it waits for its reader");
    assert_eq!(room.served.end(), (0, String::new()));
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
}
