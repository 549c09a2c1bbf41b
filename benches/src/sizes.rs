//! Memory, and how both time and memory grow with the cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::measure::{Amount, Goal, Row, median, peak, timed};
use crate::room::Room;

pub(crate) fn memory(program: &Path) -> Result<Vec<Row>> {
    let room = Room::new(program, 10_000)?;
    let cold = peak(&mut room.run(&["list", "--json"])?)?;
    let answer = fs::metadata(room.path("out"))?.len();
    timed(&mut room.raw(&["HGETALL", "nomad:clients:hash"])?)?;
    let details = fs::metadata(room.path("out"))?.len();
    let mut hot = Vec::new();
    for _ in 0..5 {
        hot.push(peak(&mut room.run(&["list", "--json"])?)?);
    }
    let row = |path: &str, peer: &str, [ours, peers]: [u64; 2], goal| Row {
        path: path.to_owned(),
        peer: peer.to_owned(),
        ours: Amount::Bytes(ours),
        peers: Amount::Bytes(peers),
        goal: Goal::AtMost(goal),
    };
    Ok(vec![
        row("peak memory, hot JSON, 10,000", "the answer", [median(hot), answer], 2.2),
        row("peak memory, cold, 10,000", "all details", [cold, details], 1.5),
    ])
}

/// What one path costs at one size.
struct Cost {
    path: &'static str,
    time: Duration,
    memory: u64,
}

/// Ten times the nodes should cost ten times as much.
pub(crate) fn linear(program: &Path) -> Result<Vec<Row>> {
    let sizes = [1_000, 10_000, 100_000];
    let found = sizes.map(|nodes| costs(program, nodes));
    let found = found.into_iter().collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for (pair, nodes) in found.windows(2).zip(&sizes[1..]) {
        for (small, large) in pair[0].iter().zip(&pair[1]) {
            let row = |what: &str, ours, peers| Row {
                path: format!("{}, {nodes} nodes{what}", large.path),
                peer: format!("10 × that of {}", nodes / 10),
                ours,
                peers,
                goal: Goal::AtMost(1.1),
            };
            rows.push(row("", Amount::Time(large.time), Amount::Time(small.time * 10)));
            let memory = [large.memory, small.memory * 10].map(Amount::Bytes);
            let [ours, peers] = memory;
            rows.push(row(": peak memory", ours, peers));
        }
    }
    Ok(rows)
}

fn costs(program: &Path, nodes: u32) -> Result<Vec<Cost>> {
    let room = Room::new(program, nodes)?;
    let rounds = if nodes > 10_000 { 3 } else { 9 };
    let cost = |path: &'static str, args: &[&str], rounds: u32| {
        let (mut times, mut peaks) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // In turn, as both make the same way.
            if round % 2 == 0 || rounds == 1 {
                peaks.push(peak(&mut room.run(args)?)?);
            }
            times.push(timed(&mut room.run(args)?)?);
        }
        Ok(Cost { path, time: median(times), memory: median(peaks) })
    };
    let paths: [(&str, &[&str], u32); 5] = [
        ("cold", &["list", "--json", "--force"], 1),
        ("refresh, nothing moved", &["refresh"], rounds),
        ("hot JSON", &["list", "--json"], rounds),
        ("hot table", &["list"], rounds),
        ("hot JSON, full", &["list", "--json", "--full"], rounds),
    ];
    paths.into_iter().map(|(path, args, rounds)| cost(path, args, rounds)).collect()
}
