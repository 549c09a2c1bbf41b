//! What a node must be like: `status=down`, `meta.rack!=r1`, `version>=1.9`, `attr.cpu.numcores<8`.

use std::cmp::Ordering;

use serde_json::Value;

use super::field::Field;
use super::glob::Pattern;
use super::value::{by_value, is_empty, text};
use crate::model::node::Full;
use crate::model::text::unknown;
use crate::model::work_limit::WorkLimit;

/// A field, and what its value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub field: Field,
    tests: Vec<Test>,
}

/// One of the tests of a condition must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Test {
    how: Operator,
    than: Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// There is a value.
    Is,
    Equal,
    /// Also when there is no value.
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// Steps that a condition takes on a node, whatever the value.
const EACH: usize = 32;

/// And for each of its alternatives.
const ALTERNATIVE: usize = 4;

/// Longest first, so that `<=` is not taken for `<`.
const SIGNS: [(&str, Operator); 6] = [
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::More),
];

impl Condition {
    /// `FIELD`, `FIELD=A,B`, `FIELD!=A`, `FIELD>=A`, …; with `=` and `!=` the value is a glob.
    ///
    /// # Errors
    /// No such field, a sign that there is not (`==`, `=~`), no number or version after `<` or `>`,
    /// a pattern that is too long, or a value that the field never has.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = split(text).map_or(text, |(name, ..)| name);
        if ["meta.", "attr.", "drivers."].contains(&name) {
            return Err("a key is missing: KEY, KEY=VALUE, KEY!=VALUE, KEY>=VALUE".to_owned());
        }
        let Some((name, how, value)) = split(text) else {
            return Ok(Self {
                field: Field::parse(text)?,
                tests: vec![Test::new(Operator::Is, "")?],
            });
        };
        known_sign(how, value)?;
        let field = Field::parse(name)?;
        let values: Vec<&str> =
            if field.is_foreign() { vec![value] } else { value.split(',').collect() };
        let tests = values.into_iter().map(|value| Test::new(how, value));
        let condition = Self { field, tests: tests.collect::<Result<_, _>>()? };
        condition.checked()
    }

    /// `field` is one of these, each of which may begin with a sign: `>=1.9`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn one_of<'a>(
        field: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let test = |text: &str| match SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
            Some((sign, how)) => {
                let value = &text[sign.len()..];
                known_sign(*how, value).and_then(|()| Test::new(*how, value))
            }
            None => Test::new(Operator::Equal, text),
        };
        let tests = values.into_iter().map(test).collect::<Result<_, _>>()?;
        Self { field: Field::parse(field)?, tests }.checked()
    }

    fn checked(self) -> Result<Self, String> {
        let (what, possible): (_, &[&str]) = match self.field.key() {
            Some("status") => ("status", &["initializing", "ready", "down", "disconnected"]),
            Some("eligibility") => ("eligibility", &["eligible", "ineligible"]),
            Some("drain") => ("value", &["true", "false"]),
            Some("datacenter" | "name" | "version") => return self.with_values(),
            _ if self.field.name().starts_with("drivers.") => {
                ("health", &["healthy", "unhealthy", "undetected"])
            }
            _ => return Ok(self),
        };
        for test in self.tests.iter().filter(|test| test.how != Operator::Is) {
            let work = WorkLimit::unbounded();
            if !possible.iter().any(|value| test.than.fits(value, &work)) {
                return Err(unknown(what, test.than.text(), possible.iter().copied()));
            }
        }
        Ok(self)
    }

    /// Of a field that every node has.
    fn with_values(self) -> Result<Self, String> {
        let empty = |test: &Test| test.how != Operator::Is && test.than.text().is_empty();
        if self.tests.iter().any(empty) {
            return Err("an empty value, which no node has".to_owned());
        }
        Ok(self)
    }

    pub fn holds(&self, node: &Full, work: &WorkLimit) -> bool {
        let value = self.field.value(node);
        let shown = text(&value);
        work.spend(EACH + shown.len());
        self.tests.iter().any(|test| test.holds(&value, &shown, work))
    }
}

impl Test {
    /// # Errors
    /// No number or version to compare with, or a pattern that is too long.
    fn new(how: Operator, than: &str) -> Result<Self, String> {
        let orders =
            matches!(how, Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast);
        if orders && by_value(than, than).is_none() {
            let sign = SIGNS.iter().find(|(_, of)| *of == how).map_or("", |(sign, _)| sign);
            return Err(format!("{sign} needs a number or a version, not {than:?}"));
        }
        let than = if orders { Pattern::literal(than) } else { Pattern::parse(than)? };
        Ok(Self { how, than })
    }

    fn holds(&self, value: &Value, shown: &str, work: &WorkLimit) -> bool {
        work.spend(ALTERNATIVE);
        let order = || {
            work.spend(EACH + shown.len() + self.than.text().len());
            by_value(shown, self.than.text())
        };
        match self.how {
            Operator::Is => !is_empty(value) && *value != Value::Bool(false),
            Operator::Equal => !value.is_null() && self.than.fits(shown, work),
            Operator::Unequal => value.is_null() || !self.than.fits(shown, work),
            Operator::Less => order() == Some(Ordering::Less),
            Operator::AtMost => order().is_some_and(Ordering::is_le),
            Operator::More => order() == Some(Ordering::Greater),
            Operator::AtLeast => order().is_some_and(Ordering::is_ge),
        }
    }
}

/// What other programs write must not be taken for a value that no node has.
fn known_sign(how: Operator, value: &str) -> Result<(), String> {
    let strange = value.chars().next().filter(|first| ['=', '~'].contains(first));
    match (strange, how) {
        (Some(sign), Operator::Equal | Operator::Unequal) => Err(format!(
            "{sign} is part of no sign: = and != compare with a glob (for a value that begins with {sign} write [{sign}])"
        )),
        _ => Ok(()),
    }
}

/// The field, the first sign, and the value behind it.
fn split(text: &str) -> Option<(&str, Operator, &str)> {
    let at = text.find(['=', '!', '<', '>'])?;
    let (sign, how) = SIGNS.iter().find(|(sign, _)| text[at..].starts_with(sign))?;
    Some((&text[..at], *how, &text[at + sign.len()..]))
}
