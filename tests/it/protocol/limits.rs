//! Every number of the cache: the constants of the code against the tables of limits and of steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::document::{only, section, times};

const FOLDERS: [&str; 3] = ["store", "host", "discovery"];

/// One `const NAME: TYPE = VALUE;`
struct Constant {
    /// Relative to `src/`.
    file: String,
    name: String,
    kind: String,
    value: String,
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All constants, those of tests left out.
fn constants() -> Vec<Constant> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    FOLDERS.iter().for_each(|folder| sources(&src.join(folder), &mut paths));
    paths.sort();
    let mut constants = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let file = path.strip_prefix(&src).unwrap().to_str().unwrap();
        for part in text.replace(" =\n", " = ").split("const ").skip(1) {
            let Some((head, value)) = part.split_once(" = ") else { continue };
            let Some((name, kind)) = head.split_once(": ") else { continue };
            let is_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            if is_name && let Some((value, _)) = value.split_once(";\n") {
                let [file, name, kind, value] = [file, name, kind, value].map(str::to_owned);
                constants.push(Constant { file, name, kind, value });
            }
        }
    }
    constants
}

impl Constant {
    /// Its numbers: milliseconds of a time, else as they are. `None` if it has no number.
    fn numbers(&self, all: &[Self]) -> Option<Vec<u64>> {
        let factor = match &*self.kind {
            "Duration" | "TimeBudget" | "[Duration; 2]" => 1,
            "u64" | "usize" | "u32" | "i64" | "u16" | "u8" => {
                return Some(vec![self.number(&self.value, all)? * self.unit()]);
            }
            "&str" => {
                let number: u64 = self.value.trim_matches('"').parse().ok()?;
                return Some(vec![number * self.unit()]);
            }
            _ => return None,
        };
        let calls = self.value.split("from_").skip(1).chain(self.value.split("flat(").nth(1));
        let times = calls.map(|call| {
            let (unit, rest) = call.split_once('(').unwrap_or(("millis", call));
            let number = self.number(rest.split(')').next().unwrap(), all).unwrap();
            number * if unit == "secs" { 1000 } else { factor }
        });
        Some(times.collect())
    }

    /// What one of it is, in milliseconds, if its name says that it is a time.
    fn unit(&self) -> u64 {
        if self.name.ends_with("_S") { 1000 } else { 1 }
    }

    fn is_time(&self) -> bool {
        let has_unit = self.name.ends_with("_S") || self.name.ends_with("_MS");
        let is_rate = self.name.ends_with("_PER_MS");
        self.kind.contains("Duration") || self.kind == "TimeBudget" || (has_unit && !is_rate)
    }

    /// `5 * 60`, `64 << 10`, `8 * OTHER`
    fn number(&self, text: &str, all: &[Self]) -> Option<u64> {
        if let Some((left, right)) = text.rsplit_once(" << ") {
            return Some(self.number(left, all)? << self.number(right, all)?);
        }
        if let Some((left, right)) = text.split_once(" * ") {
            return Some(self.number(left, all)? * self.number(right, all)?);
        }
        let other = all.iter().find(|other| other.name == text);
        match other {
            Some(other) => other.number(&other.value, all),
            None => text.replace('_', "").parse().ok(),
        }
    }
}

/// `64 KB`, `4096`, `86400 s`
fn amount(cell: &str) -> Vec<u64> {
    let mut words = cell.split(' ');
    let number: u64 = words.next().unwrap().parse().unwrap_or_else(|_| panic!("{cell}"));
    let factor = match words.next() {
        Some("KB") => 1 << 10,
        Some("MB") => 1 << 20,
        Some("GB") => 1 << 30,
        _ => 1,
    };
    vec![number * factor]
}

#[test]
fn every_limit_is_the_constant() {
    let all = constants();
    let rows: BTreeMap<String, String> = section("Limits")
        .table("limit")
        .into_iter()
        .map(|row| (only(&row[2]), row[1].clone()))
        .collect();
    let mut numbers = BTreeMap::new();
    for constant in &all {
        let key = format!("{} {}", constant.file, constant.name);
        // Sums of types are no limits.
        let Some(values) = constant.numbers(&all) else { continue };
        let said =
            rows.get(&key).map(|cell| if constant.is_time() { times(cell) } else { amount(cell) });
        assert_eq!(said, Some(values.clone()), "the page, the code: {key}");
        numbers.insert(key, values);
    }
    let unknown: Vec<_> = rows.keys().filter(|key| !numbers.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "not in the code: {unknown:?}");
}

/// The limit of a step, which it may have from another one.
fn limit(step: &Constant, all: &[Constant]) -> String {
    if let Some((_, rest)) = step.value.split_once("limit: StepLimit::") {
        let rest = rest.split([',', '\n', '}']).next().unwrap_or(rest).to_owned();
        let whole = step.value.split_once("limit: StepLimit::").unwrap().1;
        return if rest.starts_with("Fixed") {
            whole.split("))").next().unwrap().to_owned()
        } else {
            rest.trim().to_owned()
        };
    }
    let (_, base) =
        step.value.rsplit_once("..").expect("it says how long, or from whom it has that");
    let base = base.trim_end_matches(['}', '\n', ' ']);
    let same_file = all.iter().find(|it| it.name == base && it.file == step.file);
    let base = same_file.or_else(|| all.iter().find(|it| it.name == base && it.kind == "Step"));
    limit(base.expect("that one exists"), all)
}

#[test]
fn every_step_waits_as_long_as_its_row_says() {
    let all = constants();
    let mut steps: BTreeMap<String, String> = BTreeMap::new();
    // `doctor` has steps of its own.
    let of_runs = all.iter().filter(|it| it.kind == "Step" && !it.file.ends_with("diagnose.rs"));
    for step in of_runs {
        let limit = match &*limit(step, &all) {
            "Patience" => "patience".to_owned(),
            "Fixed(TimeBudget::flat(500" => "500 ms".to_owned(),
            "Fixed(TimeBudget::new(500, 3000" => "500 ms silence, 3 s".to_owned(),
            other => panic!("{}: {other}", step.name),
        };
        steps.insert(step.name.clone(), limit);
    }
    // Its bytes are counted before it is sent.
    let publish = "patience, at least 2 s and 1 s per 10 MB";
    assert_eq!(steps.insert("PUBLISH".to_owned(), publish.to_owned()).unwrap(), "500 ms");
    let rows = section("Steps").table("step");
    let (named, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| !row[1].is_empty());
    let rows: BTreeMap<String, String> =
        named.into_iter().map(|row| (only(&row[1]), row[3].clone())).collect();
    assert_eq!(rows, steps, "the page, the code");
    let fixed = |names: &[&str]| -> Vec<u64> {
        let of =
            |name: &&str| all.iter().find(|it| it.name == *name).unwrap().numbers(&all).unwrap();
        names.iter().flat_map(of).collect()
    };
    for (step, limit) in [
        ("CLEAR", fixed(&["ATTEMPT_MS", "CLEAR_TIMEOUT"])),
        ("CLEAR, replicas", fixed(&["WAIT"])),
        ("count a hit", fixed(&["COUNT"])),
        ("count a miss", fixed(&["COUNT"])),
    ] {
        let row = others.iter().find(|row| row[0] == step).unwrap();
        assert_eq!(times(&row[3]), limit, "{step}");
    }
}
