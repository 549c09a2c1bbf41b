//! The only place that asks for randomness: names that nobody else has, and jitter.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::clock;

/// 16 random hex digits.
pub(crate) fn hex16() -> String {
    format!("{:016x}", number())
}

/// A random part of `limit`, in `0..limit`; 0 if `limit` is 0.
pub(crate) fn below(limit: u64) -> u64 {
    number().checked_rem(limit).unwrap_or(0)
}

/// Uniqueness is needed, secrecy is not: where the system has no randomness to give, the process
/// and the moment are unique enough.
fn number() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let mut hasher = DefaultHasher::new();
        (std::process::id(), clock::boot_ms(), clock::now(), clock::unix_seconds())
            .hash(&mut hasher);
        hasher.finish()
    })
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
