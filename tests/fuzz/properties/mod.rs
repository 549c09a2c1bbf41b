//! What must hold of every parser that reads bytes of strangers: one function each, for tests and for fuzzers.
//!
//! `tests/fuzz/targets/` has a fuzzer for each; only `cfg(test)` and `cfg(fuzzing)` build them.

pub use crate::model::properties::{order, pattern, sanitiser, syntax};
pub use crate::nomad::properties::{address, list_json, node_json};
pub use crate::render::properties::csv;
pub use crate::serve::properties::target;
pub use crate::store::properties::{cached, meta, redis_url};

/// Holds for any bytes, or panics.
pub type Property = fn(&[u8]);

/// All of them, by the names of the fuzzers.
pub const ALL: [(&str, Property); 13] = [
    ("address", address),
    ("cached", cached),
    ("configuration", configuration),
    ("csv", csv),
    ("list_json", list_json),
    ("meta", meta),
    ("node_json", node_json),
    ("order", order),
    ("pattern", pattern),
    ("redis_url", redis_url),
    ("sanitiser", sanitiser),
    ("syntax", syntax),
    ("target", target),
];

/// A configuration file, as if it were read now.
pub fn configuration(bytes: &[u8]) {
    crate::config::properties::configuration(bytes, crate::clock::now());
}

#[cfg(test)]
mod tests {
    //! Asked of recorded answers, of what people type, and of both with damage.

    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
    use serde_json::Value;

    use super::{ALL, Property};
    use crate::model::properties::sample;
    use crate::model::rows::Rows;

    /// What is put into texts: signs and words with a meaning somewhere.
    const WORDS: [&str; 28] = [
        "\"",
        "\\",
        "{",
        "]",
        ",",
        ":",
        "|",
        "@",
        "%00",
        "%",
        "\n",
        "\r\n",
        "\0",
        "\u{1b}[2J",
        "\u{9b}",
        "\u{202e}",
        "\u{200b}",
        "\u{200e}",
        "\u{61c}",
        "\u{ad}",
        "null",
        "-1",
        "1e309",
        "18446744073709551616",
        "=",
        "!=",
        "\u{fffd}",
        "'+",
    ];

    /// What people write, for each property that asks of it.
    const TYPED: [(&str, &[&str]); 10] = [
        (
            "meta",
            &[
                "v2|461d06d093503eea63fe4daa04edd4d6|9f0c2b7711aa43de|N1|00000000000000000042|0|2|831154110e30ac6a|60000|118\n[]",
                "v2|461d06d093503eea63fe4daa04edd4d6|9f0c2b7711aa43de|tN1|00000000000000000042|0|0|-|60000|118",
            ],
        ),
        (
            "configuration",
            &[
                "address = \"https://nomad.example.com:4646\"\nca-cert = \"/etc/nomad/ca.pem\"\nredis = \"redis://:pass@cache.example.com:6379/0\"\nttl = \"30s\"\n",
                "region = \"eu\"\ncache = \"redis\"\ncache-prefix = \"team-a\"\nshare = \"cluster\"\ndetail-ttl = \"1m30s\"\ntimeout = \"5s\"\nconcurrency = 8\nrequire-tls = true\n",
                "compress = \"never\"\ncolor = \"always\"\noutput = \"wide\"\ncolumns = \"+meta.rack\"\nsort = \"-memory_mb\"\ntls-skip-verify = true\ntls-server-name = \"x\"\n",
            ],
        ),
        (
            "redis_url",
            &[
                "redis://localhost:6379/0",
                "rediss://user:p%40ss@cache.example.com:6380/2",
                "redis://:pw@[::1]",
                "unix:///run/redis.sock?db=1&user=u&pass=p",
            ],
        ),
        (
            "address",
            &[
                "http://127.0.0.1:4646",
                "https://ops:p%40ss@Nomad.Example.COM.:4646/nomad//",
                "http://[2001:DB8::1]",
                "unix:///run/nomad.sock",
            ],
        ),
        (
            "sanitiser",
            &["plain é 節点", "\u{1b}[31mred\u{7f}\r\n\t", "a\u{202e}b\u{9b}2J\u{2028}\u{feff}"],
        ),
        (
            "csv",
            &[
                "id|meta.token\n=cmd'!A0|a,\"b\"^c\n-1|-1+1",
                "a\n\n@x\n \t+1",
                "a|b\nx\\t\u{1b}|\u{202e}\r^",
            ],
        ),
        (
            "target",
            &[
                "/api/clients?status=ready&meta=rack%3Dr1&columns=name,address",
                "/api/clients/web-1%20x",
                "/api/discover/clients?refresh=true&limit=3&sort=-memory_mb",
                "/api/clients?attr=cpu.numcores%3E=8&drain&full=1",
                "http://h:1/login",
                "/assets/page.js",
            ],
        ),
        (
            "syntax",
            &[
                "name,dc,meta.rack,attr.kernel.name",
                "+meta.rack",
                "status=down,disconnected",
                "meta.rack!=r1",
                "version>=1.9",
                "cpu.numcores>=8",
                "rack=[!a-z]*?",
                "docker=healthy",
                "<2.0,1.9.3",
                "dc,-memory_mb",
            ],
        ),
        (
            "pattern",
            &[
                "web-*\nweb-12",
                "*[[[[[[x\n[[[[[[[[[[[[",
                "[!a-z]*[]x-]?\n5-]é",
                "*a*b*c*?[0-9]\nxaxxbxxcc7",
                "[^]a]*[z-a][\n]b",
            ],
        ),
        (
            "order",
            &[
                "10\n9x\n2e5",
                "1.10\n1.9\n1.9.0\nv1.9",
                "-1\n\n0\nnan\n1e309",
                "2.0.0-beta.1\n2.0.0\nweb-2\nweb-10\nweb-02",
            ],
        ),
    ];

