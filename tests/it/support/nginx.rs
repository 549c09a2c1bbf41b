//! nginx as a reverse proxy: a process of its own with a configuration of the test.

use std::env;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::redis_server::free_port;

/// Nothing that a test waits for may take longer.
const LIMIT: Duration = Duration::from_secs(20);
/// Somebody else may take a port that was free a moment ago.
const ATTEMPTS: usize = 5;

/// nginx on a port of 127.0.0.1.
pub(crate) struct Nginx {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) at: String,
    _folder: TempDir,
}

impl Nginx {
    /// `server` stands within its `server` block. All else is as nginx comes.
    ///
    /// # Panics
    /// There is no nginx, or it does not start.
    #[track_caller]
    pub(crate) fn start(server: &str) -> Self {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            match Self::attempt(server) {
                Ok(nginx) => return nginx,
                Err(why) => said = why,
            }
        }
        panic!("nginx does not start: {said}");
    }

    fn attempt(server: &str) -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let at = format!("127.0.0.1:{}", free_port());
        // One process with the rights of the test: it must be able to open the socket of `serve`.
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\n\
             http {{\naccess_log off;\n{paths}server {{\nlisten {at};\n{server}\n}}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let child = Command::new(program())
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self { child, at, _folder: folder };
        let until = Instant::now() + LIMIT;
        while TcpStream::connect(&nginx.at).is_err() {
            let ended = nginx.child.try_wait().unwrap().is_some();
            if ended || Instant::now() > until {
                let log = nginx._folder.path().join("error.log");
                return Err(std::fs::read_to_string(log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(nginx)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian has it where only root looks.
fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(Into::into));
    let found = folders.map(|folder| folder.join("nginx")).find(|path| path.is_file());
    found.expect("these tests need nginx: apt-get install nginx-light")
}
