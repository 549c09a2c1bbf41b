//! What a history must satisfy. Versions only grow, so older means smaller.

use std::time::Duration;

/// One answer of `list`: what was shown, and what was true around it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) cluster: usize,
    pub(crate) command: &'static str,
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
    /// The versions at the begin, and what was shown, by node.
    pub(crate) true_at_begin: Vec<u64>,
    pub(crate) shown: Vec<u64>,
    /// It had to ask Nomad after its begin.
    pub(crate) fresh: bool,
    /// What `-v` said of where it came from.
    #[expect(dead_code, reason = "shown with a violation")]
    pub(crate) notes: String,
}

/// One `cache clear` that returned with 0.
#[derive(Debug, Clone)]
pub(crate) struct Clear {
    pub(crate) cluster: usize,
    pub(crate) end: Duration,
    pub(crate) true_at_begin: Vec<u64>,
    #[expect(dead_code, reason = "shown with a violation")]
    pub(crate) notes: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation(pub String);

pub(crate) fn violations(answers: &[Answer], clears: &[Clear]) -> Vec<Violation> {
    let mut found = Vec::new();
    for answer in answers {
        if answer.fresh && is_older(&answer.shown, &answer.true_at_begin) {
            found.push(Violation(format!(
                "{} is older than its own begin: {answer:?}",
                answer.command
            )));
        }
        for clear in clears {
            let after = clear.cluster == answer.cluster && clear.end < answer.begin;
            if after && is_older(&answer.shown, &clear.true_at_begin) {
                found.push(Violation(format!("from before a clear: {answer:?} {clear:?}")));
            }
        }
    }
    found.extend(backwards(answers));
    found
}

/// Whoever began after another ended must see nothing older, node by node.
fn backwards(answers: &[Answer]) -> Vec<Violation> {
    let mut found = Vec::new();
    for cluster in 0..2 {
        let of = |answer: &&Answer| answer.cluster == cluster;
        let mut by_begin: Vec<&Answer> = answers.iter().filter(of).collect();
        let mut by_end = by_begin.clone();
        by_begin.sort_by_key(|answer| answer.begin);
        by_end.sort_by_key(|answer| answer.end);
        let mut ended = by_end.into_iter().peekable();
        let mut seen: Vec<u64> = Vec::new();
        for answer in &by_begin {
            while let Some(before) = ended.next_if(|before| before.end < answer.begin) {
                seen = highest(&seen, &before.shown);
            }
            if is_older(&answer.shown, &seen) {
                let newer = |before: &&&Answer| {
                    before.end < answer.begin && is_older(&answer.shown, &before.shown)
                };
                let before = by_begin.iter().rfind(newer);
                found.push(Violation(format!("time ran backwards: {answer:?} after {before:?}")));
            }
        }
    }
    found
}

fn is_older(shown: &[u64], than: &[u64]) -> bool {
    shown.iter().zip(than).any(|(shown, than)| shown < than)
}

fn highest(a: &[u64], b: &[u64]) -> Vec<u64> {
    if a.is_empty() { b.to_vec() } else { a.iter().zip(b).map(|(a, b)| *a.max(b)).collect() }
}

mod tests {
    use super::{Answer, Clear, violations};
    use std::time::Duration;

    fn answer(begin: u64, end: u64, true_at_begin: u64, shown: u64, fresh: bool) -> Answer {
        Answer {
            cluster: 0,
            command: "list",
            begin: Duration::from_millis(begin),
            end: Duration::from_millis(end),
            true_at_begin: vec![true_at_begin],
            shown: vec![shown],
            fresh,
            notes: String::new(),
        }
    }

    #[test]
    fn each_promise_is_checked() {
        let count = |answers: &[Answer], clears: &[Clear]| violations(answers, clears).len();
        assert_eq!(
            count(&[answer(0, 10, 5, 4, false)], &[]),
            0,
            "the cache may be older than Nomad"
        );
        assert_eq!(count(&[answer(0, 10, 5, 4, true)], &[]), 1, "a refresh may not");
        assert_eq!(
            count(&[answer(0, 10, 5, 5, true), answer(11, 20, 6, 4, false)], &[]),
            1,
            "backwards"
        );
        assert_eq!(
            count(&[answer(0, 12, 5, 5, true), answer(11, 20, 6, 4, false)], &[]),
            0,
            "at the same time"
        );
        let clear = Clear {
            cluster: 0,
            end: Duration::from_millis(10),
            true_at_begin: vec![5],
            notes: String::new(),
        };
        assert_eq!(
            count(&[answer(11, 20, 6, 4, false)], std::slice::from_ref(&clear)),
            1,
            "before the clear"
        );
        assert_eq!(
            count(&[answer(9, 20, 6, 4, false)], &[clear]),
            0,
            "began before the clear returned"
        );
    }
}