    #[test]
    fn every_property_has_its_fuzzer() {
        let folder = root().join("tests/fuzz/targets");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<String> =
            files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        found.sort();
        assert_eq!(found, ALL.map(|(name, _)| name));
        let manifest = fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
        for (name, property) in ALL {
            assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
            let target = fs::read_to_string(root().join(format!("tests/fuzz/targets/{name}.rs")));
            assert!(target.unwrap().contains(&format!("properties::{name}(bytes)")), "{name}");
            property(b"");
        }
    }

    /// `FUZZ_SEEDS=FOLDER` also writes them there, for fuzzers to begin with.
    #[test]
    fn properties_hold_of_what_was_recorded_and_typed() {
        let folder = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from);
        for (name, property) in ALL {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "{name}");
            for (at, seed) in seeds.iter().enumerate() {
                property(seed);
                if let Some(folder) = folder.as_ref().map(|folder| folder.join(name)) {
                    fs::create_dir_all(&folder).unwrap();
                    fs::write(folder.join(format!("seed-{at}")), seed).unwrap();
                }
            }
        }
    }

    #[test]
    fn properties_hold_of_damaged_seeds() {
        for (name, property) in ALL {
            check(name, property, damaged(seeds(name)), 300);
        }
    }

    #[test]
    fn properties_hold_of_any_bytes() {
        for (name, property) in ALL {
            check(name, property, any::<Vec<u8>>(), 200);
            check(name, property, any::<String>().prop_map(String::into_bytes), 200);
        }
    }

    /// The same cases in every run: what is new is for the fuzzers to find.
    fn check(name: &str, property: Property, bytes: impl Strategy<Value = Vec<u8>>, cases: u32) {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let found = TestRunner::new_with_rng(config, rng).run(&bytes, |bytes| {
            property(&bytes);
            Ok(())
        });
        if let Err(TestError::Fail(why, bytes)) = found {
            panic!("{name}: {why}\n{:?}", String::from_utf8_lossy(&bytes));
        }
    }

    /// A seed with words put in, pieces cut out, and bytes changed.
    fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let change = (any::<Index>(), 0..4_u8, any::<Index>(), any::<u8>());
        (any::<Index>(), prop::collection::vec(change, 1..4)).prop_map(move |(seed, changes)| {
            let mut bytes = seed.get(&seeds).clone();
            for (at, kind, word, byte) in changes {
                let at = at.index(bytes.len() + 1);
                let end = bytes.len().min(at + usize::from(byte) % 40);
                match kind {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.drain(at..end)),
                    2 => bytes[at..end].fill(byte),
                    _ => drop(bytes.splice(at..at, word.get(&WORDS).bytes())),
                }
            }
            bytes
        })
    }

    fn seeds(name: &str) -> Vec<Vec<u8>> {
        match name {
            "list_json" => recorded(|target| target == "/v1/nodes"),
            "node_json" => recorded(|target| target.starts_with("/v1/node/") && target.len() == 45),
            "cached" => cached(),
            name => {
                let typed =
                    TYPED.iter().filter(|(of, _)| *of == name).flat_map(|(_, texts)| *texts);
                typed.map(|text| text.as_bytes().to_vec()).collect()
            }
        }
    }

    /// The value of `all`, and beneath it one of the hash.
    fn cached() -> Vec<Vec<u8>> {
        let Rows { all, fulls } = Rows::of(sample());
        fulls.iter().map(|(_, full)| [&all, &b"\n"[..], full].concat()).collect()
    }

    /// Bodies that a real Nomad sent as the answer to such a target.
    fn recorded(is_wanted: fn(&str) -> bool) -> Vec<Vec<u8>> {
        let mut bodies = Vec::new();
        for version in folder(&root().join("tests/fixtures/nomad")) {
            for step in folder(&version) {
                for path in folder(&step).iter().filter(|path| path.extension().is_some()) {
                    let text = fs::read(path).unwrap();
                    let Ok(exchange) = serde_json::from_slice::<Value>(&text) else { continue };
                    let target = exchange["request"]["target"].as_str().unwrap_or_default();
                    let path = target.split('?').next().unwrap_or_default();
                    let body = exchange["response"]["body_utf8"].as_str();
                    bodies.extend(
                        body.filter(|_| is_wanted(path)).map(|body| body.as_bytes().to_vec()),
                    );
                }
            }
        }
        bodies.sort();
        bodies.dedup();
        bodies
    }

    fn folder(path: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }
}
