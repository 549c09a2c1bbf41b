//! Markdown taken apart: blocks of commands, links, headings; and what counts as the same output.

/// A fenced block.
pub(super) struct Block {
    /// What stands behind the fence.
    pub(super) language: String,
    /// Where the fence is, from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// A command of a session, and what is shown below it.
pub(super) struct Typed<'a> {
    pub(super) command: String,
    pub(super) shown: Vec<&'a str>,
}

pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in markdown.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let language = language.to_owned();
                open = Some(Block { language, line: at + 1, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// `$ ` begins a command; one that ends with a backslash goes on.
pub(super) fn session(text: &str) -> Vec<Typed<'_>> {
    let mut session: Vec<Typed<'_>> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), session.last_mut()) {
            (Some(command), _) => {
                session.push(Typed { command: command.to_owned(), shown: Vec::new() });
            }
            (None, Some(last)) if last.command.ends_with('\\') && last.shown.is_empty() => {
                last.command.push_str(&format!("\n{line}"));
            }
            (None, Some(last)) => last.shown.push(line),
            (None, None) => panic!("a session begins with a command: {line}"),
        }
    }
    session
}

/// Whether the output is what is shown: times and sizes may differ, `…` is any text in a line, a
/// line with nothing else any number of lines, and empty lines before the next command are free.
pub(super) fn is_shown(output: &str, shown: &[&str]) -> bool {
    let trimmed = |lines: &[&str]| -> Vec<String> {
        let end = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1);
        lines[..end].iter().map(|line| steady(line.trim_end())).collect()
    };
    let lines: Vec<&str> = output.lines().collect();
    same(&trimmed(&lines), &trimmed(shown))
}

fn same(lines: &[String], shown: &[String]) -> bool {
    match (lines, shown) {
        (lines, [any, rest @ ..]) if any == "…" => {
            (0..=lines.len()).any(|skipped| same(&lines[skipped..], rest))
        }
        ([line, lines @ ..], [pattern, shown @ ..]) => fits(line, pattern) && same(lines, shown),
        (lines, shown) => lines.is_empty() && shown.is_empty(),
    }
}

fn fits(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|start| line.strip_prefix(start)) else {
        return false;
    };
    let Some(end) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

/// Times become `T`, sizes `B`: `17ms`, `4 m 59 s`, `1.3 MiB`.
fn steady(line: &str) -> String {
    let mut steady = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let is_begin =
            !steady.ends_with(|last: char| last.is_alphanumeric() || ['.', '-'].contains(&last));
        let (taken, written) = match measured(rest).filter(|_| is_begin) {
            Some(found) => found,
            None => (first.len_utf8(), &rest[..first.len_utf8()]),
        };
        steady.push_str(written);
        rest = &rest[taken..];
    }
    steady
}

/// The length of a number with its unit, and what stands for it.
fn measured(text: &str) -> Option<(usize, &'static str)> {
    let (mut end, mut kind) = (0, None);
    loop {
        let blanks = if end == 0 { "" } else { " " };
        let number = text[end..].strip_prefix(blanks).unwrap_or(&text[end..]);
        let unit = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let is_number = number.starts_with(|c: char| c.is_ascii_digit());
        let unit = unit.strip_prefix(' ').unwrap_or(unit);
        let name: String = unit.chars().take_while(char::is_ascii_alphabetic).collect();
        let of = match name.as_str() {
            "ms" | "s" | "m" | "h" | "d" => Some("T"),
            "B" | "KiB" | "MiB" | "GiB" => Some("B"),
            _ => None,
        };
        match of.filter(|of| is_number && kind.is_none_or(|kind| kind == *of)) {
            Some(of) => (end, kind) = (text.len() - unit.len() + name.len(), Some(of)),
            None => return kind.map(|kind| (end, kind)),
        }
    }
}

/// The targets of `[…](target)` outside of code.
pub(super) fn links(markdown: &str) -> impl Iterator<Item = &str> {
    let found = markdown.match_indices("](").map(|(at, start)| &markdown[at + start.len()..]);
    found.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The headings, as links name them.
pub(super) fn slugs(markdown: &str) -> impl Iterator<Item = String> {
    let headings = markdown.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[test]
fn times_and_sizes_may_differ() {
    for (line, wanted) in [
        ("5 clients · cached 2s ago · 17ms", "5 clients · cached T ago · T"),
        ("59 s left, 4 m 59 s, 4m59s", "T left, T, T"),
        ("1.3 MiB of 45 GiB; 12.11 and web-1s", "B of B; 12.11 and web-1s"),
        ("in 10 names", "in 10 names"),
    ] {
        assert_eq!(steady(line), wanted);
    }
}

#[test]
fn an_ellipsis_is_any_text() {
    for (output, shown, wanted) in [
        ("a\nb\nc\n", &["a", "…"][..], true),
        ("a\nb\nc\n", &["…", "c", ""], true),
        ("a\nb\nc\n", &["a", "…", "b"], false),
        ("redis 7.0.15, ok\n", &["redis …, ok"], true),
        ("redis 7.0.15, no\n", &["redis …, ok"], false),
        ("a\n", &["a…"], true),
        ("a\nb\n", &["a"], false),
        ("a\n", &["a", "b"], false),
        ("a   1\n", &["a 1"], false),
    ] {
        assert_eq!(is_shown(output, shown), wanted, "{output:?} {shown:?}");
    }
}
