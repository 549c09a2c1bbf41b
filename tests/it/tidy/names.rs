//! One name, one type.

use std::collections::BTreeMap;

use super::{Source, code};

/// Names that several modules may give: each part has its own `Error`, as `io`, `fmt` and `serde` have.
const SEVERAL: [&str; 1] = ["Error"];

/// Names of more than one type.
pub(super) fn doubled(sources: &[Source]) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.starts_with("src/")) {
        for name in types(&code(&source.text)) {
            files.entry(name).or_default().push(&source.path);
        }
    }
    let doubled =
        files.iter().filter(|(name, files)| files.len() > 1 && !SEVERAL.contains(&name.as_str()));
    doubled.map(|(name, files)| format!("{name} is several types: {}", files.join(", "))).collect()
}

/// The types that are declared at the top of a file or of an inner module; those of a trait or of
/// an `impl` have the trait's name.
fn types(code: &str) -> Vec<String> {
    let declared = code.lines().filter_map(|line| {
        let mut words = line
            .split([' ', '('])
            .skip_while(|word| word.starts_with("pub") || *word == "in" || word.ends_with(')'));
        let kind = words.next()?;
        let name = words.next()?;
        let name = name.split(|character: char| !(character.is_alphanumeric() || character == '_'));
        ["struct", "enum", "trait", "type", "union"].contains(&kind).then(|| name.take(1).collect())
    });
    declared.collect()
}

#[test]
fn a_name_of_two_types_is_noticed() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [
        source("src/a.rs", "pub(crate) struct Line<'a> {\n}\nstruct Own;\nenum Error {}"),
        source("src/b.rs", "enum Line {\n}\nimpl Iterator for X {\n    type Item = u8;\n}"),
        source("src/c.rs", "/// struct Own\ntype Item = u8;\npub enum Error {}\n"),
        source(
            "src/d.rs",
            "pub(in crate::serve) type Line = String;\n#[cfg(test)]\nmod tests {\nstruct Own;\n}",
        ),
        source("tests/e.rs", "struct Own;"),
    ];
    assert_eq!(doubled(&sources), ["Line is several types: src/a.rs, src/b.rs, src/d.rs"]);
}
