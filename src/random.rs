//! The only place that asks for randomness: names that nobody else has, and jitter.

use std::hash::{BuildHasher as _, RandomState};

/// 16 random hex digits.
pub(crate) fn hex16() -> String {
    format!("{:016x}", number())
}

/// A random part of `limit`, in `0..limit`; 0 if `limit` is 0.
pub(crate) fn below(limit: u64) -> u64 {
    number().checked_rem(limit).unwrap_or(0)
}

/// Uniqueness is needed, secrecy is not: the keys of a hasher are random in each process and differ
/// with each call.
fn number() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::{below, hex16};

    #[test]
    fn names_are_of_one_form_and_differ() {
        let (a, b) = (hex16(), hex16());
        assert!(a.len() == 16 && a.bytes().all(|byte| byte.is_ascii_hexdigit()), "{a}");
        assert_ne!(a, b);
    }

    #[test]
    fn jitter_stays_below_its_limit() {
        assert!((0..100).all(|_| below(7) < 7));
        assert_eq!(below(0), 0);
    }
}
