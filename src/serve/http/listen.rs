//! The addresses and unix sockets that `serve` listens on.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::net;
use rustix::process::umask;

use crate::model::text::{display_path, io_reason};
use crate::net::endpoint::is_loopback;

use super::base_path::BasePath;
use super::socket_access::SocketAccess;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Listen {
    /// `IP:PORT`, `localhost:PORT`, `PORT` (on loopback) or `unix:PATH`.
    ///
    /// # Errors
    /// The expected form.
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

    /// Reachable from other machines.
    pub(crate) fn is_beyond(&self) -> bool {
        matches!(self, Self::Tcp(address) if !is_loopback(address.ip()))
    }
}

#[derive(Debug)]
pub(crate) enum ListenSocket {
    Tcp(TcpListener, SocketAddr),
    /// With its file if this process has created it.
    Unix(UnixListener, Option<SocketFile>),
}

/// The path of a unix socket, and which file it was when the socket was bound.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

impl SocketFile {
    /// `None` if there is no socket at this path.
    fn at(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        let id = (found.dev(), found.ino());
        found.file_type().is_socket().then(|| Self { path: path.to_owned(), id })
    }

    /// Removes the file unless another process has replaced it.
    fn remove(&self) -> io::Result<()> {
        match Self::at(&self.path) {
            Some(found) if found.id == self.id => fs::remove_file(&self.path),
            _ => Ok(()),
        }
    }
}

/// # Errors
/// The message for the user.
pub(crate) fn bind(listen: &Listen, access: SocketAccess) -> Result<ListenSocket, String> {
    match listen {
        Listen::Tcp(address) => {
            let failed = |error| format!("cannot listen on {address}: {}", io_reason(&error));
            let listener = TcpListener::bind(address).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            Ok(ListenSocket::Tcp(listener, bound))
        }
        Listen::Unix(path) => {
            let path_text = display_path(path);
            let failed = |error| format!("cannot listen on {path_text}: {}", io_reason(&error));
            bind_unix(path, access).map_err(failed)
        }
    }
}

/// Replaces the socket that a killed process left behind, but not one that is in use.
fn bind_unix(path: &Path, access: SocketAccess) -> io::Result<ListenSocket> {
    if let Some(left) = SocketFile::at(path) {
        if !is_abandoned(path)? {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        left.remove()?;
    }
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::Error::other("the file exists and is not a socket"));
    }
    // Other users must never be able to connect. No other thread creates files yet.
    let before = umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    let socket = ListenSocket::Unix(listener?, SocketFile::at(path));
    access.apply(path)?;
    Ok(socket)
}

/// Whether nobody listens on it. Does not wait: a server that accepts nothing at the moment still owns it.
fn is_abandoned(path: &Path) -> io::Result<bool> {
    let socket = net::socket(net::AddressFamily::UNIX, net::SocketType::STREAM, None)?;
    fcntl_setfl(&socket, OFlags::NONBLOCK)?;
    let connected = net::connect(&socket, &net::SocketAddrUnix::new(path)?);
    Ok(connected == Err(Errno::CONNREFUSED))
}

impl ListenSocket {
    pub(crate) fn is_beyond(&self) -> bool {
        matches!(self, Self::Tcp(_, address) if !is_loopback(address.ip()))
    }

    /// The address of the page.
    pub(crate) fn name_below(&self, base: &BasePath) -> String {
        let slash = if base.as_str().is_empty() { "" } else { "/" };
        match self {
            Self::Tcp(..) => format!("{}{}{slash}", self.name(), base.as_str()),
            Self::Unix(..) => self.name(),
        }
    }

    /// As it would be typed.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tcp(_, address) => format!("http://{address}"),
            Self::Unix(_, Some(file)) => {
                format!("unix:{}", display_path(&file.path))
            }
            Self::Unix(_, None) => "a unix socket that was handed over".to_owned(),
        }
    }
}

impl Drop for ListenSocket {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(file)) = self {
            let _ = file.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BasePath, Listen, ListenSocket};

    #[test]
    fn the_line_leads_to_the_page() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = ListenSocket::Tcp(listener, address);
        let name = |base: &str| socket.name_below(&BasePath::parse(base).unwrap());
        assert_eq!(name("/"), format!("http://{address}"));
        assert_eq!(name("/tools/nodes"), format!("http://{address}/tools/nodes/"));
    }

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
