//! The formats of `/metrics`: negotiation, and conversion of OpenMetrics to the text format.

use std::fmt::Write as _;

use hyper::HeaderMap;

use crate::serve::http::negotiate::weight;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// The text format 0.0.4, which everything reads.
    Text,
    OpenMetrics,
}

const OPEN: &str = "application/openmetrics-text";
/// A client that names other versions may not understand these.
const OPEN_VERSIONS: [&str; 2] = ["1.0.0", "0.0.1"];

impl Exposition {
    /// OpenMetrics if the client names it and prefers it, or accepts nothing else; `None` if it accepts
    /// neither.
    pub(crate) fn negotiated(headers: &HeaderMap) -> Option<Self> {
        let text = weight(headers, "text/plain", &[]);
        let open = weight(headers, OPEN, &OPEN_VERSIONS);
        let is_open = open.is_named && open.q >= text.q;
        if open.q > 0.0 && (is_open || text.q <= 0.0) {
            return Some(Self::OpenMetrics);
        }
        (text.q > 0.0).then_some(Self::Text)
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// From OpenMetrics.
    pub(crate) fn convert(self, open: String) -> String {
        match self {
            Self::Text => text(&open),
            Self::OpenMetrics => open,
        }
    }
}

/// The samples are the same. In the text format `HELP` and `TYPE` of a counter have the name of its
/// sample, and there are neither units nor an end.
fn text(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (end, kind) = match kind {
                "counter" => ("_total", kind),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                let _ = writeln!(text, "# HELP {name}{end} {words}");
            }
            let _ = writeln!(text, "# TYPE {name}{end} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{ACCEPT, HeaderValue};

    use super::Exposition::{self, OpenMetrics, Text};

    #[test]
    fn the_format_that_is_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in [
            ("*/*", Some(Text)),
            ("text/plain", Some(Text)),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Some(Text)),
            ("text/*;q=0.1", Some(Text)),
            (browser, Some(Text)),
            (prometheus, Some(OpenMetrics)),
            ("application/openmetrics-text", Some(OpenMetrics)),
            ("Application/OpenMetrics-Text; Version=1.0.0, */*", Some(OpenMetrics)),
            ("application/openmetrics-text; version=\"1.0.0\"", Some(OpenMetrics)),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Some(Text)),
            ("application/openmetrics-text;q=0.9, text/plain", Some(Text)),
            ("application/openmetrics-text;q=0, text/plain", Some(Text)),
            ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", Some(Text)),
            ("text/plain;q=0, */*", Some(OpenMetrics)),
            ("application/*", Some(OpenMetrics)),
            ("application/json", None),
            ("application/openmetrics-text;version=2.0.0", None),
            ("*/*;q=0", None),
            ("text/plain;q=nan", None),
        ] {
            let headers = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
            assert_eq!(Exposition::negotiated(&headers), expected, "{accept}");
        }
        assert_eq!(Exposition::negotiated(&HeaderMap::new()), Some(Text));
    }

    #[test]
    fn the_text_format() {
        let open = "# HELP calls Calls.\n# TYPE calls counter\ncalls_total{a=\"# HELP x\"} 1\n\
            # HELP age_seconds Age.\n# TYPE age_seconds gauge\n# UNIT age_seconds seconds\n\
            age_seconds NaN\n# HELP odd Odd.\n# TYPE odd unknown\nodd 1\n# EOF\n";
        let expected = "# HELP calls_total Calls.\n# TYPE calls_total counter\n\
            calls_total{a=\"# HELP x\"} 1\n# HELP age_seconds Age.\n# TYPE age_seconds gauge\n\
            age_seconds NaN\n# HELP odd Odd.\n# TYPE odd untyped\nodd 1\n";
        assert_eq!(Text.convert(open.to_owned()), expected);
        assert_eq!(OpenMetrics.convert(open.to_owned()), open);
    }
}
