//! An nginx of our own: a peer, and TLS before a simulated Nomad.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::room::Room;

/// A server that ends with this.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Listens with these options of `listen` and these rules; gives its `host:port`.
pub(crate) fn start(room: &Room, options: &str, rules: &str) -> Result<(String, Server)> {
    let folder = room.path("nginx");
    fs::create_dir_all(&folder)?;
    // The port is free again for nginx in a moment.
    let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};"))
        .concat();
    let text = format!(
        "daemon off; worker_processes 1; pid {folder}/pid; error_log /dev/null;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 10000000;\n\
         open_file_cache max=10; default_type application/json; {temporary}\n\
         server {{ listen {at} {options}; {rules} }} }}\n"
    );
    let path = room.path("nginx.conf");
    fs::write(&path, text)?;
    let child = Command::new("nginx").arg("-c").arg(path).stderr(Stdio::null()).spawn()?;
    let server = Server(child);
    let began = Instant::now();
    while TcpStream::connect(&at).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err(anyhow!("nginx does not come up"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok((at, server))
}

/// TLS before the simulated Nomad: its `host:port`, and the certificate that it shows.
pub(crate) fn tls(room: &Room) -> Result<(String, PathBuf, Server)> {
    let (key, cert) = (room.path("tls.key"), room.path("tls.pem"));
    let names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:prime256v1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(names)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .stderr(Stdio::null())
        .status()?;
    if !made.success() {
        return Err(anyhow!("openssl makes no certificate"));
    }
    let rules = format!(
        "ssl_certificate {}; ssl_certificate_key {}; location / {{ proxy_pass {}; }}",
        cert.display(),
        key.display(),
        room.sim.address()
    );
    let (at, server) = start(room, "ssl", &rules)?;
    Ok((at, cert, server))
}
