//! The columns of a table of nodes: the designed ones, or fields as they stand.

use std::borrow::Cow;

use crate::model::node::Full;
use crate::model::selection::field::{self, Field};
use crate::model::selection::value;
use crate::model::text::sanitised;

use super::cell::{Column, MORE, TABLE, Tone, shown};
use super::grid::masked;

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A column of the usual table.
    Made(Column),
    /// A field by its own name.
    Plain(Field),
}

/// The usual columns; `wide` adds what a node has.
pub(crate) fn default_columns(wide: bool) -> Vec<Shape> {
    TABLE.into_iter().chain(MORE.into_iter().filter(|_| wide)).map(Shape::Made).collect()
}

/// Everything that the columns show.
pub(crate) fn fields(shapes: &[Shape]) -> Vec<Field> {
    let keys = shapes.iter().flat_map(|shape| match shape {
        Shape::Made(column) => field::list(column.keys()).expect("these are fields"),
        Shape::Plain(field) => vec![field.clone()],
    });
    keys.collect()
}

impl Shape {
    /// The designed column for a field, if there is one.
    pub(crate) fn of(field: Field) -> Self {
        match field.key().and_then(Column::of_key) {
            Some(column) => Self::Made(column),
            None => Self::Plain(field),
        }
    }

    pub(super) fn head(&self) -> String {
        match self {
            Self::Made(column) => column.head().to_owned(),
            Self::Plain(field) => sanitised(field.name()).into_owned(),
        }
    }

    /// The text of a cell, safe for a terminal; `-` for nothing.
    pub(super) fn text<'a>(&self, node: &'a Full, secrets: bool) -> Cow<'a, str> {
        let field = match self {
            Self::Made(column) => return column.text(&node.record),
            Self::Plain(field) => field,
        };
        let value = field.value(node);
        let value = if secrets { value } else { masked(field.name(), &value) };
        shown(value::text(&value).into())
    }

    pub(super) fn tone(&self, node: &Full) -> Tone {
        match self {
            Self::Made(column) => column.tone(&node.record),
            Self::Plain(_) => Tone::Plain,
        }
    }

    pub(super) fn is_id(&self) -> bool {
        *self == Self::Made(Column::Id)
    }

    pub(super) fn is_silent(&self, text: &str) -> bool {
        matches!(self, Self::Made(column) if column.is_silent(text))
    }

    /// The width below which it is not shortened.
    pub(super) fn narrowest(&self) -> usize {
        match self {
            Self::Made(column) => column.narrowest(),
            Self::Plain(_) => 8,
        }
    }
}
