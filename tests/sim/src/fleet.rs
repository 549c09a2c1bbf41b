//! The nodes to begin with: recorded, made up, hostile, none.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::generate;
use crate::node::{Node, Text};
use crate::replay::Folder;

/// Nodes with their indexes.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    pub nodes: Vec<Node>,
}

/// The folder of recorded answers.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/nomad")
}

impl Fleet {
    /// No node ever.
    pub fn empty() -> Self {
        Self::default()
    }

    /// worker-1 to worker-5 of Nomad 2.0.5.
    pub fn recorded() -> Self {
        Self::from_folder(&fixtures().join("2.0.5/04-five-nodes-ready"))
    }

    /// The nodes of a folder of recorded answers that holds their details.
    #[track_caller]
    pub fn from_folder(path: &Path) -> Self {
        let folder = Folder::read(path).unwrap_or_else(|error| panic!("{error}"));
        Self { nodes: folder.details().map(Node::from_detail).collect() }
    }

    /// `count` nodes, the same at every call.
    pub fn generated(count: u32) -> Self {
        let nodes = (0..count).map(|number| {
            let mut node = generate::node(number);
            node.create_index = 10 + 2 * u64::from(number);
            node.modify_index = node.create_index + 1;
            node
        });
        Self { nodes: nodes.collect() }
    }

    /// Nodes whose names, classes and metadata attack whoever shows them.
    pub fn hostile() -> Self {
        let nodes = HOSTILE.iter().enumerate().map(|(number, text)| hostile(number as u32, text));
        Self { nodes: nodes.collect() }
    }
}

const HOSTILE: [&str; 16] = [
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]8;;http://evil.test\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{1b}]52;c;cm0gLXJmIC8=\u{7}",
    "\u{9b}2J\u{90}q\u{9c}\u{85}",
    "a\rb\nc\td\u{8}e\u{0}f\u{7f}",
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>&amp;'`${7*7}{{7*7}}",
    "\u{202e}gnp.exe\u{202c}\u{2066}x\u{2069}",
    "a\u{200b}b\u{feff}c\u{ad}d\u{2028}e\u{2029}",
    "=cmd|' /C calc'!A0",
    "+1-1@SUM(A1),\"quoted\";\n\t=2",
    "東京サーバー雪🚀👩\u{200d}👩\u{200d}👧",
    "e\u{301}\u{302}\u{303}\u{304}\u{305} Z\u{310}\u{311}\u{312}\u{313}algo",
    "../../etc/passwd; $(reboot) `id` | ${HOME}",
    "",
];

fn hostile(number: u32, text: &'static str) -> Node {
    let mut node = generate::node(number);
    (node.create_index, node.modify_index) =
        (10 + 2 * u64::from(number), 11 + 2 * u64::from(number));
    (node.name, node.node_class) = (Text::Borrowed(text), Text::Borrowed(text));
    (node.datacenter, node.status_description) = (Text::Borrowed(text), Text::Borrowed(text));
    let base = node.base_mut();
    base["Meta"] = json!({"text": text, text: "value", "long": "x".repeat(4_096), "secret_token": "s3cr3t-canary"});
    base["Attributes"]["os.name"] = json!(text);
    base["Attributes"][text] = json!(text);
    base["Drivers"][text] = json!({"Attributes": null, "Detected": true, "HealthDescription": text, "Healthy": true, "UpdateTime": "2026-11-23T02:38:55Z"});
    node
}
