//! Bodies that never come: nobody else waits for them, and most requests need none.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use super::Room;

/// A request whose body is announced and not sent.
fn withheld(room: &Room, path: &str, more: &str) -> TcpStream {
    let mut stream = room.served.connect();
    let at = &room.served.at;
    let head = format!("POST {path} HTTP/1.1\r\nhost: {at}\r\n{more}content-length: 20\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// The same, as soon as its head was read: then it is asked for the body, answered, or cut off.
fn held(room: &Room, path: &str) -> TcpStream {
    let mut stream = withheld(room, path, "expect: 100-continue\r\n");
    let _ = stream.read(&mut [0]);
    stream
}

/// More than there are connections, and no token is needed for these.
#[test]
fn s16_three_hundred_withheld_bodies_keep_nobody_waiting() {
    let room = Room::new();
    for path in ["/login", "/api/cache/clear", "/api/discover/clients"] {
        let mut all = Vec::new();
        for _ in 0..30 {
            all.extend((0..10).map(|_| held(&room, path)));
            assert_eq!(room.served.get("/healthz").status, 200, "{path}: {}", all.len());
        }
        assert_eq!(room.served.get("/api/clients").status, 200, "{path}");
        let token = room.served.ask("POST", "/login", &[], "token=a-guess");
        assert_eq!(token.status, 401, "{path}: a body that comes is read");
    }
}

#[test]
fn s16_a_body_that_is_needed_is_not_waited_for_long() {
    let room = Room::new();
    let mut stream = withheld(&room, "/login", "");
    stream.write_all(b"token=").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    assert!(said.contains("the body did not arrive in time"), "{said}");
}

/// It is answered at once, and the connection goes on when the body has come after all.
#[test]
fn a_body_that_nobody_needs_is_not_waited_for() {
    let room = Room::new();
    let stream = withheld(&room, "/api/cache/clear", "");
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut line = || {
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(line(), "HTTP/1.1 200 OK\r\n");
    while !line().starts_with("{\"success\":true") {}
    let next = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", room.served.at);
    (&stream).write_all(format!("{}{next}", "x".repeat(20)).as_bytes()).unwrap();
    assert_eq!(line(), "HTTP/1.1 200 OK\r\n", "of the second request");
    let mut rest = withheld(&room, "/api/cache/clear", "");
    let mut said = String::new();
    rest.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "then it is closed: {said}");
}
