//! Values of fields: as text, and in an order that people expect.

use std::cmp::Ordering;

use serde_json::Value;

use super::natural;
use super::version::Version;

/// A value as one piece of text: null is empty, a map reads `a=1,b=2`, a list `a,b`.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(map) => {
            let pair = |(key, value): (&String, &Value)| format!("{key}={}", text(value));
            map.iter().map(pair).collect::<Vec<_>>().join(",")
        }
    }
}

/// Numbers and versions by their value, then other text naturally (`web-2` before `web-10`), empty values last.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    Rank::of(a).compare(&Rank::of(b))
}

/// A value, read once for all comparisons of a sort.
pub(crate) struct Rank {
    number: Option<f64>,
    place: Option<(f64, Option<Version>)>,
    pub(crate) text: String,
    pub(crate) is_empty: bool,
}

impl Rank {
    pub(crate) fn of(value: &Value) -> Self {
        let text = text(value);
        Self { number: value.as_f64(), place: place(&text), is_empty: is_empty(value), text }
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self.is_empty, other.is_empty) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) => {}
        }
        if let (Some(a), Some(b)) = (self.number, other.number) {
            return a.total_cmp(&b);
        }
        let order = match (&self.place, &other.place) {
            (Some((x, v)), Some((y, w))) => x.total_cmp(y).then_with(|| v.cmp(w)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        order.then_with(|| natural::compare(&self.text, &other.text))
    }
}

/// Where numbers and versions stand among each other, before all other text: by the number or the
/// first number of the version, then by the version. Comparing each pair as numbers or as versions
/// is no order (`500 < 1e3`, `1e3 < 2.5`, `2.5 < 500`), and a sort may panic on it.
fn place(text: &str) -> Option<(f64, Option<Version>)> {
    match Version::parse(text) {
        Some(version) => Some((version.first() as f64, Some(version))),
        None => number(text).map(|number| (number, None)),
    }
}

/// How two texts compare as numbers or as versions; `None` if one of them is neither.
pub fn compare_values(a: &str, b: &str) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Some(a.total_cmp(&b));
    }
    Some(Version::parse(a)?.cmp(&Version::parse(b)?))
}

/// Whole numbers, decimals and exponents, but no `inf`, `nan` or `1.10` (which is a version as well,
/// and means the same as a number only without trailing zeros).
fn number(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let is_version = text.matches('.').count() == 1 && !text.contains(['e', 'E', '-', '+']);
    text.parse().ok().filter(|value: &f64| is_number && !is_version && value.is_finite())
}

pub fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::json;

    use super::{compare, compare_values, text};

    #[test]
    fn text_of_anything() {
        let value = json!({"a": 1, "b": [true, null, "x"], "c": {"d": "e"}});
        assert_eq!(text(&value), "a=1,b=true,,x,c=d=e");
    }

    #[test]
    fn an_order_by_value() {
        let mut values = [
            json!(null),
            json!("web-10"),
            json!("web-2"),
            json!("1.10.0"),
            json!("1.9.0"),
            json!("100"),
            json!("20"),
            json!("-5"),
            json!("(none)"),
            json!("1e1"),
            json!(""),
        ];
        values.sort_by(compare);
        let texts: Vec<String> = values.iter().map(text).collect();
        assert_eq!(
            texts,
            ["-5", "1.9.0", "1.10.0", "1e1", "20", "100", "(none)", "web-2", "web-10", "", ""]
        );
        assert_eq!(compare(&json!(9), &json!(10)), Ordering::Less);
    }

    /// Whoever chooses the values must not choose an order that is none: a sort may panic on it.
    #[test]
    fn an_order_whatever_the_values() {
        let mixed = |at: u32| {
            let number = at.wrapping_mul(2_654_435_761) >> 20;
            ["{}", "{}e1", "{}.5", "v{}", "{}x", "-{}"][at as usize % 6]
                .replace("{}", &number.to_string())
        };
        let mut values: Vec<_> = (0..2000).map(|at| json!(mixed(at))).collect();
        values.sort_by(compare);
        assert!(values.is_sorted_by(|a, b| compare(a, b).is_le()));
    }

    #[test]
    fn numbers_and_versions() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("9", "10", Some(Less)),
            ("-1", "1", Some(Less)),
            ("1e3", "999", Some(Greater)),
            ("1.10", "1.9", Some(Greater)),
            ("1.5", "1.50.0", Some(Less)),
            ("2", "2.0.0", Some(Equal)),
            ("a", "1", None),
            ("inf", "1", None),
        ] {
            assert_eq!(compare_values(a, b), order, "{a} {b}");
        }
    }
}
