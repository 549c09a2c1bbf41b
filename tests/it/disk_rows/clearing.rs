//! `cache clear` where the cache directory can't be used, or somebody keeps its lock.

use std::fs;
use std::process::Command;

use super::{Run, mode};
use crate::support::redis_server::RedisServer;
use crate::support::sandbox::{Output, Sandbox, failure};

/// What it holds is served again when somebody has repaired it.
#[test]
fn d1_a_clear_that_can_not_reach_the_directory() {
    let run = Run::new();
    run.sandbox.stdout("list --json");
    let (folder, redis) = (run.sandbox.cache(), RedisServer::start());
    mode(&folder, 0o755);
    let open = "is open to others (mode 0755): chmod 700 it";
    let end = "; old data may be served up to 60 s; rerun\n";
    let local = run.sandbox.run("cache clear --cache local");
    let place = folder.display();
    assert_eq!(local.code, 7);
    assert!(local.stderr.ends_with(&format!("cache NOT cleared in {place}: {open}{end}")));
    for cache in ["auto", "redis"] {
        let said = run.sandbox.run(&format!("cache clear --cache {cache} --redis {}", redis.url()));
        assert_eq!((said.code, said.stdout.as_str()), (7, ""), "{said:?}");
        assert!(said.stderr.ends_with(&format!("in {place}: {open}{end}")), "{said:?}");
    }
    let gone = run.sandbox.run("cache clear --cache auto --redis unix:///nowhere");
    assert!(gone.code == 7 && gone.stderr.contains(open), "{gone:?}");
    mode(&folder, 0o700);
    run.sim.asked();
    run.sandbox.stdout("list --json");
    assert_eq!(run.sim.asked(), Vec::<String>::new(), "it was served again");
    assert_eq!(run.sandbox.stdout("cache clear"), format!("cleared {place}\n"));
}

/// With however few descriptors: what says that it has cleared has cleared.
#[test]
fn d1_a_clear_without_descriptors() {
    for most in 3..=16 {
        let run = Run::new();
        run.sandbox.stdout("list --json");
        let clear = run.sandbox.command(["cache", "clear"]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {most}; exec \"$0\" cache clear")]);
        shell.arg(clear.get_program()).env_clear().current_dir(run.sandbox.home());
        shell.envs(clear.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let said = Output::from(shell.output().unwrap());
        run.sim.asked();
        run.sandbox.stdout("list --json");
        let is_cleared = !run.sim.asked().is_empty();
        assert!(is_cleared || said.code != 0, "ulimit -n {most}: {said:?}");
    }
}

/// Nothing can be in a file.
#[test]
fn d1_a_clear_without_a_directory() {
    let run = Run::new();
    fs::write(run.parent().join("nomad-clients"), "mine").unwrap();
    let said = run.sandbox.run("cache clear");
    assert_eq!((said.stdout.as_str(), said.code), ("cleared memory\n", 0), "{said:?}");
}

/// The note of what was cleared is part of the clear: Redis may bring it back.
#[test]
fn d3_a_lock_that_is_kept_while_redis_is_cleared() {
    let redis = RedisServer::start();
    let sandbox = Sandbox::redis(&redis.url());
    let folder = sandbox.cache();
    redis.cli(&["SET", "nomad:clients:epoch", "ab"]);
    sandbox.stdout("cache clear");
    redis.cli(&["SET", "nomad:clients:epoch", "cd"]);
    let kept = fs::File::options().write(true).open(folder.join("pub.lock")).unwrap();
    kept.lock().unwrap();
    let began = std::time::Instant::now();
    let said = sandbox.run("cache clear");
    let (place, locked) = (folder.display(), "pub.lock is held by another process");
    let stderr = format!(
        "error: cache NOT cleared in redis: deleted, but not noted on this machine: cache directory {place}: {locked}; in {place}: {locked}; old data may be served up to 60 s; rerun\n"
    );
    assert_eq!(said, failure(7, &stderr));
    assert!(began.elapsed().as_secs() < 10, "5 s in all: {:?}", began.elapsed());
}
