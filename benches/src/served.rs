//! `serve` against nginx with the same bytes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::measure::{Amount, Goal, Row, median};
use crate::nginx::{self, Server};
use crate::room::Room;
use crate::stale::wrk;

const TIME: Duration = Duration::from_secs(2);

pub(crate) fn rows(program: &Path) -> Result<Vec<Row>> {
    let small = against_nginx(program, 2, "2 KB")?;
    let large = against_nginx(program, 1_000, "1 MB")?;
    Ok(small.into_iter().chain(large.into_iter().take(1)).collect())
}

fn against_nginx(program: &Path, nodes: u32, size: &str) -> Result<Vec<Row>> {
    let room = Room::filled(program, nodes)?;
    let mut serve = room.run(&["serve", "--listen", "127.0.0.1:0"])?;
    let mut child = serve.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let out = child.stdout.take().ok_or_else(|| anyhow!("no stdout"))?;
    BufReader::new(out).read_line(&mut line)?;
    let _serve = Server(child);
    let at = line.trim().trim_start_matches("listening on http://").to_owned();
    let (head, body) = get(&at, "/api/clients")?;
    let (nginx, _nginx) = nginx(&room, &body)?;
    let tag = |head: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("etag: "));
        format!("If-None-Match: {}", line.map_or("", |line| &line[6..]))
    };
    let ours = (format!("http://{at}/api/clients"), tag(&head));
    let peers = (format!("http://{nginx}/clients.json"), tag(&get(&nginx, "/clients.json")?.0));
    let rate = |(url, tag): &(String, String), unmodified: bool| {
        let headers = if unmodified { std::slice::from_ref(tag) } else { &[] };
        wrk(url, 64, TIME, headers)
    };
    let mut rows = Vec::new();
    for unmodified in [false, true] {
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            own.push(rate(&ours, unmodified)?);
            other.push(rate(&peers, unmodified)?);
        }
        rows.push(Row {
            path: format!("`serve` GET, {}, 64 connections", if unmodified { "304" } else { size }),
            peer: "nginx, one worker, same bytes".to_owned(),
            ours: Amount::Rate(median(own)),
            peers: Amount::Rate(median(other)),
            goal: Goal::AtLeast(1.0),
        });
    }
    Ok(rows)
}

/// Head and body.
fn get(at: &str, path: &str) -> Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(at)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(bytes.len());
    let body = bytes.split_off((end + 4).min(bytes.len()));
    Ok((String::from_utf8_lossy(&bytes).into_owned(), body))
}

fn nginx(room: &Room, body: &[u8]) -> Result<(String, Server)> {
    let folder = room.path("nginx");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("clients.json"), body)?;
    nginx::start(room, "", &format!("root {};", folder.display()))
}
