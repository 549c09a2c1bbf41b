//! The meta line: one line that describes exactly one `all` and the hash of its full records.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// The ten fields of a meta line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// 32 hex digits.
    pub scope: String,
    /// Hex digits.
    pub epoch: String,
    pub rev: String,
    pub index: u64,
    pub count: u64,
    /// Bytes of `all`; 0 = serves nothing.
    pub len: u64,
    /// XXH3-64 of `all`, or `-`.
    pub sum: String,
    pub ttl_ms: u64,
    pub lag_ms: u64,
}

impl Meta {
    /// `None` for anything that is not exactly a meta line of this version.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let fields: Vec<&str> = text.split('|').collect();
        let [v, scope, epoch, rev, index, count, len, sum, ttl_ms, lag_ms] =
            fields.try_into().ok()?;
        if v != "v2" || index.len() != 20 || !is_hex(scope) || !is_hex(epoch) || !is_word(rev) {
            return None;
        }
        Some(Self {
            scope: scope.to_owned(),
            epoch: epoch.to_owned(),
            rev: rev.to_owned(),
            index: number(index)?,
            count: number(count)?,
            len: number(len)?,
            sum: sum.to_owned(),
            ttl_ms: number(ttl_ms)?,
            lag_ms: number(lag_ms)?,
        })
    }

    /// Whether these are the very bytes of its `all`.
    pub fn describes(&self, all: &[u8]) -> bool {
        u64::try_from(all.len()) == Ok(self.len) && sum(all) == self.sum
    }
}

impl fmt::Display for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, epoch, rev, index, count, len, sum, ttl_ms, lag_ms } = self;
        write!(f, "v2|{scope}|{epoch}|{rev}|{index:020}|{count}|{len}|{sum}|{ttl_ms}|{lag_ms}")
    }
}

/// 16 hex digits of the XXH3-64 (seed 0) of `bytes`.
pub fn sum(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{Meta, sum};

    const LINE: &str = "v2|461d06d093503eea63fe4daa04edd4d6|9f0c2b7711aa43de|N5b1f6c0d2a9e8847|00000000000000000042|1|81|224e887d9f2b135f|60000|118";

    #[test]
    fn a_line_survives_the_round_trip() {
        let meta = Meta::parse(LINE.as_bytes()).unwrap();
        assert_eq!(
            (meta.index, meta.count, meta.len, meta.ttl_ms, meta.lag_ms),
            (42, 1, 81, 60000, 118)
        );
        assert_eq!(meta.to_string(), LINE);
    }

    #[test]
    fn anything_else_is_absent() {
        for bad in [
            "",
            "v2|a",
            &LINE.replace("v2", "v1"),
            &LINE.replace("00000000000000000042", "42"),
            &format!("{LINE}|"),
            &LINE.replace("|81|", "|-1|"),
        ] {
            assert_eq!(Meta::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Meta::parse(&[0xff; 90]), None);
    }

    /// The vectors of the protocol.
    #[test]
    fn vectors() {
        assert_eq!(sum(b""), "2d06800538d394c2");
        assert_eq!(sum(b"abc"), "78af5f94892f3950");
        assert_eq!(sum(b"[]"), "831154110e30ac6a");
        let value =
            br#"{"id":"6f1c36aa-0000-4000-8000-000000000001","name":"node-1","modify_index":42}"#;
        assert_eq!(sum(&[b"[", &value[..], b"]"].concat()), "224e887d9f2b135f");
    }
}
