//! The rules of the house: who may use whom, one door per outside library, short files.

mod arrows;
mod names;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tables::{DOORS, MAY_USE};

const LINES_MAX: usize = 400;

/// Written apart, so that this file does not hold them.
const FORBIDDEN: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimplemented", "!("),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("db", "g!("),
    concat!("un", "safe {"),
];

/// One file: its path from the root of the repository, with `/`.
struct Source {
    path: String,
    text: String,
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests"] {
        collect(root, &root.join(folder), &mut sources);
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the sources are found");
    let mut faults: Vec<String> = sources.iter().flat_map(faults).collect();
    faults.extend(arrows::cycles(&sources));
    faults.extend(names::doubled(&sources));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_table_has_no_cycle_and_every_module() {
    for (at, (module, allowed)) in MAY_USE.iter().enumerate() {
        let lower: BTreeSet<&str> = MAY_USE[..at].iter().map(|(module, _)| *module).collect();
        let unknown: Vec<_> = allowed.iter().filter(|name| !lower.contains(**name)).collect();
        assert!(unknown.is_empty(), "{module} uses {unknown:?}, which do not stand below it");
    }
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let is_known = module == "main" || MAY_USE.iter().any(|(known, _)| *known == module);
        assert!(is_known, "src/{name} has no line in MAY_USE");
    }
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn faults(source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        faults.push(format!("{path}: {lines} lines, more than {LINES_MAX}"));
    }
    if !text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 5) {
        faults.push(format!("{path}: the first line does not say what it is for (//! …)"));
    }
    let forbidden = FORBIDDEN.iter().filter(|word| text.contains(**word));
    faults.extend(forbidden.map(|word| format!("{path}: holds {word}")));
    if path.starts_with("src/") {
        let code = code(text);
        faults.extend(uses(path, &code));
        faults.extend(doors(path, &code));
    }
    faults
}

/// The program itself: without comments, and without the tests at the bottom of the file.
fn code(text: &str) -> String {
    let without_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = without_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.fold(String::new(), |code, line| code + line + "\n")
}

/// Modules of this crate that are used and may not be.
fn uses(path: &str, code: &str) -> Vec<String> {
    let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default();
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        return Vec::new();
    };
    let used = used(code);
    let wrong = used.iter().filter(|used| *used != module && !allowed.contains(&used.as_str()));
    wrong.map(|used| format!("{path}: {module} may not use {used}")).collect()
}

/// What follows `crate::`: a name, or a list of names in braces.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        let name = |text: &str| -> String {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        used.extend(names.into_iter().map(name).filter(|name| !name.is_empty()));
    }
    used
}

/// The members of a list in braces, up to its end; what is nested stays with its member.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut members) = (0, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&list[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    members
}

fn doors(path: &str, code: &str) -> Vec<String> {
    let closed = DOORS.iter().filter(|(word, open)| {
        holds(code, word) && !open.iter().any(|open| path.starts_with(open))
    });
    closed.map(|(word, open)| format!("{path}: {word} belongs to {}", open.join(", "))).collect()
}

/// Whether `word` stands in the code as a word of its own, not as the end of a longer one, and not
/// as a module of some other crate or of this one.
fn holds(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let is_longer = before.is_alphanumeric() || before == '_';
        let is_inner = word.ends_with("::") && before == ':' && !word.starts_with("::");
        !is_longer
            && (!is_inner || code[..at].trim_end_matches(':').ends_with([' ', '(', '<', '&', '\n']))
    })
}

/// A deliberate violation of each kind is noticed.
mod violations {
    use super::{FORBIDDEN, LINES_MAX, Source, faults};

    #[track_caller]
    fn check(path: &str, code: &str, fault: &str) {
        let source = Source { path: path.to_owned(), text: format!("//! What it is for.\n{code}") };
        let expected: Vec<String> =
            Some(fault.to_owned()).filter(|fault| !fault.is_empty()).into_iter().collect();
        assert_eq!(faults(&source), expected, "{code}");
    }

    #[test]
    fn arrows_that_point_up() {
        check("src/model/x.rs", "use crate::clock;", "src/model/x.rs: model may not use clock");
        check(
            "src/nomad/x.rs",
            "fn f() { crate::store::open() }",
            "src/nomad/x.rs: nomad may not use store",
        );
        check(
            "src/store/mod.rs",
            "use crate::{clock, model::{node, rows}, nomad::Nomad};",
            "src/store/mod.rs: store may not use nomad",
        );
        check(
            "src/error.rs",
            "use crate::config::Config;",
            "src/error.rs: error may not use config",
        );
        check("src/discovery/x.rs", "use crate::{clock, nomad, store::{Look, Want}};", "");
        check(
            "src/model/x.rs",
            "// Unlike crate::store this is pure.\nuse crate::model::node;",
            "",
        );
    }

    #[test]
    fn doors_that_are_closed() {
        let clap = "src/config/mod.rs: clap:: belongs to src/cli, src/main.rs";
        check("src/config/mod.rs", "use clap::Parser;", clap);
        check("src/config/mod.rs", "fn f(x: ::clap::Error) {}", clap);
        check(
            "src/store/fallback.rs",
            "use ::redis::Cmd;",
            "src/store/fallback.rs: ::redis:: belongs to src/store/redis/",
        );
        check(
            "src/commands/x.rs",
            "fn f() { std::env::var(\"HOME\"); }",
            "src/commands/x.rs: env::var belongs to src/cli, src/config/",
        );
        check(
            "src/store/x.rs",
            "let now = Instant::now();",
            "src/store/x.rs: Instant::now belongs to src/clock.rs",
        );
        check(
            "src/commands/x.rs",
            "let took = began.elapsed();",
            "src/commands/x.rs: elapsed() belongs to src/clock.rs",
        );
        check("src/cli.rs", "use clap::Parser;", "");
        check(
            "src/store/x.rs",
            "use super::redis::RedisStore;\nuse crate::store::redis::Target;",
            "",
        );
        check(
            "src/render/x.rs",
            "use my_clap::Parser;\n#[cfg(test)]\nmod tests {\n use clap::Parser;\n}",
            "",
        );
    }

    #[test]
    fn files_that_are_too_long_or_say_nothing() {
        let lines = "\n".repeat(LINES_MAX);
        check("tests/it/x.rs", &lines, "tests/it/x.rs: 401 lines, more than 400");
        check("tests/it/x.rs", &lines[1..], "");
        for text in ["use std::fs;\n", "//!\n", ""] {
            let source = Source { path: "src/x.rs".to_owned(), text: text.to_owned() };
            assert_eq!(
                faults(&source),
                ["src/x.rs: the first line does not say what it is for (//! …)"]
            );
        }
    }

    #[test]
    fn words_that_are_forbidden() {
        for word in FORBIDDEN {
            check("src/model/x.rs", word, &format!("src/model/x.rs: holds {word}"));
        }
    }
}
