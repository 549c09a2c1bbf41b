//! Recorded answers, served as they were given.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::http::{Answer, Framing, Head, header};
use crate::query::Target;

/// The exchanges of one folder.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    exchanges: Vec<Exchange>,
}

/// One question and its answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Exchange {
    pub request: Asked,
    pub response: Option<Said>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub body: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Said {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    body_utf8: Option<String>,
    body_base64: Option<String>,
}

impl Said {
    /// The body as it came, compressed if it came so.
    pub fn body(&self) -> Vec<u8> {
        match (&self.body_utf8, &self.body_base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(text)) => base64(text),
            (None, None) => Vec::new(),
        }
    }
}

impl Folder {
    /// Reads a folder; files without a question and an answer are passed over.
    pub fn read(path: &Path) -> Result<Self, String> {
        let cannot = |what: &Path, why: &dyn std::fmt::Display| {
            format!("cannot read the recorded answers in {}: {why}", what.display())
        };
        let entries = fs::read_dir(path).map_err(|error| cannot(path, &error))?;
        let mut files = BTreeMap::new();
        for entry in entries {
            let file = entry.map_err(|error| cannot(path, &error))?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&file).map_err(|error| cannot(&file, &error))?;
                files.insert(file, text);
            }
        }
        let mut folder = Self::default();
        for (file, text) in files {
            let value: Value =
                serde_json::from_str(&text).map_err(|error| cannot(&file, &error))?;
            if value.get("response").is_some_and(|response| !response.is_null()) {
                let exchange =
                    serde_json::from_value(value).map_err(|error| cannot(&file, &error))?;
                folder.exchanges.push(exchange);
            }
        }
        Ok(folder)
    }

    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The details that were asked for with success, each node once.
    pub fn details(&self) -> impl Iterator<Item = Value> {
        let mut details = BTreeMap::new();
        for exchange in &self.exchanges {
            let Some(said) = &exchange.response else { continue };
            let id = exchange.request.target.strip_prefix("/v1/node/");
            let plain = id.is_some_and(|id| Target::parse(id).path.len() == 36);
            if !plain || exchange.request.method != "GET" || said.status != 200 {
                continue;
            }
            if let Ok(detail) = serde_json::from_slice::<Value>(&said.body()) {
                details.insert(detail["ID"].to_string(), detail);
            }
        }
        details.into_values()
    }

    /// The name of a node whose detail is recorded.
    pub fn name_of(&self, id: &str) -> Option<String> {
        let detail = self.details().find(|detail| detail["ID"] == id)?;
        detail["Name"].as_str().map(str::to_owned)
    }

    /// The recorded answer to this method and target; among several, the one to the same
    /// token and the same encodings. A 404 without a body if there is none.
    pub fn answer(&self, head: &Head) -> Answer {
        let target = unblocked(&head.target);
        let fits = |exchange: &&Exchange| {
            exchange.request.method == head.method && exchange.request.target == target
        };
        let alike = |exchange: &&Exchange| {
            ["X-Nomad-Token", "Authorization", "Accept-Encoding"]
                .iter()
                .all(|name| header(&exchange.request.headers, name) == head.header(name))
        };
        let all = || self.exchanges.iter().filter(fits);
        match all().find(alike).or_else(|| all().next()).and_then(|found| found.response.as_ref()) {
            Some(said) => replayed(said),
            None => Answer::new(404, &[("Vary", "Accept-Encoding")], ""),
        }
    }
}

fn replayed(said: &Said) -> Answer {
    const FRAMING: [&str; 4] = ["Date", "Content-Length", "Transfer-Encoding", "Connection"];
    let headers = said.headers.iter().filter(|(name, _)| !FRAMING.contains(&name.as_str()));
    Answer {
        status: said.status,
        headers: headers.cloned().collect(),
        body: said.body(),
        framing: Framing::Nomad,
    }
}

/// The target without what made it block: so it is recorded.
fn unblocked(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.starts_with("index=") && !pair.starts_with("wait="))
        .collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// Standard base64; what is no digit is passed over.
fn base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for char in text.bytes() {
        let digit = match char {
            b'A'..=b'Z' => char - b'A',
            b'a'..=b'z' => char - b'a' + 26,
            b'0'..=b'9' => char - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
