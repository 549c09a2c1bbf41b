//! Versions in order of release: `1.9.3` before `1.10.0`, `2.0.0-beta.1` before `2.0.0`.

use std::cmp::Ordering;

use super::natural;

/// A dotted version with an optional pre-release (`-…`). The part after `+` does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Without zeros at the end: `1.9` is `1.9.0`.
    numbers: Vec<u64>,
    pre: Option<String>,
}

impl Version {
    /// `1.9.3`, `v2.0.5+ent`, `6.1.0-13-amd64`, `7`; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split('+').next().unwrap_or_default();
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre.to_owned())),
            None => (text, None),
        };
        let numbers = numbers.split('.').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        });
        let mut numbers = numbers.collect::<Option<Vec<u64>>>()?;
        let length = numbers.iter().rposition(|number| *number > 0).map_or(0, |last| last + 1);
        numbers.truncate(length);
        Some(Self { numbers, pre })
    }

    /// The number before the first dot.
    pub fn first(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    /// A pre-release is before its release.
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => natural::compare(a, b),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::Version;

    #[test]
    fn versions_in_their_order() {
        let order = [
            "v1.2",
            "1.9.3",
            "1.10.0-beta.2",
            "1.10.0-beta.10",
            "1.10.0-rc.1",
            "1.10.0",
            "6.1.0-9-amd64",
            "6.1.0-13-amd64",
            "20.04",
            "22.04.3",
        ];
        let versions: Vec<Version> =
            order.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.windows(2).all(|pair| pair[0] < pair[1]));
        for (a, b) in [("1.9", "1.9.0"), ("2.0.5+ent", "2.0.5"), ("V3", "3")] {
            let (a, b) = (Version::parse(a).unwrap(), Version::parse(b).unwrap());
            assert_eq!((a.cmp(&b), &a), (Ordering::Equal, &b), "equal in the order is equal");
        }
        let (a, b) = (Version::parse("1-rc1").unwrap(), Version::parse("1-rc01").unwrap());
        assert_ne!(a, b);
    }

    #[test]
    fn what_is_no_version() {
        for text in ["", "v", "a.b", "1..2", "1.x", "-1", "1.99999999999999999999"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
