//! Memory, and how both time and memory grow with the cluster.

use std::fs;
use std::io;
use std::path::Path;

use crate::measure::{Amount, Goal, Row, median, peak, timed};
use crate::room::Room;

pub(crate) fn memory(program: &Path) -> io::Result<Vec<Row>> {
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
        row("peak memory, cold, 10,000", "all details", [cold, details], 1.0),
    ])
}

/// Ten times the nodes should cost ten times as much.
pub(crate) fn linear(program: &Path) -> io::Result<Vec<Row>> {
    let sizes = [1_000, 10_000, 100_000];
    let mut found: Vec<[(&str, f64); 4]> = Vec::new();
    for nodes in sizes {
        let room = Room::new(program, nodes)?;
        let cold = timed(&mut room.run(&["list", "--json"])?)?;
        let rounds = if nodes > 10_000 { 3 } else { 9 };
        let times = |args: &[&str]| -> io::Result<f64> {
            let all: io::Result<Vec<f64>> =
                (0..rounds).map(|_| Ok(timed(&mut room.run(args)?)?.as_secs_f64())).collect();
            Ok(median(all?))
        };
        found.push([
            ("cold", cold.as_secs_f64()),
            ("refresh, nothing changed", times(&["refresh"])?),
            ("hot JSON", times(&["list", "--json"])?),
            ("hot table", times(&["list"])?),
        ]);
    }
    let mut rows = Vec::new();
    for (at, pair) in found.windows(2).enumerate() {
        for ((path, small), (_, large)) in pair[0].iter().zip(&pair[1]) {
            rows.push(Row {
                path: format!("{path}, {} nodes", sizes[at + 1]),
                peer: format!("10 × that of {}", sizes[at]),
                ours: Amount::Time(std::time::Duration::from_secs_f64(*large)),
                peers: Amount::Time(std::time::Duration::from_secs_f64(10.0 * small)),
                goal: Goal::AtMost(1.1),
            });
        }
    }
    Ok(rows)
}
