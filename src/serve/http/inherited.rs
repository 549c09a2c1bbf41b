//! Sockets that the service manager hands over (`LISTEN_FDS`): listening stream sockets, or an error.

use std::fs;
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::fs::FileTypeExt as _;

use listenfd::ListenFd;

use super::listen::ListenSocket;

/// Takes over `count` descriptors. `count` is what [`crate::serve::Settings::handed`] says, so it is
/// bounded before anything is made of it.
///
/// # Errors
/// The first descriptor that can't be served on, and what it is: the address that it was meant to
/// replace is no substitute.
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
            return Err(left(at, listener, "a socket that does not listen"));
        }
        return match listener.local_addr() {
            Ok(address) => Ok(ListenSocket::Tcp(listener, address)),
            Err(_) => Err(left(at, listener, "a socket without an address")),
        };
    }
    if let Ok(Some(listener)) = handed.take_unix_listener(at) {
        if !listens(&listener) {
            return Err(left(at, listener, "a socket that does not listen"));
        }
        return Ok(ListenSocket::Unix(listener, None));
    }
    if let Ok(Some(socket)) = handed.take_udp_socket(at) {
        return Err(left(at, socket, "a datagram socket"));
    }
    if let Ok(Some(socket)) = handed.take_unix_datagram(at) {
        return Err(left(at, socket, "a datagram socket"));
    }
    Err(refused(
        at,
        match handed.take_raw_fd(at) {
            Ok(Some(number)) => kind(number),
            _ => "not open",
        },
    ))
}

/// Refuses a descriptor and leaves it open: where fewer were handed over than was said, its number
/// is one of this process's own, like the pair of sockets that tells of signals. None of those
/// listens yet, so that what does listen was handed over.
fn left(at: usize, socket: impl IntoRawFd, what: &str) -> String {
    let _ = socket.into_raw_fd();
    refused(at, what)
}

/// What else a descriptor may be.
fn kind(number: i32) -> &'static str {
    match fs::metadata(format!("/dev/fd/{number}")) {
        Ok(found) if found.file_type().is_socket() => "a socket of another kind",
        Ok(_) => "not a socket",
        Err(_) => "not open",
    }
}

fn refused(at: usize, what: &str) -> String {
    let number = at + 1;
    format!(
        "cannot listen on socket {number} of LISTEN_FDS: it is {what}, \
         but must be a listening TCP or unix stream socket"
    )
}

/// A connected socket, or one that was only bound, does not.
#[cfg(not(target_vendor = "apple"))]
fn listens(socket: impl AsFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// There the system does not tell; a connected socket has a peer all the same.
#[cfg(target_vendor = "apple")]
fn listens(socket: impl AsFd) -> bool {
    rustix::net::getpeername(socket).is_err()
}
