//! Where `serve` listens: addresses, unix sockets, and sockets that were handed over.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::fs::Mode;
use rustix::process::umask;

use crate::model::text::sanitised;

use super::socket_access::SocketAccess;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Listen {
    /// `IP:PORT`, `localhost:PORT`, `PORT` (of this machine), `unix:PATH`.
    ///
    /// # Errors
    /// What it should have been.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err("unix: needs a path".to_owned()),
                path => Ok(Self::Unix(path.into())),
            };
        }
        if let Ok(port) = text.parse() {
            return Ok(Self::Tcp(SocketAddr::from(([127, 0, 0, 1], port))));
        }
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = named.as_deref().unwrap_or(text).parse();
        address.map(Self::Tcp).map_err(|_| {
            "must be IP:PORT, localhost:PORT or unix:PATH, like 127.0.0.1:8080".to_owned()
        })
    }

    /// Others than the users of this machine can come.
    pub(crate) fn is_beyond(&self) -> bool {
        matches!(self, Self::Tcp(address) if !is_loopback(address.ip()))
    }
}

pub(super) fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener, SocketAddr),
    /// With the path if this process has made it.
    Unix(UnixListener, Option<PathBuf>),
}

/// Makes the socket.
///
/// # Errors
/// Why that can't be, in words.
pub(super) fn bind(listen: &Listen, access: SocketAccess) -> Result<Socket, String> {
    match listen {
        Listen::Tcp(address) => {
            let failed = |error| format!("cannot listen on {address}: {}", plain(&error));
            let listener = TcpListener::bind(address).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            Ok(Socket::Tcp(listener, bound))
        }
        Listen::Unix(path) => {
            let shown = sanitised(&path.to_string_lossy()).into_owned();
            let failed = |error| format!("cannot listen on {shown}: {}", plain(&error));
            bind_unix(path, access).map_err(failed)
        }
    }
}

/// A socket that a killed process left behind is replaced, one that somebody answers is not.
fn bind_unix(path: &Path, access: SocketAccess) -> io::Result<Socket> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    // From its first moment on nobody else may connect. Nothing else makes files yet.
    let before = umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    let socket = Socket::Unix(listener?, Some(path.to_owned()));
    access.apply(path)?;
    Ok(socket)
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such folder".to_owned(),
        _ => error.to_string(),
    }
}

/// What systemd hands over (`LISTEN_FDS`).
pub(super) fn inherited() -> Vec<Socket> {
    let mut handed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for at in 0..handed.len() {
        if let Ok(Some(listener)) = handed.take_tcp_listener(at)
            && let Ok(address) = listener.local_addr()
        {
            sockets.push(Socket::Tcp(listener, address));
        } else if let Ok(Some(listener)) = handed.take_unix_listener(at) {
            sockets.push(Socket::Unix(listener, None));
        }
    }
    sockets
}

impl Socket {
    pub(super) fn is_beyond(&self) -> bool {
        matches!(self, Self::Tcp(_, address) if !is_loopback(address.ip()))
    }

    /// As one would type it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tcp(_, address) => format!("http://{address}"),
            Self::Unix(_, Some(path)) => {
                format!("unix:{}", sanitised(&path.to_string_lossy()))
            }
            Self::Unix(_, None) => "a unix socket that was handed over".to_owned(),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn places() {
        let tcp = |text: &str| Listen::Tcp(text.parse().unwrap());
        for (text, listen, beyond) in [
            ("127.0.0.1:80", tcp("127.0.0.1:80"), false),
            ("localhost:0", tcp("127.0.0.1:0"), false),
            ("8080", tcp("127.0.0.1:8080"), false),
            ("[::1]:8080", tcp("[::1]:8080"), false),
            ("[::ffff:127.0.0.1]:1", tcp("[::ffff:127.0.0.1]:1"), false),
            ("0.0.0.0:8080", tcp("0.0.0.0:8080"), true),
            ("[::]:8080", tcp("[::]:8080"), true),
            ("10.0.0.5:80", tcp("10.0.0.5:80"), true),
            ("unix:/run/a", Listen::Unix("/run/a".into()), false),
            ("unix:///run/a", Listen::Unix("/run/a".into()), false),
        ] {
            let parsed = Listen::parse(text).unwrap();
            assert_eq!((parsed.is_beyond(), parsed), (beyond, listen), "{text}");
        }
        for text in ["", "127.0.0.1", ":8080", "example.com:80", "127.0.0.1:65536", "unix:"] {
            assert!(Listen::parse(text).is_err(), "{text}");
        }
    }
}
