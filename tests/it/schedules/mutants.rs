//! Have the schedules and scenes teeth? One rule is broken at a time, and something must notice it.

mod records;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::stores;

use super::batch::Batch;
use super::broken::{Broken, BrokenCast, Client, Edit};
use super::redis_ground::RedisGround;
use super::run::Runner;
use super::scenes::SCENES;
use super::setup::{BrokenBench, Setup};

use records::{COPIES, RECORDS};

const LIVE: &str = "if lease == watch and epoch == ARGV[4] then";
const OTHER_SCOPE: &str =
    "if meta and meta.scope ~= scope then meta, fam = parse(get(KEYS[6])), 6 end";
const FITS: &str = "if not meta or meta.rev ~= base or redis.pcall('HLEN', H) ~= meta.count then";

/// What notices a broken rule.
#[derive(Debug, Clone, Copy)]
enum By {
    /// Random schedules, within so many.
    Schedules(u64),
    /// An exact scene; random schedules meet the case too seldom.
    Scene(&'static str),
    /// Nothing can, for this reason.
    Nothing(&'static str),
}

struct Mutant {
    name: &'static str,
    edits: &'static [Edit],
    client: Client,
    by: By,
}

const fn script(name: &'static str, edits: &'static [Edit], by: By) -> Mutant {
    Mutant { name, edits, client: Client::Honest, by }
}

const fn client(name: &'static str, client: Client, by: By) -> Mutant {
    Mutant { name, edits: &[], client, by }
}

const MANY: By = By::Schedules(1500);

const FENCING: &[Mutant] = &[
    script("publish: neither lease nor epoch checked", &[("PUBLISH", LIVE, "if epoch then")], MANY),
    script(
        "publish: lease not checked",
        &[("PUBLISH", LIVE, "if epoch == ARGV[4] then")],
        By::Scene("lease_ends_with_its_publication"),
    ),
    script(
        "publish: epoch not checked",
        &[("PUBLISH", LIVE, "if lease == watch and epoch then")],
        MANY,
    ),
    client("clear leaves epoch and lease", Client::ClearsHalf, MANY),
    client(
        "reader ignores the epoch",
        Client::IgnoresEpoch,
        By::Scene("an_evicted_epoch_voids_everything"),
    ),
    client("reader ignores the scope", Client::IgnoresScope, MANY),
    script(
        "scope guard missing in the scripts",
        &[
            ("ENTER", OTHER_SCOPE, ""),
            ("ENTER", "meta.scope ~= scope or ", ""),
            ("PUBLISH", OTHER_SCOPE, ""),
            ("PUBLISH", "meta.scope ~= scope or ", ""),
        ],
        By::Scene("two_scopes_side_by_side"),
    ),
];

const ORDER: &[Mutant] = &[
    script(
        "no index rule (OLDER)",
        &[("PUBLISH", "if meta and idx < meta.idx and reset ~= meta.rev then", "if false then")],
        By::Scene("floor_refuses_the_older"),
    ),
    script(
        "fenced publisher does nothing",
        &[(
            "PUBLISH",
            "redis.call('DEL', A)\nif reset",
            "if true then return {'FENCED'} end\nif reset",
        )],
        MANY,
    ),
    script(
        "fenced publisher: no floor",
        &[("PUBLISH", "elseif epoch and (not meta", "elseif false and (not meta")],
        By::Scene("floor_refuses_the_older"),
    ),
    script(
        "floor over an orphan hash",
        &[("PUBLISH", "if not meta then redis.call('DEL', H) end", "")],
        By::Scene("no_floor_over_an_orphan_hash"),
    ),
    script(
        "floor carries another count",
        &[("PUBLISH", "meta and meta.count or 0, 0, '-'", "0, 0, '-'")],
        By::Scene("floor_keeps_the_base"),
    ),
    script(
        "lease survives its publication",
        &[("PUBLISH", "    redis.call('DEL', KEYS[2])\n  end", "  end")],
        By::Scene("lease_ends_with_its_publication"),
    ),
    client("refresh accepts any hit", Client::AcceptsAnyHit, MANY),
    script(
        "rev of a second --force is its own token",
        &[
            ("PUBLISH", "line(watch, idx", "line(token, idx"),
            ("PUBLISH", "'p' .. watch", "'p' .. token"),
        ],
        By::Scene("refresh_and_two_forces"),
    ),
];

const DELTAS: &[Mutant] = &[
    script(
        "delta: base rev not checked",
        &[("PUBLISH", "not meta or meta.rev ~= base or", "not meta or")],
        By::Scene("delta_needs_the_rev"),
    ),
    script(
        "delta: HLEN not checked",
        &[("PUBLISH", "or redis.pcall('HLEN', H) ~= meta.count then", "then")],
        By::Scene("delta_needs_the_count"),
    ),
    script(
        "delta: neither rev nor HLEN checked",
        &[("PUBLISH", FITS, "if false then")],
        By::Scene("delta_needs_the_rev"),
    ),
    script(
        "delta: lease not checked",
        &[("PUBLISH", LIVE, "if (lease == watch or ARGV[15] ~= '') and epoch == ARGV[4] then")],
        By::Scene("delta_needs_the_lease"),
    ),
    script(
        "delta: epoch not checked",
        &[(
            "PUBLISH",
            LIVE,
            "if (lease == watch and epoch == ARGV[4]) or (lease == watch and ARGV[15] ~= '' and epoch) then",
        )],
        By::Nothing(
            "after a lost epoch the meta is invalid: the delta gets REBASE, the whole FENCED",
        ),
    ),
    script(
        "delta: nothing checked (lease, epoch, rev, HLEN)",
        &[
            (
                "PUBLISH",
                LIVE,
                "if (lease == watch and epoch == ARGV[4]) or (ARGV[15] ~= '' and epoch) then",
            ),
            ("PUBLISH", FITS, "if false then"),
        ],
        MANY,
    ),
    script("delta: gone ids stay", &[("PUBLISH", "each(18, 17 + gone, 'HDEL')", "")], MANY),
    script(
        "delta: hash keeps its old expiry",
        &[(
            "PUBLISH",
            "redis.call('PEXPIRE', H, ARGV[9])",
            "if base == '' then redis.call('PEXPIRE', H, ARGV[9] - 1000) end",
        )],
        MANY,
    ),
    client(
        "delta: base rev taken from OLDER",
        Client::RenamesBase,
        By::Scene("run_older_then_delta"),
    ),
    client(
        "delta after the index was disproved",
        Client::KeepsDisproved,
        By::Scene("run_index_went_back"),
    ),
    client("torn: base kept", Client::KeepsTorn, By::Scene("run_torn_drops_the_base")),
    client("torn not noticed", Client::BlindToTorn, By::Scene("run_torn")),
    script(
        "whole: old hash not deleted",
        &[("PUBLISH", "if base == '' then redis.call('DEL', H) end", "")],
        MANY,
    ),
];

const REST: &[Mutant] = &[
    script(
        "void: the lease of another flight stays",
        &[("VOID", "if lease and lease ~= ARGV[2]", "if false and lease ~= ARGV[2]")],
        By::Scene("a_refused_credential_voids_its_scope_only"),
    ),
    script(
        "void: whosever the keys are",
        &[("VOID", "'^v2|(%x+)|') == ARGV[1] then", "'^v2|(%x+)|') ~= '' then")],
        By::Scene("a_refused_credential_voids_its_scope_only"),
    ),
    script(
        "void: the own lease goes too",
        &[("VOID", "lease ~= ARGV[2] and ", "")],
        By::Scene("a_refused_flight_is_told_to_those_who_wait"),
    ),
    script(
        "failure shared with everybody",
        &[("ENTER", "if who and who == waited then", "if who then")],
        MANY,
    ),
    script(
        "renew does not look whose lease it is",
        &[(
            "RENEW",
            "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end",
            "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
        )],
        By::Scene("a_lost_lease_is_not_renewed"),
    ),
    client(
        "dead epochs not remembered",
        Client::ForgetsDead,
        By::Scene("a_rolled_back_epoch_is_cleared_again"),
    ),
    client(
        "dead epochs: ENTER not guarded",
        Client::EntersUnguarded,
        By::Scene("run_publishes_under_no_dead_epoch"),
    ),
    client("age: PTTL after MGET", Client::AsksAgeLast, By::Scene("age_is_never_too_low")),
    script(
        "age: the way of PUBLISH not counted",
        &[("PUBLISH", "if way > lag and way < lag + 60000 then lag = way end", "")],
        MANY,
    ),
];

/// What random schedules say to a broken rule.
fn schedules(mutant: &Mutant, count: u64) -> Option<(char, u64)> {
    let twist = Arc::new(Broken::new(mutant.edits, mutant.client));
    let batch = Batch { first: 1, count, stages: 2 };
    let report = batch.play(|| {
        let ground = Arc::new(RedisGround::new(Arc::clone(&twist) as Arc<_>));
        let cast = BrokenCast { client: mutant.client, ground: Arc::clone(&ground) };
        Runner { ground, cast: Arc::new(cast) }
    });
    report.failure.map(|failure| (failure.promise(), failure.seed()))
}

/// The exact scenes that fail under a broken rule, out of those that are wanted.
fn failing(mutant: &Mutant, wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut bench = BrokenBench::new(mutant.edits, mutant.client);
    let mut failing = Vec::new();
    for (name, scene) in stores::SCENES.iter().filter(|(name, _)| wanted(name)) {
        bench.reset();
        if !holds(|| scene(&bench)) {
            failing.push(*name);
        }
    }
    bench.all_crooks = false;
    for (name, scene) in SCENES.iter().filter(|(name, _)| wanted(name)) {
        bench.reset();
        let cast = bench.broken_cast();
        if !holds(|| scene(&Setup { bench: &bench, cast: &cast })) {
            failing.push(*name);
        }
    }
    failing
}

fn holds(scene: impl FnOnce() -> Option<()>) -> bool {
    catch_unwind(AssertUnwindSafe(scene)).is_ok_and(|played| played.is_some())
}

/// What noticed the mutant, and whether that is what was expected.
fn verdict(mutant: &Mutant) -> (String, bool) {
    match mutant.by {
        By::Schedules(count) => match schedules(mutant, count) {
            Some((promise, seed)) => (format!("schedule {seed}: promise {promise}"), true),
            None => (format!("not noticed by {count} schedules"), false),
        },
        By::Scene(scene) => {
            let failing = failing(mutant, |name| name == scene);
            (format!("scene {scene}"), failing == [scene])
        }
        By::Nothing(why) => {
            let noticed = schedules(mutant, 200).is_some();
            let failing = failing(mutant, |_| true);
            (format!("nothing: {why}"), !noticed && failing.is_empty())
        }
    }
}

/// `MUTANT=WORDS` plays only those whose name contains the words.
#[test]
#[expect(clippy::print_stdout, reason = "the table is worth reading")]
fn every_broken_rule_is_noticed() {
    let table = [FENCING, ORDER, DELTAS, RECORDS, COPIES, REST];
    let mutants: Vec<&Mutant> = table.into_iter().flatten().collect();
    assert_eq!(mutants.len(), 69);
    let wanted = std::env::var("MUTANT").unwrap_or_default();
    let mut wrong = Vec::new();
    for mutant in mutants.into_iter().filter(|mutant| mutant.name.contains(&wanted)) {
        let (said, expected) = verdict(mutant);
        println!("{:60} {said}", mutant.name);
        if !expected {
            wrong.push(format!("{}: {said}", mutant.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Without this the table above would prove nothing.
#[test]
fn nothing_broken_is_not_noticed() {
    let control = script("nothing broken", &[], MANY);
    assert_eq!(failing(&control, |_| true), Vec::<&str>::new());
    assert_eq!(schedules(&control, 200), None);
}
