//! Answers from a cache that is fresh.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::measure::{Amount, Goal, Row, pair, timed};
use crate::nginx;
use crate::peers;
use crate::room::Room;
use crate::traffic;

const ROUNDS: usize = 21;
/// Measured once on two cores like these; it is not run again here.
const NOMAD_NODE_STATUS: Duration = Duration::from_millis(869);
const ALL: &str = "nomad:clients:all";

pub(crate) fn rows(program: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![start(program)?];
    let few = Room::filled(program, 5)?;
    let row = |path: &str, peer: &str, times, goal| row(path, peer, times, goal);
    rows.push(row(
        "hot, 5 nodes, whole process",
        "`redis-cli GET`",
        pair(
            51,
            || timed(&mut few.run(&["list", "--json"])?),
            || timed(&mut few.redis_cli(&["GET", ALL])?),
        )?,
        0.5,
    ));
    rows.push(https(&few)?);
    let many = Room::filled(program, 10_000)?;
    let json = || timed(&mut many.run(&["list", "--json"])?);
    let get = || timed(&mut many.redis_cli(&["GET", ALL])?);
    rows.push(row(
        "`list --json`, hot, 10,000",
        "`redis-cli GET > file`",
        pair(ROUNDS, json, get)?,
        0.45,
    ));
    let raw = || timed(&mut many.raw(&["GET", ALL])?);
    rows.push(row("the same", "a raw socket reader", pair(ROUNDS, json, raw)?, 0.6));
    let table = || timed(&mut many.run(&["list"])?);
    rows.push(row(
        "`list` table in a pipe, hot, 10,000",
        "`list --json`",
        pair(ROUNDS, table, json)?,
        1.5,
    ));
    rows.push(row(
        "the same",
        "`nomad node status` of a real Nomad 2.0.5, 10,000 (recorded)",
        (pair(9, table, || Ok(NOMAD_NODE_STATUS))?.0, NOMAD_NODE_STATUS),
        0.05,
    ));
    let full = || timed(&mut many.run(&["list", "-c", "name,attr.kernel.name"])?);
    let hash = || timed(&mut many.raw(&["HGETALL", "nomad:clients:hash"])?);
    rows.push(row(
        "`list -c name,attr.kernel.name`, hot, 10,000",
        "raw read of the hash",
        pair(9, full, hash)?,
        0.7,
    ));
    rows.extend(received(&many)?);
    Ok(rows)
}

/// What Redis sends to a host that has seen this publication before.
fn received(room: &Room) -> Result<Vec<Row>> {
    let kinds: [(&str, &[&str]); 4] = [
        ("json", &["list", "--json"]),
        ("table", &["list"]),
        ("full", &["list", "--json", "--full"]),
        ("attribute", &["list", "-c", "name,attr.kernel.name"]),
    ];
    let row = |(kind, args): (&str, &[&str])| {
        timed(&mut room.run(args)?)?;
        let path = format!("hot, 10,000, second run on a host, {kind}: bytes from Redis");
        Ok(Row::bytes(&path, traffic::of(room, args)?.down, 1_000))
    };
    kinds.into_iter().map(row).collect()
}

/// Nothing that only a call to Nomad needs is done: the authorities of the system are not read.
fn https(room: &Room) -> Result<Row> {
    let (at, cert, _front) = nginx::tls(room)?;
    let hot = |args: &[&str]| {
        let mut command = room.run(args)?;
        command.env("NOMAD_ADDR", format!("https://{at}"));
        timed(&mut command)
    };
    hot(&["list", "--json", "--ca-cert", &cert.to_string_lossy()])?;
    let plain = || timed(&mut room.run(&["list", "--json"])?);
    let times = pair(51, || hot(&["list", "--json"]), plain)?;
    Ok(row("hot, 5 nodes, https address", "the same with http", times, 1.1))
}

fn start(program: &Path) -> Result<Row> {
    let folder = tempfile::TempDir::new()?;
    let hello = peers::hello(folder.path())?;
    let quiet = |program: &Path, args: &[&str]| {
        timed(Command::new(program).args(args).stdout(std::process::Stdio::null()))
    };
    let times = pair(101, || quiet(program, &["--version"]), || quiet(&hello, &[]))?;
    Ok(row("start (`--version`)", "a C hello world", times, 1.8))
}

fn row(path: &str, peer: &str, (ours, peers): (Duration, Duration), goal: f64) -> Row {
    Row {
        path: path.to_owned(),
        peer: peer.to_owned(),
        ours: Amount::Time(ours),
        peers: Amount::Time(peers),
        goal: Goal::AtMost(goal),
    }
}
