//! The base path: the prefix of all paths, for a reverse proxy that passes it on.

/// The maximum length in bytes.
const LONGEST: usize = 256;

/// `/tools/nodes`; empty for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BasePath(String);

impl BasePath {
    /// A trailing slash is ignored.
    ///
    /// # Errors
    /// The expected form.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment =
            |segment: &str| !["", ".", ".."].contains(&segment) && segment.bytes().all(plain);
        let mut segments = path.split('/');
        let is_rooted = segments.next() == Some("") && text.starts_with('/');
        if !is_rooted || path.len() > LONGEST || !segments.all(is_segment) {
            return Err("must be a path like /tools/nodes");
        }
        Ok(Self(path.to_owned()))
    }

    /// Without a trailing slash; empty for none.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The rest of a request's path: empty for the base path without its slash, `None` for a path that is
    /// not below it.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(self.as_str())?;
        (rest.is_empty() || rest.starts_with('/') || self.0.is_empty()).then_some(rest)
    }

    /// The page, relative to the base path without its slash.
    pub(crate) fn with_slash(&self, query: &str) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{last}/{mark}{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::BasePath;

    #[test]
    fn what_may_be_a_base() {
        for (text, path) in [
            ("/nodes", "/nodes"),
            ("/tools/nodes/", "/tools/nodes"),
            ("/", ""),
            ("/a-._~1", "/a-._~1"),
        ] {
            assert_eq!(BasePath::parse(text).unwrap().as_str(), path, "{text}");
        }
        let long = format!("/{}", "x".repeat(256));
        for text in [
            "",
            "nodes",
            "//",
            "/a//b",
            "/..",
            "/a/./b",
            "/a b",
            "/a;b",
            "/a?b",
            "/ä",
            "/%61",
            "http://a/b",
            &long,
        ] {
            assert_eq!(BasePath::parse(text), Err("must be a path like /tools/nodes"), "{text}");
        }
    }

    #[test]
    fn what_is_below_it() {
        let base = BasePath::parse("/tools/nodes").unwrap();
        for (path, rest) in [
            ("/tools/nodes", Some("")),
            ("/tools/nodes/", Some("/")),
            ("/tools/nodes/api/clients", Some("/api/clients")),
            ("/tools/nodes//", Some("//")),
            ("/tools/nodesx", None),
            ("/tools", None),
            ("/api/clients", None),
            ("/", None),
            ("*", None),
        ] {
            assert_eq!(base.below(path), rest, "{path}");
        }
        assert_eq!(base.with_slash(""), "nodes/");
        assert_eq!(base.with_slash("q=a&sort=-name"), "nodes/?q=a&sort=-name");
        let none = BasePath::default();
        assert_eq!(
            [none.below("/"), none.below("/api"), none.below("*")],
            ["/", "/api", "*"].map(Some)
        );
    }
}
