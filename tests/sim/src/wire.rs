//! JSON as Nomad writes it: struct keys sorted, map keys in a new order at every answer.

use std::fmt::Write as _;

use serde_json::Value;

use crate::rng::Rng;

/// The keys whose objects are Go maps; all other objects are structs.
const MAPS: [&str; 9] = [
    "Attributes",
    "CSIControllerPlugins",
    "CSINodePlugins",
    "Details",
    "Drivers",
    "HostNetworks",
    "HostVolumes",
    "Links",
    "Meta",
];

/// Writes a text with the escapes that Nomad uses: `<`, `>`, `&`, DEL and U+202E go out raw.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// Writes a value that stands under `key`.
pub(crate) fn value(out: &mut String, key: &str, value: &Value, rng: &mut Rng) {
    match value {
        Value::String(text) => quote(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                self::value(out, "", item, rng);
            }
            out.push(']');
        }
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            if MAPS.contains(&key) {
                rng.shuffle(&mut entries);
            } else {
                entries.sort_unstable_by_key(|(key, _)| *key);
            }
            let mut fields = Fields::new(out);
            for (key, entry) in entries {
                self::value(fields.key(key), key, entry, rng);
            }
            fields.end();
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

/// An object under construction.
pub(crate) struct Fields<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes the key; the value must follow.
    pub(crate) fn key(&mut self, key: &str) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        quote(self.out, key);
        self.out.push(':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        quote(self.key(key), text);
    }

    /// A value that is JSON already: a number, `true`, `null`.
    pub(crate) fn plain(&mut self, key: &str, plain: impl std::fmt::Display) {
        let _ = write!(self.key(key), "{plain}");
    }

    pub(crate) fn value(&mut self, key: &str, value: Option<&Value>, rng: &mut Rng) {
        self::value(self.key(key), key, value.unwrap_or(&Value::Null), rng);
    }

    pub(crate) fn end(self) {
        self.out.push('}');
    }
}

/// The same JSON indented by four spaces, with a newline at the end: what `pretty` asks for.
pub(crate) fn pretty(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut chars = compact.chars().peekable();
    while let Some(char) = chars.next() {
        if quoted {
            out.push(char);
            quoted = escaped || char != '"';
            escaped = !escaped && char == '\\';
            continue;
        }
        match char {
            '{' | '[' if chars.peek().is_some_and(|next| matches!(next, '}' | ']')) => {
                out.push(char);
                out.extend(chars.next());
            }
            '{' | '[' => {
                depth += 1;
                out.push(char);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(char);
            }
            ',' => {
                out.push(char);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                quoted = char == '"';
                out.push(char);
            }
        }
    }
    out.push('\n');
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("    ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_maps_are_shuffled() {
        let node = serde_json::json!({"Name": "a", "Meta": {"a": "1", "b": "2", "c": "3"}, "ID": "x\u{1b}<\u{2028}"});
        let mut rng = Rng::new(1);
        let texts: std::collections::BTreeSet<String> = (0..50)
            .map(|_| {
                let mut out = String::new();
                value(&mut out, "", &node, &mut rng);
                assert!(out.starts_with(r#"{"ID":"x\u001b<\u2028","Meta":{"#), "{out}");
                assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), node);
                out
            })
            .collect();
        assert_eq!(texts.len(), 6);
    }

    #[test]
    fn pretty_keeps_texts_as_they_are() {
        assert_eq!(
            pretty(r#"{"a":[1,{}],"b":"x,\"{"}"#),
            "{\n    \"a\": [\n        1,\n        {}\n    ],\n    \"b\": \"x,\\\"{\"\n}\n"
        );
    }
}
