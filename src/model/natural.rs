//! The order of names that people expect: `web-2` before `web-10`.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

/// Compares two names, runs of ASCII digits by their value. Names that differ only in leading
/// zeros are ordered by their text, so that equal means identical.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                compare_numbers(&number(&mut left), &number(&mut right))
            }
            (Some(_), Some(_)) => left.next().cmp(&right.next()),
            (None, None) => return a.cmp(b),
            (x, y) => return x.is_some().cmp(&y.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the run of digits that starts here, without leading zeros.
fn number(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits.trim_start_matches('0').to_owned()
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
    fn equal_means_identical() {
        assert!(compare("n1", "n01").is_ne());
        assert!(compare("n1", "n1").is_eq());
    }
}
