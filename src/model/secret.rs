//! Text that must reach no log, no error, no file and no screen.

use std::fmt;

/// A secret; prints as `***` however it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire and the scope's hash, for nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Whether the value behind this key of metadata or attributes must not be seen over a shoulder.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["token", "secret", "password"].iter().any(|word| key.contains(word))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, is_secret};

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "***");
    }

    #[test]
    fn keys_that_name_a_secret() {
        for (key, secret) in [("API_TOKEN", true), ("db.password", true), ("rack", false)] {
            assert_eq!(is_secret(key), secret, "{key}");
        }
    }
}
