//! Targets and their parameters, read as Go reads them.

/// The path, decoded, and the pairs of the query that Go keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub path: String,
    pub pairs: Vec<(String, String)>,
}

impl Target {
    /// Takes the origin form and, from clients of proxies, the absolute form.
    pub(crate) fn parse(target: &str) -> Self {
        let origin = match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => match rest.find('/') {
                Some(at) => &rest[at..],
                None => "/",
            },
            _ => target,
        };
        let (path, query) = origin.split_once('?').unwrap_or((origin, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        let pairs = pairs.filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        });
        Self { path: decode(path, false).unwrap_or_default(), pairs: pairs.collect() }
    }

    /// The first value of a name; a bare name has the value "".
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A Go bool: empty = false, as is its absence.
    pub(crate) fn bool(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None | Some("" | "0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some(other) => Err(format!(
                "Failed to parse value of {name:?} ({other}) as a bool: strconv.ParseBool: parsing {other:?}: invalid syntax"
            )),
        }
    }
}

fn decode(text: &str, query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = &tail[2..];
            }
            b'+' if query => bytes.push(b' '),
            other => bytes.push(*other),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A whole ID in its canonical form, or what Nomad's index says against it.
pub(crate) fn node_id(text: &str) -> Result<String, String> {
    if text.len() != 36 {
        return Err("UUID must be 36 characters".to_owned());
    }
    let hex = hex(text)?;
    if hex.len() != 32 {
        return Err("UUID must be 36 characters".to_owned());
    }
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// The hex digits of the beginning of an ID, in lower case.
pub(crate) fn id_prefix(text: &str) -> Result<String, String> {
    if text.len() > 36 {
        return Err(format!("Invalid UUID length. UUID have 36 characters; got {}", text.len()));
    }
    hex(text)
}

fn hex(text: &str) -> Result<String, String> {
    let hyphens = text.matches('-').count();
    if hyphens > 4 {
        return Err(format!("UUID should have maximum of 4 \"-\"; got {hyphens}"));
    }
    let hex = text.replace('-', "");
    if !hex.len().is_multiple_of(2) {
        return Err("Input (without hyphens) must be even length".to_owned());
    }
    match hex.bytes().find(|byte| !byte.is_ascii_hexdigit()) {
        None => Ok(hex.to_ascii_lowercase()),
        Some(bad) => {
            let char = char::from(bad);
            let shown = if char.is_control() { String::new() } else { format!(" '{char}'") };
            Err(format!("Invalid UUID: encoding/hex: invalid byte: U+{bad:04X}{shown}"))
        }
    }
}
