//! The page of the protocol: its sections, tables and blocks.

use std::fs;
use std::path::Path;

const PAGE: &str = "src/store/PROTOCOL.md";

/// What stands below one heading.
pub(super) struct Section(String);

/// The cells of one row.
pub(super) type Row = Vec<String>;

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[track_caller]
pub(super) fn section(title: &str) -> Section {
    let text = read(PAGE);
    let (_, rest) = text.split_once(&format!("\n## {title}\n")).expect("there is such a heading");
    Section(rest.split("\n## ").next().unwrap().to_owned())
}

impl Section {
    /// The table whose first column has this title.
    #[track_caller]
    pub(super) fn table(&self, first: &str) -> Vec<Row> {
        let mut lines =
            self.0.lines().skip_while(|line| !line.starts_with(&format!("| {first} |")));
        let rows: Vec<Row> =
            lines.by_ref().take_while(|line| line.starts_with('|')).skip(2).map(cells).collect();
        assert!(!rows.is_empty(), "no table of {first:?}");
        rows
    }

    /// However its lines are broken.
    pub(super) fn holds(&self, text: &str) -> bool {
        let words: Vec<&str> = self.0.split_whitespace().collect();
        words.join(" ").contains(text)
    }

    /// The blocks of this language.
    pub(super) fn blocks(&self, language: &str) -> Vec<String> {
        let begin = format!("```{language}\n");
        let parts = self.0.split(&begin).skip(1);
        parts.map(|part| part.split("\n```").next().unwrap().to_owned()).collect()
    }
}

fn cells(line: &str) -> Row {
    let line = line.replace("\\|", "\0");
    let cells = line.trim_matches('|').split('|');
    cells.map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// What stands in code quotes.
pub(super) fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The one thing that does.
#[track_caller]
pub(super) fn only(cell: &str) -> String {
    let [only] = quoted(cell).try_into().unwrap_or_else(|all| panic!("{all:?} in {cell:?}"));
    only
}

/// `3 s or 2 s` in milliseconds.
#[track_caller]
pub(super) fn times(cell: &str) -> Vec<u64> {
    let words: Vec<&str> = cell.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let unit = |unit: &str| match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "min" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let pairs = words.windows(2);
    pairs.filter_map(|pair| Some(pair[0].parse::<u64>().ok()? * unit(pair[1])?)).collect()
}
