//! Conditions on nodes: `status=down`, `meta.rack!=r1`, `version>=1.9`, `attr.cpu.numcores<8`.

use std::cmp::Ordering;

use serde_json::Value;

use super::field::Field;
use super::glob::Pattern;
use super::value::{compare_values, is_empty, text};
use crate::model::node::Full;
use crate::model::text::unknown;
use crate::model::work_limit::WorkLimit;

/// A field, and the tests of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub field: Field,
    tests: Vec<Test>,
}

/// One of the tests of a condition must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Test {
    operator: Operator,
    operand: Pattern,
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

/// Steps that a condition takes for each node, whatever the value.
const EACH: usize = 32;

/// And for each of its alternatives.
const ALTERNATIVE: usize = 4;

/// Longest first, so that `<=` is not taken for `<`.
const OPERATORS: [(&str, Operator); 6] = [
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
    /// An unknown field or operator (`==`, `=~`), no number or version after `<` or `>`,
    /// a pattern that is too long, or a value that the field never has.
    pub fn parse(text: &str) -> Result<Self, String> {
        let name = split(text).map_or(text, |(name, ..)| name);
        if ["meta.", "attr.", "drivers."].contains(&name) {
            return Err("missing key; expected KEY, KEY=VALUE, KEY!=VALUE or KEY>=VALUE".to_owned());
        }
        let Some((name, operator, value)) = split(text) else {
            return Ok(Self {
                field: Field::parse(text)?,
                tests: vec![Test::new(Operator::Is, "")?],
            });
        };
        check_operator(operator, value)?;
        let field = Field::parse(name)?;
        let values: Vec<&str> =
            if field.is_foreign() { vec![value] } else { value.split(',').collect() };
        let tests = values.into_iter().map(|value| Test::new(operator, value));
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
        let test = |text: &str| match OPERATORS.iter().find(|(sign, _)| text.starts_with(sign)) {
            Some((sign, operator)) => {
                let value = &text[sign.len()..];
                check_operator(*operator, value).and_then(|()| Test::new(*operator, value))
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
            Some("datacenter" | "name" | "version") => return self.without_empty(),
            _ if self.field.name().starts_with("drivers.") => {
                ("health", &["healthy", "unhealthy", "undetected"])
            }
            _ => return Ok(self),
        };
        for test in self.tests.iter().filter(|test| test.operator != Operator::Is) {
            let work = WorkLimit::unbounded();
            if !possible.iter().any(|value| test.operand.matches(value, &work)) {
                return Err(unknown(what, test.operand.text(), possible.iter().copied()));
            }
        }
        Ok(self)
    }

    /// For a field that no node leaves empty.
    fn without_empty(self) -> Result<Self, String> {
        let empty = |test: &Test| test.operator != Operator::Is && test.operand.text().is_empty();
        if self.tests.iter().any(empty) {
            return Err("the value is empty, but no node has an empty one".to_owned());
        }
        Ok(self)
    }

    pub fn holds(&self, node: &Full, work: &WorkLimit) -> bool {
        let value = self.field.value(node);
        let text = text(&value);
        work.spend(EACH + text.len());
        self.tests.iter().any(|test| test.holds(&value, &text, work))
    }
}

impl Test {
    /// # Errors
    /// No number or version to compare with, or a pattern that is too long.
    fn new(operator: Operator, operand: &str) -> Result<Self, String> {
        let orders = matches!(
            operator,
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast
        );
        if orders && compare_values(operand, operand).is_none() {
            let sign =
                OPERATORS.iter().find(|(_, of)| *of == operator).map_or("", |(sign, _)| sign);
            return Err(format!("{sign} needs a number or a version, not {operand:?}"));
        }
        let operand = if orders { Pattern::literal(operand) } else { Pattern::parse(operand)? };
        Ok(Self { operator, operand })
    }

    fn holds(&self, value: &Value, text: &str, work: &WorkLimit) -> bool {
        work.spend(ALTERNATIVE);
        let order = || {
            work.spend(EACH + text.len() + self.operand.text().len());
            compare_values(text, self.operand.text())
        };
        match self.operator {
            Operator::Is => !is_empty(value) && *value != Value::Bool(false),
            Operator::Equal => !value.is_null() && self.operand.matches(text, work),
            Operator::Unequal => value.is_null() || !self.operand.matches(text, work),
            Operator::Less => order() == Some(Ordering::Less),
            Operator::AtMost => order().is_some_and(Ordering::is_le),
            Operator::More => order() == Some(Ordering::Greater),
            Operator::AtLeast => order().is_some_and(Ordering::is_ge),
        }
    }
}

/// Operators of other programs must not be taken for a part of the value.
fn check_operator(operator: Operator, value: &str) -> Result<(), String> {
    let strange = value.chars().next().filter(|first| ['=', '~'].contains(first));
    match (strange, operator) {
        (Some(first), Operator::Equal | Operator::Unequal) => {
            let sign = if operator == Operator::Equal { "=" } else { "!=" };
            Err(format!(
                "unknown operator {sign}{first}; {sign} compares with a glob, in which [{first}] is a literal {first}"
            ))
        }
        _ => Ok(()),
    }
}

/// The field, the first operator, and the value behind it.
fn split(text: &str) -> Option<(&str, Operator, &str)> {
    let at = text.find(['=', '!', '<', '>'])?;
    let (sign, operator) = OPERATORS.iter().find(|(sign, _)| text[at..].starts_with(sign))?;
    Some((&text[..at], *operator, &text[at + sign.len()..]))
}
