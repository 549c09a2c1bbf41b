//! Answers that Nomad is asked for: everything, or only what changed.

use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::measure::{Amount, Goal, Row, median, pair, timed};
use crate::room::Room;
use crate::traffic;

pub(crate) fn rows(program: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![cold(program)?];
    let many = Room::filled(program, 10_000)?;
    let url = format!("{}/v1/nodes", many.sim.address());
    let curl = || {
        let mut curl = Command::new("curl");
        curl.args(["-s", &url]);
        many.direct_to_file(&mut curl)?;
        timed(&mut curl)
    };
    let mut against_the_list =
        |path: &str, prepare: &dyn Fn() -> Result<()>, args: &[&str], goal| {
            let refresh = || prepare().and_then(|()| timed(&mut many.run(args)?));
            let (ours, peers) = pair(9, refresh, curl)?;
            rows.push(Row {
                path: path.to_owned(),
                peer: "the list call (curl)".to_owned(),
                ours: Amount::Time(ours),
                peers: Amount::Time(peers),
                goal: Goal::AtMost(goal),
            });
            Ok::<_, anyhow::Error>(())
        };
    against_the_list("refresh, nothing moved, 10,000", &|| Ok(()), &["refresh"], 0.4)?;
    let expire =
        || many.raw(&["DEL", "nomad:clients:all"]).and_then(|mut raw| timed(&mut raw)).map(drop);
    against_the_list(
        "`list --json`, expired, nothing moved, 10,000",
        &expire,
        &["list", "--json"],
        0.4,
    )?;
    let name = many.sim.cluster().nodes().next().map(|node| node.name.to_string());
    let report = || {
        many.sim.cluster().report_allocation(name.as_deref().unwrap_or_default());
        Ok(())
    };
    // The first three also ask whether anything has moved; then that is left out.
    against_the_list("refresh, index moved, nothing changed, 10,000", &report, &["refresh"], 1.6)?;
    let turn = Cell::new(0);
    let change = || {
        turn.set(turn.get() + 1);
        set_turn(&many, 1, turn.get());
        Ok(())
    };
    against_the_list("refresh, 1 of 10,000 changed", &change, &["refresh"], 1.8)?;
    report()?;
    let path = "refresh, index moved, nothing changed, 10,000: bytes to Redis";
    rows.push(Row::bytes(path, traffic::of(&many, &["refresh"])?.up, 4_000));
    rows.push(written(&many)?);
    Ok(rows)
}

/// Details a second against a load generator with as many connections.
fn cold(program: &Path) -> Result<Row> {
    const NODES: u32 = 2_000;
    let room = Room::new(program, NODES)?;
    let id = room.sim.cluster().nodes().next().map(|node| node.id.to_string());
    let url = format!("{}/v1/node/{}", room.sim.address(), id.unwrap_or_default());
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        room.forget()?;
        let took = timed(&mut room.run(&["list", "--json"])?)?;
        ours.push(f64::from(NODES) / took.as_secs_f64());
        peers.push(wrk(&url, 16, Duration::from_secs(1), &[])?);
    }
    Ok(Row {
        path: "cold, 2,000 details, concurrency 16".to_owned(),
        peer: "wrk, 16 connections".to_owned(),
        ours: Amount::Rate(median(ours)),
        peers: Amount::Rate(median(peers)),
        goal: Goal::AtLeast(0.7),
    })
}

/// What a refresh sends to Redis when four nodes changed.
fn written(room: &Room) -> Result<Row> {
    set_turn(room, 4, 0);
    let written = traffic::of(room, &["refresh"])?.up;
    timed(&mut room.run(&["list", "--json"])?)?;
    let all = std::fs::metadata(room.path("out"))?.len();
    Ok(Row {
        path: "refresh, 4 changed, 10,000: bytes written to Redis".to_owned(),
        peer: "`all`".to_owned(),
        ours: Amount::Bytes(written),
        peers: Amount::Bytes(all),
        goal: Goal::AtMost(1.02),
    })
}

/// Changes so many nodes.
fn set_turn(room: &Room, nodes: usize, turn: u32) {
    let mut cluster = room.sim.cluster();
    let ids: Vec<String> = cluster.nodes().take(nodes).map(|node| node.id.to_string()).collect();
    for id in ids {
        cluster.set_meta(&id, "turn", Some(&turn.to_string()));
    }
}

/// Requests a second.
pub(crate) fn wrk(url: &str, connections: u32, time: Duration, headers: &[String]) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.arg("-t1").arg(format!("-c{connections}")).arg(format!("-d{}s", time.as_secs()));
    for header in headers {
        wrk.args(["-H", header]);
    }
    let said = wrk.arg(url).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    if said.contains("Non-2xx") && headers.is_empty() {
        return Err(anyhow!("{url}: {said}"));
    }
    let rate = said.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.and_then(|rate| rate.trim().parse().ok());
    rate.ok_or_else(|| anyhow!("{url}: wrk said {said:?}"))
}
