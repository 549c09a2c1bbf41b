//! The order of names that people expect: `web-2` before `web-10`.

use std::cmp::Ordering;

/// Compares two names, runs of ASCII digits by their value. Names that differ only in leading
/// zeros are ordered by their text, so that equal means identical.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let order = match (left.chars().next(), right.chars().next()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                compare_numbers(number(&mut left), number(&mut right))
            }
            (Some(x), Some(y)) => {
                (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
                x.cmp(&y)
            }
            (None, None) => return a.cmp(b),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the run of digits that starts here, without leading zeros.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

/// Without leading zeros the longer number is the larger one, however long both are.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn numbers_are_compared_by_value() {
        let mut names =
            ["web-10", "web-2", "web", "Web-1", "web-02", "a99999999999999999999999", "a2"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            ["Web-1", "a2", "a99999999999999999999999", "web", "web-02", "web-2", "web-10"]
        );
    }

    #[test]
    fn letters_of_any_length_and_numbers_in_between() {
        let mut names = ["é10b", "é2", "é", "z", "日本2", "日本10", "é2a", "é10a"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["z", "é", "é2", "é2a", "é10a", "é10b", "日本2", "日本10"]);
    }

    #[test]
    fn equal_means_identical() {
        assert!(compare("n1", "n01").is_ne());
        assert!(compare("n1", "n1").is_eq());
    }
}
