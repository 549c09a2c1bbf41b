//! Times `nomad-clients` against what it can't beat: one table of ratios.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is what it is for")]

mod hot;
mod measure;
mod nginx;
mod peers;
mod room;
mod served;
mod sizes;
mod stale;
mod traffic;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use measure::Row;

/// Each gives the rows of one subject; `None` = nobody asked for it.
type Subject = fn(&Path) -> Result<Vec<Row>>;

const SUBJECTS: [(&str, Subject); 5] = [
    ("hot", hot::rows),
    ("cold stale", stale::rows),
    ("serve", served::rows),
    ("memory", sizes::memory),
    ("linear", sizes::linear),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["raw", socket, ref command @ ..] => ended(peers::raw(socket, command)),
        [program] => ended(table(&PathBuf::from(program), "")),
        [program, word] => ended(table(&PathBuf::from(program), word)),
        _ => {
            eprintln!("usage: nomad-bench PROGRAM [WORD]");
            ExitCode::from(2)
        }
    }
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn table(program: &Path, word: &str) -> Result<()> {
    let program = program.canonicalize()?;
    println!("{}\n", measure::machine());
    println!("| path | peer | ours | peer's | ratio | goal | |");
    println!("|---|---|---:|---:|---:|---:|---|");
    for (_, subject) in SUBJECTS.iter().filter(|(name, _)| name.contains(word)) {
        for row in subject(&program)? {
            println!("{row}");
        }
    }
    Ok(())
}
