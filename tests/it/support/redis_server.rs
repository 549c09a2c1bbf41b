//! A `redis-server` of a test's own, on a unix socket in a temporary folder.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Parser, Value};
use tempfile::TempDir;

use super::pki::{file, key_of};

pub(crate) struct RedisServer {
    folder: TempDir,
    child: Child,
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that is a cluster. Its bus has a port of its own, the only one that it listens on.
    pub(crate) fn cluster() -> Self {
        let bus = free_port().to_string();
        Self::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus])
    }

    /// A Sentinel, which watches over nothing.
    pub(crate) fn sentinel() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sentinel.conf"), "port 0\nunixsocket s\ndir .\n")
            .unwrap();
        let child = run(&folder, &["sentinel.conf", "--sentinel"]);
        let server = Self { folder, child };
        server.wait();
        server
    }

    /// One that speaks TLS on a port of loopback, and nothing else there; with `clients` it demands
    /// a certificate of them. Gives the port too.
    pub(crate) fn start_tls(cert: &str, clients: bool, more: &[&str]) -> (Self, u16) {
        let (port, shown) = (free_port(), |name: &str| file(name).display().to_string());
        let key = key_of(cert).display().to_string();
        let (number, cert, ca) = (port.to_string(), shown(cert), shown("ca.pem"));
        let tls = [
            ["--bind", "127.0.0.1"],
            ["--tls-port", &number],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &ca],
            ["--tls-auth-clients", if clients { "yes" } else { "no" }],
        ];
        (Self::start_with(&[tls.as_flattened(), more].concat()), port)
    }

    /// `arguments` as `redis-server` takes them: `["--maxmemory", "1mb"]`.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(&folder, arguments);
        let server = Self { folder, child };
        server.wait();
        server
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(self.socket()).is_err() {
            assert!(Instant::now() < until, "redis-server did not come up within 10 s");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The same again, as after a crash; what was not saved is gone.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        self.kill();
        let _ = std::fs::remove_file(self.socket());
        self.child = spawn(&self.folder, arguments);
        self.wait();
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process, to stop and to continue.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Where it runs and would save.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Sends one command and gives the reply, an error of Redis as a value.
    pub(crate) fn cli<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Value {
        let mut command = redis::Cmd::new();
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        let mut socket = UnixStream::connect(self.socket()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(&command.get_packed_command()).unwrap();
        Parser::new().parse_value(socket).unwrap()
    }

    /// The bytes of a string reply; `None` for nil.
    pub(crate) fn bytes<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Option<Vec<u8>> {
        match self.cli(arguments) {
            Value::BulkString(bytes) => Some(bytes),
            Value::Nil => None,
            other => panic!("no string: {other:?}"),
        }
    }

    pub(crate) fn int<A: AsRef<[u8]>>(&self, arguments: &[A]) -> i64 {
        match self.cli(arguments) {
            Value::Int(number) => number,
            other => panic!("no number: {other:?}"),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Below those that the system gives to whoever connects.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = 20_000 + u16::try_from(random() % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn spawn(folder: &TempDir, arguments: &[&str]) -> Child {
    let own =
        ["--port", "0", "--unixsocket", "s", "--save", "", "--appendonly", "no", "--dir", "."];
    run(folder, &[&own[..], arguments].concat())
}

fn run(folder: &TempDir, arguments: &[&str]) -> Child {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Command::new("redis-server")
        .env_clear()
        .env("PATH", path)
        .current_dir(folder.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need redis-server: apt-get install redis-server")
}

/// What a run says that uses the local cache instead of the Redis of this URL; `verb`: reach or use.
pub(crate) fn without_redis(url: &str, verb: &str, why: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let rest = rest.split('?').next().unwrap();
    let address = if scheme == "unix" { rest } else { rest.split('/').next().unwrap() };
    let address = address.rsplit('@').next().unwrap();
    let port = if scheme == "unix" || address.contains(':') { "" } else { ":6379" };
    format!("cannot {verb} Redis at {address}{port} ({why}); using the local cache")
}
