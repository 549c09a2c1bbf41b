//! Sockets from the service manager (`LISTEN_FDS`): listening stream sockets, or an error.

use std::fs;
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::fs::FileTypeExt as _;

use listenfd::ListenFd;

use super::listen::ListenSocket;

/// Takes over `count` descriptors, which the caller has limited.
///
/// # Errors
/// The first descriptor that is not a listening socket, and what it is.
pub(crate) fn sockets(count: usize) -> Result<Vec<ListenSocket>, String> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut handed = ListenFd::from_env();
    (0..count).map(|at| socket(&mut handed, at)).collect()
}

fn socket(handed: &mut ListenFd, at: usize) -> Result<ListenSocket, String> {
    if let Ok(Some(listener)) = handed.take_tcp_listener(at) {
        if !listens(&listener) {
            return Err(rejected(at, listener, "a socket that does not listen"));
        }
        return match listener.local_addr() {
            Ok(address) => Ok(ListenSocket::Tcp(listener, address)),
            Err(_) => Err(rejected(at, listener, "a socket without an address")),
        };
    }
    if let Ok(Some(listener)) = handed.take_unix_listener(at) {
        if !listens(&listener) {
            return Err(rejected(at, listener, "a socket that does not listen"));
        }
        return Ok(ListenSocket::Unix(listener, None));
    }
    if let Ok(Some(socket)) = handed.take_udp_socket(at) {
        return Err(rejected(at, socket, "a datagram socket"));
    }
    if let Ok(Some(socket)) = handed.take_unix_datagram(at) {
        return Err(rejected(at, socket, "a datagram socket"));
    }
    Err(wrong(
        at,
        match handed.take_raw_fd(at) {
            Ok(Some(number)) => kind(number),
            _ => "not open",
        },
    ))
}

/// Rejects a descriptor and leaves it open: if there are fewer than `LISTEN_FDS` says, its number belongs
/// to this process, like the sockets for signals. None of those listens.
fn rejected(at: usize, socket: impl IntoRawFd, what: &str) -> String {
    let _ = socket.into_raw_fd();
    wrong(at, what)
}

/// Names other kinds of descriptors.
fn kind(number: i32) -> &'static str {
    match fs::metadata(format!("/dev/fd/{number}")) {
        Ok(found) if found.file_type().is_socket() => "a socket of another kind",
        Ok(_) => "not a socket",
        Err(_) => "not open",
    }
}

fn wrong(at: usize, what: &str) -> String {
    let number = at + 1;
    format!(
        "cannot listen on socket {number} of LISTEN_FDS: it is {what}, \
         but must be a listening TCP or unix stream socket"
    )
}

/// `false` for a connected socket, or one that is only bound.
#[cfg(not(target_vendor = "apple"))]
fn listens(socket: impl AsFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// The system does not tell; but a connected socket has a peer.
#[cfg(target_vendor = "apple")]
fn listens(socket: impl AsFd) -> bool {
    rustix::net::getpeername(socket).is_err()
}
