//! Rows of values under names: JSON, YAML, CSV and TSV of whatever columns are asked for.

use std::borrow::Borrow;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;

use crate::model::json;
use crate::model::node::Full;
use crate::model::secret::is_secret;
use crate::model::selection::field::Field;
use crate::model::selection::value;
use crate::model::text::sanitised;

use super::{OutputStyle, Syntax};

/// Rows with one value for each name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Grid {
    pub(crate) fn of(nodes: &[impl Borrow<Full>], fields: &[Field]) -> Self {
        let row = |node: &Full| fields.iter().map(|field| field.value(node)).collect();
        let names = fields.iter().map(|field| field.name().to_owned()).collect();
        Self { names, rows: nodes.iter().map(|node| row(node.borrow())).collect() }
    }

    /// Each row as one JSON object, its keys in the order of the columns.
    pub(crate) fn objects(&self) -> Vec<Vec<u8>> {
        self.rows.iter().map(|row| json::bytes(&RowObject { names: &self.names, row })).collect()
    }

    pub(crate) fn yaml(&self, to: &mut dyn Write) -> io::Result<()> {
        let objects: Vec<Yaml<'_>> =
            self.rows.iter().map(|row| Yaml::Row(RowObject { names: &self.names, row })).collect();
        let yaml = serde_saphyr::to_string(&objects).map_err(io::Error::other)?;
        to.write_all(yaml.as_bytes())
    }

    /// RFC 4180 with `\n` at the end of a line, or values between tabs.
    pub(crate) fn separated(
        &self,
        to: &mut dyn Write,
        syntax: Syntax,
        style: &OutputStyle,
    ) -> io::Result<()> {
        let head = |name: &String| cell(&Value::from(name.as_str()), syntax);
        if style.headers {
            write_row(to, self.names.iter().map(head), syntax)?;
        }
        for row in &self.rows {
            let cells = self.names.iter().zip(row).map(|(name, value)| {
                if style.secrets { cell(value, syntax) } else { cell(&masked(name, value), syntax) }
            });
            write_row(to, cells, syntax)?;
        }
        Ok(())
    }
}

/// One node as a JSON object of these columns.
pub(crate) fn object(node: &Full, fields: &[Field]) -> Vec<u8> {
    json::bytes(&FieldValues { node, fields })
}

struct FieldValues<'a> {
    node: &'a Full,
    fields: &'a [Field],
}

impl Serialize for FieldValues<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.fields.iter().map(|field| (field.name(), field.value(self.node))))
    }
}

struct RowObject<'a> {
    names: &'a [String],
    row: &'a [Value],
}

impl Serialize for RowObject<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.names.iter().zip(self.row))
    }
}

/// A value on its way into YAML: text with control characters is quoted, and they are escaped.
enum Yaml<'a> {
    Row(RowObject<'a>),
    Value(&'a Value),
    Text(&'a str),
}

impl Serialize for Yaml<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Row(RowObject { names, row }) => {
                let names = names.iter().map(|name| Yaml::Text(name));
                to.collect_map(names.zip(row.iter().map(Yaml::Value)))
            }
            Self::Value(Value::Object(map)) => {
                to.collect_map(map.iter().map(|(key, value)| (Yaml::Text(key), Yaml::Value(value))))
            }
            Self::Value(Value::Array(values)) => to.collect_seq(values.iter().map(Yaml::Value)),
            Self::Value(Value::String(text)) => Yaml::Text(text).serialize(to),
            Self::Value(value) => value.serialize(to),
            Self::Text(text) if sanitised(text) == **text => text.serialize(to),
            Self::Text(text) => serde_saphyr::DoubleQuoted(*text).serialize(to),
        }
    }
}

/// The value with `***` in place of secrets, as its name or the keys in it tell them.
pub(crate) fn masked(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if is_secret(name) && !text.is_empty() => Value::from("***"),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), masked(key, value))).collect()
        }
        other => other.clone(),
    }
}

fn write_row(
    to: &mut dyn Write,
    cells: impl Iterator<Item = String>,
    syntax: Syntax,
) -> io::Result<()> {
    if syntax.tabs {
        return writeln!(to, "{}", cells.collect::<Vec<_>>().join("\t"));
    }
    let cells: Vec<String> = cells.collect();
    // Readers drop a byte order mark at the beginning of a file, unless it is quoted.
    let is_marked = cells.first().is_some_and(|first| first.starts_with('\u{feff}'));
    let quotes = if is_marked { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
    let mut writer = csv::WriterBuilder::new().quote_style(quotes).from_writer(to);
    writer.write_record(cells)?;
    writer.flush()
}

/// One cell: never a formula for a spreadsheet unless it is wanted raw, never a control character
/// for a terminal. A line break stays in CSV, which quotes it; between tabs it is written `\n`.
fn cell(value: &Value, syntax: Syntax) -> String {
    let text = value::text(value);
    if syntax.raw && !syntax.tabs {
        return text;
    }
    let text = if syntax.raw || value.is_number() { text } else { formula_safe(text) };
    if syntax.tabs {
        let text = text.replace('\\', "\\\\").replace('\t', "\\t");
        let text = text.replace('\n', "\\n").replace('\r', "\\r");
        return sanitised(&text).into_owned();
    }
    text.split('\n').map(sanitised).collect::<Vec<_>>().join("\n")
}

/// Quotes a text that a spreadsheet would take for a formula.
fn formula_safe(text: String) -> String {
    let begins = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_formula = begins(&text) || begins(text.trim_start());
    let is_number = || text.parse::<f64>().is_ok_and(f64::is_finite);
    if is_formula && !is_number() { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Grid, OutputStyle, Syntax};

    fn separated(syntax: Syntax, secrets: bool) -> String {
        let row = vec![
            json!("=cmd|' /C calc'!A0"),
            json!("a,\"b\"\nc\t\u{1b}"),
            json!(-1),
            json!("-1"),
            json!("-1+1"),
        ];
        let names = ["meta.token", "text", "number", "as text", "formula"].map(str::to_owned);
        let grid = Grid { names: names.into(), rows: vec![row] };
        let style = OutputStyle { width: None, colour: false, headers: false, secrets };
        let mut out = Vec::new();
        grid.separated(&mut out, syntax, &style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_is_quoted_and_no_formula() {
        let syntax = Syntax { tabs: false, raw: false };
        assert_eq!(separated(syntax, false), "***,\"a,\"\"b\"\"\nc\\u{9}\\u{1b}\",-1,-1,'-1+1\n");
        assert!(separated(syntax, true).starts_with("'=cmd|' /C calc'!A0,"));
        let raw = Syntax { tabs: false, raw: true };
        assert!(
            separated(raw, true)
                .starts_with("=cmd|' /C calc'!A0,\"a,\"\"b\"\"\nc\t\u{1b}\",-1,-1,-1+1")
        );
    }

    #[test]
    fn a_byte_order_mark_is_part_of_the_text() {
        let grid = Grid { names: vec!["name".to_owned()], rows: vec![vec![json!("\u{feff}web")]] };
        let style = OutputStyle { width: None, colour: false, headers: false, secrets: true };
        let mut out = Vec::new();
        grid.separated(&mut out, Syntax { tabs: false, raw: true }, &style).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\"\u{feff}web\"\n");
    }

    #[test]
    fn tsv_is_one_line_a_row() {
        let syntax = Syntax { tabs: true, raw: false };
        assert_eq!(separated(syntax, false), "***\ta,\"b\"\\nc\\t\\u{1b}\t-1\t-1\t'-1+1\n");
    }
}
