//! The sums that bind `all` and `hash` to their meta line.

use xxhash_rust::xxh3::xxh3_64;

/// 16 hex digits of the XXH3-64 (seed 0) of `bytes`.
pub fn of(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// 16 hex digits of the sum modulo 2^64 of the XXH3-64 of every value; order does not matter.
pub fn of_values<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> String {
    let sum = values.into_iter().fold(0_u64, |sum, value| sum.wrapping_add(xxh3_64(value)));
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::{of, of_values};

    /// The vectors of the protocol.
    #[test]
    fn vectors() {
        assert_eq!(of(b""), "2d06800538d394c2");
        assert_eq!(of(b"abc"), "78af5f94892f3950");
        assert_eq!(of(b"[]"), "831154110e30ac6a");
        assert_eq!(of_values([&b"abc"[..], &b"[]"[..]]), "fbc0b3a5975fe5ba");
        assert_eq!(of_values([]), "0000000000000000");
        let value =
            br#"{"id":"6f1c36aa-0000-4000-8000-000000000001","name":"node-1","modify_index":42}"#;
        assert_eq!(of_values([&value[..]]), "ed44475f82226ceb");
        assert_eq!(of(&[b"[", &value[..], b"]"].concat()), "224e887d9f2b135f");
    }
}
