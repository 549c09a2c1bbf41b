//! What differs from run to run becomes a word.

/// Times become `TIME` and sizes `SIZE`: `0.4 ms`, `4m59s`, `1.3 MiB`. Limits in seconds stay.
pub(super) fn steady(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (core, rest) = word.split_at(end);
        let mut before = words.pop().unwrap_or_default();
        let digit = |c: char| c.is_ascii_digit();
        let number = before.rfind(|c| !digit(c) && c != '.').map_or(0, |at| at + 1);
        let is_span = core.starts_with(digit)
            && core.ends_with(['s', 'm', 'h', 'd'])
            && core.chars().all(|c| digit(c) || "smhd".contains(c));
        let unit = match core {
            "ms" | "s" => "TIME",
            "B" | "KiB" | "MiB" | "GiB" => "SIZE",
            _ => "",
        };
        if !unit.is_empty() && before[number..].parse::<f64>().is_ok() {
            before.replace_range(number.., &format!("{unit}{rest}"));
            words.push(before);
        } else {
            let is_limit = !core.ends_with("ms") && before == "after" || before.ends_with("--ttl");
            let core = if is_span && !is_limit { "TIME" } else { core };
            words.extend([before, format!("{core}{rest}")]);
        }
    }
    words.join(" ").trim_start().to_owned()
}

#[test]
fn times_and_sizes_are_made_steady() {
    let text = "in 0.4 ms, 4m59s left (1.3 MiB of 256.0 MiB) 50 % of 2 runs, after 3s, 0s old";
    let steady = steady(text);
    assert_eq!(steady, "in TIME, TIME left (SIZE of SIZE) 50 % of 2 runs, after 3s, TIME old");
}
