//! The columns that were named on the command line or in a query.

use std::collections::HashSet;

use super::field::{self, Field, KNOWN};

/// Each column is part of each row.
const MAX_COLUMNS: usize = 100;

/// Columns that were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    pub fields: Vec<Field>,
    /// They come after the default ones.
    pub adds: bool,
}

impl Columns {
    /// `NAME,meta.KEY` or `+meta.KEY`, which adds; `None` if nothing is named at all.
    ///
    /// # Errors
    /// An unknown column, no column, or too many.
    pub fn parse(texts: &[String]) -> Result<Option<Self>, String> {
        if texts.is_empty() {
            return Ok(None);
        }
        let adds = texts.iter().any(|text| text.trim_start().starts_with('+'));
        let without_plus = |text: &String| text.trim_start().trim_start_matches('+').to_owned();
        let joined = texts.iter().map(without_plus).collect::<Vec<_>>().join(",");
        let mut fields = field::parse_list(&joined.replace(",+", ","))?;
        if fields.is_empty() {
            return Err("no column is named".to_owned());
        }
        let mut named = HashSet::new();
        fields.retain(|field| named.insert(field.name().to_owned()));
        if fields.len() > MAX_COLUMNS {
            return Err(format!("at most {MAX_COLUMNS} columns can be named"));
        }
        Ok(Some(Self { fields, adds }))
    }

    /// All columns, after the `default` ones if they are added to those.
    pub fn after(&self, default: Vec<Field>) -> Vec<Field> {
        if !self.adds {
            return self.fields.clone();
        }
        let mut fields = default;
        for field in &self.fields {
            if !fields.iter().any(|known| known.name() == field.name()) {
                fields.push(field.clone());
            }
        }
        fields
    }
}

/// The fields of a record, or of a full one, in the order of the JSON.
pub fn of_record(full: bool) -> Vec<Field> {
    let keys = KNOWN.iter().filter(|known| full || !known.full).map(|known| known.key);
    field::parse_list(&keys.collect::<Vec<_>>().join(",")).expect("these are fields")
}
