//! README, docs/, CONTRIBUTING and SECURITY: every command block runs and prints what is shown, every link leads somewhere.
//!
//! `UPDATE=1 cargo test --test it documented` rewrites the outputs that are shown.

mod blocks;
mod pictures;
mod room;

use std::fs;
use std::path::{Path, PathBuf};

use blocks::{blocks, links, slugs};
use room::Room;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// All other languages of blocks: these are files and requests, not commands.
const NOT_COMMANDS: [&str; 7] = ["caddyfile", "ini", "json", "nginx", "text", "toml", "yaml"];

/// Paths from the root of the repository.
fn documents() -> Vec<String> {
    let mut all: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    for entry in fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        all.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    all.sort();
    all
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// Runs the blocks of one document in order, in one room; gives what is wrong.
fn faults(text: &str) -> Vec<String> {
    let mut room = None;
    let mut faults = Vec::new();
    for block in blocks(text) {
        let run = match block.language.as_str() {
            "sh" => Room::script,
            "console" => Room::session,
            known if NOT_COMMANDS.contains(&known) => continue,
            other => {
                faults.push(format!("line {}: blocks of {other:?} are not run", block.line));
                continue;
            }
        };
        if let Err(why) = run(room.get_or_insert_with(Room::new), &block) {
            faults.push(format!("line {}: {why}", block.line));
        }
    }
    faults
}

#[track_caller]
fn check(path: &str) {
    if std::env::var_os("UPDATE").is_some() {
        return update(path);
    }
    let faults = faults(&read(path));
    assert!(faults.is_empty(), "{path}:\n{}", faults.join("\n\n"));
}

/// Writes what the programs print now where something else is shown.
fn update(path: &str) {
    let mut text = read(path);
    let room = Room::new();
    for block in blocks(&text) {
        match block.language.as_str() {
            "sh" => room.script(&block).unwrap(),
            "console" => text = text.replace(&block.text, &room.shown(&block)),
            _ => {}
        }
    }
    fs::write(Path::new(ROOT).join(path), text).unwrap();
}

#[test]
fn every_block_of_the_readme_runs() {
    check("README.md");
}

#[test]
fn every_block_of_the_other_documents_runs() {
    documents().iter().filter(|path| *path != "README.md").for_each(|path| check(path));
}

/// The page that newcomers read stays short.
#[test]
fn the_readme_is_short() {
    assert!(read("README.md").lines().count() <= 250);
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = Vec::new();
    for path in documents() {
        let text = read(&path);
        let folder = Path::new(&path).parent().unwrap().to_owned();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { PathBuf::from(&path) } else { folder.join(file) };
            let target = Path::new(ROOT).join(&file);
            let is_there = match heading {
                "" => target.exists(),
                heading => fs::read_to_string(&target)
                    .is_ok_and(|text| slugs(&text).any(|slug| slug == heading)),
            };
            if !is_there {
                faults.push(format!("{path}: {link}"));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

/// What the map names exists, and it names everything in src/.
#[test]
fn the_map_of_the_code_is_true() {
    let text = read("CONTRIBUTING.md");
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let is_path = |name: &&&str| {
        name.split('/').next().is_some_and(|first| ["src", "tests"].contains(&first))
            && !name.contains(' ')
    };
    let missing: Vec<&&str> =
        named.iter().filter(is_path).filter(|name| !Path::new(ROOT).join(name).exists()).collect();
    assert_eq!(missing, [&""; 0]);
    for entry in fs::read_dir(Path::new(ROOT).join("src")).unwrap() {
        let path = entry.unwrap().path();
        let slash = if path.is_dir() { "/" } else { "" };
        let name = format!("src/{}{slash}", path.file_name().unwrap().to_str().unwrap());
        assert!(named.contains(&name.as_str()), "the map lacks {name}");
    }
}

/// A block that breaks is noticed, whatever breaks it.
#[test]
fn broken_blocks() {
    for (block, fault) in [
        ("```sh\nnomad-clients list --bogus\n```\n", "line 1: exit code 2"),
        ("```sh\nfalse | true\ntrue\n```\n", "line 1: exit code 1"),
        ("```sh\ncurl -s http://127.0.0.1:8080/api/clients\n```\n", "line 1: exit code 7"),
        ("```sh\ncargo test --test it no_such_test\n```\n", "line 1: exit code 97"),
        ("```sh\ncargo frobnicate\n```\n", "line 1: exit code 97"),
        ("```bash\ntrue\n```\n", "line 1: blocks of \"bash\" are not run"),
        ("```\ntrue\n```\n", "line 1: blocks of \"\" are not run"),
        ("```console\n$ echo one\ntwo\n```\n", "line 1: `echo one` prints\none\n"),
        (
            "```console\n$ nomad-clients show nope\n…\n```\n",
            "line 1: `nomad-clients show nope` ends with 1, which no `echo $?` shows",
        ),
    ] {
        let faults = faults(block);
        assert!(faults.len() == 1 && faults[0].starts_with(fault), "{block}{faults:?}");
    }
    let block = "```console\n$ nomad-clients list web-9 2>/dev/null\n$ echo $?\n1\n$ echo 17ms\n4.5 s\n```\n";
    assert_eq!(faults(block), [""; 0]);
}
