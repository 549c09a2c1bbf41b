//! What a history must satisfy. Versions only grow, so older means smaller.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One answer of `list`: what was shown, and what was true around it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) cluster: usize,
    /// Whose cache folder it used.
    pub(crate) host: usize,
    /// It said that it could not use Redis, or that it could not cache: then only its own host knows.
    pub(crate) warned: bool,
    pub(crate) command: &'static str,
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
    /// The versions at the begin, and what was shown, by node.
    pub(crate) true_at_begin: Vec<u64>,
    pub(crate) shown: Vec<u64>,
    /// It had to ask Nomad after its begin.
    pub(crate) fresh: bool,
    /// What `-v` said of where it came from.
    pub(crate) notes: String,
}

/// One `cache clear` that returned with 0, or what does the same by hand.
#[derive(Debug, Clone)]
pub(crate) struct Clear {
    pub(crate) cluster: usize,
    /// `None`: by hand, in Redis alone.
    pub(crate) host: Option<usize>,
    pub(crate) end: Duration,
    pub(crate) true_at_begin: Vec<u64>,
    pub(crate) notes: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation(pub String);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, host, command, begin, end, notes, .. } = self;
        write!(
            f,
            "{command} of cluster {cluster} on host {host} at {begin:.3?} to {end:.3?}: {notes}"
        )
    }
}

/// Between whom an order is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promised {
    /// Between all who reached Redis.
    Everywhere,
    /// A Redis that is stopped or forgets keeps no order between hosts; each host keeps its own.
    OnEachHost,
}

pub(crate) fn violations(
    answers: &[Answer],
    clears: &[Clear],
    promised: Promised,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for answer in answers {
        let begin = &answer.true_at_begin;
        if let Some(older) = older(&answer.shown, begin).filter(|_| answer.fresh) {
            found.push(Violation(format!("older than its own begin, {older}: {answer}")));
        }
        for clear in clears.iter().filter(|clear| binds(clear, answer, promised)) {
            if let Some(older) = older(&answer.shown, &clear.true_at_begin) {
                let Clear { host, end, notes, .. } = clear;
                found.push(Violation(format!(
                    "from before a clear, {older}: {answer}cleared by {host:?} until {end:.3?}: {notes}"
                )));
            }
        }
    }
    match promised {
        Promised::Everywhere => {
            let reached: Vec<&Answer> = answers.iter().filter(|answer| !answer.warned).collect();
            found.extend(by(&reached, |answer| answer.cluster).flat_map(|of| backwards(&of)));
        }
        Promised::OnEachHost => {
            let all: Vec<&Answer> = answers.iter().collect();
            let place = |answer: &Answer| (answer.cluster, answer.host);
            found.extend(by(&all, place).flat_map(|of| backwards(&of)));
        }
    }
    found
}

/// A clear empties Redis and the files of its own host.
fn binds(clear: &Clear, answer: &Answer, promised: Promised) -> bool {
    let is_own = clear.host == Some(answer.host);
    // After a rollback only that host knows of the clear.
    let reaches = !answer.warned && (clear.host.is_none() || promised == Promised::Everywhere);
    clear.cluster == answer.cluster && clear.end < answer.begin && (is_own || reaches)
}

/// The answers in groups.
fn by<'a, K: Ord>(
    answers: &[&'a Answer],
    key: impl Fn(&Answer) -> K,
) -> impl Iterator<Item = Vec<&'a Answer>> {
    let mut groups: BTreeMap<K, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        groups.entry(key(answer)).or_default().push(answer);
    }
    groups.into_values()
}

