//! Sockets that the service manager hands over (`LISTEN_FDS`): listening stream sockets, or an error.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;

use listenfd::ListenFd;

use super::listen::Socket;

/// Takes over `count` descriptors. `count` is what [`crate::serve::Settings::handed`] says, so it is
/// bounded before anything is made of it.
///
/// # Errors
/// The first descriptor that can't be served on, and what it is: the address that it was meant to
/// replace is no substitute.
pub(super) fn sockets(count: usize) -> Result<Vec<Socket>, String> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut handed = ListenFd::from_env();
    (0..count).map(|at| socket(&mut handed, at)).collect()
}

fn socket(handed: &mut ListenFd, at: usize) -> Result<Socket, String> {
    if let Ok(Some(listener)) = handed.take_tcp_listener(at) {
        let address = listener.local_addr();
        let listens = listens(&listener);
        let address = address.map_err(|_| refused(at, "a socket without an address"))?;
        return listens.then_some(Socket::Tcp(listener, address)).ok_or_else(|| passive(at));
    }
    if let Ok(Some(listener)) = handed.take_unix_listener(at) {
        let listens = listens(&listener);
        return listens.then_some(Socket::Unix(listener, None)).ok_or_else(|| passive(at));
    }
    let is_datagram = matches!(handed.take_udp_socket(at), Ok(Some(_)))
        || matches!(handed.take_unix_datagram(at), Ok(Some(_)));
    if is_datagram {
        return Err(refused(at, "a datagram socket"));
    }
    Err(refused(
        at,
        match handed.take_raw_fd(at) {
            Ok(Some(number)) => kind(number),
            _ => "not open",
        },
    ))
}

/// What else a descriptor may be.
fn kind(number: i32) -> &'static str {
    match fs::metadata(format!("/dev/fd/{number}")) {
        Ok(found) if found.file_type().is_socket() => "a socket of another kind",
        Ok(_) => "not a socket",
        Err(_) => "not open",
    }
}

fn passive(at: usize) -> String {
    refused(at, "a socket that does not listen")
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
