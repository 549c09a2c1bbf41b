//! Arrows between the files of src: none of them leads back, not even inside a module.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, code};

/// The names of a module, from the root of the crate.
type Module = Vec<String>;

/// The modules of the crate, and what their code says.
struct Tree {
    /// The code of each module, without comments and tests.
    modules: BTreeMap<Module, String>,
    /// What a module passes on (`pub use`), by the name under which it does.
    passed_on: BTreeMap<(Module, String), String>,
}

/// Files that use each other, one line for each knot. A `mod.rs` and what is below it count as one.
pub(super) fn cycles(sources: &[Source]) -> Vec<String> {
    let tree = Tree::of(sources);
    let mut arrows: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for (module, code) in &tree.modules {
        let used = paths(code).into_iter().filter_map(|path| tree.resolved(module, &path, 5));
        let others = used.filter(|used| !used.starts_with(module) && !module.starts_with(used));
        arrows.insert(module, others.collect());
    }
    let mut knots = BTreeSet::new();
    for module in arrows.keys() {
        let reached = reached(&arrows, module);
        if reached.contains(module) {
            let back =
                reached.into_iter().filter(|other| self::reached(&arrows, other).contains(module));
            let names: Vec<_> = back.map(|module| module.join("::")).collect();
            knots.insert(format!("files that use each other: {}", names.join(", ")));
        }
    }
    knots.into_iter().collect()
}

fn reached<'a>(
    arrows: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
    from: &Module,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = arrows[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(arrows[module].iter().copied());
        }
    }
    reached
}

impl Tree {
    fn of(sources: &[Source]) -> Self {
        let in_src =
            sources.iter().filter_map(|source| Some((module(&source.path)?, code(&source.text))));
        let modules: BTreeMap<Module, String> = in_src.collect();
        let mut passed_on = BTreeMap::new();
        for (module, code) in &modules {
            for path in uses(code, true) {
                let name = path.rsplit("::").next().unwrap_or_default().to_owned();
                passed_on.insert((module.clone(), name), path);
            }
        }
        Self { modules, passed_on }
    }

    /// The module that holds what `path`, said in `from`, names; `None` for other crates.
    fn resolved(&self, from: &Module, path: &str, hops: usize) -> Option<&Module> {
        let mut names: Vec<&str> = path.split("::").collect();
        let mut at = match names[0] {
            "crate" => Module::new(),
            "self" | "super" => from.clone(),
            first => {
                let child = [from.as_slice(), &[first.to_owned()]].concat();
                self.modules.contains_key(&child).then(|| from.clone())?
            }
        };
        while names.first().is_some_and(|name| ["crate", "self", "super"].contains(name)) {
            if names.remove(0) == "super" {
                at.pop()?;
            }
        }
        while let Some(name) = names.first() {
            at.push((*name).to_owned());
            if !self.modules.contains_key(&at) {
                at.pop();
                break;
            }
            names.remove(0);
        }
        let further = names.first().filter(|_| hops > 0).and_then(|name| {
            let passed_on = self.passed_on.get(&(at.clone(), (*name).to_owned()))?;
            self.resolved(&at, passed_on, hops - 1)
        });
        further.or_else(|| self.modules.get_key_value(&at).map(|(module, _)| module))
    }
}

/// `src/store/redis/mod.rs` is `store::redis`; the crate's root is no one's neighbour.
fn module(path: &str) -> Option<Module> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    (path != "lib" && path != "main").then(|| path.split('/').map(str::to_owned).collect())
}

/// All paths that may lead to another file.
fn paths(code: &str) -> Vec<String> {
    let mut paths = uses(code, false);
    let imported: BTreeMap<String, String> = paths
        .iter()
        .filter_map(|path| Some((path.rsplit("::").next()?.to_owned(), path.clone())))
        .collect();
    let is_part = |character: char| character.is_alphanumeric() || "_:".contains(character);
    for word in code.split(|character| !is_part(character)).filter(|word| word.contains("::")) {
        let word = word.trim_matches(':');
        let (first, rest) = word.split_once("::").unwrap_or((word, ""));
        match imported.get(first) {
            Some(path) => paths.push(format!("{path}::{rest}")),
            None => paths.push(word.to_owned()),
        }
    }
    paths
}

/// What `use` names, one path for each leaf of its tree; only what is passed on, if `public`.
fn uses(code: &str, public: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = &code[code[..at].rfind('\n').map_or(0, |end| end + 1)..at];
        let is_public = line.trim_start().starts_with("pub");
        if !is_public && (public || !line.trim().is_empty()) {
            continue;
        }
        let tree = code[at + 4..].split(';').next().unwrap_or_default();
        leaves("", &tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut found);
    }
    found
}

fn leaves(before: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    match tree.split_once('{') {
        Some((path, members)) => {
            let before = format!("{before}{}", path.trim());
            super::top_level(members).iter().for_each(|member| leaves(&before, member, found));
        }
        None if tree.is_empty() => {}
        None => {
            let path = tree.split(" as ").next().unwrap_or(tree).trim_end_matches("::self");
            found.push(format!("{before}{path}").trim_end_matches("::self").to_owned());
        }
    }
}

/// Arrows that lead back are noticed, whatever way they are written.
mod violations {
    use super::super::Source;
    use super::cycles;

    #[track_caller]
    fn check(files: &[(&str, &str)], knots: &[&str]) {
        let source = |(path, text): &(&str, &str)| Source {
            path: format!("src/{path}"),
            text: (*text).to_owned(),
        };
        let sources: Vec<_> = files.iter().map(source).collect();
        let knots: Vec<_> =
            knots.iter().map(|knot| format!("files that use each other: {knot}")).collect();
        assert_eq!(cycles(&sources), knots);
    }

    #[test]
    fn two_files_that_use_each_other() {
        for there in [
            "use super::b::B;",
            "use crate::a::b;",
            "use crate::a::{b::{self, B}, c};",
            "fn f() { super::b::f() }",
            "use super::b;\nfn f() { b::f() }",
            "use super::B;",
        ] {
            let files = [
                ("a/mod.rs", "mod b;\nmod c;\npub(crate) use b::B;"),
                ("a/b.rs", "use super::c::C;"),
            ];
            check(&[&files[..], &[("a/c.rs", there)]].concat(), &["a::b, a::c"]);
        }
    }

    #[test]
    fn a_cycle_over_a_third_file_and_another_directory() {
        let files = [
            ("a/mod.rs", "mod b;"),
            ("d/mod.rs", "mod e;\nmod f;"),
            ("a/b.rs", "use crate::d::e::E;"),
            ("d/e.rs", "use super::f::F;"),
            ("d/f.rs", "use crate::a::b::B;"),
            ("g.rs", "use crate::a::b::B;"),
        ];
        check(&files, &["a::b, d::e, d::f"]);
    }

    #[test]
    fn a_module_and_what_is_below_it_count_as_one() {
        let files = [
            ("a/mod.rs", "mod b;\nuse b::B;\nfn f() { b::f() }"),
            ("a/b.rs", "use super::A;\nuse std::b::C;"),
            ("a/c.rs", "// use super::b;\n#[cfg(test)]\nmod tests {\n use crate::a::c::d;\n}"),
        ];
        check(&files, &[]);
    }
}