/// A run that began after another ended must show nothing older, node by node.
fn backwards(answers: &[&Answer]) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut by_begin, mut by_end) = (answers.to_vec(), answers.to_vec());
    by_begin.sort_by_key(|answer| answer.begin);
    by_end.sort_by_key(|answer| answer.end);
    let mut ended = by_end.into_iter().peekable();
    let mut seen: Vec<u64> = Vec::new();
    for answer in &by_begin {
        while let Some(before) = ended.next_if(|before| before.end < answer.begin) {
            seen = highest(&seen, &before.shown);
        }
        if let Some(older) = self::older(&answer.shown, &seen) {
            let newer = |before: &&&Answer| {
                before.end < answer.begin && self::older(&answer.shown, &before.shown).is_some()
            };
            let before = by_begin.iter().rfind(newer).map(ToString::to_string);
            let before = before.unwrap_or_default();
            found.push(Violation(format!("back in time, {older}: {answer}after {before}")));
        }
    }
    found
}

/// A node of which an older version is shown, in words.
fn older(shown: &[u64], than: &[u64]) -> Option<String> {
    let mut both = shown.iter().zip(than).enumerate();
    let (node, (shown, than)) = both.find(|(_, (shown, than))| shown < than)?;
    Some(format!("node {node} at {shown}, not {than}"))
}

fn highest(a: &[u64], b: &[u64]) -> Vec<u64> {
    if a.is_empty() { b.to_vec() } else { a.iter().zip(b).map(|(a, b)| *a.max(b)).collect() }
}

mod tests {
    use super::{Answer, Clear, Promised, violations};
    use std::time::Duration;

    fn answer(begin: u64, end: u64, true_at_begin: u64, shown: u64) -> Answer {
        Answer {
            cluster: 0,
            host: 0,
            warned: false,
            command: "list",
            begin: Duration::from_millis(begin),
            end: Duration::from_millis(end),
            true_at_begin: vec![true_at_begin],
            shown: vec![shown],
            fresh: false,
            notes: String::new(),
        }
    }

    fn clear(host: Option<usize>) -> Clear {
        Clear {
            cluster: 0,
            host,
            end: Duration::from_millis(10),
            true_at_begin: vec![5],
            notes: String::new(),
        }
    }

    #[track_caller]
    fn check(answers: &[Answer], clears: &[Clear], everywhere: usize, on_each_host: usize) {
        let count = |promised| violations(answers, clears, promised).len();
        let found = (count(Promised::Everywhere), count(Promised::OnEachHost));
        assert_eq!(found, (everywhere, on_each_host), "{answers:?} {clears:?}");
    }

    #[test]
    fn a_refresh_is_not_older_than_its_begin_but_a_hit_may_be() {
        check(&[answer(0, 10, 5, 4)], &[], 0, 0);
        check(&[Answer { fresh: true, ..answer(0, 10, 5, 4) }], &[], 1, 1);
    }

    #[test]
    fn nobody_goes_back() {
        check(&[answer(0, 10, 5, 5), answer(11, 20, 6, 4)], &[], 1, 1);
        // At the same time, or of another cluster.
        check(&[answer(0, 12, 5, 5), answer(11, 20, 6, 4)], &[], 0, 0);
        check(&[answer(0, 10, 5, 5), Answer { cluster: 1, ..answer(11, 20, 6, 4) }], &[], 0, 0);
    }

    #[test]
    fn without_redis_only_the_same_host_keeps_the_order() {
        let older = answer(11, 20, 6, 4);
        check(&[answer(0, 10, 5, 5), Answer { host: 1, ..older.clone() }], &[], 1, 0);
        check(&[answer(0, 10, 5, 5), Answer { warned: true, ..older.clone() }], &[], 0, 1);
        check(&[Answer { warned: true, ..answer(0, 10, 5, 5) }, older], &[], 0, 1);
    }

    #[test]
    fn a_clear_binds_who_begins_after_it() {
        let late = answer(11, 20, 6, 4);
        check(&[answer(9, 20, 6, 4)], &[clear(Some(0))], 0, 0);
        for (host, everywhere, on_each_host) in
            [(Some(0), [1, 1], [1, 1]), (Some(1), [1, 0], [0, 0]), (None, [1, 0], [1, 0])]
        {
            for (warned, at) in [(false, 0), (true, 1)] {
                let late = Answer { warned, ..late.clone() };
                check(&[late], &[clear(host)], everywhere[at], on_each_host[at]);
            }
        }
    }
}
