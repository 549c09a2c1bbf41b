//! The scripts: what each says of itself, what the page says of it, and what it is sent.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{only, read, section};
use super::watched::Command;

const FOLDER: &str = "src/store/redis/scripts";

/// Names of keys and arguments. `None` at the end: more of them follow.
type Contract = [Vec<Option<String>>; 2];

/// `1 scope  2 token …`: the names behind the numbers, as long as these go on.
fn numbered(text: &str, begun: Vec<Option<String>>) -> Vec<Option<String>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).fold(begun, |mut names, pair| {
        if pair[0] == (names.len() + 1).to_string() {
            let name = pair[1].trim_end_matches([',', ':', '.']);
            names.push(Some(name.to_owned()).filter(|name| !name.is_empty()));
        }
        names
    })
}

/// The contract at the top of a script.
fn header(name: &str) -> Contract {
    let text = read(&format!("{FOLDER}/{name}.lua"));
    let comment = text.lines().take_while(|line| line.starts_with("--"));
    let comment = comment.map(|line| line.trim_start_matches('-')).collect::<Vec<_>>().join(" ");
    let (_, rest) = comment.split_once("KEYS ").expect("it names its keys");
    let (keys, arguments) = rest.split_once("ARGV ").expect("it names its arguments");
    let begun = match keys.trim_start().strip_prefix("as ") {
        Some(other) => {
            let other = other.split([' ', ';']).next().unwrap().to_lowercase();
            let [keys, _] = header(&other);
            keys
        }
        None => Vec::new(),
    };
    [numbered(keys, begun), numbered(arguments, Vec::new())]
}

/// What the page says.
fn rows() -> BTreeMap<String, Contract> {
    let mut rows: BTreeMap<String, Contract> = BTreeMap::new();
    for row in section("Scripts").table("script") {
        let name = |word: &str| Some(word.to_owned()).filter(|word| word != "…");
        let words = |cell: &str| cell.split(", ").map(name).collect::<Vec<_>>();
        let mut keys = words(&row[1]);
        if let Some(other) = row[1].strip_prefix("as ") {
            keys = rows[&only(other)][0].clone();
        } else if row[1].starts_with("the same, ") {
            keys.splice(..1, rows["enter"][0].clone());
        }
        rows.insert(only(&row[0]), [keys, words(&row[2])]);
    }
    rows
}

fn files() -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_str().unwrap().trim_end_matches(".lua").to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn the_page_has_the_contract_of_every_script() {
    let headers: BTreeMap<String, Contract> =
        files().into_iter().map(|name| (name.clone(), header(&name))).collect();
    assert_eq!(rows(), headers, "the page, the scripts");
}

/// Words in capitals, each once.
fn capitals<'a>(words: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let is_one = |word: &&str| word.len() > 1 && word.bytes().all(|it| it.is_ascii_uppercase());
    words.filter(is_one).collect()
}

#[test]
fn the_page_has_every_reply() {
    for row in section("Scripts").table("script") {
        let text = read(&format!("{FOLDER}/{}.lua", only(&row[0])));
        let body: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        // A reply stands in braces; the first word of one is a variable.
        let body = body.join(" ").replace("redis.call('PTTL'", "");
        let replies = body.split("return {").skip(1).flat_map(|rest| {
            let reply = rest.split('}').next().unwrap();
            reply.split('\'').skip(1).step_by(2)
        });
        let states = body.match_indices("'OWN'").map(|_| "OWN");
        let states = states.chain(body.match_indices("'SOLO'").map(|_| "SOLO"));
        let said = capitals(row[3].split(|it: char| !it.is_ascii_alphabetic()));
        assert_eq!(said, capitals(replies.chain(states)), "{}", row[0]);
    }
}

/// What MONITOR has seen of them.
pub(super) fn check(commands: &[Command]) {
    let rows = rows();
    let order = section("Keys").blocks("text").remove(0);
    let order: Vec<&str> = order.split(' ').collect();
    let mut seen = BTreeSet::new();
    for command in commands {
        let Some((name, keys, arguments)) = command.script() else { continue };
        let [named_keys, named] = &rows[&name];
        assert_eq!(keys.len(), named_keys.len(), "KEYS of {name}");
        let is_followed = name == "renew" || name == "release";
        if !(is_followed && keys == ["follow"]) {
            let expected = if keys.len() == 1 { &order[1..2] } else { &order[..keys.len()] };
            assert_eq!(keys, expected, "KEYS of {name}");
        }
        match named.split_last() {
            Some((None, named)) => assert!(arguments.len() >= named.len(), "ARGV of {name}"),
            _ => assert_eq!(arguments.len(), named.len(), "ARGV of {name}"),
        }
        seen.insert(name);
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        files(),
        "scripts that were sent, all scripts"
    );
}
