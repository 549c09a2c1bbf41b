//! The page of the protocol, `src/store/PROTOCOL.md`: what its tables say is what the code does.

mod cluster;
mod document;
mod files;
mod limits;
mod scenes;
mod scripts;
mod watched;

use nomad_clients::store::meta::{Meta, sum};
use nomad_clients::store::scope::{Cluster, Scope};

use document::{only, quoted, read, section};

use crate::support::sealed::{sealed, unsealed};

/// Of each kind.
const VECTORS: usize = 3;

#[test]
fn it_says_that_it_is_binding_and_the_map_leads_to_it() {
    let page = read("src/store/PROTOCOL.md");
    assert!(page.starts_with("# The cache protocol\n\nThis document is binding."));
    assert!(read("CONTRIBUTING.md").contains("](src/store/PROTOCOL.md)"));
    let prose = page.split("\n```").step_by(2).flat_map(str::lines);
    for line in prose.filter(|line| !line.starts_with('|')) {
        assert!(line.chars().count() <= 120, "wrap this line: {line}");
    }
}

#[test]
fn the_contents_name_every_section() {
    let page = read("src/store/PROTOCOL.md");
    let slug = |title: &str| {
        let kept = title.chars().filter(|it| it.is_alphanumeric() || " -".contains(*it));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let titles: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(slug).collect();
    let contents = page.split("\n## ").next().unwrap();
    let links = contents.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap());
    assert_eq!(links.collect::<Vec<_>>(), titles);
}

#[test]
fn the_meta_line_has_the_fields_of_the_table() {
    let page = section("The meta line");
    let line = page.blocks("text").remove(0);
    let meta = Meta::parse(line.as_bytes()).expect("the example is a meta line");
    assert_eq!(meta.to_string(), line);
    let rows = page.table("field");
    let named: Vec<String> = rows.iter().map(|row| only(&row[1])).collect();
    assert_eq!(named.join("|"), line);
    let Meta { scope, epoch, rev, index, count, len, sum, ttl_ms, lag_ms } = meta.clone();
    let fields = [
        ("v", "v2".to_owned()),
        ("scope", scope),
        ("epoch", epoch),
        ("rev", rev),
        ("idx", format!("{index:020}")),
        ("count", count.to_string()),
        ("len", len.to_string()),
        ("sum", sum),
        ("ttl", ttl_ms.to_string()),
        ("lag", lag_ms.to_string()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let said: Vec<_> = rows.iter().map(|row| (row[0].clone(), only(&row[1]))).collect();
    assert_eq!(said, fields);
    assert!(meta.describes(page.blocks("json").remove(0).as_bytes()));
}

#[test]
fn sums_are_those_of_the_vectors() {
    let vectors = section("The meta line").table("bytes");
    assert_eq!(vectors.len(), VECTORS);
    for row in vectors {
        assert_eq!(sum(quoted(&row[0]).concat().as_bytes()), only(&row[1]), "{}", row[0]);
    }
}

#[test]
fn a_full_record_ends_with_its_own_sum() {
    let stored = section("Records").blocks("json").remove(0);
    let full = unsealed(stored.as_bytes()).expect("the sum of the example is right");
    assert_eq!(sealed(&full), stored.as_bytes());
    let all = section("The meta line").blocks("json").remove(0);
    let record = all.trim_start_matches('[').trim_end_matches("}]");
    assert!(stored.starts_with(&format!("{record},")), "it begins with its record");
}

#[test]
fn scopes_are_those_of_the_vectors() {
    let page = section("Scope");
    let names: Vec<String> = page.table("#").iter().map(|row| row[1].clone()).collect();
    let vectors = page.table("fields");
    assert_eq!(vectors.len(), VECTORS);
    for row in vectors {
        let text = only(&row[0]);
        let fields: Vec<&str> = text.split(',').collect();
        let values = names.iter().skip(1).map(String::as_str).zip(fields.iter().copied());
        assert_eq!(fields.len() + 1, names.len(), "{text}");
        let mut cluster = Cluster::default();
        for (name, value) in values {
            let value = value.to_owned();
            match name {
                "scheme" => cluster.scheme = value,
                "host" => cluster.host = value,
                "port" => cluster.port = value.parse().ok(),
                "path" => cluster.path = value,
                "region" => cluster.region = value,
                "tls_server_name" => cluster.tls_server_name = value,
                "user" => cluster.user = value,
                "credential" => cluster.credential = value,
                "machine" => cluster.machine = value,
                "proxy" => cluster.proxy = value,
                other => panic!("a scope has no {other}"),
            }
        }
        assert_eq!(Scope::of(&cluster).as_str(), only(&row[1]), "{text}");
    }
}

/// Which fields there are and in which order: no other order gives the same scope.
#[test]
fn the_fields_of_a_scope_are_hashed_in_the_order_of_the_table() {
    let source = read("src/store/scope.rs");
    let (_, list) = source.split_once("for field in [").unwrap();
    let list = list.split(']').next().unwrap().replace("&cluster.", "").replace(['&', ','], "");
    let hashed: Vec<&str> = list.split_whitespace().collect();
    let rows = section("Scope").table("#");
    let said: Vec<String> = rows.iter().map(|row| row[1].clone()).collect();
    let hashed: Vec<String> = hashed
        .iter()
        .map(|name| name.to_lowercase())
        .map(|name| if name == "name" { "tls_server_name".to_owned() } else { name })
        .collect();
    assert_eq!(said, hashed);
    let numbers: Vec<String> = (1..=rows.len()).map(|number| number.to_string()).collect();
    assert_eq!(rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), numbers);
    let shape = quoted(&rows[0][2]).remove(0);
    assert!(source.contains(&format!("const SHAPE: &str = \"{shape}\";")));
}
